"""One part of the soak: the score, the Pd that plays it, the books, and what came of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen

from tests.soaking.books import Books, Fault
from tests.soaking.progress import Progress
from tests.soaking.score import score
from tests.soaking.stage import lines, pd
from tests.soaking.verbs import Life
from tests.soaking.watch import Watch

SAMPLES = 200
"""How often the memory is looked at."""
ENOUGH = 5
"""Faults after which it is ended: nobody needs more of them."""
HANGS = 60.0
"""Seconds without a line after which Pd is taken for stuck."""
FLAT, NOISE = 1.0, 8.0
"""MB: what memory may grow by in an hour of logical time, once it is warm, and what it may differ by at any time."""


@dataclass(frozen=True)
class Part:
    """One of the two.

    Attributes:
        name: as it is asked for.
        unit: of its length, as it is asked for.
        ms: in such a unit.
        batch: as fast as it can be, in logical time; otherwise in real time.
        patience: ms of logical time within which a refusal must come.
        life: how fast its players live.
    """

    name: str
    unit: str
    ms: float
    batch: bool
    patience: float
    life: Life

    def again(self, seed: int, ms: float) -> str:
        """The command that plays it once more, for so long."""
        return f"tests/soak {self.name} --seed {seed} --{self.unit} {ms / self.ms:.4g}"


DAY = Part("day", "hours", 3.6e6, True, 10, Life(1000, (20, 120), (1, 12), (60, 1000), (1, 32)))
LIVE = Part("live", "minutes", 6e4, False, 20_000, Life(500, (40, 200), (1, 12), (80, 500), (12, 32)))
"""At its most hasty a beat is kept ready for 300 ms."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        books: of all notes, acts and errors.
        watch: of the process.
        seconds: it took.
        memory: MB, with ms of logical time.
        stopped: by Ctrl-C.
    """

    books: Books
    watch: Watch
    seconds: float
    memory: list[tuple[float, float]]
    stopped: bool = False

    @property
    def warm(self) -> tuple[float, float]:
        """When the memory was what is needed, ms, and MB of it then: the most in the first quarter."""
        first = [taken for taken in self.memory if taken[0] <= self.memory[-1][0] / 4]
        return first[-1][0], max(mb for _, mb in first)

    @property
    def end(self) -> tuple[float, float]:
        """The same of the end."""
        return self.memory[-1]

    @property
    def allowed(self) -> float:
        """MB by which it may have grown from then to the end."""
        return NOISE + FLAT * (self.end[0] - self.warm[0]) / 3.6e6


def run(part: Part, seed: int, ms: float) -> Outcome:
    """Play it, and tell on stderr how far it is."""
    begun = time.monotonic()
    acts = list(score(seed, part.life, ms))
    with pd(acts, batch=part.batch) as process:
        watch = Watch(process.pid)
        books = Books(acts, part.patience, watch.lost)
        outcome = Outcome(books, watch, 0, [])
        progress = Progress(part.name, ms, books)
        try:
            with watch.watching():
                _follow(process, outcome, progress, ms / SAMPLES)
        except KeyboardInterrupt:
            outcome.stopped = True
        progress.end()
    outcome.seconds = time.monotonic() - begun
    return outcome


def _follow(process: Popen[str], outcome: Outcome, progress: Progress, every: float) -> None:
    books = outcome.books
    assert process.stdout
    with _attended(process) as heard:
        for line in lines(process.stdout):
            heard.set()
            books.read(line)
            if len(books.faults) >= ENOUGH:
                return
            if not outcome.memory or books.time >= outcome.memory[-1][0] + every:
                outcome.memory.append((books.time, outcome.watch.memory()))
            progress.tell()
    books.close()
    if (status := process.wait()) and not books.faults:
        books.faults.append(Fault(f"Pd ended with status {status}", books.time, ()))


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
