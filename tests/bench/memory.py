"""What a further [composer] in one Pd costs: resident memory, once its memory of the music is full."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench import casts
from tests.bench.orchestra import Orchestra, orchestra
from tests.bench.plan import Plan
from tests.bench.table import Row, single

TEMPO = 1000
"""The fastest there is: an attention's slots are full the sooner."""
LOOK = 1.0
"""Seconds between two looks."""
STILL = 0.005
"""Memory that has grown by a smaller share than that, twice in a row, is full."""
PATIENCE = 3
"""Times the seconds of a row: where many play, slots fill slowly."""
BRIEF = 1.0
"""A plan of fewer seconds a row leaves out what takes many composers."""


class Cast(NamedTuple):
    """Who plays together.

    Attributes:
        name: in the table.
        models: taken in turns.
        counts: of composers.
    """

    name: str
    models: Sequence[Path]
    counts: Sequence[int]


def memory(plan: Plan) -> Iterator[Row]:
    """Memory by how many play the same model, different composers of one file, and different files."""
    for cast in _casts(plan):
        for side, externals in plan.sides.items():
            full = {
                count: _full([cast.models[n % len(cast.models)] for n in range(count)], plan, externals)
                for count in cast.counts
            }
            yield from _rows(f"{cast.name}{side}", full)


def memory_seconds(plan: Plan) -> float:
    """How long `memory` takes, at a guess."""
    return sum(len(cast.counts) for cast in _casts(plan)) * len(plan.sides) * (plan.seconds + 1)


def _casts(plan: Plan) -> list[Cast]:
    name = plan.model.name
    if plan.seconds < BRIEF:
        return [Cast(name, [plan.model], (1, 2))]
    return [
        Cast(name, [plan.model], (1, 2, 8, 32)),
        Cast(f"composers that share the weights of {name}", casts.sharing(plan.model), (1, 2, 8, 32)),
        Cast(f"{name} and drums", [plan.model, casts.model("drums")], (1, 2)),
    ]


def _rows(name: str, full: Mapping[int, tuple[float, bool]]) -> Iterator[Row]:
    how = f"resident set size of Pd without window, after some seconds at {TEMPO} BPM, when it"
    for count, (megabytes, still) in full.items():
        grew = "grew no longer" if still else "still grew"
        yield single(f"memory of Pd, {count} x {name}", "MB", f"{how} {grew}", megabytes)
    further, _ = np.polyfit(list(full), [megabytes for megabytes, _ in full.values()], 1)
    how = f"the slope of the straight line through {', '.join(map(str, full))}"
    yield single(f"memory of a further [composer], {name}", "MB", how, float(further))


def _full(models: Sequence[Path], plan: Plan, externals: Path) -> tuple[float, bool]:
    """Memory in MB, and whether it grows no longer."""
    with orchestra(models, externals, plan.flags) as players:
        players.tell(f"tempo {TEMPO}")
        players.tell("play 1")
        still = _grown(players, PATIENCE * plan.seconds)
        players.underruns()  # it looks whether anything went wrong; that they are late is meant
        return players.memory(), still


def _grown(players: Orchestra, seconds: float) -> bool:
    """Wait until memory grows no longer, so long at most; whether that came."""
    end = time.monotonic() + seconds
    before, still = players.memory(), 0
    while still < 2 and (left := end - time.monotonic()) > 0:
        time.sleep(min(LOOK, left))
        now = players.memory()
        still = still + 1 if now < (1 + STILL) * before else 0
        before = now
    return still == 2
