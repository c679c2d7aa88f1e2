"""How many composers one Pd plays before the first underrun, and what gives first."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from tests.bench import casts
from tests.bench.orchestra import Effort, orchestra
from tests.bench.plan import Plan
from tests.bench.table import Row, single

TEMPO = 120
PART = 0.25
"""Of the time of a row: how long each level plays. The last one plays for all of it."""
CLOSE = 1.1
"""The most that gives no underrun and the fewest that do may differ by this factor."""
MOST, COMPOSERS_A_SECOND = 512, 25.0
"""Composers at most, and by seconds of a row: who wants a first impression does not wait for hundreds."""
BRIEF = 1.0
"""A plan of fewer seconds a row leaves out all but the first part."""
BUSY = 85.0
"""Per cent of a core: a thread that has so much to do is what gives."""
START = 0.05
"""Seconds that a composer takes to be there, at a guess."""


@dataclass(frozen=True)
class Part:
    """What is played.

    Attributes:
        name: in the table.
        models: taken in turns.
        grid: what the composers are told of it.
    """

    name: str
    models: Sequence[Path]
    grid: str


@dataclass(frozen=True)
class Level:
    """What came of so many composers.

    Attributes:
        count: of composers.
        underruns: of all of them, from their first step on.
        effort: what the threads needed of a core, and how long they waited for one, in per cent.
        megabytes: of memory in the end.
        seconds: it was played.
    """

    count: int
    underruns: int
    effort: Effort
    megabytes: float
    seconds: float

    def row(self, name: str) -> Row:
        """Python's thread, which carries them all; the rest is said."""
        what = f"{self.count} composers, {name}: Python's thread"
        how = f"{self.underruns} underruns in {self.seconds:.3g} s; {self.told()}"
        return single(what, "% of a core", how, self.effort.python)

    def told(self) -> str:
        """What it took."""
        needed = self.effort
        threads = (("Python's", needed.python, needed.python_waits), ("Pd's", needed.pd, needed.pd_waits))
        shares = (f"{whose} thread {ran:.0f} %, waits {waits:.0f} %" for whose, ran, waits in threads)
        return f"{'; '.join(shares)}; {self.megabytes:.0f} MB"


def scale(plan: Plan) -> Iterator[Row]:
    """Levels, doubled until there is an underrun, then halved in between."""
    for part in _parts(plan):
        for side, externals in plan.sides.items():
            yield from _searched(plan, part, f"{part.name}{side}", externals)


def scale_seconds(plan: Plan) -> float:
    """How long `scale` takes, at a guess."""
    doublings = _most(plan).bit_length() + (3 if plan.seconds >= BRIEF else 0)
    starts = START * 3 * _most(plan)
    each = doublings * (PART * plan.seconds + 1) + starts + plan.seconds
    return len(_parts(plan)) * len(plan.sides) * each


def _parts(plan: Plan) -> list[Part]:
    name = plan.model.name
    alone, mixed = [plan.model], casts.everyone()
    first = Part(f"{name} at 16ths", alone, "steps 4")
    if plan.seconds < BRIEF:
        return [first]
    return [
        first,
        Part("all that ship in turns, at 16ths", mixed, "steps 4"),
        Part(f"{name} on its own grid", alone, ""),
        Part("all that ship in turns, each on its own grid", mixed, ""),
    ]


def _most(plan: Plan) -> int:
    return min(MOST, 1 << int(COMPOSERS_A_SECOND * plan.seconds).bit_length() - 1)


def _searched(plan: Plan, part: Part, name: str, externals: Path) -> Iterator[Row]:
    levels: list[Level] = []

    def holds(count: int, seconds: float) -> bool:
        levels.append(_level(plan, part, count, seconds, externals))
        return not levels[-1].underruns

    most = search(lambda count: holds(count, PART * plan.seconds), _most(plan))
    while most and not holds(most, plan.seconds):  # a brief level lives on what was prepared before it
        most = int(most / CLOSE)
    yield from (level.row(name) for level in sorted(levels, key=lambda level: level.count))
    yield single(f"composers before the first underrun, {name}", "composers", _why(levels), most)


def search(holds: Callable[[int], bool], most: int) -> int:
    """The largest number that holds, to within `CLOSE`: doubled from 1, then halved in between; 0: none.

    Args:
        holds: whether a number does. If one does not, no larger one is asked for.
        most: the largest that is asked for.
    """
    low, high = 0, 1
    while high <= most and holds(high):
        low, high = high, 2 * high
    if high > most:
        return low
    while high > low + 1 and high > CLOSE * low:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _why(levels: Sequence[Level]) -> str:
    """What gave first, by the smallest level that did not hold."""
    over = [level for level in levels if level.underruns]
    brief, whole = levels[0].seconds, levels[-1].seconds
    how = f"{TEMPO} BPM, no sound card; each level {brief:.3g} s, the last {whole:.3g} s; "
    if not over:
        return f"{how}more were not tried"
    first = min(over, key=lambda level: level.count)
    return f"{how}gives first, at {first.count}: {_gives(first.effort)} ({first.told()})"


def _gives(effort: Effort) -> str:
    if effort.python >= BUSY:
        return "Python's thread is full"
    if effort.pd >= BUSY:
        return "Pd's thread is full"
    if max(effort.python + effort.python_waits, effort.pd + effort.pd_waits) >= BUSY:
        return "the cores, which other threads and programs keep busy"
    return "no thread is full, but a burst of work came too late"


def _level(plan: Plan, part: Part, count: int, seconds: float, externals: Path) -> Level:
    models = list(islice(cycle(part.models), count))
    with orchestra(models, externals, plan.flags) as players:
        for message in (f"tempo {TEMPO}", part.grid, "play 1"):
            if message:
                players.tell(message)
        before = players.effort()
        time.sleep(seconds)
        effort = players.effort().since(before)
        return Level(count, players.underruns(), effort, players.memory(), seconds)
