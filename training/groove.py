"""The Groove MIDI Dataset: human drummers, as its info.csv lists them.

Source: Gillick, Roberts, Engel, Eck and Bamman, "Learning to Groove with Inverse Sequence Transformations"
(ICML 2019); https://magenta.tensorflow.org/datasets/groove, CC BY 4.0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
import pretty_midi
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.fills import FILL
from neuralmidi.grid import slot_of
from neuralmidi.kit import PLACES
from neuralmidi.notes import Metre
from numpy.typing import NDArray

from training.dataset import (
    BAR_BEATS,
    MOST_BEATS,
    Held,
    Piece,
    Report,
    Source,
    Split,
    UnusableFileError,
    parsed,
    read_all,
    rows_of,
)
from training.dataset import find as find_files
from training.pool import AND

INFO: Final = "info.csv"
SPLITS: Final[Mapping[str, Split]] = {"train": "train", "validation": "valid", "test": "test"}
COLUMNS: Final = ("time_signature", "midi_filename", "split", "style", "beat_type")
METRE: Final = "4-4"
GRID: Final = 4
"""Slots in a beat; four beats are a bar."""
BAR: Final = 4
"""Beats in one."""
TINY: Final = 1e-6
UNPUBLISHED: Final = (22, 26, 52, 58)
"""Pitches that the published model of single bars does not hear."""
EQUALLY_LOUD: Final = 96


@dataclass(frozen=True)
class Performance(Source):
    """A drummer's performance; its composer is its style, ``funk``, or ``funk+fill`` if it is a fill."""

    def read(self, cache: Path | None, report: Report) -> Piece:
        """Read it: every hit as early or late and as hard as it was played.

        Raises:
            UnusableFileError: it is not MIDI, no bar is in 4/4, or no drum is hit in it.
        """
        midi = parsed(self.path)
        hits = np.array(
            sorted(
                (midi.time_to_tick(note.start) / midi.resolution, note.pitch, note.velocity)
                for track in midi.instruments
                if track.is_drum
                for note in track.notes
                if note.pitch in PLACES
            ),
            np.float64,
        ).reshape(-1, 3)
        if not len(hits):
            raise UnusableFileError("no drum is hit in it")
        hits, skipped = _in_four(hits, _metres(midi))
        if not len(hits):
            raise UnusableFileError(f"its {skipped} bars are not in 4/4, in which drums are learnt")
        if skipped:
            report(f"{self.name}: {skipped} bars that are not in 4/4 are skipped")
        if hits[-1, 0] >= MOST_BEATS:
            report(f"{self.name}: longer than {MOST_BEATS} beats, the rest is left out")
            hits = hits[hits[:, 0] < MOST_BEATS]
            if not len(hits):
                raise UnusableFileError(f"no drum is hit in its first {MOST_BEATS} beats")
        notes = np.stack([hits[:, 0], hits[:, 0] + 1 / GRID, hits[:, 1], hits[:, 2]], 1)
        bars = slot_of(float(hits[-1, 0]), GRID) // (4 * GRID) + 1
        return Piece(self.name, self.composer, self.split, notes, (Metre(0, 4, 4),), 4.0 * bars)


def _metres(midi: pretty_midi.PrettyMIDI) -> list[Metre]:
    """Return the time signatures of a file that can be, each where it is another; 4/4 where it has none."""
    told = [
        Metre(midi.time_to_tick(each.time) / midi.resolution, each.numerator, each.denominator)
        for each in midi.time_signature_changes
        if BAR_BEATS[0] <= 4 * each.numerator / each.denominator <= BAR_BEATS[1]
    ]
    if not told or told[0].start:
        told.insert(0, Metre(0, 4, 4))
    return told[:1] + [after for before, after in pairwise(told) if after[1:] != before[1:]]


