"""The JSB chorales: 382 settings by J. S. Bach as JSON, what sounds in each step, split for comparing models.

One file holds the 16th grid, another the quarter grid; each an object of train, valid and test, each of these
a list of pieces, each piece a list of steps, each step a list of MIDI pitches (0, -1 or nothing: a rest).
The files tell neither a repeated note from a held one nor bars nor loudness.

Source: Boulanger-Lewandowski, Bengio and Vincent, "Modeling Temporal Dependencies in High-Dimensional
Sequences" (ICML 2012); Huang et al., "Counterpoint by Convolution" (ISMIR 2017).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.grid import on_grid
from neuralmidi.notes import PITCHES

from training.dataset import SPLITS, Held, Piece, Report, Source, Split

FILES: Final[Mapping[int, str]] = {4: "jsb-chorales-16th.json", 1: "jsb-chorales-quarter.json"}
"""The file of each grid, by its steps per beat."""
SHARED: Final = 16
"""Intervals in a row of one soprano that are also in another: too many for chance."""

Chords = tuple[tuple[int, ...], ...]
Setting = tuple[str, Split, Chords]
"""A chorale's name, its split and what sounds in each step."""


@dataclass(frozen=True)
class Chorale(Held):
    """One of the chorales of a file, or what has been made of it."""

    @property
    def file(self) -> str:
        """How model.json names the file that it is in."""
        return f"{self.folder.name}/{self.path.name}"


@dataclass(frozen=True)
class Beside(Source):
    """A file of other music, told as the chorales are: nobody says how loud it is, or where the bars are."""

    def read(self, cache: Path | None, report: Report) -> Piece:
        """Read it."""
        piece = super().read(cache, report)
        return replace(piece, notes=piece.notes * (1, 1, 1, 0), metres=())


def find(path: Path, steps_per_beat: int) -> Path | None:
    """Return the file to read for a grid: the path itself if it is JSON, one in the folder, or None.

    Raises:
        NeuralMIDIError: there are chorales, but not on this grid.
    """
    if path.suffix.lower() == ".json":
        grids = [grid for grid, name in FILES.items() if name == path.name]
    else:
        grids = [grid for grid, name in FILES.items() if (path / name).is_file()]
        if not grids:
            return None
        path = path / FILES.get(steps_per_beat, "")
    if grids and steps_per_beat not in grids:
        told = " or ".join(f"{grid} to a beat" for grid in grids)
        raise NeuralMIDIError(
            str(path), f"has steps of {told}, the model of {steps_per_beat}", "take the file of its grid"
        )
    return path


def read(path: Path, steps_per_beat: int) -> list[Piece]:
    """Return all pieces of a file.

    Raises:
        NeuralMIDIError: it is not such a file.
    """
    return [piece(*setting, steps_per_beat) for setting in _load(path)]


def sources(path: Path, steps_per_beat: int) -> list[Chorale]:
    """Return all pieces of a file as what a model is trained on.

    Args:
        path: the file.
        steps_per_beat: its grid.

    Raises:
        NeuralMIDIError: it is not such a file.
    """
    return [
        Chorale(path, each.name, each.composer, each.split, path.parent, piece=each)
        for each in read(path, steps_per_beat)
    ]


def _load(path: Path) -> list[Setting]:
    """Return what is in a file.

    Raises:
        NeuralMIDIError: it is not such a file.
    """
    try:
        parts = json.loads(path.read_bytes())
        return [
            (f"{path.name} {split} {number}", split, _chords(steps))
            for split in SPLITS.values()
            for number, steps in enumerate(parts.get(split, []))
        ]
    except OSError as error:
        raise NeuralMIDIError(str(path), f"cannot be read: {error.strerror}", "check its name") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        why = f"not a file of chorales ({type(error).__name__}: {error})"
        raise NeuralMIDIError(str(path), why, "give the dataset's JSON, {split: [[[pitch]]]}") from error


def piece(name: str, split: Split, chords: Chords, steps_per_beat: int) -> Piece:
    """Return a piece whose notes last as long as their pitch goes on; velocity 0: nobody says how loud."""
    notes = []
    begun: dict[int, int] = {}
    for slot, chord in enumerate((*chords, ())):
        for pitch in [pitch for pitch in begun if pitch not in chord]:
            notes.append((begun.pop(pitch) / steps_per_beat, slot / steps_per_beat, pitch, 0))
        begun |= dict.fromkeys((pitch for pitch in chord if pitch not in begun), slot)
    array = np.array(sorted(notes), np.float64).reshape(-1, 4)
    return Piece(name, "bach", split, array, (), end=len(chords) / steps_per_beat)


def clean(pieces: Iterable[Piece], train: Iterable[Piece]) -> frozenset[str]:
    """Return the names of the pieces whose soprano is not one of the training part.

    Bach set many hymns more than once: 16 intervals of the soprano in a row, repeated notes left out, that
    are in the training part, too, in whatever key and rhythm, are taken for the same hymn.
    """
    known = {run for each in train for run in _runs(each)}
    return frozenset(each.name for each in pieces if known.isdisjoint(_runs(each)))


def _runs(each: Piece) -> set[tuple[int, ...]]:
    """Return every run of `SHARED` intervals of the soprano."""
    strokes = on_grid(each.notes, max(FILES))
    top = np.zeros(int(strokes.end.max(initial=0)), int)
    for pitch, start, end in zip(strokes.pitch, strokes.start, strokes.end, strict=True):
        top[start:end] = pitch  # they come by pitch: the highest is written last
    melody = [pitch for pitch, _ in groupby(top[top > 0].tolist())]
    moves = tuple(after - before for before, after in pairwise(melody))
    return {moves[first : first + SHARED] for first in range(len(moves) - SHARED + 1)}


def _chords(steps: Sequence[Any]) -> Chords:
    """Return what sounds in each step.

    Raises:
        ValueError: a pitch is not one.
    """
    chords = tuple(tuple(sorted({int(pitch) for pitch in step if pitch > 0})) for step in steps)
    wrong = [pitch for chord in chords for pitch in chord if pitch not in PITCHES]
    if wrong:
        raise ValueError(f"{wrong[0]} is not a MIDI pitch")
    return chords
