"""Plays the real Pd for a day of logical time, and for half an hour in real time, and checks the books.

Six [composer]s live in it by chance, drawn from a seed: they are turned, swapped, stopped, silenced, primed,
played to, told what is wrong, deleted and made anew. In the end every note that began has ended, once; every
error that came was provoked, and every one that was provoked came; memory has not grown; and no underrun
came but from a stall of the computer itself.
"""

import argparse
import signal
import sys

from tests.bench import command
from tests.soaking.report import report
from tests.soaking.run import DAY, LIVE, run

HOURS, MINUTES = 24.0, 30.0
EXAMPLES = """\
examples:
  tests/soak                              both: about 25 minutes for the day, and 30 in real time
  tests/soak day --hours 0.2              12 minutes of logical time: some seconds
  tests/soak live --minutes 5 --seed 7    another life
A shorter run of a seed begins a longer one: what fails after 3 hours fails with --hours 3.1, too.
"""


def main() -> int:
    """Soak; 0 if all is well, 1 if something is wrong, 130 after Ctrl-C."""
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # below nohup, too
    lengths = {DAY: options.hours, LIVE: options.minutes}
    worst = 0
    for part, length in lengths.items():
        if options.part in (None, part.name):
            outcome = run(part, options.seed, part.ms * length)
            worst = max(worst, report(outcome))
            if outcome.stopped:
                break
    return worst


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("tests/soak", __doc__, EXAMPLES)
    parser.add_argument("part", nargs="?", choices=[DAY.name, LIVE.name], help="only one of the two")
    hours, minutes = command.within(0.001, 1000), command.within(0.01, 6000)
    parser.add_argument("--hours", type=hours, default=HOURS, help="of the day; default %(default)g")
    parser.add_argument("--minutes", type=minutes, default=MINUTES, help="in real time; default %(default)g")
    parser.add_argument("--seed", type=int, default=1, help="another life; default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
