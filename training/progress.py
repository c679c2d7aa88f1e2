"""How far it is and how long it may still take, on stderr."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

PATIENCE: Final = 10.0
"""Seconds from one line to the next where nobody watches; on a terminal one line is written anew."""

T = TypeVar("T")


def say(line: str) -> None:
    """Write a line to stderr."""
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{line}", file=sys.stderr, flush=True)


def progress(what: str, work: Sequence[T]) -> Iterator[T]:
    """Go through some work, telling how far it is.

    Args:
        what: is being done, ``scoring``.
        work: its parts, each taking about as long.
    """
    watched = sys.stderr.isatty()
    begun = told = time.monotonic()
    for done, part in enumerate(work):
        now = time.monotonic()
        if done and (watched or now - told > PATIENCE):
            told = now
            left = (now - begun) / done * (len(work) - done)
            line = f"{what} {done} of {len(work)}, {left:.0f} s left"
            print(
                f"\r\033[K{line}" if watched else line,
                end="" if watched else "\n",
                file=sys.stderr,
                flush=True,
            )
        yield part
    if watched:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
