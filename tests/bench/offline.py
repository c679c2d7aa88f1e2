"""What is measured without Pd: a step of the model and of the composer, and a render to a file."""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from neuralmidi import bundle
from neuralmidi.composer import Composer
from neuralmidi.quiet import quiet

from tests.bench.plan import Plan
from tests.bench.table import Row, spread

PACE = 0.025
"""Seconds between two steps when they are paced."""

TEMPO = 120
RENDERS = 5


def steps(plan: Plan) -> Iterator[Row]:
    """One token, one step: in a hot loop, and paced, which is what play does."""
    with quiet():
        music = bundle.load(plan.model)
    state = music.model.initial_state()
    tokens = itertools.cycle(range(1, music.model.vocabulary_size))

    def token() -> None:
        nonlocal state
        _, state = music.model.step(state, next(tokens))

    composer = Composer(music, seed=1)
    step_ms = 60000 / TEMPO / music.steps_per_beat

    def step() -> None:
        composer.step(step_ms)

    size, grid = music.model.vocabulary_size, music.steps_per_beat
    model = f"{plan.model.name}, {size:,} tokens, {grid} steps a beat, one thread"
    acts = {
        "token": (token, "StepModel.step"),
        "step": (step, "Composer.step, which adds sampling and notes"),
    }
    for name, (act, how) in acts.items():
        hot, paced = timed(act, plan.seconds), timed(act, plan.seconds, PACE)
        yield spread(f"one {name}, hot", "us", f"{how}, in a loop; {model}", hot)
        yield spread(f"one {name}, paced", "us", f"{how}, every {1000 * PACE:g} ms; {model}", paced)


def steps_seconds(plan: Plan) -> float:
    """How long `steps` takes."""
    return 4 * plan.seconds + 0.5


def timed(act: Callable[[], None], seconds: float, pace: float = 0) -> list[float]:
    """Do something over and over, `pace` seconds apart: how long it took in us, the first time left out."""
    act()
    times = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        act()
        times.append(1e6 * (time.perf_counter() - begin))
        if pace:
            time.sleep(max(0, begin + pace - time.perf_counter()))
    return times


def render(plan: Plan) -> Iterator[Row]:
    """Music to a MIDI file, as the command line writes it."""
    bars = bars_of_a_render(plan)
    with quiet():
        state = Composer(bundle.load(plan.model)).state
    seconds = bars * state.steps_per_bar / state.steps_per_beat * 60 / TEMPO
    times = [_render(plan.model, bars) for _ in range(RENDERS if plan.seconds >= 1 else 1)]
    how = (
        f"`neuralmidi {plan.model.name} --bars {bars} --tempo {TEMPO} --midi FILE`, start of Python included"
    )
    yield spread("render to MIDI, seconds of music per second", "x", how, [seconds / t for t in times])


def bars_of_a_render(plan: Plan) -> int:
    """Long enough that starting Python is little of it."""
    return min(1000, max(16, round(50 * plan.seconds)))


def render_seconds(plan: Plan) -> float:
    """How long `render` takes, at a guess."""
    return RENDERS * (0.4 + bars_of_a_render(plan) * 0.004)


def _render(model: Path, bars: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "neuralmidi", str(model), "--bars", str(bars), "--tempo", str(TEMPO)]
        before = time.perf_counter()
        subprocess.run([*command, "--midi", f"{folder}/take.mid"], check=True, capture_output=True)
        return time.perf_counter() - before
