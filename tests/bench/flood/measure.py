"""What a flood does to the patch and to the streamer."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.flood.pour import RATE, Flood, attend, pour
from tests.bench.flood.watch import watched
from tests.bench.follower import Books, Follower, lost
from tests.bench.instruments import Instrument, free_address, streamer
from tests.bench.table import Row, single, spread
from tests.pd_runner import DATA

MODEL = DATA / "tiny2"
WARM = 60.0
"""Seconds of flood after which memory is what an instrument needs."""
QUIET = 300.0
"""Seconds in which late ticks are counted without a flood, at most: they are rare."""
BEFORE = 2.0
"""Seconds that a streamer plays before the flood, at most: it has no ticks."""
ENDING = 0.5
"""Seconds in which all that is under way arrives, after the flood."""


@dataclass(frozen=True)
class Aftermath:
    """What is left after a flood.

    Attributes:
        flood: itself.
        books: of a follower, from before it to after it.
        lost: packets that the instrument never saw, of those sent to it.
        missed: packets that the follower never saw, of those sent to it.
        warm: MB of memory once the instrument was warm.
        end: MB in the end.
    """

    flood: Flood
    books: Books
    lost: int
    missed: int
    warm: float
    end: float


def endure(instrument: Instrument, quiet: float, seconds: float, watch: Callable[[str], None]) -> Aftermath:
    """Let an instrument play, first in quiet and then in a flood, and stop.

    Args:
        instrument: a fresh one.
        quiet: seconds before the flood.
        seconds: of flood.
        watch: is told the name of each phase, and ``-`` for none.

    Raises:
        RuntimeError: it does not play, does not stop, or has died.
    """
    follower, remote = Follower(instrument.address), Follower(instrument.address)
    follower.begin()
    remote.ask("/play", 1)
    watch("quiet")
    attend(follower, remote, quiet)
    watch("flood")
    flood = pour(instrument, follower, remote, seconds)
    watch("-")
    for path, *arguments in (("/panic",), ("/play", 0)):
        remote.ask(path, *arguments)
    flood.refused += sum(heard.arguments[:1] == ("error",) for heard in attend(follower, remote, ENDING))
    follower.ping()
    follower.silence()
    memory = [*flood.memory, instrument.memory()]
    warm = memory[min(round(WARM), len(memory) // 2)]
    missed = lost(follower.port.address)
    return Aftermath(flood, follower.books, instrument.lost(), missed, warm, memory[-1])


def of_the_patch(seconds: float) -> Iterator[Row]:
    """A patch with [osc_remote], [composer] and voices."""
    with watched(MODEL) as (instrument, watch):
        after = endure(instrument, min(QUIET, seconds), seconds, watch.phase)
        yield from _rows("patch", after)
        yield from watch.rows()


def of_the_streamer(seconds: float) -> Iterator[Row]:
    """``neuralmidi stream``."""
    with (
        tempfile.TemporaryDirectory() as folder,
        streamer(MODEL, free_address(), Path(folder)) as instrument,
    ):
        after = endure(instrument, min(BEFORE, seconds), seconds, lambda phase: None)
        yield from _rows("streamer", after)


def _rows(name: str, after: Aftermath) -> Iterator[Row]:
    flood, books = after.flood, after.books
    how = f"{RATE:,} a second, {flood.illegal:,} of them illegal, from one sender"
    yield single(f"{name}: messages sent", "packets", how, flood.sent)
    yield single(f"{name}: messages it never saw", "packets", "by the system's count at its port", after.lost)
    yield single(
        f"{name}: messages refused", "packets", "`/status error` that the sender received", flood.refused
    )
    yield spread(f"{name}: /ping to /pong", "ms", "by the same sender, once a second", flood.pings)
    how = "by the follower's books, until it was told to stop"
    yield single(f"{name}: notes begun", "notes", how, books.ons)
    yield single(f"{name}: notes begun twice", "notes", how, books.doubled)
    yield single(f"{name}: notes ended", "notes", how, books.offs)
    yield single(f"{name}: notes that only /notes ended", "notes", how, books.healed)
    yield single(
        f"{name}: packets that the follower never saw", "packets", "by the system's count", after.missed
    )
    how = f"resident; {WARM:g} s after the flood began, and after it (of a shorter one: after half of it)"
    yield single(f"{name}: memory, warm", "MB", how, after.warm)
    yield single(f"{name}: memory, at the end", "MB", how, after.end)


def seconds_of(seconds: float) -> float:
    """How long each of these takes, at most."""
    return seconds + min(QUIET, seconds) + 4
