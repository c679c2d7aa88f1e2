"""How a model hears a chord that it has no word for."""

from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .notes import PITCHES
from .tokenizer import UNKNOWN, Tokenizer


class Ear:
    """Turns any set of pitches into the token that comes closest to it.

    A player's hands are freer than a vocabulary. A chord that is not in it is heard as the known chord
    nearest to it (Jaccard similarity: pitches in both, over pitches in either; of two equally near, the
    earlier token). One that shares no pitch with any known chord stays unknown.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.vocabulary.index(UNKNOWN)

    def token(self, pitches: Collection[int]) -> int:
        """The token for a set of MIDI pitches, 0-127."""
        token = self._tokenizer.encode(pitches)
        return token if token != self._unknown else self._nearest(pitches)

    def _nearest(self, pitches: Collection[int]) -> int:
        chord = np.zeros(len(PITCHES), np.float32)
        chord[list(pitches)] = 1
        shared = self._chords @ chord
        similarity = shared / (self._sizes + chord.sum() - shared)
        nearest = int(similarity.argmax())
        return nearest if shared[nearest] else self._unknown

    @cached_property
    def _chords(self) -> NDArray[np.float32]:
        """``[V, 128]``: which pitches each token holds. Made when first needed: 2 MB at V = 4096."""
        chords = np.zeros((len(self._tokenizer.vocabulary), len(PITCHES)), np.float32)
        for token, row in enumerate(chords):
            row[list(self._tokenizer.decode(token))] = 1
        return chords

    @cached_property
    def _sizes(self) -> NDArray[np.float32]:
        sizes: NDArray[np.float32] = self._chords.sum(axis=1)
        return sizes
