"""The likelihood of a chord that is in no vocabulary: spelled, pitch by pitch."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from neuralmidi.notes import PITCHES

GOES_ON: Final = 0.5
BEGINS: Final = 0.03
"""How often a pitch sounds after it did and did not sound, before anything was counted."""


class Spelling:
    """Each of the 128 pitches sounds or not, given only whether it did in the step before.

    A proper distribution over all sets of pitches, counted where the chord changes, for it is asked only
    there. Each pitch is smoothed towards all pitches, all of them towards `GOES_ON` and `BEGINS`, as if each
    had been seen once.

    Args:
        pieces: training music, the sounding pitches of each step.
    """

    def __init__(self, pieces: Iterable[Sequence[Collection[int]]] = ()) -> None:
        sounds = np.zeros((2, len(PITCHES)))
        asked = np.zeros((2, len(PITCHES)))
        for piece in pieces:
            for before, after in pairwise(((), *piece)):
                if set(before) != set(after):
                    asked[0] += 1
                    asked[0, list(before)] -= 1
                    asked[1, list(before)] += 1
                    for pitch in set(after):
                        sounds[int(pitch in before), pitch] += 1
        prior = np.array([[BEGINS], [GOES_ON]])
        everywhere = (sounds.sum(1, keepdims=True) + prior) / (asked.sum(1, keepdims=True) + 1)
        rate = (sounds + everywhere) / (asked + 1)
        self._sounds, self._silent = np.log(rate), np.log1p(-rate)
        self._nothing = float(self._silent[0].sum())

    def log_p(self, before: Collection[int], after: Collection[int]) -> float:
        """Return the natural log of the probability of ``after`` in the step that follows ``before``."""
        log_p = self._nothing
        for pitch in {*before, *after}:
            was = int(pitch in before)
            table = self._sounds if pitch in after else self._silent
            log_p += table[was, pitch] - self._silent[0, pitch]
        return float(log_p)
