"""Which MIDI files there are, who wrote them, which split they belong to, and what notes are in them."""

import csv
import hashlib
import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pretty_midi
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.midi_file import ENDLESS
from neuralmidi.notes import Metre
from numpy.typing import NDArray

from training.composers import composer_name

Split = Literal["train", "valid", "test"]
SPLITS: Final[Mapping[str, Split]] = {"train": "train", "valid": "valid", "test": "test"}
Report = Callable[[str], None]

SUFFIXES: Final = (".mid", ".midi")
MOST_BYTES: Final = 2 << 20
"""Ten times the largest score or performance there is; a larger file is not read at all."""
MOST_BEATS: Final = 5_000
"""40 minutes at 120 beats a minute. What lies beyond is left out, so that no file fills the memory."""
MOST_NOTES: Final = 50_000
"""Five times the longest quartet. What lies beyond is left out."""
LEAST_BEATS: Final = 4
USUAL_BAR: Final = (4, 4)
BAR_BEATS: Final = (0.25, 16.0)
"""Shortest and longest bar that is believed, in beats."""
MOST_IN_A_BAR: Final = 99
SHORTEST: Final = 64
"""Numbers of a time signature beyond which no word of a vocabulary tells it."""
FINEST: Final = 12
"""Slots a beat on which any bar must begin; no grid that is used is finer in bars."""


class UnusableFileError(Exception):
    """The file gives no music; the message says why."""


@dataclass(frozen=True)
class Piece:
    """The music of one source, not yet on any grid.

    Attributes:
        name: as the source has it.
        composer: as `composer_name` has it.
        split: train, valid or test.
        notes: ``[N, 4]`` float64, by start: start and end in beats (quarter notes) from the first bar line
            on, MIDI pitch, velocity 1 to 127, 0 everywhere if all are equally loud. No drums.
        metres: the time signatures; none if nothing is known of bars.
        end: where it ends, in beats: with its last bar.
    """

    name: str
    composer: str
    split: Split
    notes: NDArray[np.float64]
    metres: tuple[Metre, ...]
    end: float


@dataclass(frozen=True)
class Source:
    """One piece that may be read, here from a MIDI file of its own.

    Attributes:
        path: where it is.
        name: how reports call it: its path from the dataset's folder on.
        folder: the dataset it belongs to.
        composer: as `composer_name` has it.
        split: train, valid or test.
    """

    path: Path
    name: str
    composer: str
    split: Split
    folder: Path = Path()

    @property
    def file(self) -> str:
        """How model.json names the file that it is in."""
        return self.name

    def read(self, cache: Path | None, report: Report) -> Piece:
        """Read it; see `read_all`.

        Raises:
            UnusableFileError: it gives no music.
        """
        notes, metres, remarks = _kept(self.path, cache) if cache else read(self.path)
        for remark in remarks:
            report(f"{self.name}: {remark}")
        end = _end(metres[-1], float(notes[:, 1].max()))
        return Piece(self.name, self.composer, self.split, notes, metres, end)


@dataclass(frozen=True)
class Held(Source):
    """What has been read with others of its file.

    Attributes:
        piece: its music.
    """

    piece: Piece = field(kw_only=True, repr=False, compare=False)

    def read(self, cache: Path | None, report: Report) -> Piece:
        """Return its music."""
        return self.piece


def find(
    folders: Iterable[Path],
    splits: Mapping[Path, Split],
    composers: Sequence[str] = (),
    without: Sequence[Path] = (),
    report: Report = print,
) -> list[Source]:
    """Find the MIDI files of ``FOLDER/<Composer>/``, subfolders too, in the order of their names.

    Args:
        folders: one or several datasets; a composer may be in more than one.
        splits: the split of each resolved path; empty: a tenth each of a composer's files for valid and
            test, at least one, chosen by file name so that a file hardly ever changes sides when others are
            added.
        composers: only these, by folder or by name; empty: all.
        without: folders or files to leave out, such as one that holds the same pieces as another.
        report: takes a line per file that the splits do not name.
    """
    wanted = {composer_name(name) for name in composers}
    unwanted = {path.resolve() for path in without}
    found: list[Source] = []
    for folder in folders:
        for path in sorted(folder.glob("*/**/*")):
            composer = composer_name(readable(path.relative_to(folder).parts[0]))
            if path.suffix.lower() not in SUFFIXES or (wanted and composer not in wanted):
                continue
            whole = path.resolve()
            if unwanted.isdisjoint({whole, *whole.parents}):
                name = readable(f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}")
                found.append(Source(path, name, composer, "train", folder.resolve()))
    if not splits:
        for composer in {source.composer for source in found}:
            own = own_splits(source.path for source in found if source.composer == composer)
            splits = {**splits, **own}
    sources = []
    for source in found:
        split = splits.get(source.path.resolve())
        if split is None:
            report(f"{source.name}: left out, the split file does not name it")
        else:
            sources.append(replace(source, split=split))
    return sources


