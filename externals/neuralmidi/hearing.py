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
        """The token for a set of MIDI pitches, 0-127, each once."""
        token = self._tokenizer.encode(pitches)
        return token if token != self._unknown else self._nearest(pitches)

    def _nearest(self, pitches: Collection[int]) -> int:
        # Rows are added, not multiplied: a matrix product would wake the threads of numpy's BLAS, beside Pd.
        shared = self._chords[list(pitches)].sum(axis=0)
        similarity = shared / (self._sizes + len(pitches) - shared)
        nearest = int(similarity.argmax())
        return nearest if shared[nearest] else self._unknown

    @cached_property
    def _chords(self) -> NDArray[np.float32]:
        """``[128, V]``: which tokens hold each pitch. Made when first needed: 2 MB at V = 4096."""
        chords = np.zeros((len(PITCHES), len(self._tokenizer.vocabulary)), np.float32)
        for token in range(len(self._tokenizer.vocabulary)):
            chords[list(self._tokenizer.decode(token)), token] = 1
        return chords

    @cached_property
    def _sizes(self) -> NDArray[np.float32]:
        sizes: NDArray[np.float32] = self._chords.sum(axis=0)
        return sizes
