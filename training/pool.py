"""Composers that one model tells apart: with enough music they have a name in it, else they are others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

OTHERS: Final = "others"
"""The name of all whose music is too little for a name of their own."""


AND: Final = "+"
"""Stands between the names of music that is of two kinds at once, as ``funk+fill``."""


def pooled(composers: Mapping[str, int], least: int) -> tuple[str, ...]:
    """Return the composers that a model tells apart, those with little music together as `OTHERS`.

    Args:
        composers: training notes of each; those of ``funk+fill`` count for both.
        least: notes that make a composer worth a name.
    """
    count: Counter[str] = Counter()
    for composer, notes in composers.items():
        count.update(dict.fromkeys(composer.split(AND), notes))
    names = sorted(name for name, notes in count.items() if notes >= least)
    return (*names, *([OTHERS] if len(names) < len(count) else []))


def place_of(composer: str, names: Sequence[str]) -> int:
    """Return the index of whom a model takes a composer for: themselves, else its others, else -1, no one."""
    taken = next((name for name in (composer, OTHERS) if name in names), None)
    return -1 if taken is None else names.index(taken)


def condition(composer: str, names: Sequence[str]) -> NDArray[np.float32]:
    """Return what a model of these names is told of a composer, ``[names]``: 1 for each that they are."""
    told = np.zeros(len(names), np.float32)
    for part in composer.split(AND):
        place = place_of(part, names)
        if place >= 0:
            told[place] = 1
    return told