def _in_four(hits: NDArray[np.float64], metres: Sequence[Metre]) -> tuple[NDArray[np.float64], int]:
    """Return the hits of the bars in 4/4, one after the other, and how many other bars there are.

    Args:
        hits: ``[N, 3]``, by start in beats.
        metres: the time signatures, the first one at 0.
    """
    ends = [*(metre.start for metre in metres[1:]), np.inf]
    early = 1 / (2 * GRID)  # a hit on the first slot of a bar may come before it
    kept, played, skipped = [], 0.0, 0
    first = np.searchsorted(hits[:, 0], [metre.start - early for metre in metres])
    for metre, end, begin, stop in zip(metres, ends, first, [*first[1:], len(hits)], strict=True):
        inside = hits[begin:stop]
        last = end if np.isfinite(end) else float(inside[-1, 0]) + early if len(inside) else metre.start
        bars = ceil((last - metre.start) / (4 * metre.numerator / metre.denominator) - TINY)
        if metre.numerator * BAR == 4 * metre.denominator:
            kept.append(inside + np.array([played - metre.start, 0, 0]))
            played += BAR * bars
        else:
            skipped += bars
    return np.maximum(np.concatenate([*kept, hits[:0]]), 0), skipped


def find(folder: Path, report: Report = print) -> list[Performance]:
    """Find the performances in 4/4 of a folder; the others are counted and left out.

    An info.csv in it says what is where, as that of the Groove MIDI Dataset does. Without one each folder in
    it is a style, and a tenth of its files is held out.

    Raises:
        NeuralMIDIError: there are no MIDI files, or a column is missing.
    """
    info = folder / INFO
    if not info.is_file():
        own = [Performance(*astuple(each)) for each in find_files([folder], {}, report=report)]
        if not own:
            why = f"neither {INFO} nor STYLE/*.mid in it"
            raise NeuralMIDIError(str(folder), why, "name the folder of the Groove MIDI Dataset, or your own")
        return own
    try:
        rows = rows_of(info, COLUMNS)
        others = [row["midi_filename"] for row in rows if row["time_signature"] != METRE]
        found = [
            Performance(
                _inside(folder, row["midi_filename"]),
                f"{folder.resolve().name}/{row['midi_filename']}",
                _style(row),
                SPLITS[row["split"]],
                folder.resolve(),
            )
            for row in rows
            if row["time_signature"] == METRE
        ]
    except ValueError as error:
        raise NeuralMIDIError(str(info), str(error), "take the dataset's own file") from error
    except KeyError as error:
        raise NeuralMIDIError(str(info), f"what is {error}?", "take the dataset's own file") from error
    if others:
        report(f"{len(others)} performances that are not in 4/4 are left out: {', '.join(others[:3])} ...")
    return found


@dataclass(frozen=True)
class Bar(Held):
    """A bar of a performance by itself, as the published model hears it: on the grid, all equally loud."""

    @property
    def file(self) -> str:
        """How model.json names the file that it is in."""
        return self.name.rpartition(":")[0]


def bars(performances: Iterable[Performance], report: Report = print) -> list[Bar]:
    """Return all bars of performances, a piece each, without the pitches that are `UNPUBLISHED`."""
    return [
        Bar(each.path, f"{each.name}:{number + 1}", each.composer, each.split, each.folder, piece=piece)
        for each in performances
        for whole in read_all([each], report=report)
        for number, piece in enumerate(bars_of(whole))
    ]


def bars_of(whole: Piece) -> Iterator[Piece]:
    """Yield the bars of a performance, on the grid, equally loud, without what is `UNPUBLISHED`."""
    heard = whole.notes[~np.isin(whole.notes[:, 2], UNPUBLISHED)]
    slots = np.floor(heard[:, 0] * GRID + 0.5).astype(int)
    for number in range(round(whole.end) // BAR):
        inside = slots // (BAR * GRID) == number
        start = (slots[inside] - number * BAR * GRID) / GRID
        loud = np.full(len(start), EQUALLY_LOUD)
        notes = np.stack([start, start + 1 / GRID, heard[inside, 2], loud], 1)
        yield Piece(f"{whole.name}:{number + 1}", whole.composer, whole.split, notes, whole.metres, BAR)


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file of a folder.

    Raises:
        ValueError: its name leads out of it.
    """
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name[:100]} is not in its folder")
    return folder / name


def _style(row: Mapping[str, str]) -> str:
    style = row["style"].partition("/")[0]
    return f"{style}{AND}{FILL}" if row["beat_type"] == FILL else style
