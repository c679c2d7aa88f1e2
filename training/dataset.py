"""From MIDI files to steps: who wrote it, which split it belongs to, what sounds in each 16th."""

import csv
import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pretty_midi

Split = Literal["train", "valid", "test"]
Steps = tuple[tuple[int, ...], ...]
"""The sounding MIDI pitches of each step, ascending."""
Report = Callable[[str], None]

STEPS_PER_BEAT: Final = 4
MOST_STEPS: Final = 20_000
"""40 minutes at 120 beats a minute. What lies beyond is left out, so that no file fills the memory."""
LEAST_STEPS: Final = 16
OFF_GRID: Final = 0.25
"""A share of onsets more than a tenth of a step off the grid from which on it is worth a word."""


class UnusableFileError(Exception):
    """The file gives no music; the message says why."""


@dataclass(frozen=True)
class Piece:
    """One MIDI file, quantised.

    Attributes:
        file: its path as the split file or the folder names it.
        split: train, valid or test.
        steps: what sounds in each step, from the first bar on.
    """

    file: str
    split: Split
    steps: Steps


def read_composer(folder: Path, splits: Mapping[Path, Split], report: Report = print) -> list[Piece]:
    """Read every MIDI file of one composer; a bad file is reported by name and left out.

    Args:
        folder: searched for ``.mid`` and ``.midi`` files, subfolders too.
        splits: the split of each resolved path; empty: a tenth each for valid and test, at least one file,
            chosen by file name so that a file hardly ever changes sides when others are added.
        report: takes one line per file that is left out, cut or doubtful.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    splits = splits or _own_splits(files)
    pieces = []
    for path in files:
        name = path.relative_to(folder.parent).as_posix()
        split = splits.get(path.resolve())
        if split is None:
            report(f"{name}: left out, the split file does not name it")
            continue
        try:
            steps, remarks = read_steps(path)
            pieces.append(Piece(name, split, steps))
            for remark in remarks:
                report(f"{name}: {remark}")
        except UnusableFileError as error:
            report(f"{name}: left out, {error}")
    return pieces


def read_splits(path: Path) -> dict[Path, Split]:
    """Return the split of each file of a split.csv (columns file, split; paths relative to the csv)."""
    names: dict[str, Split] = {"train": "train", "valid": "valid", "test": "test"}
    with path.open(newline="", encoding="utf-8") as file:
        return {(path.parent / row["file"]).resolve(): names[row["split"]] for row in csv.DictReader(file)}


def read_steps(path: Path) -> tuple[Steps, list[str]]:
    """Read one MIDI file: quantised by beats, not by seconds; drums left out; a note lasts a step or more.

    Returns:
        The steps, and remarks on what was changed or is doubtful.

    Raises:
        UnusableFileError: it is not MIDI, or holds no or hardly any notes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # tempo events on later tracks: common, harmless on a grid of beats
            midi = pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # whatever a damaged file makes the reader do, it must not end the run
        raise UnusableFileError(f"not readable as MIDI ({type(error).__name__}: {error})") from error
    per_tick = STEPS_PER_BEAT / midi.resolution
    tracks = [track for track in midi.instruments if not track.is_drum]
    notes = [
        (midi.time_to_tick(note.start) * per_tick, midi.time_to_tick(note.end) * per_tick, note.pitch)
        for track in tracks
        for note in track.notes
    ]
    if not notes:
        raise UnusableFileError("it holds drums only" if midi.instruments else "it holds no notes")
    remarks = []
    off_grid = sum(abs(start - round(start)) > 0.1 for start, _, _ in notes) / len(notes)
    if off_grid > OFF_GRID:
        remarks.append(f"{off_grid:.0%} of its notes lie off the 16th grid and were moved there")
    if max(start for start, _, _ in notes) >= MOST_STEPS:
        remarks.append(f"longer than {MOST_STEPS} steps, the rest is left out")
    steps = _on_grid(notes)
    if len(steps) < LEAST_STEPS:
        raise UnusableFileError(f"it lasts {len(steps)} steps, less than a bar")
    return steps, remarks


def _on_grid(notes: Iterable[tuple[float, float, int]]) -> Steps:
    """Return what sounds in each step, given (start, end, pitch) in steps."""
    sounding: list[set[int]] = []
    for start, end, pitch in notes:
        first = round(start)
        last = min(max(first + 1, round(end)), MOST_STEPS)
        sounding.extend(set() for _ in range(len(sounding), last))
        for step in sounding[first:last]:
            step.add(pitch)
    return tuple(tuple(sorted(step)) for step in sounding)


def _own_splits(files: Iterable[Path]) -> dict[Path, Split]:
    """Return a split by the hash of the file name: a tenth for valid, a tenth for test, at least one each."""
    order = sorted(files, key=lambda path: hashlib.sha256(path.name.encode()).digest())
    tenth = max(1, len(order) // 10)
    splits: dict[Path, Split] = {path.resolve(): "train" for path in order}
    for place, path in enumerate(order[: 2 * tenth]):
        splits[path.resolve()] = "valid" if place < tenth else "test"
    return splits
