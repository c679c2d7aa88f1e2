"""What a grid does to music before any model hears it: a coarse one is easy to predict, for it tells less."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from neuralmidi.grid import on_grid

from training.dataset import Piece

AUDIBLE: Final = 0.025
"""Beats that an onset may be moved: a tenth of a 16th, 12 ms at 120 beats a minute."""
SCORE: Final = 480
"""Slots a beat on which nothing written is lost: 128ths, and tuplets of 3 and 5."""


@dataclass(frozen=True)
class Fidelity:
    """What becomes of some music.

    Attributes:
        moved: share of its notes that begin more than `AUDIBLE` from where they are written, 0 to 1.
        lost: share of its strokes of a key that come to lie on another of the same key, 0 to 1.
    """

    moved: float
    lost: float


def fidelity(pieces: Iterable[Piece], steps_per_beat: int) -> Fidelity:
    """Return what a grid does to some pieces.

    Two parts in unison are one stroke on any grid: that is no loss.
    """
    notes = moved = strokes = kept = 0
    for piece in pieces:
        slots = piece.notes[:, 0] * steps_per_beat
        distance = np.abs(slots - np.floor(slots + 0.5)) / steps_per_beat
        notes += len(slots)
        moved += int((distance > AUDIBLE).sum())
        strokes += len(on_grid(piece.notes, SCORE).pitch)
        kept += len(on_grid(piece.notes, steps_per_beat).pitch)
    return Fidelity(moved / max(1, notes), (strokes - kept) / max(1, strokes))
