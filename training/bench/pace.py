"""How long one token takes, one network beside the other."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Final

import numpy as np
from neuralmidi.step_model import StepModel

from tests.bench.offline import PACE, timed

ROUNDS: Final = 3
"""How often each has its turn: whatever else the machine does then hits all alike."""

Act = Callable[[], None]


def in_turns(acts: Mapping[str, Act], seconds: float, pace: float = 0) -> dict[str, list[float]]:
    """Do each of several things over and over, in turns; returns how long each took, in ms.

    Args:
        acts: what to do, by name.
        seconds: for each of them, all rounds together.
        pace: seconds from one time to the next; 0: at once.
    """
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(ROUNDS):
        for name, act in acts.items():
            times[name] += [us / 1000 for us in timed(act, seconds / ROUNDS, pace)]
    return times


def player(model: StepModel, tokens: Sequence[int]) -> Act:
    """Return what feeds a model one token more, for ever."""
    state, feed = model.initial_state(), cycle(tokens)

    def token() -> None:
        nonlocal state
        _, state = model.step(state, next(feed))

    return token


def token_times(players: Mapping[str, Act], seconds: float) -> dict[str, dict[str, float]]:
    """Return by name what a token takes, in ms: ``hot``, in a loop, and ``paced``, with pauses as in playing.

    Both are medians; ``hot p99`` and ``paced p99`` are the 99th percentiles.
    """
    times = {"hot": in_turns(players, seconds), "paced": in_turns(players, seconds, PACE)}
    return {
        name: {
            how + word: float(np.percentile(each[name], q))
            for how, each in times.items()
            for word, q in (("", 50), (" p99", 99))
        }
        for name in players
    }
