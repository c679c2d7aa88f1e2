"""What came of a run, for those who have waited for it."""

from tests.soaking.books import Fault, clock
from tests.soaking.progress import counted
from tests.soaking.run import Outcome

MARGIN = 36_000
"""Ms for which a repetition goes on beyond what was wrong."""
STOPPED = 130
"""The exit status of what Ctrl-C has ended."""


def report(outcome: Outcome) -> int:
    """Print it; the exit status: 0 if all is well."""
    part, books, faults = outcome.part, outcome.books, list(outcome.books.faults)
    if outcome.memory.grows:
        faults.append(Fault(f"memory grows: {outcome.memory}", books.time, ()))
    print(f"{part.name}, seed {outcome.seed}: {clock(books.time)} in {clock(1000 * outcome.seconds)}")
    print(f"    {counted(books)}")
    print(f"    {books.counts['ons']:,} notes began, {books.counts['offs']:,} ended")
    print(f"    memory: {outcome.memory}")
    if part.batch:
        print(f"    all notes, their times and their players: {books.digest}")
    else:
        watch = outcome.watch
        share = f"{watch.total / outcome.seconds / 10:.1f} % of the time"
        print(f"    the computer stalled for {share}, {watch.longest:.0f} ms at most")
        print(f"    Pd was {books.late:.0f} ms late at most")
    for fault in faults:
        print(f"WRONG at {fault}")
    if faults:
        print(f"once more: {part.again(outcome.seed, books.time + MARGIN)}")
        return 1
    print("    stopped" if outcome.stopped else "    all is well")
    return STOPPED if outcome.stopped else 0
