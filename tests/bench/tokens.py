"""What a token costs in each network, beside the least that it could cost, and beside the naive way."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.bench import casts
from tests.bench.arithmetic import PRODUCTS, READING, TOKEN, WEIGHTS
from tests.bench.plan import Plan
from tests.bench.table import Row, single, spread
from tests.bench.turns import process
from tests.bench.windows import PREDICT
from tests.pd_runner import DATA, ROOT

PART = 0.25
"""Of the time of a row: what takes well below a millisecond needs no more."""
ROUNDS = 5
"""How often each has its turn: whatever else the machine does then hits all alike."""
BRIEF = 1.0
"""A plan of fewer seconds a row measures one network, and does not start TensorFlow, which takes longer."""
READY = 15.0
"""Seconds that TensorFlow takes to be there."""
SMALL = DATA / "tiny_cache"
"""Next to nothing is computed in it: what is left is what a token costs by itself."""
ASKED = ("all", "drums")
"""Networks that Keras is asked about, too."""
TRAINING = ROOT / ".venv-training" / "bin" / "python"
KERAS = " in Keras"
MISSING = "not measured: TensorFlow is not installed; `tests/run` installs it, in .venv-training"
VERSION = """
from importlib.metadata import packages_distributions, version
print(version(packages_distributions()["tensorflow"][0]))
"""


class Trainer(NamedTuple):
    """A Python that has TensorFlow.

    Attributes:
        python: its path.
        version: of TensorFlow.
    """

    python: Path
    version: str


@cache
def trainer() -> Trainer | None:
    """That of the training's environment, or this one; None: neither has TensorFlow."""
    for python in (TRAINING, Path(sys.executable)):
        if python.exists():
            told = subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=False)
            if told.returncode == 0:
                return Trainer(python, told.stdout.strip())
    return None


def tokens(plan: Plan) -> Iterator[Row]:
    """A token by network: in LiteRT, the same products in numpy, and a window in Keras."""
    networks = _networks(plan)
    asked = {name: networks[name] for name in ASKED if name in networks and plan.seconds >= BRIEF}
    times: Mapping[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        here = Path(sys.executable)
        processes = {
            side: stack.enter_context(process(here, "tests.bench.arithmetic", _words(networks), externals))
            for side, externals in plan.sides.items()
        }
        if asked and (there := trainer()):
            window = process(there.python, "tests.bench.windows", _words(asked))
            processes[KERAS] = stack.enter_context(window)
        for _ in range(ROUNDS):
            for side, each in processes.items():
                for name in each.names:
                    times[f"{name}{side}"] += each.time(name, PART * plan.seconds / ROUNDS)
    for name in networks:
        for side in plan.sides:
            yield from _rows(f"{name}{side}", times)
    for name in asked:
        yield from _predicted(name, times)


def tokens_seconds(plan: Plan) -> float:
    """How long `tokens` takes."""
    each, asked = PART * plan.seconds, plan.seconds >= BRIEF and trainer() is not None
    return 4 * len(_networks(plan)) * len(plan.sides) * each + asked * (len(ASKED) * each + READY) + 2


def _networks(plan: Plan) -> Mapping[str, Path]:
    if plan.seconds < BRIEF:
        return {SMALL.name: SMALL}
    return {**casts.networks(), SMALL.name: SMALL}


def _words(networks: Mapping[str, Path]) -> Sequence[str]:
    return [str(folder) for folder in networks.values()]


def _rows(name: str, times: Mapping[str, list[float]]) -> Iterator[Row]:
    turns = "in a loop, one thread, in turns with the rows below"
    yield spread(f"token, {name}: LiteRT", "us", f"StepModel.step, {turns}", times[f"{TOKEN} {name}"])
    hows = {
        WEIGHTS: "numpy, float32: each matrix of weights times a vector, with shapes from the .tflite",
        PRODUCTS: "the same, and the products of attention",
        READING: "a dot product that reads as many bytes as its weights and caches have as they are stored",
    }
    for what, how in hows.items():
        yield spread(f"token, {name}: {what}", "us", how, times[f"{what} {name}"])
    for what in hows:
        yield single(f"token, {name}: LiteRT / {what}", "x", "medians", _ratio(times, TOKEN, what, name))


def _predicted(name: str, times: Mapping[str, list[float]]) -> Iterator[Row]:
    what = f"token, {name}: Keras predict"
    if f"{PREDICT} {name}{KERAS}" not in times:
        yield Row(what, "ms", MISSING, {})
        return
    how = "a window of 64 tokens, a network of the same build, in turns with the rows above"
    yield spread(what, "ms", how, [us / 1000 for us in times[f"{PREDICT} {name}{KERAS}"]])
    ratio = float(np.median(times[f"{PREDICT} {name}{KERAS}"]) / np.median(times[f"{TOKEN} {name}"]))
    yield single(f"token, {name}: Keras predict / LiteRT", "x", "medians", ratio)


def _ratio(times: Mapping[str, list[float]], one: str, other: str, name: str) -> float:
    return float(np.median(times[f"{one} {name}"]) / np.median(times[f"{other} {name}"]))
