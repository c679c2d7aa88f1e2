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
from tests.soaking.progress import counted
from tests.soaking.books import clock
from tests.soaking.run import DAY, LIVE, Outcome, Part, run

HOURS, MINUTES = 24.0, 30.0
EXAMPLES = """\
examples:
  tests/soak                              both: about 20 minutes for the day, and 30 in real time
  tests/soak day --hours 0.2              12 minutes of logical time: some seconds
  tests/soak live --minutes 5 --seed 7    another life
A shorter run of a seed begins a longer one: what fails after 3 hours fails with --hours 3.1, too.
"""


def main() -> int:
    """Soak; 0 if all is well, 1 if something is wrong, 130 after Ctrl-C."""
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # below nohup, too
    lengths = {DAY.name: options.hours, LIVE.name: options.minutes}
    worst = 0
    for part in (DAY, LIVE):
        if options.part in (None, part.name):
            ms = part.ms * lengths[part.name]
            outcome = run(part, options.seed, ms)
            worst = max(worst, _report(part, options.seed, outcome))
            if outcome.stopped:
                break
    return worst


def _report(part: Part, seed: int, outcome: Outcome) -> int:
    books = outcome.books
    print(f"{part.name}, seed {seed}: {clock(books.time)} in {clock(1000 * outcome.seconds)}")
    print(f"    {counted(books)}")
    print(f"    {books.counts['ons']:,} notes began, {books.counts['offs']:,} ended; all of them: {books.digest}")
    if not part.batch:
        watch = outcome.watch
        print(f"    the computer stalled for {watch.longest:.0f} ms at most, Pd was {books.late:.0f} ms late at most")
    wrong = list(map(str, books.faults))
    if outcome.memory:
        warm, end = outcome.warm, outcome.end
        grown, hours = end[1] - warm[1], (end[0] - warm[0]) / 3.6e6
        told = f"memory: {warm[1]:.1f} MB after {clock(warm[0])}, {end[1]:.1f} MB at the end"
        print(f"    {told}: {grown / hours if hours else 0:+.2f} MB an hour")
        if grown > outcome.allowed:
            wrong.append(f"{clock(end[0])}: memory has grown by {grown:.1f} MB, more than {outcome.allowed:.1f}")
    for fault in wrong:
        print(f"WRONG at {fault}")
    if wrong:
        print(f"once more: {part.again(seed, books.time + 2 * MARGIN)}")
        return 1
    print("    stopped" if outcome.stopped else "    all is well")
    return 130 if outcome.stopped else 0


MARGIN = 18_000
"""Ms that the repetition goes on beyond what was wrong."""


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
