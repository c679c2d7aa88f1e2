"""Tables of figures, for a terminal or as Markdown: what stands in their columns is data."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Columns = Mapping[str, str]
"""How the values of each column are written, by its name."""
Row = Mapping[str, Any]

COLUMNS: Final[Columns] = {
    "model": "{}",
    "nats/note": "{:.3f}",
    "nats/step": "{:.3f}",
    "chord 6-gram": "{:.3f}",
    "event 6-gram": "{:.3f}",
    "perplexity": "{:.2f}",
    "accuracy": "{:.3f}",
    "exact bars": "{:.1%}",
    "parameters": "{:,}",
    "MB": "{:.2f}",
    "ms/token": "{:.3f}",
    "epochs": "{}",
    "minutes": "{:.1f}",
}
"""Of the table at the end of a training: what each model achieved, and what it costs; perplexity,
accuracy and exact bars of drums are of what is hit in a step."""
FOOTNOTE: Final = """\
chord 6-gram: of the sets of pitches that sound, where no note is struck again and none is loud or soft; its
nats per note cannot be compared with those of a model that plays note after note, an event 6-gram's can"""


def print_table(rows: Sequence[Row]) -> None:
    """Print a row per model; likelihoods are of the validation pieces and exact."""
    if rows:
        print("\non the validation pieces; nats and perplexity: lower is better")
        shown = {name: form for name, form in COLUMNS.items() if any(name in row for row in rows)}
        print("\n".join(lines(shown, rows)))
        if any({"chord 6-gram", "event 6-gram"} <= {*row} for row in rows):
            print(FOOTNOTE)


def lines(columns: Columns, rows: Sequence[Row], *, markdown: bool = False) -> list[str]:
    """Return the lines of a table; the first column is words, the others figures. ``-``: a row has none."""
    cells = [[*columns]] + [
        [form.format(row[name]) if name in row else "-" for name, form in columns.items()] for row in rows
    ]
    if markdown:
        rule = ["---", *("--:" for _ in cells[0][1:])]
        return [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def heading(facts: Mapping[str, str], *, markdown: bool = False) -> list[str]:
    """Return what a table was measured on."""
    if markdown:
        return ["; ".join(f"{name} {fact}" for name, fact in facts.items()) + "."]
    return [f"{name}: {fact}" for name, fact in facts.items()]
