"""Throws packets that nobody should send at what listens, and looks whether it plays on."""

import argparse
import sys
import textwrap
from collections.abc import Sequence

from tests.bench import command
from tests.fuzz.osc import FuzzError, Outcome, fuzz
from tests.fuzz.targets import TARGETS

PACKETS = 100_000
HEADING = (
    "at",
    "packets",
    "never seen",
    "errors answered",
    "notes begun",
    "ended",
    "MB warm",
    "MB at the end",
)
EXAMPLES = """\
examples:
  python -m tests.fuzz osc                                  100,000 packets at each: some minutes
  python -m tests.fuzz osc --only streamer --packets 2000
  python -m tests.fuzz osc --seed 7                         other packets
"""


def main() -> int:
    """Fuzz, and print a table; 1 if something did not play on."""
    options = _parser().parse_args()
    rows: list[Sequence[object]] = [HEADING]
    for name in options.only or TARGETS:
        try:
            outcome = fuzz(name, TARGETS[name], options.seed, options.packets)
        except FuzzError as error:
            sent, why = error.args
            again = f"python -m tests.fuzz osc --only {name} --seed {options.seed} --packets {sent}"
            print(f"{name} does not play on after {sent} packets: {why}", file=sys.stderr)
            print(f"once more: {again}", file=sys.stderr)
            return 1
        except RuntimeError as error:
            print(f"fuzz: {name}: {error}", file=sys.stderr)
            return 1
        rows.append(_row(name, outcome))
    print(f"seed {options.seed}")
    print(_table(rows))
    return 0


def _row(name: str, outcome: Outcome) -> Sequence[object]:
    books = outcome.books
    memory = f"{outcome.warm:.1f}", f"{outcome.end:.1f}"
    return name, outcome.sent, outcome.lost, outcome.errors, books.ons, books.offs, *memory


def _table(rows: Sequence[Sequence[object]]) -> str:
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return textwrap.dedent("\n".join(lines))


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("python -m tests.fuzz", __doc__, EXAMPLES)
    parser.add_argument("what", choices=["osc"], help="what the packets are of")
    parser.add_argument("--only", action="append", choices=list(TARGETS), help="may be repeated")
    parser.add_argument("--packets", type=int, default=PACKETS, help="for each; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="the same packets again; default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
