"""Composers that one model tells apart: with enough music they have a name in it, else they are others."""

from collections.abc import Mapping, Sequence
from typing import Final

OTHERS: Final = "others"
"""The name of all whose music is too little for a name of their own."""


def pooled(composers: Mapping[str, int], least: int) -> tuple[str, ...]:
    """Return the composers that a model tells apart, those with little music together as `OTHERS`.

    Args:
        composers: training notes of each.
        least: notes that make a composer worth a name.
    """
    names = sorted(name for name, notes in composers.items() if notes >= least)
    return (*names, *([OTHERS] if len(names) < len(composers) else []))


def place_of(composer: str, names: Sequence[str]) -> int:
    """Return the index of whom a model takes a composer for: themselves, else its others, else -1, no one."""
    taken = next((name for name in (composer, OTHERS) if name in names), None)
    return -1 if taken is None else names.index(taken)
