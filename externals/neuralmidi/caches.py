"""The caches of an attention network: what it has heard, a row for each token."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Row = Array
"""What one token leaves in all caches, one behind the other. Never written to."""

Slots = tuple[Row | None, ...]
"""What each slot holds; None is an empty one, all zeros."""

FEW = 16
"""Rows: more are written all at once, which takes as long as about so many one by one."""


class Caches:
    """Caches in a network's memory, and which rows lie in them.

    Args:
        places: the caches, ``[slots, width]`` each, with zeros in them. Nobody else writes there.

    Attributes:
        held: the rows.
    """

    def __init__(self, places: Sequence[Array]) -> None:
        self._places = places
        ends = np.cumsum([0, *(place.shape[1] for place in places)])
        # Where the numbers of each cache are in a row.
        self._parts = [slice(*pair) for pair in pairwise(ends.tolist())]
        self._empty: Row = np.zeros(ends[-1], np.float32)
        slots = len(places[0]) if places else 0
        self.held: Slots = (None,) * slots
        # No row of anybody's: whoever is cut off while he writes leaves that.
        self._unknown: Slots = (np.zeros(0, np.float32),) * slots

    def add(self, slot: int, parts: Sequence[Array]) -> None:
        """Let the row that a token leaves lie in a slot, in place of another.

        Args:
            slot: 0 to slots - 1.
            parts: of each cache, its numbers ``[width]``.
        """
        held, self.held = self.held, self._unknown
        for place, numbers in zip(self._places, parts, strict=True):
            place[slot] = numbers
        self.held = (*held[:slot], np.concatenate(parts), *held[slot + 1 :])

    def hold(self, slots: Slots) -> None:
        """Let these rows lie in the slots. Those that do already are not written again."""
        if slots is self.held:
            return
        others = [slot for slot, row in enumerate(slots) if row is not self.held[slot]]
        self.held = self._unknown
        if len(others) > FEW:
            self._write_all(slots)
        else:
            for slot in others:
                self._write(slot, slots[slot])
        self.held = slots

    def _write(self, slot: int, row: Row | None) -> None:
        for place, part in zip(self._places, self._parts, strict=True):
            place[slot] = 0 if row is None else row[part]

    def _write_all(self, slots: Slots) -> None:
        rows = [self._empty if row is None else row for row in slots]
        np.concatenate(rows, out=self._desk.ravel())
        for place, part in zip(self._places, self._parts, strict=True):
            place[...] = self._desk[:, part]

    @cached_property
    def _desk(self) -> Array:
        """Where all rows lie side by side. Made once: so much room, again and again, tears up memory."""
        return np.empty((len(self.held), len(self._empty)), np.float32)
