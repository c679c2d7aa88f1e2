"""A thousand messages a second over UDP, for minutes: what gets lost, what grows, what is late."""

import argparse
import sys
import time

from neuralmidi.errors import NeuralMIDIError

from tests.bench.flood import measure
from tests.bench.table import Row, as_markdown, as_text, machine

FLOODED = {"patch": measure.of_the_patch, "streamer": measure.of_the_streamer}
MINUTES = 10.0
SHORTEST, LONGEST = 0.01, 10.0
"""Minutes: [stopwatch] has room for no more ticks."""
EXAMPLES = """\
examples:
  python -m tests.bench.flood                                26 minutes; leave the computer alone meanwhile
  python -m tests.bench.flood --minutes 1 --only streamer
"""


def main() -> int:
    """Flood, and print the table."""
    options = _parser().parse_args()
    seconds = 60 * options.minutes
    head = machine() | {"flood": f"{options.minutes:g} minutes"}
    rows: list[Row] = []
    names = options.only or list(FLOODED)
    try:
        for place, name in enumerate(names):
            left = time.strftime("%M:%S", time.gmtime((len(names) - place) * measure.seconds_of(seconds)))
            print(f"[{place + 1}/{len(names)}] {name}: about {left} left", file=sys.stderr, flush=True)
            rows += FLOODED[name](seconds)
    except (NeuralMIDIError, RuntimeError) as error:
        print(f"flood: {error}", file=sys.stderr)
        return 1
    print(as_markdown(head, rows) if options.markdown else as_text(head, rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.flood",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=_minutes, default=MINUTES, help="of flood; default %(default)g")
    parser.add_argument("--only", action="append", choices=list(FLOODED), help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if not SHORTEST <= minutes <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is outside {SHORTEST:g} to {LONGEST:g}")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
