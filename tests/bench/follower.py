"""Follows an instrument over OSC, as a game engine would: hears it, answers its pings, keeps its books."""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from neuralmidi.osc import Address, Argument, Malformed, Port

AGAIN = 0.5
"""Seconds after which a ping is taken for lost."""

Note = tuple[int, int]
"""Pitch, channel."""


class Heard(NamedTuple):
    """A message, and when it came: seconds of `time.monotonic`."""

    time: float
    path: str
    arguments: tuple[Argument, ...]


@dataclass
class Books:
    """What came of the notes.

    Attributes:
        ons: notes that began.
        offs: notes that ended.
        doubled: of the ons: the note sounded already.
        stray: of the offs: the note did not sound.
        healed: notes that only ``/notes`` ended: their ``/note_off`` was lost on the way.
        malformed: packets that were no OSC.
        sounding: what sounds now.
    """

    ons: int = 0
    offs: int = 0
    doubled: int = 0
    stray: int = 0
    healed: int = 0
    malformed: int = 0
    sounding: set[Note] = field(default_factory=set)

    @property
    def balanced(self) -> bool:
        """Every note that began has ended, once, by its own ``/note_off``."""
        return self.ons == self.offs and not (self.doubled or self.stray or self.healed or self.sounding)

    def enter(self, path: str, arguments: tuple[Argument, ...]) -> None:
        """Take note of a message."""
        numbers = [int(number) for number in arguments if not isinstance(number, str)]
        if path == "/note_on":
            note = numbers[0], numbers[2]
            self.ons += 1
            self.doubled += note in self.sounding
            self.sounding.add(note)
        elif path == "/note_off":
            note = numbers[0], numbers[1]
            self.offs += 1
            self.stray += note not in self.sounding
            self.sounding.discard(note)
        elif path == "/notes":
            listed = set(zip(numbers[::2], numbers[1::2], strict=True))
            self.healed += len(self.sounding - listed)
            self.sounding &= listed


class Follower:
    """One that an instrument sends its notes to.

    Args:
        instrument: where it listens.

    Attributes:
        port: on which it hears and asks.
        books: what came of the notes so far.
    """

    def __init__(self, instrument: Address) -> None:
        self.instrument = instrument
        self.port = Port()
        self.books = Books()
        self._rest: list[Heard] = []  # came with what was waited for, and behind it

    def ask(self, path: str, *arguments: Argument) -> None:
        """Send the instrument a message; what it answers is heard like everything else."""
        self.port.send(self.instrument, path, *arguments)

    def listen(self, seconds: float = 0) -> list[Heard]:
        """What has come, oldest first; waits so long for the first."""
        heard, self._rest = self._rest, []
        select.select([self.port], [], [], 0 if heard else seconds)
        now = time.monotonic()
        for message in self.port.receive():
            if isinstance(message, Malformed):
                self.books.malformed += 1
                continue
            if message.path == "/ping":
                self.port.send(message.sender, "/pong", self.port.address[1])
            self.books.enter(message.path, message.arguments)
            heard.append(Heard(now, message.path, message.arguments))
        return heard

    def wait(self, what: str, wanted: Callable[[Heard], bool], seconds: float = 10) -> Heard:
        """The first message of a kind; ``what`` names it.

        Raises:
            RuntimeError: none came in time.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            came = self.listen(left)
            for place, heard in enumerate(came):
                if wanted(heard):
                    self._rest = came[place + 1 :]
                    return heard
        raise RuntimeError(f"no {what} came from {self.instrument} in {seconds:g} s")

    def expect(self, path: str, *arguments: Argument, seconds: float = 10) -> Heard:
        """The first message that is this one.

        Raises:
            RuntimeError: it did not come in time.
        """
        words = " ".join(map(str, (path, *arguments)))
        return self.wait(words, lambda heard: heard[1:] == (path, arguments), seconds)

    def pause(self, seconds: float) -> list[Heard]:
        """Everything that comes in so many seconds."""
        end = time.monotonic() + seconds
        heard = []
        while (left := end - time.monotonic()) > 0:
            heard += self.listen(left)
        return heard

    def subscribe(self) -> None:
        """Be sent all notes from now on.

        Raises:
            RuntimeError: it does not let us.
        """
        self.ask("/subscribe", self.port.address[1])
        self.wait("subscription", lambda heard: heard.arguments[:1] == ("subscribed",))

    def ping(self, seconds: float = 10) -> None:
        """Wait until it has taken in all that came before; ask again where its port was too full for it.

        Raises:
            RuntimeError: it does not answer.
        """
        token = time.monotonic_ns() % 2**24  # a number that a float32 tells from others
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.ask("/ping", token)
            with suppress(RuntimeError):
                self.expect("/pong", token, seconds=min(left, AGAIN))
                return
        raise RuntimeError(f"no pong came from {self.instrument} in {seconds:g} s")

    def silence(self) -> None:
        """Wait until it says that nothing sounds.

        Raises:
            RuntimeError: it does not.
        """
        self.expect("/notes")

    def begin(self) -> None:
        """Stop the music, and begin the books.

        Raises:
            RuntimeError: it does not stop.
        """
        self.subscribe()
        self.ask("/play", 0)
        self.ping()
        self.silence()
        self.books = Books()

    def close(self) -> None:
        """Leave without a word."""
        self.port.close()


def lost(port: Address) -> int:
    """How many packets the system has thrown away at a UDP port of this computer, because it was full."""
    ending = f":{port[1]:04X}"
    lines = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(cells[-1]) for cells in lines if cells[1].endswith(ending))
