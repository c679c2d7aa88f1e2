"""A composer takes over from another while it plays: what is heard of the change itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

from tests.bench import casts
from tests.bench.follower import Books
from tests.bench.plan import Plan
from tests.bench.stopwatch import Records, Timed, read, run, workshop
from tests.bench.table import Row, single, spread
from tests.pd_runner import Run

TEMPO, STEPS = 120, 4
GRID = 60000 / TEMPO / STEPS
"""ms of a 16th."""
EVERY = 1037.7
"""ms between two changes: they fall on every place in a step."""
AFTER = 300.0
"""ms in which the last notes end."""
BRIEF = 1.0
"""A plan of fewer seconds a row leaves out all but the first part."""
SHORTEST = 1.2
"""Seconds: a change or two."""
OTHERS = 15
PHASE = "swap"


@dataclass(frozen=True)
class Part:
    """What takes over from what.

    Attributes:
        first: folder of a model; it plays at first.
        second: of the other.
        others: how many composers play at the same time.
    """

    first: Path
    second: Path
    others: int

    @property
    def name(self) -> str:
        """In the table."""
        beside = f", {self.others} others play" if self.others else ""
        return f"{self.first.name} <-> {self.second.name}{beside}"


def swaps(plan: Plan) -> Iterator[Row]:
    """`composer NAME` again and again: the gap, how soon the new one plays, and what becomes of the notes."""
    for part in _parts(plan):
        for side, externals in plan.sides.items():
            with workshop(externals) as copy:
                records = copy.parent / "records"
                seconds = max(plan.seconds, SHORTEST)
                done = run(
                    _patch(part, records, seconds), copy, (*plan.flags, "-sleepgrain", "0.5"), seconds + 60
                )
                yield from _rows(f"{part.name}{side}", read(records), done)


def swaps_seconds(plan: Plan) -> float:
    """How long `swaps` takes."""
    return len(_parts(plan)) * len(plan.sides) * (max(plan.seconds, SHORTEST) + 2)


def _parts(plan: Plan) -> list[Part]:
    sharing, other = casts.model("chopin"), casts.model("drums")
    parts = [Part(plan.model, second, others) for others in (0, OTHERS) for second in (sharing, other)]
    return parts[:1] if plan.seconds < BRIEF else parts


def _patch(part: Part, records: Path, seconds: float) -> Timed:
    """[stopwatch] sends another channel right after `composer NAME`: a note on it is one of the new one."""
    patch = Timed()
    watch, box = patch.obj(f"stopwatch {records}"), patch.obj(f"composer {part.first}")
    patch.connect((box, 0, watch, 0), (box, 1, watch, 0))
    patch.log(box, 0, "note")
    status = patch.obj("route underrun")
    patch.connect((box, 2, status, 0))
    patch.log(status, 0, "underrun")
    asked, flip, other, which = (patch.obj(text) for text in ("t a b", "f 1", "== 0", "sel 1 0"))
    patch.connect((watch, 1, asked, 0), (asked, 1, flip, 0), (asked, 0, box, 0))
    patch.connect((flip, 0, which, 0), (flip, 0, other, 0), (other, 0, flip, 1))
    for outlet, model in enumerate((part.second, part.first)):
        message = patch.msg(f"composer {model}, steps {STEPS}")
        patch.connect((which, outlet, message, 0), (message, 0, box, 0))
    turn, metro = patch.msg("turn"), patch.obj(f"metro {EVERY}")
    patch.connect((metro, 0, turn, 0), (turn, 0, watch, 0))
    for name, target in (("watch", watch), ("composer", box), ("turns", metro)):
        patch.connect((patch.obj(f"r {name}"), 0, target, 0))
    ears, composers = patch.obj("r composer"), [box]
    for seed, model in enumerate(islice(cycle((part.first, part.second)), part.others)):
        another = patch.obj(f"composer {model}")
        patch.connect((ears, 0, another, 0))
        patch.at(0, f"seed {seed}", another)
        composers.append(another)
    patch.begin_with(composers)
    end = 1000 * seconds
    patch.later(0, f"; composer tempo {TEMPO}; composer steps {STEPS}; composer play 1; watch phase {PHASE}")
    patch.later(1, "; watch steps 1; turns 1")
    patch.later(end, "; watch phase -; turns 0; composer play 0")
    patch.later(end + AFTER, "; watch write; pd quit")
    return patch


def _rows(name: str, records: Records, done: Run) -> Iterator[Row]:
    steps = records[PHASE, "step"]
    if len(steps) < 2:
        raise RuntimeError(f"{name}: it did not play, and Pd said:\n{done.output[-2000:]}")
    real, logical = ([b[clock] - a[clock] - GRID for a, b in pairwise(steps)] for clock in (0, 1))
    underruns = len(done.logged("underrun"))
    how = (
        f"real time between two steps less {GRID:g} ms; `composer NAME, steps {STEPS}` every {EVERY:g} ms at "
        f"{TEMPO} BPM, no sound card, `-sleepgrain 0.5`; {underruns} underruns"
    )
    yield spread(f"gap between steps beyond the grid, {name}", "ms", how, real)
    how = "the same in logical time, on which the notes lie"
    yield single(f"longest gap in logical time, {name}", "ms", how, max(0.0, round(max(logical), 6)))
    shown, rested = (records[PHASE, kind] for kind in ("shown", "rested"))
    how = "from `composer NAME` to its first note; 1 step is the next one; {} of {} had a rest before it{}"
    counted = how.format(len(rested), len(shown) + len(rested), ", which is counted")
    yield spread(f"swap to the first note, {name}", "ms", counted, [ms for ms, _ in shown + rested])
    if shown:
        left = how.format(len(rested), len(shown) + len(rested), " and are left out")
        yield spread(f"swap to the first note, {name}", "steps", left, [steps for _, steps in shown])
    books = Books()
    for _, pitch, velocity, channel in done.notes():
        on = ("/note_on", (pitch, velocity, channel))
        books.enter(*on if velocity else ("/note_off", (pitch, channel)))
    how = f"of {books.ons}, all swaps together: begun while they sounded, ended without sounding, never ended"
    wrong = books.doubled + books.stray + len(books.sounding)
    yield single(f"notes whose end got lost, {name}", "notes", how, wrong)
