"""[faulty]: plays one more note with every step, and goes wrong on request."""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from neuralmidi.pd import Message, SteppedObject, message


class Scale:
    """Its state is how many notes it has started; ``accident`` happens in every step."""

    def __init__(self) -> None:
        self.state = 0
        self.accident: Callable[[], object] = lambda: None

    def step(self, step_ms: float) -> int:
        """One more note."""
        self.accident()
        self.state += 1
        return 59 + self.state


def stumble() -> None:
    """An error that nobody foresaw."""
    raise ZeroDivisionError("the score is empty")


def doze_and_stumble() -> None:
    """An error that takes its time."""
    time.sleep(0.3)
    stumble()


def spin() -> None:
    """An endless loop. A file tells when somebody has ended it."""
    try:
        while True:
            pass
    finally:
        Path("ended").touch()


def insist() -> None:
    """Sleep for longer than anybody waits, and then go on as if nothing had been thrown in."""
    with suppress(BaseException):
        time.sleep(3.5)
    Path("ended").touch()


def leave_thread() -> None:
    """End the thread under Python's feet."""
    ctypes.PyDLL(None).pthread_exit(None)


def leave_thread_elsewhere() -> None:
    """The same, while Python is let go of: another thread may run it meanwhile."""
    ctypes.CDLL(None).pthread_exit(None)


def set_clock_back(seconds: float) -> None:
    """Set the system's clock back, as `set_back.c` does it, and keep Pd waiting beyond that."""
    ctypes.CDLL(None).set_back()
    time.sleep(seconds)


def leave_loop() -> None:
    """Raise what is nobody's error."""
    raise GeneratorExit("out of everything")


ACCIDENTS: dict[str, Callable[[], object]] = {
    "stumble": stumble,
    "spin": spin,
    "doze": lambda: time.sleep(0.4),
    "doze_and_stumble": doze_and_stumble,
    "load": lambda: time.sleep(1.2),  # as long as a healthy Python may take for something
    "insist": insist,
    "nap": lambda: time.sleep(10.5),
    "sleep": lambda: time.sleep(60),
    "set_clock_back": lambda: set_clock_back(0.1),
    "set_clock_back_and_nap": lambda: set_clock_back(10.5),
    "exit": sys.exit,
    "leave": leave_loop,
    "kill": leave_thread,
    "kill_elsewhere": leave_thread_elsewhere,
}


class Faulty(SteppedObject[int, int]):
    """Outlets: notes, status."""

    name = "faulty"
    outlets = 2
    notes_outlet = 0
    status_outlet = 1
    revives = "repair"

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.scale = Scale()
        self.perform(self.scale)

    @message()
    def accident(self, kind: str) -> None:
        """From now on this happens in every step."""
        self.command(lambda: setattr(self.scale, "accident", ACCIDENTS[kind]))

    @message()
    def repair(self) -> None:
        """Nothing happens any more."""
        self.command(lambda: setattr(self.scale, "accident", lambda: None))

    @message()
    def now(self, kind: str) -> None:
        """It happens at once. ``repair_quietly`` is no command: what has failed stays failed."""
        if kind == "repair_quietly":
            self.scale.accident = lambda: None
        else:
            ACCIDENTS[kind]()

    def silenced(self) -> None:
        """As with [composer], this is a change like any other."""
        self.command(lambda: None)

    def layout(self, prepared: int) -> Iterator[Message]:
        """The note starts; none ends."""
        yield 0, "list", (prepared, 90, 1)
