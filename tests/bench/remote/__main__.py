"""How soon a message over UDP is heard, how even onsets are: the object beside the streamer, in one table."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from neuralmidi import bundle
from neuralmidi.errors import NeuralMIDIError

from tests.bench.plan import Plan
from tests.bench.remote import measure
from tests.bench.table import Row, as_markdown, as_text, machine
from tests.pd_runner import DATA

MEASUREMENTS: dict[str, tuple[Callable[[Plan], Iterator[Row]], Callable[[Plan], float]]] = {
    "loop": (measure.loops, measure.loops_seconds),
    "onsets": (measure.jitter, measure.jitter_seconds),
}
"""What measures, and how many seconds it takes."""
MODEL = "tiny2"
"""It plays a note in every step, so that every step shows what was asked."""
FULL, QUICK = 60.0, 5.0
SHORTEST, LONGEST = 0.5, 600.0
EXAMPLES = """\
examples:
  python -m tests.bench.remote --quick          a first impression
  python -m tests.bench.remote --markdown       the table for the page; leave the computer alone meanwhile
  python -m tests.bench.remote --only onsets    one part of it
"""


def main() -> int:
    """Measure, and print the table."""
    options = _parser().parse_args()
    try:
        model = bundle.find(options.model, [*bundle.default_directories(), DATA]).resolve()
        plan = Plan(model, options.seconds, realtime=False)
        head = machine() | {"model": model.name, "a row": f"{plan.seconds:g} s"}
        rows: list[Row] = []
        names = options.only or list(MEASUREMENTS)
        for place, name in enumerate(names):
            left = sum(MEASUREMENTS[each][1](plan) for each in names[place:])
            clock = time.strftime("%M:%S", time.gmtime(left))
            print(f"[{place + 1}/{len(names)}] {name}: about {clock} left", file=sys.stderr, flush=True)
            rows += MEASUREMENTS[name][0](plan)
    except (NeuralMIDIError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(as_markdown(head, rows) if options.markdown else as_text(head, rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.remote",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=MODEL, help="name or folder; default %(default)s")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=_seconds, default=FULL, help="for each row; default %(default)g")
    quick = length.add_argument("--quick", action="store_const", dest="seconds", const=QUICK)
    quick.help = f"--seconds {QUICK:g}"
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not SHORTEST <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is outside {SHORTEST:g} to {LONGEST:g}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