def read_splits(path: Path) -> dict[Path, Split]:
    """Return the split of each file of a split.csv (columns file, split; paths relative to the csv).

    Raises:
        NeuralMIDIError: it is not there, a column is missing, or a split is none of train, valid, test.
    """
    if not path.is_file():
        raise NeuralMIDIError(
            str(path), "no such file", "name the csv that splits the files, or leave it out"
        )
    wanted = "give it columns file and split, split being train, valid or test"
    try:
        rows = rows_of(path, ("file", "split"))
        return {(path.parent / row["file"]).resolve(): SPLITS[row["split"]] for row in rows}
    except ValueError as error:
        raise NeuralMIDIError(str(path), str(error), wanted) from error
    except KeyError as error:
        raise NeuralMIDIError(str(path), f"what is {error}?", wanted) from error


def rows_of(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a csv file.

    Raises:
        KeyError: a column is missing.
        ValueError: it is no csv file, or one that ends in the middle of a row.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{column: row[column] for column in columns} for row in csv.DictReader(file)]
    except csv.Error as error:
        raise ValueError(f"not a csv file ({error})") from error
    for number, row in enumerate(rows):
        if missing := [column for column, value in row.items() if value is None or "\0" in value]:
            raise ValueError(f"row {number + 1} has no {missing[0]}")
    return rows


