"""What a step costs Pd's thread, beside a Python call on it; and who is late."""

from collections.abc import Iterator
from dataclasses import replace

from tests.bench.plan import Plan
from tests.bench.stopwatch import IDLE, LOADING, SPINNING, Phase, Records, Situation, run_phases, settle
from tests.bench.table import Row, single, spread

LATE = 20.0
"""ms: a sound card's usual buffer. A DSP tick that is later than that is heard."""

SHORTEST = 0.25
"""Seconds: on a busy computer Pd catches up most of the time, and what it does then is not counted."""

SITUATIONS = (IDLE, SPINNING, LOADING)
UNTUNED = Situation(
    "spinning at 5 ms",
    "another Python thread runs a busy loop, with Python's own switch interval of 5 ms (neuralmidi's is 0.5)",
    "spin 5",
)
"""What a call meets in a Pd without neuralmidi."""


def pd_thread(plan: Plan) -> Iterator[Row]:
    """Pd-thread time of a step, beside that of a Python call on Pd's own thread; and who is late."""
    plan = replace(plan, seconds=max(plan.seconds, SHORTEST))
    stepped = [Phase.of(plan, situation, "bang 10") for situation in SITUATIONS]
    called = [Phase.of(plan, situation, "call 10") for situation in (*SITUATIONS, UNTUNED)]
    records = run_phases(plan, stepped + called)
    for phase in stepped:
        yield from _released(records, phase)
    for phase, beside in zip(called, (*stepped, stepped[SITUATIONS.index(SPINNING)]), strict=True):
        yield from _called(records, phase, beside)
    for phase in stepped:
        yield from _lateness(records, phase, "a step every 10 ms")
    for phase in called:
        yield from _lateness(records, phase, "a Python call on Pd's thread every 10 ms")


def pd_thread_seconds(plan: Plan) -> float:
    """How long `pd_thread` takes."""
    return (2 * len(SITUATIONS) + 1) * (max(plan.seconds, SHORTEST) + settle(plan)) + 2


EVEN = "those less than 5 ms after the last, when Pd catches up, are left out: they find everything warm"


def _released(records: Records, phase: Phase) -> Iterator[Row]:
    underruns = len(records[phase.name, "underrun"])
    how = f"a bang every 10 ms into [composer], a beat ahead; {phase.situation.how}; {underruns} underruns"
    for place, time_of in enumerate(("wall", "thread CPU")):
        what = f"released step, {phase.situation.name}: {time_of} time on Pd's thread"
        yield spread(
            what, "us", f"{how}; {EVEN}", [record[place] for record in records[phase.name, "released"]]
        )


def _called(records: Records, phase: Phase, beside: Phase) -> Iterator[Row]:
    calls = [wall for wall, _ in records[phase.name, "called"]]
    steps = [wall for wall, _ in records[beside.name, "released"]]
    how = "Pd's thread takes the GIL and calls an empty Python function, every 10 ms"
    what = f"Python call, {phase.situation.name}: wall time on Pd's thread"
    row = spread(what, "us", f"{how}; {phase.situation.how}; {EVEN}", calls)
    yield row
    ratio = row.figures["p99"] / spread("a released step", "us", "", steps).figures["p99"]
    how = "p99 of both, wall time, measured one after the other in the same Pd"
    yield single(f"Python call / released step, {phase.situation.name}", "x", how, ratio)


def _lateness(records: Records, phase: Phase, busy: str) -> Iterator[Row]:
    differences = [difference for difference, _ in records[phase.name, "tick"]]
    earliest = min(differences, default=0)
    lateness = [difference - earliest for difference in differences]
    how = f"real less logical time at every 64 samples, no sound card; {busy}, {phase.situation.how}"
    name = f"{'step' if 'step' in busy else 'Python call'}, {phase.situation.name}"
    yield spread(f"lateness of DSP ticks, {name}", "ms", how, lateness)
    share = 100 * sum(late > LATE for late in lateness) / len(lateness)
    yield single(f"DSP ticks more than {LATE:g} ms late, {name}", "%", how, share)
