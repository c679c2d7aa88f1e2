"""A thousand messages a second over UDP, for minutes: what gets lost, what grows, what is late."""

import argparse
import sys

from neuralmidi.errors import NeuralMIDIError

from tests.bench import command
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
            command.say(place, len(names), name, (len(names) - place) * measure.seconds_of(seconds))
            rows += FLOODED[name](seconds)
    except (NeuralMIDIError, RuntimeError) as error:
        print(f"flood: {error}", file=sys.stderr)
        return 1
    print(as_markdown(head, rows) if options.markdown else as_text(head, rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("python -m tests.bench.flood", __doc__, EXAMPLES)
    minutes = command.within(SHORTEST, LONGEST)
    parser.add_argument("--minutes", type=minutes, default=MINUTES, help="of flood; default %(default)g")
    parser.add_argument("--only", action="append", choices=list(FLOODED), help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
