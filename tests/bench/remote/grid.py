"""How far onsets are from an even beat."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Onset(NamedTuple):
    """The first note of a step.

    Attributes:
        step: its number.
        seconds: when it began.
    """

    step: int
    seconds: float


def deviations(onsets: Sequence[Onset]) -> list[float]:
    """How far onsets are from the even grid that fits them best by least squares: ms, 0 or more.

    Raises:
        RuntimeError: there are too few to fit a grid to.
    """
    if len(onsets) < 3:
        raise RuntimeError(f"{len(onsets)} onsets came: too few for a grid")
    steps, times = (np.array(column, np.float64) for column in zip(*onsets, strict=True))
    times -= times[0]  # a clock that has counted for weeks leaves too few digits
    grid = np.polynomial.Polynomial.fit(steps, times, 1)
    return [float(ms) for ms in 1000 * np.abs(times - grid(steps))]
