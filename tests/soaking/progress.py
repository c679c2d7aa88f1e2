"""How far it is, how long it may still take, and what has happened so far, on stderr."""

import sys
import time

from tests.soaking.books import Books

PATIENCE = 60.0
"""Seconds from one line to the next where nobody watches."""
OFTEN = 0.5
"""The same on a terminal, where one line is written anew."""
ENOUGH = 0.001
"""Of the run: the share after which it is known how long the rest takes."""
COUNTED = {
    "steps": "steps",
    "ons": "notes",
    "swap": "swaps",
    "delete": "deletions",
    "refused": "errors, each expected",
    "underruns": "underruns",
}
"""What is told of all that is counted."""


class Progress:
    """Tells how far a run is.

    Args:
        name: of the part.
        ms: of logical time that it lasts.
        books: of the run.
    """

    def __init__(self, name: str, ms: float, books: Books) -> None:
        self._name, self._ms, self._books = name, ms, books
        self._watched = sys.stderr.isatty()
        self._begun = self._told = time.monotonic()

    def tell(self) -> None:
        """Write a line if it is time for one."""
        now = time.monotonic()
        share = min(self._books.time / self._ms, 1)
        if share < ENOUGH or now - self._told < (OFTEN if self._watched else PATIENCE):
            return
        self._told = now
        left = (now - self._begun) / share * (1 - share)
        line = f"{self._name} {100 * share:.1f} %, {_minutes(left)} left: {counted(self._books)}"
        self._write(f"\r\033[K{line}" if self._watched else f"{line}\n")

    def end(self) -> None:
        """Leave no half line behind."""
        if self._watched:
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)


def counted(books: Books) -> str:
    """What has happened so far."""
    return ", ".join(f"{books.counts[what]:,} {name}" for what, name in COUNTED.items())


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"
