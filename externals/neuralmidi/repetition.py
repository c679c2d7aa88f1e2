"""A guard against getting stuck: the same bar over and over, which every model falls into now and then."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LONGEST = 256
"""Tokens of the longest passage that is noticed: about four bars of two hands."""


def _nothing() -> NDArray[np.int64]:
    return np.full(LONGEST, -1)


def _shifted(numbers: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    shifted = np.empty_like(numbers)
    shifted[0], shifted[1:] = first, numbers[:-1]
    return shifted


@dataclass(frozen=True, slots=True, eq=False)
class Repetition:
    """The last tokens, and how long each passage has been repeating. Nothing in it is ever written to.

    Attributes:
        tokens: ``[LONGEST]``, the newest first; -1: there is none.
        slots: ``[LONGEST]``, when each was said.
        runs: ``[LONGEST]``: at ``i``, how many of the newest tokens in a row equal the one ``i + 1`` before.
    """

    tokens: NDArray[np.int64] = field(default_factory=_nothing)
    slots: NDArray[np.int64] = field(default_factory=_nothing)
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LONGEST, np.int64))

    def after(self, token: int, slot: int) -> "Repetition":
        """The same when one more token has been said, in a slot."""
        return Repetition(
            _shifted(self.tokens, token),
            _shifted(self.slots, slot),
            (self.runs + 1) * (self.tokens == token),
        )

    def completing(self, times: int, slot: int, bar: int) -> list[int]:
        """Return the tokens with which a passage would have been said more than so many times in a row.

        Args:
            times: in a row; 1 or more.
            slot: where the next token is said.
            bar: the shortest passage that counts, in slots; one that is shorter counts when it fills a bar.
        """
        ripe = self.runs >= times * _LENGTHS - 1
        if not ripe.any():
            return []
        ripe &= slot - self.slots >= bar
        ripe &= self.tokens >= 0
        return [int(token) for token in self.tokens[ripe]]


_LENGTHS = np.arange(1, LONGEST + 1)
