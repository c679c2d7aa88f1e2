"""A Pd in which [stopwatch] times what [composer] and [load] do."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.plan import Plan
from tests.pd_runner import EXTERNALS, Patch, Run, run_pd

HERE = Path(__file__).parent
PD_HEADERS = "/usr/include/pd"
COMPILE = ("cc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-cast-function-type")

SETTLE = 0.5
"""Seconds at most that a situation lasts before it is measured."""
PATIENCE = 20.0
"""Seconds that models may take to load."""
STATUS = 2
"""The outlet that says so."""


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
def workshop(externals: Path = EXTERNALS) -> Iterator[Path]:
    """A copy of such a folder with the benchmark's own objects in it, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "externals"
        shutil.copytree(externals, copy, ignore=shutil.ignore_patterns("__pycache__", "bridge"))
        for file in (HERE / "objects").glob("*.py"):
            shutil.copy(file, copy / "neuralmidi" / "objects")
        includes = (f"-I{PD_HEADERS}", f"-I{sysconfig.get_path('include')}")
        out = ("-o", str(copy / "stopwatch.pd_linux"))
        subprocess.run([*COMPILE, *includes, str(HERE / "stopwatch.c"), *out], check=True)
        yield copy


@dataclass
class Timed(Patch):
    """A patch whose time begins when its composers have loaded their models; if they cannot, Pd quits.

    Attributes:
        begun: the box that bangs then.
    """

    begun: int = -1

    def begin_with(self, composers: Sequence[int]) -> None:
        """Say which boxes they are."""
        ready, count, more, self.begun = (
            self.obj(text) for text in ("route ready", "f", "+ 1", f"sel {len(composers)}")
        )
        bang = self.obj("t b")
        self.connect(*((box, STATUS, ready, 0) for box in composers))
        self.connect((ready, 0, bang, 0), (bang, 0, count, 0), (count, 0, more, 0), (more, 0, count, 1))
        self.connect((more, 0, self.begun, 0))
        load, wait, leave = self.obj("loadbang"), self.obj(f"del {1000 * PATIENCE}"), self.msg("; pd quit")
        stay = self.msg("stop")
        self.connect((load, 0, wait, 0), (wait, 0, leave, 0), (self.begun, 0, stay, 0), (stay, 0, wait, 0))

    def later(self, ms: float, text: str) -> None:
        """Send a message to a name, ms after the beginning; at one time in the order of calls."""
        wait, message = self.obj(f"del {ms}"), self.msg(text)
        self.connect((self.begun, 0, wait, 0), (wait, 0, message, 0))


def a_stopwatch(plan: Plan, records: Path) -> Timed:
    """A patch with a composer and all that times it; the receivers are named below."""
    patch = Timed()
    watch, box, load = (
        patch.obj(text) for text in (f"stopwatch {records}", f"composer {plan.model}", "load")
    )
    patch.connect((watch, 0, box, 0), (box, 0, watch, 0), (box, 1, watch, 0))
    patch.connect((watch, 1, box, 0))
    for name, target in (("watch", watch), ("composer", box), ("load", load)):
        patch.connect((patch.obj(f"r {name}"), 0, target, 0))
    for name in ("bang", "call", "turn", "dim"):
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
    patch.begin_with([box])
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
            patch.later(now, "".join(f"; {message}" for message in (load, *phase.messages)))
            patch.later(now + 1000 * settle(plan), f"; watch phase {phase.name}")
            now += 1000 * (settle(plan) + phase.seconds)
            patch.later(now, "; watch phase -; bang 0; call 0; turn 0; dim 0; composer play 0; load idle")
        patch.later(now + 100, "; watch write; pd quit")
        run(patch, externals, (*flags, *plan.flags), timeout=now / 1000 + 3 * PATIENCE)
        return read(records)


def environment() -> dict[str, str]:
    """Pd's: externals that lie outside of this checkout are told its Python."""
    return {**os.environ, "NEURALMIDI_PYTHON": sys.executable}


def run(patch: Patch, externals: Path, flags: Sequence[str], timeout: float = 60) -> Run:
    """Run Pd until it quits, in real time.

    Raises:
        RuntimeError: it went wrong, with what Pd said.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # pd_runner shows Pd's output there
        done = run_pd(
            patch,
            externals.parent,
            batch=False,
            externals=externals,
            environment=environment(),
            flags=flags,
            timeout=timeout,
        )
    if done.returncode or [error for error in done.errors if "underrun" not in error]:
        raise RuntimeError(f"Pd ended with {done.returncode} and said:\n{done.output}")
    return done


def read(file: Path) -> Records:
    """Read what [stopwatch] has written.

    Raises:
        RuntimeError: nothing.
    """
    if not file.exists():
        raise RuntimeError("[stopwatch] has written nothing: the models were not loaded in time")
    records: Records = defaultdict(list)
    for line in file.read_text().splitlines():
        phase, what, a, b = line.split()
        records[phase, what].append((float(a), float(b)))
    return records
