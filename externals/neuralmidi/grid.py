"""Notes on a grid: what a model, which knows slots and keys, can know of a piece."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .notes import Note

Slots = NDArray[np.int64]


class Strokes(NamedTuple):
    """Every stroke of a key, as arrays of one length, ordered by pitch, then by start.

    Attributes:
        pitch: MIDI pitch.
        start: the slot in which the key goes down.
        end: the slot in which it goes up, after `start`; no later than the key's next stroke.
        velocity: the loudest of the notes that it plays, 0-127; 0: nobody says how loud.
    """

    pitch: Slots
    start: Slots
    end: Slots
    velocity: Slots


def columns(notes: Iterable[Note]) -> NDArray[np.float64]:
    """Return notes as an array ``[N, 4]``: start, end, pitch, velocity; a copy if they are one already."""
    return np.array(notes if isinstance(notes, np.ndarray) else list(notes), np.float64).reshape(-1, 4)


def slot_of(beats: float, steps_per_beat: int) -> int:
    """Return the slot that a moment belongs to: the nearest, the later one of two as near."""
    return int(np.floor(beats * steps_per_beat + 0.5))


def on_grid(notes: Iterable[Note], steps_per_beat: int) -> Strokes:
    """Play notes on one keyboard whose keys move at slots of the grid only.

    A note lasts a slot at least. Where two notes share a key, each beginning is a stroke, and the key stays
    down as long as one of them lasts.

    Args:
        notes: in any order; or an array as `columns` makes it.
        steps_per_beat: slots in a quarter note.
    """
    table = columns(notes)
    slots = np.floor(table[:, :2] * steps_per_beat + 0.5).astype(np.int64)
    pitch, velocity = table[:, 2:].astype(np.int64).T
    order = np.lexsort((slots[:, 0], pitch))
    pitch, velocity, (start, end) = pitch[order], velocity[order], slots[order].T
    if not len(pitch):
        return Strokes(pitch, start, end, velocity)
    end = _longest_so_far(pitch, np.maximum(end, start + 1))
    first = np.flatnonzero(np.diff(pitch, prepend=-1) | np.diff(start, prepend=-1))
    pitch, start = pitch[first], start[first]
    end, velocity = np.maximum.reduceat(end, first), np.maximum.reduceat(velocity, first)
    again = np.flatnonzero(pitch[:-1] == pitch[1:])
    end[again] = np.minimum(end[again], start[again + 1])
    return Strokes(pitch, start, end, velocity)


def _longest_so_far(pitch: Slots, end: Slots) -> Slots:
    """Return for each note how long its key stays down for it and the notes before it on that key."""
    apart = pitch * (end.max() + 1)  # so that a key's notes do not see those of the key below
    longest: Slots = np.maximum.accumulate(end + apart) - apart
    return longest
