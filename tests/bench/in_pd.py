"""What is measured inside a running Pd, with [stopwatch] and [load]."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.plan import Plan
from tests.bench.table import Row, single, spread
from tests.pd_runner import EXTERNALS, Patch, run_pd

HERE = Path(__file__).parent
PD_HEADERS = "/usr/include/pd"
COMPILE = ("cc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-cast-function-type")

SETTLE = 0.5
"""Seconds at most that a situation lasts before it is measured."""

LATE = 20.0
"""ms: a sound card's usual buffer. A DSP tick that is later than that is heard."""


@dataclass(frozen=True)
class Situation:
    """What goes on in the interpreter while something is measured.

    Attributes:
        name: in the table.
        how: it is described there.
        message: to [load]; MODEL stands for the model's folder.
    """

    name: str
    how: str
    message: str


IDLE = Situation("idle", "Python has nothing else to do", "idle")
SPINNING = Situation("spinning", "another Python thread runs a busy loop", "spin")
LOADING = Situation("loading", "another Python thread loads the model over and over", "models MODEL")
SITUATIONS = (IDLE, SPINNING, LOADING)
UNTUNED = Situation(
    "spinning at 5 ms",
    "another Python thread runs a busy loop, with Python's own switch interval of 5 ms (neuralmidi's is 0.5)",
    "spin 5",
)
"""What a call meets in a Pd without neuralmidi."""

Records = dict[tuple[str, str], list[tuple[float, float]]]
"""By phase and kind: pairs of numbers, see stopwatch.c."""


@dataclass(frozen=True)
class Phase:
    """A stretch of a run.

    Attributes:
        name: of its records.
        situation: it is measured in.
        messages: sent at its start; they begin with a receiver's name.
        seconds: how long it is measured.
    """

    name: str
    situation: Situation
    messages: Sequence[str]
    seconds: float

    @classmethod
    def of(cls, plan: Plan, situation: Situation, *messages: str) -> "Phase":
        """A phase that is named after what goes on in it, as long as the plan says."""
        name = f"{situation.name} {messages[0]}".replace(" ", "_")
        return cls(name, situation, messages, plan.seconds)


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A copy of ``externals`` with the benchmark's own objects in it, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "externals"
        shutil.copytree(EXTERNALS, copy, ignore=shutil.ignore_patterns("__pycache__", "bridge"))
        for file in (HERE / "objects").glob("*.py"):
            shutil.copy(file, copy / "neuralmidi" / "objects")
        includes = (f"-I{PD_HEADERS}", f"-I{sysconfig.get_path('include')}")
        out = ("-o", str(copy / "stopwatch.pd_linux"))
        subprocess.run([*COMPILE, *includes, str(HERE / "stopwatch.c"), *out], check=True)
        yield copy


def a_stopwatch(plan: Plan, records: Path) -> Patch:
    """A patch with a composer and all that times it; the receivers are named below."""
    patch = Patch()
    watch, box, load = (
        patch.obj(text) for text in (f"stopwatch {records}", f"composer {plan.model}", "load")
    )
    patch.connect((watch, 0, box, 0), (box, 0, watch, 0), (box, 1, watch, 0))
    channel = patch.msg("channel $1")
    patch.connect((watch, 1, channel, 0), (channel, 0, box, 0))
    for name, target in (("watch", watch), ("composer", box), ("load", load)):
        patch.connect((patch.obj(f"r {name}"), 0, target, 0))
    for name in ("bang", "call", "turn"):
        receive, both, metro, message = (
            patch.obj(f"r {name}"),
            patch.obj("t f f"),
            patch.obj("metro"),
            patch.msg(name),
        )
        patch.connect((receive, 0, both, 0), (both, 1, metro, 1), (both, 0, metro, 0))
        patch.connect((metro, 0, message, 0), (message, 0, watch, 0))
    start, metro, message = patch.obj("loadbang"), patch.obj("metro 64 1 samp"), patch.msg("tick")
    patch.connect((start, 0, metro, 0), (metro, 0, message, 0), (message, 0, watch, 0))
    tone, out = patch.obj("osc~ 440"), patch.obj("dac~")
    patch.connect((tone, 0, out, 0))
    return patch


def settle(plan: Plan) -> float:
    """Seconds that a situation lasts before it is measured."""
    return min(SETTLE, plan.seconds)


def run_phases(plan: Plan, phases: Sequence[Phase], flags: Sequence[str] = ()) -> Records:
    """Run one Pd through the phases, in real time, DSP on."""
    with workshop() as externals:
        records = externals.parent / "records"
        patch = a_stopwatch(plan, records)
        patch.at(0, "; pd dsp 1")
        now = 1000 * settle(plan)
        for phase in phases:
            load = f"load {phase.situation.message.replace('MODEL', str(plan.model))}"
            patch.at(now, "".join(f"; {message}" for message in (load, *phase.messages)))
            patch.at(now + 1000 * settle(plan), f"; watch phase {phase.name}")
            now += 1000 * (settle(plan) + phase.seconds)
            patch.at(now, "; watch phase -; bang 0; call 0; turn 0; composer play 0; load idle")
        patch.at(now + 100, "; watch write; pd quit")
        run(patch, externals, (*flags, *plan.flags), timeout=now / 1000 + 60)
        return read(records)


