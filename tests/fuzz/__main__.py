"""Gives NeuralMIDI what nobody should give it, and looks whether it plays on."""

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence

from tests.bench import command
from tests.fuzz import midi, models, pd, targets
from tests.fuzz.kinds import FuzzError, Kind, Outcome

KINDS: Mapping[str, Kind] = {
    "osc": targets.OSC,
    "json": models.JSON,
    "tflite": models.TFLITE,
    "midi": midi.MIDI,
    "pd": pd.PD,
}
"""All that comes from outside, each with those who take it."""
EXAMPLES = """\
examples:
  python -m tests.fuzz osc                                  100,000 packets at each: some minutes
  python -m tests.fuzz osc --only streamer --cases 2000
  python -m tests.fuzz json --seed 7                        other descriptions of models
  python -m tests.fuzz tflite --only tables --case 17       nothing but that one
"""


def main() -> int:
    """Fuzz, and print what came of it; 1 if something happened that must not."""
    parser = _parser()
    options = parser.parse_args()
    kind = KINDS[options.what]
    unknown = [part for part in options.only or () if part not in kind.parts]
    if unknown:
        parser.error(f"{options.what} has no {unknown[0]}, but {', '.join(kind.parts)}")
    outcomes = {}
    for part in options.only or kind.parts:
        try:
            outcomes[part] = kind.run(part, options.seed, _cases(options, kind))
        except FuzzError as error:
            again = f"python -m tests.fuzz {options.what} --only {part} --seed {options.seed} {error.again}"
            print(f"{part}: {error}\nonce more: {again}", file=sys.stderr)
            return 1
        except RuntimeError as error:
            print(f"fuzz: {part}: {error}", file=sys.stderr)
            return 1
    print(f"seed {options.seed}")
    print(_table([("of", *kind.heading), *((part, *each.row) for part, each in outcomes.items())]))
    print(_reasons(outcomes), end="")
    return 0


def _cases(options: argparse.Namespace, kind: Kind) -> range:
    if options.case is not None:
        return range(options.case, options.case + 1)
    return range(kind.cases if options.cases is None else options.cases)


def _table(rows: Sequence[Sequence[object]]) -> str:
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return textwrap.dedent("\n".join(lines))


def _reasons(outcomes: Mapping[str, Outcome]) -> str:
    """Why cases were refused, the most usual reason first; nothing where none was."""
    lines = [
        f"{count:>9,}  {reason}\n"
        for part, outcome in outcomes.items()
        if outcome.refused
        for reason, count in [(f"{part} refused:", outcome.refused.total()), *outcome.refused.most_common()]
    ]
    return "".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("python -m tests.fuzz", __doc__, EXAMPLES)
    kinds = "; ".join(f"{name}: {kind.about}" for name, kind in KINDS.items())
    parser.add_argument("what", choices=list(KINDS), help=kinds)
    parts = "; ".join(f"of {name}: {', '.join(kind.parts)}" for name, kind in KINDS.items())
    parser.add_argument("--only", action="append", metavar="PART", help=f"may be repeated; {parts}")
    usual = ", ".join(f"{name} {kind.cases:,}" for name, kind in KINDS.items())
    parser.add_argument("--cases", type=int, metavar="N", help=f"how many for each part; default: {usual}")
    parser.add_argument("--case", type=int, metavar="N", help="nothing but the case of this number, from 0")
    parser.add_argument("--seed", type=int, default=1, help="the same cases again; default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
