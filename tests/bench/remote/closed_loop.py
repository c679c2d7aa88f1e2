"""From a message over UDP to the first note over UDP that shows it."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.bench.follower import Follower, Heard

QUIET, LOUD = 0, 1
"""Intensities. Nothing has a velocity above `SOFTEST` at the first; everything has at the second."""
SOFTEST = 1
NOTES = ("/note_on", "/note_vel")
PATIENCE = 10.0
"""Seconds after which a note is missed."""

Pause = tuple[float, float]
"""Seconds between an answer and the next question: at least, and less than. Drawn evenly, so that questions
fall on every place in a step and in a tick of Pd."""


Bare = tuple[Any, ...]
"""Address and arguments."""


@dataclass
class Loop:
    """What came of asking again and again.

    Attributes:
        ms: from each question to its answer.
        steps: that came until then; 1: the next one shows it.
        rested: how often a step was silent first and could show nothing; these are left out.
    """

    ms: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    rested: int = 0


def to_note(follower: Follower, seconds: float, pause: Pause) -> Loop:
    """Turn the intensity up and down, and wait each time for the note that shows it.

    Raises:
        RuntimeError: a note is missed.
    """
    loop, draw = Loop(), random.Random(1)
    follower.ask("/smooth", 0)
    follower.ask("/intensity", QUIET)
    follower.wait("quiet note", lambda heard: _shows(heard, QUIET))
    intensity = QUIET
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        follower.pause(draw.uniform(*pause))
        intensity = QUIET if intensity else LOUD
        begin = time.monotonic()
        follower.ask("/intensity", intensity)
        shown, steps, rested = _shown(follower, intensity)
        if rested:
            loop.rested += 1
        else:
            loop.ms.append(1000 * (shown - begin))
            loop.steps.append(steps)
    return loop


def _shown(follower: Follower, intensity: int) -> tuple[float, int, bool]:
    """When a note of this intensity came, with which step since now, and whether a rest came first."""
    steps, rested = 0, False
    for heard in _until(follower, PATIENCE):
        if heard.path == "/step":
            steps += 1
            rested |= len(heard.arguments) < 2
        elif _shows(heard, intensity):
            return heard.time, steps, rested
    raise RuntimeError(f"no note showed `/intensity {intensity}`, {steps} steps came")


def _until(follower: Follower, seconds: float) -> Iterator[Heard]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield from follower.listen(left)


def _shows(heard: Heard, intensity: int) -> bool:
    return heard.path in NOTES and (int(heard.arguments[1]) > SOFTEST) == (intensity == LOUD)


def to_pong(follower: Follower, seconds: float, pause: Pause) -> list[float]:
    """From ``/ping`` to ``/pong``: ms."""
    return _there_and_back(follower, seconds, pause, lambda turn: (("/ping", turn), ("/pong", turn)))


def straight_through(follower: Follower, seconds: float, pause: Pause) -> list[float]:
    """From a key to the note that it plays, where the patch connects the one with the other: ms."""

    def key(turn: int) -> tuple[Bare, Bare]:
        velocity = 1 + turn % 127
        return ("/note", 60, velocity), ("/note_on", 60, velocity, 1)

    return _there_and_back(follower, seconds, pause, key)


def _there_and_back(
    follower: Follower, seconds: float, pause: Pause, pair: Callable[[int], tuple[Bare, Bare]]
) -> list[float]:
    """Send the first message of a pair and wait for the second, over and over."""
    times, draw = [], random.Random(1)
    end = time.monotonic() + seconds
    for turn in count(1):
        follower.pause(draw.uniform(*pause))
        if time.monotonic() > end:
            break
        question, answer = pair(turn)
        begin = time.monotonic()
        follower.ask(*question)
        times.append(1000 * (follower.expect(*answer).time - begin))
    return times
