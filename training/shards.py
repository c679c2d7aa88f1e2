"""Encoded music on disk: written piece by piece, read as it is needed, larger than memory if need be."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.tokens import Line

CATALOGUE: Final = "catalogue.npy"
NAMES: Final = "names.json"
SHARD: Final = 1 << 24
"""Ids in a file, 32 MB: a box with little memory reads some of them at a time."""

FIELDS: Final = np.dtype(
    [
        ("shard", "i4"),
        ("ids", "i8", 2),
        ("preludes", "i8"),
        ("coda", "i8", 2),
        ("entries", "i8", 2),
        ("keys", "i4", 2),
        ("composer", "i4"),
    ]
)
"""A piece in the catalogue: its shard; where its ids begin and end there, its preludes begin, its coda and
its entries begin and end; the keys it fits, see `Line`; its composer as an index, below 0 for no one."""


def write(folder: Path, lines: Iterable[tuple[str, int, Line]], size: int = SHARD) -> None:
    """Write pieces: name, composer's index, tokens. The catalogue comes last: without it there is nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, names, shard = [], [], 0
    ids: list[NDArray[np.int32]] = []
    entries: list[NDArray[np.int32]] = []
    held = entered = 0
    for name, composer, line in lines:
        if held and held + len(line.ids) > size:
            _flush(folder, shard, ids, entries)
            ids, entries, shard, held, entered = [], [], shard + 1, 0, 0
        preludes = held + len(line.ids)
        coda = preludes + len(line.preludes)
        end = coda + len(line.coda)
        many = len(line.entries)
        rows.append(
            (shard, (held, preludes), preludes, (coda, end), (entered, entered + many), line.keys, composer)
        )
        names.append(name)
        ids += [line.ids, line.preludes, line.coda]
        entries.append(line.entries)
        held, entered = end, entered + many
    _flush(folder, shard, ids, entries)
    (folder / NAMES).write_text(json.dumps(names, ensure_ascii=False))
    np.save(folder / CATALOGUE, np.array(rows, FIELDS))


def _flush(
    folder: Path, shard: int, ids: Sequence[NDArray[np.int32]], entries: Sequence[NDArray[np.int32]]
) -> None:
    if ids:
        whole = np.concatenate(ids)
        small = len(whole) == 0 or whole.max() <= np.iinfo(np.uint16).max
        np.save(folder / f"ids-{shard:05}.npy", whole.astype(np.uint16 if small else np.int32))
        np.save(folder / f"entries-{shard:05}.npy", np.concatenate(entries))


class Corpus:
    """Pieces that lie in a folder of shards; only the catalogue is in memory.

    Args:
        folder: as `write` has filled it.
    """

    def __init__(self, folder: Path) -> None:
        self.pieces = np.load(folder / CATALOGUE)
        self.names: list[str] = json.loads((folder / NAMES).read_text())
        shards = range(int(self.pieces["shard"].max()) + 1 if len(self.pieces) else 0)
        self._ids, self._entries = (
            [np.load(folder / f"{kind}-{shard:05}.npy", mmap_mode="r") for shard in shards]
            for kind in ("ids", "entries")
        )

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Ids of each piece."""
        ids = self.pieces["ids"]
        return np.asarray(ids[:, 1] - ids[:, 0])

    def ids(self, piece: int, begin: int = 0, end: int | None = None) -> NDArray[np.integer]:
        """Return some of a piece's ids."""
        first, last = map(int, self.pieces[piece]["ids"])
        return self._some(piece, first + begin, last if end is None else min(last, first + end))

    def entries(self, piece: int) -> NDArray[np.int32]:
        """Return where a piece can be entered, as `Line.entries` has it."""
        row = self.pieces[piece]
        first, last = map(int, row["entries"])
        return np.asarray(self._entries[row["shard"]][first:last])

    def prelude(self, piece: int, entry: NDArray[np.int32]) -> NDArray[np.integer]:
        """Return what is to be read before the ids at an entry."""
        first = int(self.pieces[piece]["preludes"])
        return self._some(piece, first + int(entry[1]), first + int(entry[2]))

    def coda(self, piece: int) -> NDArray[np.integer]:
        """Return what ends all that still sounds at the end."""
        return self._some(piece, *map(int, self.pieces[piece]["coda"]))

    def _some(self, piece: int, begin: int, end: int) -> NDArray[np.integer]:
        return np.asarray(self._ids[self.pieces[piece]["shard"]][begin:end])
