"""From files to what a network can be trained on: encoded once, kept, and streamed from then on."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from neuralmidi.tokenizer import DrumTokenizer

from training import shards
from training.base import Base
from training.concert import Conditions
from training.dataset import Piece, Source, Split, read_all, silent
from training.pool import AND, condition, place_of, pooled
from training.preflight import Survey
from training.progress import progress
from training.settings import Settings
from training.tokens import Line, Representation, known, representation


@dataclass(frozen=True)
class Music:
    """What a model is trained and validated on.

    Attributes:
        sources: its pieces.
        representation: how it became tokens.
        composers: those that the model is told apart; none: it is not told whose music it hears.
        notes: where what was read of each file is kept.
        folder: where its tokens lie.
    """

    sources: Sequence[Source]
    representation: Representation
    composers: tuple[str, ...]
    notes: Path
    folder: Path

    def corpus(self, split: Split) -> shards.Corpus:
        """Return the tokens of a split."""
        return shards.Corpus(self.folder / split)

    def pieces(self, split: Split) -> Iterator[Piece]:
        """Read the pieces of a split."""
        return read_all([source for source in self.sources if source.split == split], self.notes, silent)

    def composer(self, name: str) -> int:
        """Return the row of `conditions` of a composer; below 0, one each, if the model has none."""
        if name in self._both:
            return len(self.composers) + self._both.index(name)
        place = place_of(name, self.composers)
        return place if place >= 0 else -1 - self._names.index(name)

    @cached_property
    def conditions(self) -> Conditions:
        """What the model is told of each kind of piece, ``[kinds, composers]``: of each composer, of both."""
        rows = [condition(name, self.composers) for name in (*self.composers, *self._both)]
        return np.array(rows, np.float32).reshape(len(rows), len(self.composers))

    @cached_property
    def _both(self) -> list[str]:
        """Whose pieces are of two kinds at once."""
        return [name for name in self._names if AND in name] if self.composers else []

    @cached_property
    def _names(self) -> list[str]:
        """All composers there are, asked for with every piece."""
        return sorted({source.composer for source in self.sources})

    def facts(self) -> dict[str, Any]:
        """Return what of it decides how a training comes out, as data."""
        tokenizer = self.representation.tokenizer
        return {
            "music": self.folder.name,
            "composers": list(self.composers),
            "tokenizer": {
                "kind": tokenizer.kind,
                "vocabulary": list(tokenizer.vocabulary),
                "beginning": [tokenizer.vocabulary[token] for token in tokenizer.beginning],
            },
        }


def survey(sources: Sequence[Source], settings: Settings, notes: Path) -> Survey:
    """Read all files and return what their music is like."""
    found = Survey(settings.steps_per_beat, timed=settings.tokenizer == DrumTokenizer.kind)
    for source in progress("reading", sources):
        for piece in read_all([source], notes, found.hear):
            found.add(piece)
    return found


def prepare(
    sources: Sequence[Source],
    found: Survey,
    settings: Settings,
    runs: Path,
    *,
    base: Base | None = None,
    together: bool = False,
) -> Music:
    """Encode the training and validation pieces, unless that has been done before.

    Args:
        sources: the files.
        found: what they are like.
        settings: the representation and its vocabulary.
        runs: the folder for unfinished work.
        base: whose tokenizer and composers are taken over.
        together: whether one model is to tell the composers apart.
    """
    notes = runs / "notes"
    train = [source for source in sources if source.split == "train"]
    spoken = (
        known(base.tokenizer) if base else representation(settings, lambda: read_all(train, notes, silent))
    )
    composers: tuple[str, ...] = ()
    if together:
        composers = base.composers if base else pooled(found.composers, settings.least_notes)
    key = _key(sources, spoken, composers)
    music = Music(sources, spoken, composers, notes, runs / "tokens" / key)
    for split in ("train", "valid"):
        if not (music.folder / split / shards.CATALOGUE).exists():
            shards.write(music.folder / split, _lines(music, split))
    return music


def _lines(music: Music, split: Split) -> Iterator[tuple[str, int, Line]]:
    for piece in music.pieces(split):
        yield piece.name, music.composer(piece.composer), music.representation.encode(piece)


def _key(sources: Sequence[Source], spoken: Representation, composers: Sequence[str]) -> str:
    """Return a name for what comes out of these files with this tokenizer, on any machine."""
    paths = {source.path for source in sources}
    contents = {path: _digest(path) for path in paths}
    files = [(source.name, source.split, source.composer, contents[source.path]) for source in sources]
    tokenizer = spoken.tokenizer
    whole = json.dumps([files, tokenizer.kind, tokenizer.vocabulary, tokenizer.steps_per_beat, composers])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    """Return what tells a file's contents from others; a file that cannot be read, or is none, has none."""
    digest = hashlib.sha256()
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                while part := file.read(1 << 20):  # whoever left it out did so without reading it all
                    digest.update(part)
    return digest.hexdigest()
