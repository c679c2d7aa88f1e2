"""When steps began to sound, by what a follower heard or by what Pd printed; and how even that is."""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from tests.bench.follower import Heard

RATE = 44100
"""Samples a second in Pd."""
EXACT = 6
"""Digits of a millisecond; beyond them is arithmetic."""


class Onset(NamedTuple):
    """The first note of a step.

    Attributes:
        step: its number.
        seconds: when it began.
    """

    step: int
    seconds: float


def heard(messages: Iterable[Heard]) -> list[Onset]:
    """Those of ``/step`` and ``/note_on`` messages, when they came."""
    return _onsets((time, path[1:], arguments) for time, path, arguments in messages)


def printed(text: str, tag: str) -> list[Onset]:
    """Those of ``step n ...`` and ``pitch velocity channel`` that a patch has printed, by logical time."""
    lines = re.findall(rf"^{tag}: (\S+) (.*)$", text, re.MULTILINE)
    times = accumulate(float(samples) / RATE for samples, _ in lines)
    said = (atoms.split() for _, atoms in lines)
    return _onsets((seconds, *_named(atoms)) for seconds, atoms in zip(times, said, strict=True))


def _named(atoms: Sequence[str]) -> tuple[str, Sequence[str]]:
    if atoms[0] == "step":
        return "step", atoms[1:]
    is_attack = len(atoms) == 3 and atoms[0] != "vel" and float(atoms[1]) > 0
    return ("note_on", atoms) if is_attack else ("", atoms)


def _onsets(messages: Iterable[tuple[float, str, Sequence[object]]]) -> list[Onset]:
    """The last of all performances: where steps are counted from the beginning again, another begins."""
    onsets: list[Onset] = []
    step, is_silent = 0, True
    for seconds, name, arguments in messages:
        if name == "step":
            before, step, is_silent = step, int(float(str(arguments[0]))), True
            if step <= before:
                onsets.clear()
        elif name == "note_on" and is_silent and step:
            onsets.append(Onset(step, seconds))
            is_silent = False
    return onsets


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
    return [round(float(ms), EXACT) for ms in 1000 * np.abs(times - grid(steps))]
