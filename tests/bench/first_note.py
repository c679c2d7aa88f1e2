"""How soon there is music: from `pd_patches/play`, and from Pd alone."""

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.bench.plan import Plan
from tests.bench.stopwatch import read, run, workshop
from tests.bench.table import Row, spread
from tests.pd_runner import ROOT, Patch

PLAY = ROOT / "pd_patches" / "play"
NO_WINDOW = {name: text for name, text in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
SEED = 1
LOOK = 0.001
"""Seconds between two looks at what Pd has loaded."""
PATIENCE = 60.0
"""Seconds until a first note is given up."""

NAMED = re.compile(rb"^ *\S+ +\S", re.MULTILINE)
"""A step with a note: `   1.1.1  C4 E4`. What has no name behind it is a rest."""

LAUNCHED, PYTHON, LITERT, NOTE = "Pd is launched", "Python is in it", "LiteRT is in it", "the first note"
LOADED = {PYTHON: "libpython", LITERT: "ai_edge_litert"}
"""By what Pd's memory maps tell how far it is."""


def first_note(plan: Plan) -> Iterator[Row]:
    """From `play` to the note that it prints, the whole process; and where the time goes.

    Raises:
        RuntimeError: no note came.
    """
    times = defaultdict(list)
    for number in range(starts(plan) + 1):
        for moment, ms in _played(plan.model).items():
            if number:
                times[moment].append(ms)
    how = (
        f"`pd_patches/play --composer {plan.model.name} --seed {SEED}` on a warm install, without window and "
        "sound card, until it prints its first note; one start before is not counted"
    )
    yield spread("play to the first note", "ms", how, times[NOTE])
    how = "of these: seen in /proc from outside, every 1 ms; environment check and options come before Pd"
    for moment in (LAUNCHED, *LOADED):
        yield spread(f"play until {moment}", "ms", how, times[moment])


def first_note_seconds(plan: Plan) -> float:
    """How long `first_note` takes."""
    return 2.0 * (starts(plan) + 1)  # half of it is for the last notes


def _played(model: Path) -> dict[str, float]:
    """When each moment came, in ms after `play` was started."""
    begin = time.monotonic()
    command = [str(PLAY), "--composer", str(model), "--seed", str(SEED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=NO_WINDOW) as process:
        assert process.stdout
        try:
            os.set_blocking(process.stdout.fileno(), False)
            seen: dict[str, float] = {}
            printed = b""
            while NOTE not in seen:
                printed += process.stdout.read() or b""
                now = 1000 * (time.monotonic() - begin)
                if NAMED.search(printed):
                    seen[NOTE] = now
                for moment in _reached(process.pid) - seen.keys():
                    seen[moment] = now
                if process.poll() is not None or now > 1000 * PATIENCE:
                    process.terminate()
                    _, errors = process.communicate(timeout=PATIENCE)
                    raise RuntimeError(f"play printed no note, and said:\n{errors.decode(errors='replace')}")
                time.sleep(LOOK)
            return seen
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE)


def _reached(pid: int) -> set[str]:
    """Which moments have been: by the program that `play` has started, if it is Pd, and what is in it."""
    with suppress(OSError, ValueError):
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if b"headless.pd" in Path(f"/proc/{child}/cmdline").read_bytes():
            maps = Path(f"/proc/{child}/maps").read_text()
            return {LAUNCHED, *(moment for moment, file in LOADED.items() if file in maps)}
    return set()


def start_up(plan: Plan) -> Iterator[Row]:
    """From the start of Pd to the first step, which may be a rest: that is the model's choice."""
    how = "`pd -nogui -nosound` with [composer] and `play 1`, in real time; one start before is not counted"
    with ExitStack() as stack:
        copies = {side: stack.enter_context(workshop(externals)) for side, externals in plan.sides.items()}
        times: dict[str, list[float]] = {side: [] for side in copies}
        for _ in range(starts(plan) + 1):
            for side, copy in copies.items():
                times[side].append(_first_step(plan, copy))
    for side, each in times.items():
        yield spread(f"start of Pd to the first step{side}", "ms", how, each[1:])


def starts(plan: Plan) -> int:
    """How many starts are counted."""
    return max(1, min(20, round(plan.seconds)))


def start_up_seconds(plan: Plan) -> float:
    """How long `start_up` takes."""
    return 0.6 * (starts(plan) + 1) * len(plan.sides)


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
