"""How a model hears a chord that it has no word for."""

from collections.abc import Collection, Sequence

import numpy as np

from .notes import PITCHES


class Ear:
    """Finds the known chord that comes closest to a set of pitches.

    A player's hands are freer than a vocabulary. A chord that is not in it is heard as the known chord
    nearest to it (Jaccard similarity: pitches in both, over pitches in either; of two equally near, the
    earlier one).

    Args:
        chords: the MIDI pitches of each known chord. Takes 2 MB for 4096 of them.
    """

    def __init__(self, chords: Sequence[Collection[int]]) -> None:
        self._chords = np.zeros((len(PITCHES), len(chords)), np.float32)
        for place, chord in enumerate(chords):
            self._chords[list(chord), place] = 1
        self._sizes = self._chords.sum(axis=0)

    def nearest(self, pitches: Collection[int]) -> int | None:
        """The place of the nearest chord; None if no chord shares a pitch with these MIDI pitches."""
        # Rows are added, not multiplied: a matrix product would wake the threads of numpy's BLAS, beside Pd.
        shared = self._chords[list(pitches)].sum(axis=0)
        similarity = shared / (self._sizes + len(pitches) - shared)
        nearest = int(similarity.argmax())
        return nearest if shared[nearest] else None
