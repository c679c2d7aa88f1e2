"""The table at the end: what each model achieved, and what it costs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

COLUMNS: Final[Mapping[str, str]] = {
    "model": "{}",
    "nats/note": "{:.3f}",
    "chord 6-gram": "{:.3f}",
    "event 6-gram": "{:.3f}",
    "accuracy": "{:.3f}",
    "parameters": "{:,}",
    "MB": "{:.2f}",
    "ms/token": "{:.3f}",
    "epochs": "{}",
    "minutes": "{:.1f}",
}
"""What stands in a row, and how it is written."""

Row = Mapping[str, Any]


def print_table(rows: Sequence[Row]) -> None:
    """Print a row per model; likelihoods are of the validation pieces, exact and in the same unit."""
    if not rows:
        return
    cells = [[*COLUMNS]] + [
        [form.format(row[name]) if name in row else "-" for name, form in COLUMNS.items()] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print("\nnats per note on the validation pieces: lower is better")
    for row in cells:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)))
