"""One part of the soak: the score, the Pd that plays it, the books, and what came of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from subprocess import Popen

from tests.soaking.books import Books, Fault
from tests.soaking.memory import SAMPLES, Memory
from tests.soaking.progress import Progress
from tests.soaking.score import score
from tests.soaking.stage import lines, pd
from tests.soaking.verbs import Life
from tests.soaking.watch import Watch

ENOUGH = 5
"""Faults after which it is ended: nobody needs more of them."""
HANGS = 60.0
"""Seconds without a line after which Pd is taken for stuck."""


@dataclass(frozen=True)
class Part:
    """One of the two.

    Attributes:
        name: as it is asked for.
        unit: of its length, as it is asked for.
        ms: in such a unit.
        batch: as fast as it can be, in logical time; otherwise in real time.
        patience: ms of logical time within which a refusal must come.
        warm: ms until every model has been played and every word been said.
        life: how fast its players live.
    """

    name: str
    unit: str
    ms: float
    batch: bool
    patience: float
    warm: float
    life: Life

    def again(self, seed: int, ms: float) -> str:
        """The command that plays it once more, for so long."""
        return f"tests/soak {self.name} --seed {seed} --{self.unit} {ms / self.ms:.2f}"


DAY = Part(
    name="day",
    unit="hours",
    ms=3.6e6,
    batch=True,
    patience=10,
    warm=3.6e6,
    life=Life(pause=1000, tempo=(20, 100), steps=(1, 12), interval=(60, 1000), ahead=(1, 32)),
)
LIVE = Part(
    name="live",
    unit="minutes",
    ms=6e4,
    batch=False,
    patience=20_000,
    warm=6e5,
    # At its most hasty, what is kept ready lasts for 300 ms.
    life=Life(pause=300, tempo=(40, 200), steps=(1, 12), interval=(80, 500), ahead=(12, 32)),
)


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        part: that was played.
        seed: of its score.
        books: of all notes, acts and errors.
        watch: of the process.
        memory: of the process.
        seconds: it took.
        stopped: by Ctrl-C.
    """

    part: Part
    seed: int
    books: Books
    watch: Watch
    memory: Memory
    seconds: float = 0
    stopped: bool = False


def run(part: Part, seed: int, ms: float) -> Outcome:
    """Play it, and tell on stderr how far it is."""
    begun = time.monotonic()
    acts = list(score(seed, part.life, ms))
    with pd(acts, batch=part.batch) as process:
        watch = Watch(process.pid)
        books = Books(acts, part.patience, watch.lost)
        outcome = Outcome(part, seed, books, watch, Memory(ms / SAMPLES, part.warm))
        progress = Progress(part.name, ms, books)
        try:
            with nullcontext() if part.batch else watch.watching():
                _follow(process, outcome, progress)
        except KeyboardInterrupt:
            outcome.stopped = True
        progress.end()
    outcome.seconds = time.monotonic() - begun
    return outcome


def _follow(process: Popen[str], outcome: Outcome, progress: Progress) -> None:
    books, memory = outcome.books, outcome.memory
    assert process.stdout
    with _attended(process) as heard:
        for line in lines(process.stdout):
            heard.set()
            books.read(line)
            if len(books.faults) >= ENOUGH:
                return
            if memory.is_due(books.time) and (mb := outcome.watch.memory()):
                memory.samples.append((books.time, mb))
            progress.tell()
    if status := process.wait():
        books.faults.append(Fault(f"Pd ended with status {status}", books.time, ()))
    books.close()


@contextmanager
def _attended(process: Popen[str]) -> Iterator[threading.Event]:
    """End Pd when nothing has been heard of it for long."""
    heard, done = threading.Event(), threading.Event()

    def attend() -> None:
        while not done.wait(HANGS):
            if not heard.is_set():
                process.kill()
            heard.clear()

    thread = threading.Thread(target=attend, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join()