def run(patch: Patch, externals: Path, flags: Sequence[str], timeout: float = 60) -> None:
    """Run Pd until it quits, in real time.

    Raises:
        RuntimeError: it went wrong, with what Pd said.
    """
    environment = {**os.environ, "NEURALMIDI_PYTHON": sys.executable}
    with contextlib.redirect_stderr(io.StringIO()):  # pd_runner shows Pd's output there
        done = run_pd(
            patch,
            externals.parent,
            batch=False,
            externals=externals,
            environment=environment,
            flags=flags,
            timeout=timeout,
        )
    if done.returncode or [error for error in done.errors if "underrun" not in error]:
        raise RuntimeError(f"Pd ended with {done.returncode} and said:\n{done.output}")


def read(file: Path) -> Records:
    """Read what [stopwatch] has written."""
    records: Records = defaultdict(list)
    for line in file.read_text().splitlines():
        phase, what, a, b = line.split()
        records[phase, what].append((float(a), float(b)))
    return records


# --- Pd's thread -------------------------------------------------------------------------------------------


def pd_thread(plan: Plan) -> Iterator[Row]:
    """Pd-thread time of a step, beside that of a Python call on Pd's own thread; and who is late."""
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
    return (2 * len(SITUATIONS) + 1) * (plan.seconds + settle(plan)) + 2


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


# --- from a message to its note ----------------------------------------------------------------------------


NEXT = (
    "from `channel n` to the first note on n, a beat ahead, unless a rest comes first; 1 step is the next one"
)


def message_to_note(plan: Plan) -> Iterator[Row]:
    """From a message to the first note that shows it."""
    plan = replace(plan, seconds=max(plan.seconds, 1.0))  # a few steps at least
    driven = [Phase.of(plan, situation, "bang 1.5", "turn 73.7") for situation in (IDLE, SPINNING)]
    # 331.7 ms falls on every place in a step; a multiple or a third of one would fall on its edge.
    slow = Phase("slow", IDLE, ("composer tempo 120", "composer play 1", "turn 331.7"), plan.seconds)
    # Pd sleeps 5 ms at a time when it has no sound card, which would be all that is measured.
    records = run_phases(plan, [*driven, slow], ("-sleepgrain", "0.5"))
    for phase in driven:
        how = f"{NEXT}; bang-driven, a step every 1.5 ms; {phase.situation.how}"
        for place, unit in enumerate(("ms", "steps")):
            figures = [shown[place] for shown in records[phase.name, "shown"]]
            yield spread(f"message to note, {phase.situation.name}", unit, how, figures)
    how = f"{NEXT}; its own clock at 120 BPM; {IDLE.how}"
    yield spread(
        "message to note, 120 BPM", "steps", how, [steps for _, steps in records[slow.name, "shown"]]
    )


def message_to_note_seconds(plan: Plan) -> float:
    """How long `message_to_note` takes."""
    return 3 * max(plan.seconds, 1.0) + 4 * settle(plan) + 1


# --- start-up ----------------------------------------------------------------------------------------------


def start_up(plan: Plan) -> Iterator[Row]:
    """From the start of Pd to the first step, which may be a rest: that is the model's choice."""
    with workshop() as externals:
        times = [_first_step(plan, externals) for _ in range(starts(plan) + 1)]
    how = "`pd -nogui -nosound` with [composer] and `play 1`, in real time; one start before is not counted"
    yield spread("start of Pd to the first step", "ms", how, times[1:])


def starts(plan: Plan) -> int:
    """How many starts are counted."""
    return max(1, min(20, round(plan.seconds)))


def start_up_seconds(plan: Plan) -> float:
    """How long `start_up` takes."""
    return 0.6 * (starts(plan) + 1)


def _first_step(plan: Plan, externals: Path) -> float:
    records = externals.parent / "records"
    patch = Patch()
    watch, box = patch.obj(f"stopwatch {records}"), patch.obj(f"composer {plan.model}")
    any_step, end = patch.obj("t b"), patch.msg("phase start, now, write; pd quit")
    patch.connect((box, 1, any_step, 0), (any_step, 0, end, 0), (end, 0, watch, 0))
    patch.at(0, "play 1", box)
    before = time.monotonic()
    run(patch, externals, plan.flags)
    ((step, _),) = read(records)["start", "now"][:1]
    return 1000 * (step - before)
