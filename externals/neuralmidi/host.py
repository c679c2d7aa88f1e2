"""What stands in for Pd: a composer's object is served here as it is there, by the same `neuralmidi.server`.

In Pd that module talks to `_neuralmidi`, which is written in C (`externals/bridge/module.c`). `Host` is the
same interface in Python: `neuralmidi.server` runs on a thread of its own, asks here what is wished and hands
over what it has prepared; whoever plays takes that from here, on another thread, and never waits.
"""

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from queue import Empty, SimpleQueue
from typing import Any

from .osc import Address
from .transport import LOOK_AHEAD, Atom, Message, Step, Transport

Request = tuple[int, int, int, float, str, tuple[Atom, ...]]
"""Kind, object, inlet, time in ms, selector, atoms."""

OBJECT = 1
"""The number of the one object that is served."""

WISHES = 1000
"""So many may wait for the composer: a second of a flood."""


class Gone(Exception):  # noqa: N818 - it is said of an object, and it is no error
    """The object has been deleted. Here it never is."""


class Over(BaseException):
    """The music has ended, and with it the composer's thread: no handler of errors may keep it."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that leaves the object at once; ``asker`` has asked for it, None: nobody has."""

    asker: Address | None
    message: Message


@dataclass(frozen=True, slots=True)
class Wrong:
    """An error: ``asker`` has led to it, None: nobody has. ``failed``: nothing prepared may sound."""

    asker: Address | None
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A wish that has been obeyed, and whose it was."""

    asker: Address | None
    selector: str
    atoms: tuple[Atom, ...]


Result = Step | Said | Wrong | Obeyed


class Host:
    """Requests on their way to the composer's thread, and results on their way back.

    Args:
        transport: plays what is handed over; only its numbers are read here.
    """

    REQUEST_NEW, REQUEST_FREE, REQUEST_MESSAGE, REQUEST_STEP, REQUEST_SILENCED = range(5)
    HANDOVER_LOOKAHEAD = LOOK_AHEAD
    Gone = Gone

    def __init__(self, transport: Transport) -> None:
        self.reason = ""  # why the composer's thread has ended; "": it has not
        self._transport = transport
        self._asked: SimpleQueue[tuple[Request, Address | None] | None] = SimpleQueue()
        self._results: deque[Result] = deque()
        self._asker: Address | None = None
        self._went_wrong = False
        self._is_over = False
        self._dropped = 0
        self._ear, self._bell = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._bell, False)
        self._thread = threading.Thread(target=self._serve, name="composer", daemon=True)

    # --- for whoever plays

    def start(self) -> None:
        """Let the composer's thread begin."""
        # `neuralmidi.server` imports the bridge by this name as soon as it is imported; in Pd, C stands here.
        sys.modules["_neuralmidi"] = self  # type: ignore[assignment]
        self._thread.start()

    def fileno(self) -> int:
        """Can be read from when there are results."""
        return self._ear

    def ask(
        self,
        now: float,
        selector: str,
        *atoms: Atom,
        asker: Address | None = None,
        kind: int = REQUEST_MESSAGE,
    ) -> bool:
        """Ask something of the composer; False when it has too much to do to hear of it.

        Args:
            now: time in ms.
            selector: of the message.
            atoms: of the message.
            asker: whom errors and answers are meant for.
            kind: other than a message; what is no message is always heard of.
        """
        if kind == self.REQUEST_MESSAGE and self._asked.qsize() >= WISHES:
            self._dropped += 1
            return False
        self._asked.put(((kind, OBJECT, 0, now, selector, tuple(atoms)), asker))
        return True

    @property
    def bell(self) -> int:
        """A pipe that makes `fileno` readable: for `signal.set_wakeup_fd`."""
        return self._bell

    def wake(self) -> None:
        """Let the composer look how far the music has come."""
        self._asked.put(None)

    def results(self) -> Iterator[Result]:
        """Take what has been handed over, oldest first."""
        with suppress(BlockingIOError):
            os.read(self._ear, 4096)
        while self._results:
            yield self._results.popleft()

    def has_results(self, seconds: float) -> bool:
        """Wait for some, so long at most."""
        return bool(select.select([self._ear], [], [], seconds)[0])

    def close(self, seconds: float = 1) -> bool:
        """End the composer's thread; False when it has not ended in this time, and is left alone."""
        self._is_over = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    # --- the interface `_neuralmidi`, for the composer's thread

    def declare(
        self,
        name: str,
        inlets: int,
        outlets: int,
        stepped: bool,
        notes_outlet: int,
        status_outlet: int,
        revives: str,
    ) -> None:
        """Hear of a class. That of the composer is known."""

    def ready(self, banner: str) -> None:
        """Hear that every class has been declared."""

    def wait(self) -> list[Request]:
        """Sleep until there is something to look at."""
        first = self._asked.get()
        return self._pending([] if first is None else [first])

    def poll(self) -> list[Request]:
        """Return what is asked by now."""
        return self._pending([])

    def answered(self, count: int) -> None:
        """Hear that so many more requests have been dealt with; `_Asked` has told of each."""
        self._go_on()

    def view(self, number: int) -> tuple[int, int, float]:
        """Return the last step looked at, the last one played, and the length of a beat in ms."""
        self._go_on()
        accepted = self._transport.line.accepted  # first, as HANDOVER.md says
        return accepted, self._transport.line.released, self._transport.beat_ms

    def counters(self, number: int) -> dict[str, int]:
        """Return what is counted here, for ``info``."""
        return {"underruns": self._transport.underruns, "dropped": self._dropped}

    def send(self, number: int, messages: Sequence[Any]) -> None:
        """Let messages leave at once."""
        for message in messages:
            self._hand_over(Said(self._asker, _laid_out(message)[0]))

    def step(
        self,
        number: int,
        step: int,
        previous: int,
        per_beat: float,
        forgets: float,
        messages: Sequence[Any],
    ) -> None:
        """Hand a step over.

        Raises:
            ValueError: it has no length, or a delay is not legal.
        """
        if not (per_beat > 0 and isfinite(per_beat)):
            raise ValueError("a step has a length, and it ends")
        laid_out = tuple(_laid_out(message) for message in messages)
        self._hand_over(Step(step, previous, float(per_beat), float(forgets), laid_out))

    def error(self, number: int, text: str) -> None:
        """Report an error; number 0: it is of no object."""
        self._went_wrong = True
        self._hand_over(Wrong(self._asker, text))

    def failed(self, number: int, text: str) -> None:
        """Report an error that ends the object's notes."""
        self._hand_over(Wrong(None, text, failed=True))

    # --- within

    def _serve(self) -> None:
        try:
            from . import server

            server.run()
        except Over:
            pass
        except BaseException as error:
            self.reason = f"{type(error).__name__}: {error}"
            self._ring()

    def _go_on(self) -> None:
        if self._is_over:
            raise Over

    def _pending(self, asked: list[tuple[Request, Address | None]]) -> list[Request]:
        self._go_on()
        with suppress(Empty):
            while True:
                if one := self._asked.get_nowait():
                    asked.append(one)
        return _Asked(self, asked)

    def _deal_with(self, asked: tuple[Request, Address | None]) -> Iterator[Request]:
        (_, _, _, _, selector, atoms), self._asker = asked
        self._went_wrong = False
        yield asked[0]
        if not self._went_wrong:
            self._hand_over(Obeyed(self._asker, selector, atoms))
        self._asker = None

    def _hand_over(self, result: Result) -> None:
        self._go_on()
        self._results.append(result)
        self._ring()

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            os.write(self._bell, b"!")


class _Asked(list[Request]):
    """Requests, handed out one by one: what is said between two of them, the first has led to."""

    def __init__(self, host: Host, asked: Sequence[tuple[Request, Address | None]]) -> None:
        super().__init__(request for request, _ in asked)
        self._host, self._each = host, asked

    def __iter__(self) -> Iterator[Request]:
        for one in self._each:
            yield from self._host._deal_with(one)


def _laid_out(message: Sequence[Any]) -> tuple[Message, float]:
    """A message and its delay, so that whoever plays need not check it."""
    outlet, selector, atoms, *delay = message
    laid_out = int(outlet), str(selector), tuple(a if isinstance(a, str) else _number(a) for a in atoms)
    after = float(delay[0]) if delay else 0.0
    if not (after >= 0 and isfinite(after)):
        raise ValueError("a delay is 0 steps or more, and it ends")
    return laid_out, after


def _number(value: Any) -> float:
    if not isfinite(value):
        raise ValueError("a number in a message ends")
    return value if isinstance(value, int) else float(value)
