"""Music to score a model by, whatever it comes as: every kind of data has a reader."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from neuralmidi.errors import NeuralMIDIError

from training import chorales, groove
from training.composers import composer_name
from training.dataset import SPLITS, SUFFIXES, Piece, Source, own_splits, read_all, read_splits, readable
from training.progress import progress, say

SPLIT_FILE: Final = "split.csv"


@dataclass(frozen=True)
class Corpus:
    """Music that is split for learning and for testing.

    Attributes:
        parts: the pieces of each split that has any.
        clean: the names of those that share no melody with ``train``; empty: nobody has looked.
    """

    parts: Mapping[str, Sequence[Piece]]
    clean: frozenset[str] = frozenset()


def read(data: Path, steps_per_beat: int, composers: Collection[str] = ()) -> Corpus:
    """Read music of any kind.

    Args:
        data: a file or folder that one of `READERS` knows.
        steps_per_beat: the grid of the model that shall be scored; what is on a grid already must be on this.
        composers: whom the model knows: a piece is by the one whose folder it is in, else by nobody.

    Raises:
        NeuralMIDIError: there is no music, or it is on another grid.
    """
    if not data.exists():
        raise NeuralMIDIError(str(data), "no such file or folder", "name a folder of MIDI files")
    for reader in READERS:
        corpus = reader(data, steps_per_beat, composers)
        if corpus is not None:
            return corpus
    raise NeuralMIDIError(str(data), "neither MIDI files nor chorales", "name a folder that has some")


def read_chorales(data: Path, steps_per_beat: int, composers: Collection[str]) -> Corpus | None:
    """Read the JSB chorales; None: the data are something else."""
    file = chorales.find(data, steps_per_beat)
    if file is None:
        return None
    pieces = chorales.read(file, steps_per_beat)
    parts = _parts(pieces)
    train = parts.get("train", [])
    return Corpus(parts, chorales.clean(pieces, train) if train else frozenset())


def read_midi(data: Path, steps_per_beat: int, composers: Collection[str]) -> Corpus | None:
    """Read a folder of MIDI files, with a split.csv in it or above; None: there are none.

    A bad file is reported by name and left out. Without a split.csv a tenth each is held out.
    """
    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        return None
    above = (folder / SPLIT_FILE for folder in (data.resolve(), *data.resolve().parents))
    listed = next((file for file in above if file.is_file()), None)
    splits = read_splits(listed) if listed else own_splits(files)
    sources = [
        Source(path, readable(path.relative_to(data).as_posix()), _composer(path, composers), split)
        for path in files
        if (split := splits.get(path.resolve()))
    ]
    pieces = (piece for source in progress("reading", sources) for piece in read_all([source], report=_tell))
    return Corpus(_parts(pieces))


def read_drums(data: Path, steps_per_beat: int, composers: Collection[str]) -> Corpus | None:
    """Read human drummers, by their info.csv; None: the data are something else."""
    if not (data / groove.INFO).is_file():
        return None
    sources = groove.find(data, say)
    pieces = (piece for source in progress("reading", sources) for piece in read_all([source], report=_tell))
    return Corpus(_parts(pieces))


def single_bars(corpus: Corpus) -> Corpus:
    """Return drumming cut into bars, each a piece by itself, see `groove.bars_of`."""
    cut = {
        split: [bar for piece in part for bar in groove.bars_of(piece)]
        for split, part in corpus.parts.items()
    }
    return Corpus(cut)


READERS: Final[Sequence[Callable[[Path, int, Collection[str]], Corpus | None]]] = (
    read_chorales,
    read_drums,
    read_midi,
)
"""One per kind of data, asked in this order."""


def _tell(remark: str) -> None:
    """Say which files are left out; what is doubtful in others is for those who train."""
    if ": left out" in remark:
        say(remark)


def _composer(path: Path, composers: Collection[str]) -> str:
    """Return the composer, of these, whose folder a file is in, the innermost of several; or nobody."""
    folders = map(composer_name, reversed(path.resolve().parent.parts))
    return next((name for name in folders if name in composers), "")


def _parts(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    whole = list(pieces)
    parts = {split: [piece for piece in whole if piece.split == split] for split in SPLITS}
    return {split: part for split, part in parts.items() if part}
