"""Sends packets that nobody should send to an instrument, and looks whether it plays on."""

import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.follower import Follower
from tests.bench.instruments import Instrument
from tests.fuzz.kinds import FuzzError, Outcome
from tests.fuzz.packets import packet
from training.progress import progress

STRANGER = "127.0.0.77"
"""Where packets come from: a computer of its own, so that what they make an instrument send hits nobody."""
BATCH = 100
"""Packets until the instrument is given the time to take them all in."""
LOOKS, APART = 20, 20
"""How often it is looked at more closely in a run, and batches from one time to the next, at least."""
TRIES, TRY = 20, 0.5
"""How often, and for how many seconds, it is waited for."""
WARM = 0.1
"""The part of a run after which memory is taken for what an instrument needs."""


@dataclass(frozen=True)
class Target:
    """An instrument that is fuzzed.

    Attributes:
        start: starts it.
        plays: raises a RuntimeError unless it plays, ends what it played, and is silent then.
    """

    start: Callable[[Path], AbstractContextManager[Instrument]]
    plays: Callable[[Follower], None]


HEADING = (
    *("packets", "never seen", "errors answered", "notes begun", "ended"),
    *("MB warm", "MB at the end"),
)
"""Those that an instrument never saw because its port was full; how often it answered a ``/status error``;
the notes of a follower that was there all the time; what it used after a tenth of the packets, and after all.
"""


def fuzz(name: str, target: Target, seed: int, packets: range) -> Outcome:
    """Send the packets of these numbers.

    Raises:
        FuzzError: it does not play on.
        RuntimeError: it did not even play before.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        target.start(Path(folder)) as instrument,
        _stranger() as stranger,
    ):
        follower = Follower(instrument.address)
        follower.begin()
        target.plays(follower)
        answers: Counter[bytes] = Counter()
        warm = instrument.memory()
        batches = range(packets.start, packets.stop, BATCH)
        for place, first in enumerate(progress(f"{name}: batch", batches)):
            last = min(first + BATCH, packets.stop)
            try:
                for number in range(first, last):
                    stranger.sendto(packet(seed, number), instrument.address)
                answers += _answers(stranger)
                _take_in(instrument, follower)
                if (place + 1) % max(APART, len(batches) // LOOKS) == 0 or last == packets.stop:
                    target.plays(follower)
            except RuntimeError as error:
                why = f"does not play on after {last} packets: {_why(instrument, error)}"
                raise FuzzError(why, f"--cases {last}") from None
            if place <= WARM * len(batches):
                warm = instrument.memory()
        answers += _answers(stranger)
        books, memory = follower.books, (f"{warm:.1f}", f"{instrument.memory():.1f}")
        return Outcome((len(packets), instrument.lost(), answers[b"error"], books.ons, books.offs, *memory))


def _take_in(instrument: Instrument, follower: Follower) -> None:
    """Wait until an instrument has taken in all packets.

    Raises:
        RuntimeError: it does not, or has died.
    """
    for _ in range(TRIES):
        instrument.check()
        with suppress(RuntimeError):
            follower.ping(TRY)
            return
    follower.ping(TRY)


def _why(instrument: Instrument, error: Exception) -> str:
    """That it has died, if it has; else what it did not do."""
    try:
        instrument.check()
    except RuntimeError as death:
        return str(death)
    return f"{error}; the last that it said:\n{instrument.last_words()}"


@contextmanager
def _stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        yield stranger


def _answers(stranger: socket.socket) -> Counter[bytes]:
    """What has come back, errors told from all else; a stranger does not look more closely."""
    answers: Counter[bytes] = Counter()
    while True:
        try:
            answer = stranger.recv(2048, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return answers
        answers[b"error" if b"error\0" in answer else b"other"] += 1