def own_splits(files: Iterable[Path]) -> dict[Path, Split]:
    """Return a split by the hash of the file name: a tenth for valid, a tenth for test, at least one each."""
    order = sorted(files, key=lambda path: hashlib.sha256(os.fsencode(path.name)).digest())
    tenth = max(1, len(order) // 10)
    splits: dict[Path, Split] = {path.resolve(): "train" for path in order}
    for place, path in enumerate(order[: 2 * tenth]):
        splits[path.resolve()] = "valid" if place < tenth else "test"
    return splits


def read_all(sources: Iterable[Source], cache: Path | None = None, report: Report = print) -> Iterator[Piece]:
    """Read one source after the other; a bad one is reported by name and left out.

    Args:
        sources: what to read.
        cache: a folder where what was read is kept, by path, size and time of change of each file.
        report: takes one line per file that is left out, cut or doubtful.
    """
    for source in sources:
        try:
            piece = source.read(cache, report)
        except UnusableFileError as error:
            report(f"{source.name}: left out, {error}")
            continue
        yield piece


def readable(name: str) -> str:
    """Return a file's name as text: it may hold bytes that are none, which nothing can print."""
    return os.fsencode(name).decode(errors="replace")


def silent(line: str) -> None:
    """Take a report and do nothing: who surveys the music says it."""


def read(path: Path) -> tuple[NDArray[np.float64], tuple[Metre, ...], list[str]]:
    """Read one MIDI file: by beats, not by seconds; drums left out.

    Returns:
        Notes and metres as `Piece` has them, and remarks on what was changed or is doubtful.

    Raises:
        UnusableFileError: it is not MIDI, or holds no or hardly any notes.
    """
    midi = parsed(path)
    beat = midi.resolution
    tracks = [track for track in midi.instruments if not track.is_drum]
    notes = np.array(
        sorted(
            (
                midi.time_to_tick(note.start) / beat,
                midi.time_to_tick(note.end) / beat,
                note.pitch,
                note.velocity,
            )
            for track in tracks
            for note in track.notes
        ),
        np.float64,
    ).reshape(-1, 4)
    if not len(notes):
        raise UnusableFileError("it holds drums only" if midi.instruments else "it holds no notes")
    notes, remarks = _cut(notes)
    told = [
        (midi.time_to_tick(change.time) / beat, change.numerator, change.denominator)
        for change in midi.time_signature_changes
    ]
    changes = [change for change in told if change[0] < MOST_BEATS]
    metres, doubts = _metres(changes)
    if notes[:, 1].max() < LEAST_BEATS:
        raise UnusableFileError(f"it lasts {notes[:, 1].max():g} beats, less than a bar")
    if len(np.unique(notes[:, 3])) == 1:
        notes[:, 3] = 0
    return notes, metres, remarks + doubts


def parsed(path: Path) -> pretty_midi.PrettyMIDI:
    """Return what is in a MIDI file whose time is told in beats.

    Raises:
        UnusableFileError: it is none, or a damaged one, or too large.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            # Tempo events on later tracks: common, harmless on a grid of beats.
            warnings.simplefilter("ignore")
            midi = pretty_midi.PrettyMIDI(io.BytesIO(content))
    except Exception as error:  # whatever a damaged file makes the reader do, it must not end the run
        why = f"{type(error).__name__}: {error}"[:100]
        raise UnusableFileError(f"not readable as MIDI ({why})") from error
    if midi.resolution < 1:
        raise UnusableFileError("its time is told in seconds, not in beats")
    return midi


def _content(path: Path) -> bytes:
    """Return what is in a file.

    Raises:
        UnusableFileError: it cannot be read, or is none, or too large.
    """
    try:
        if not path.is_file():  # to read a pipe would last for ever
            raise UnusableFileError("there is no such file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnusableFileError(f"{size >> 20} MB are too much for a piece of music")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except OSError as error:
        raise UnusableFileError(f"it cannot be read: {error.strerror}") from error
    if ENDLESS.search(content):
        raise UnusableFileError("not readable as MIDI (a number in it is too long)")
    return content


def _cut(notes: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Return what is kept of very long and very full files, and what was done.

    Raises:
        UnusableFileError: it is nothing.
    """
    remarks = []
    if notes[-1, 0] >= MOST_BEATS:
        remarks.append(f"longer than {MOST_BEATS} beats, the rest is left out")
        notes = notes[notes[:, 0] < MOST_BEATS]
        if not len(notes):
            raise UnusableFileError(f"its first note comes after {MOST_BEATS} beats")
    if len(notes) > MOST_NOTES:
        remarks.append(f"{len(notes)} notes, what comes after the first {MOST_NOTES} is left out")
        notes = notes[:MOST_NOTES]
    notes[:, 1] = notes[:, 1].clip(max=MOST_BEATS)
    return notes, remarks


def _metres(changes: Sequence[tuple[float, int, int]]) -> tuple[tuple[Metre, ...], list[str]]:
    """Return time signatures that can be counted, each at a bar line, and what was done about others."""
    remarks = []
    short = 0
    if not changes or changes[0][0] > 0:
        changes = [(0.0, *USUAL_BAR), *changes]
        remarks.append("it begins without a time signature, taken as 4/4")
    metres: list[Metre] = []
    for beat, numerator, denominator in changes:
        if not _can_be_counted(numerator, denominator):
            remarks.append(f"a bar of {numerator}/{denominator} cannot be counted here, taken as 4/4")
            numerator, denominator = USUAL_BAR
        if metres:
            nearest = _nearest_line(metres[-1], beat)
            if abs(nearest - beat) > 1 / FINEST:
                short += 1
                nearest = beat
            beat = nearest
            if beat <= metres[-1].start:
                metres.pop()
        metres.append(Metre(beat, numerator, denominator))
    if short:
        remarks.append("time signatures that do not come at a bar line cut the bar before them short")
    return tuple(metres), remarks


def _can_be_counted(numerator: int, denominator: int) -> bool:
    if numerator > MOST_IN_A_BAR or denominator > SHORTEST:
        return False
    beats = 4 * numerator / denominator
    return BAR_BEATS[0] <= beats <= BAR_BEATS[1] and beats * FINEST % 1 == 0


def _nearest_line(metre: Metre, beat: float) -> float:
    """Return the bar line nearest to a beat."""
    bar = 4 * metre.numerator / metre.denominator
    return metre.start + round((beat - metre.start) / bar) * bar


def _end(metre: Metre, beat: float) -> float:
    """Return the end of the bar in which the music ends; a hundredth of a new one does not count."""
    bar = 4 * metre.numerator / metre.denominator
    return metre.start + max(1, ceil((beat - metre.start) / bar - 0.01)) * bar


def _kept(path: Path, cache: Path) -> tuple[NDArray[np.float64], tuple[Metre, ...], list[str]]:
    """Read a file, or what was kept of it when it was last read."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UnusableFileError(f"it cannot be read: {error.strerror}") from error
    identity = os.fsencode(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}")
    key = hashlib.sha256(identity).hexdigest()[:32]
    kept = cache / f"{key}.npz"
    try:
        with np.load(kept) as arrays:
            metres, remarks = json.loads(str(arrays["rest"]))
            return arrays["notes"], tuple(Metre(*metre) for metre in metres), remarks
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        zipfile.BadZipFile,
    ):  # not there, or half written: read it again
        pass
    notes, read_metres, remarks = read(path)
    cache.mkdir(parents=True, exist_ok=True)
    # Several processes may read and write here at once: a file is there whole or not at all.
    part = kept.with_name(f"{os.getpid()}.{kept.name}")
    np.savez(part, notes=notes, rest=np.array(json.dumps([read_metres, remarks])))
    part.replace(kept)
    return notes, read_metres, remarks
