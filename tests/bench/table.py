"""What a benchmark prints: rows of figures, under the machine that they were measured on."""

import os
import platform
import re
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]

COLUMNS = ("value", "p50", "p99", "max", "n")
HEADING = ("measured", *COLUMNS, "unit")
WIDTH = 110
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: is measured.
        unit: of every figure in the row.
        how: it was done.
        figures: by column, those that the row has; `n` is how many measurements.
    """

    what: str
    unit: str
    how: str
    figures: dict[str, float]

    def cells(self) -> list[str]:
        """The row as it is printed, `how` left out."""
        figures = (self.figures.get(column) for column in COLUMNS)
        return [self.what, *("" if f is None else written(f) for f in figures), self.unit]


def spread(what: str, unit: str, how: str, values: Sequence[float]) -> Row:
    """A row with the median, the 99th percentile and the maximum of many measurements."""
    if not len(values):
        raise RuntimeError(f"{what}: nothing was measured")
    p50, p99, highest = (float(np.percentile(values, q)) for q in (50, 99, 100))
    return Row(what, unit, how, {"p50": p50, "p99": p99, "max": highest, "n": len(values)})


def single(what: str, unit: str, how: str, value: float) -> Row:
    """A row with one figure."""
    return Row(what, unit, how, {"value": value})


def written(figure: float) -> str:
    """Three digits are more than a shared machine can promise."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def machine() -> dict[str, str]:
    """What the figures were measured on, and with."""
    governor = {"governor": GOVERNOR.read_text().strip()} if GOVERNOR.exists() else {}
    return {**computer(), **governor, "Pd": _pd(), "commit": commit(ROOT)}


def load() -> str:
    """The load of the last 1, 5 and 15 minutes."""
    return "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg())


def commit(folder: Path) -> str:
    """Which one a checkout is of, and whether anything was changed in it since."""
    said = subprocess.run(
        ["git", "-C", folder, "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def computer() -> dict[str, str]:
    """The same where there is no Pd, as on a machine that trains."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores in use of {os.cpu_count()}",
        "load average before": load(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "numpy": version("numpy"),
        "LiteRT": version("ai-edge-litert"),
        "neuralmidi": version("neuralmidi"),
    }


def _processor() -> str:
    found = re.search(r"^(?:model name|Model)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _pd() -> str:
    said = subprocess.run(["pd", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r"Pd-(\S+)", said.stderr + said.stdout)
    return found[1] if found else "unknown"


def as_text(head: dict[str, str], rows: Sequence[Row]) -> str:
    """The table for a terminal: how rows were measured stands under them."""
    cells = [HEADING, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [f"{key}: {value}" for key, value in head.items()]
    lines += ["", _aligned(HEADING, widths)]
    for how, group in groupby(rows, lambda row: row.how):
        lines += [_aligned(row.cells(), widths) for row in group]
        lines += textwrap.wrap(how, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    what, *figures, unit = line
    right = (text.rjust(width) for text, width in zip(figures, widths[1:], strict=False))
    return "  ".join((what.ljust(widths[0]), *right, unit))


def as_markdown(head: dict[str, str], rows: Sequence[Row]) -> str:
    """The table for the README."""

    def lines() -> Iterator[str]:
        yield "; ".join(f"{key} {value}" for key, value in head.items()) + "."
        yield ""
        yield _in_bars(*HEADING, "what was done")
        yield _in_bars("---", *("--:" for _ in COLUMNS), "---", "---")
        for row in rows:
            yield _in_bars(*row.cells(), row.how)

    return "\n".join(lines())


def _in_bars(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
