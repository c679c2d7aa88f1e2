"""Lines for whoever watches a program that must not wait: they are printed on a thread of their own."""

import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TextIO

from .errors import printable

PERIOD = 1000.0
"""Ms between two lines of one kind."""

LONGEST = 500
"""Characters of a line: some of them come from outside."""


class Log:
    """Prints lines, at most one of a kind every `PERIOD`, with the number of those that were left out.

    Args:
        out: where to.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._kinds: dict[str, tuple[float, int, str]] = {}  # when printed, how many since, the last of them
        self._thread = threading.Thread(target=self._print, name="log", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Print a line."""
        self._lines.put(printable(line[:LONGEST]))

    def repeat(self, now: float, kind: str, line: str) -> None:
        """Print a line of a kind of which many may come; ``now`` is in ms."""
        printed, left_out, _ = self._kinds.get(kind, (now - PERIOD, 0, ""))
        if now - printed < PERIOD:
            self._kinds[kind] = printed, left_out + 1, line
            return
        self._kinds[kind] = now, 0, line
        self.say(line)

    def catch_up(self, now: float) -> None:
        """Tell of what was left out; to be called every `PERIOD`."""
        for kind, (printed, left_out, line) in list(self._kinds.items()):
            if now - printed < PERIOD:
                continue
            del self._kinds[kind]
            if left_out:
                self._kinds[kind] = now, 0, line
                self.say(f"{line} ({left_out} times)" if left_out > 1 else line)

    def close(self, seconds: float = 0.5) -> None:
        """Print what is left, unless nobody reads it."""
        self._lines.put(None)
        self._thread.join(seconds)

    def _print(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError, ValueError):  # nobody reads any more; or a disk is full, for now
                print(line, file=self._out, flush=True)
