"""The benchmark runs, and its table is whole. What the figures are is no test's business."""

import math
import subprocess
import sys

import pytest
from pd_runner import EXTERNALS, ROOT

PARTS = (
    *("pd-thread", "message", "control", "swap", "tokens", "steps", "render", "start"),
    *("first-note", "memory", "scale"),
)
"""Those without UDP, which `test_bench_remote.py` looks at."""
SITUATIONS = ("idle", "spinning", "loading")
CALLS = (*SITUATIONS, "spinning at 5 ms")
PRODUCTS = ("weights", "products", "reading")
ROWS = [
    *(f"released step, {s}: {t} time on Pd's thread" for s in SITUATIONS for t in ("wall", "thread CPU")),
    *(
        f"Python call{what}"
        for s in CALLS
        for what in (f", {s}: wall time on Pd's thread", f" / released step, {s}")
    ),
    *(
        f"{row}, {busy}"
        for busy in (*(f"step, {s}" for s in SITUATIONS), *(f"Python call, {s}" for s in CALLS))
        for row in ("lateness of DSP ticks", "DSP ticks more than 20 ms late")
    ),
    *("message to note, idle", "message to note, idle"),
    *("message to note, spinning", "message to note, spinning", "message to note, 120 BPM"),
    *("control to note, idle", "control to note, idle"),
    *("control to note, spinning", "control to note, spinning", "control to note, 120 BPM"),
    "gap between steps beyond the grid, bach <-> chopin",
    "longest gap in logical time, bach <-> chopin",
    *("swap to the first note, bach <-> chopin", "swap to the first note, bach <-> chopin"),
    "notes whose end got lost, bach <-> chopin",
    *(f"token, tiny_cache: {way}" for way in ("LiteRT", *PRODUCTS)),
    *(f"token, tiny_cache: LiteRT / {way}" for way in PRODUCTS),
    *("one token, hot", "one token, paced", "one step, hot", "one step, paced"),
    "render to MIDI, seconds of music per second",
    "start of Pd to the first step",
    "play to the first note",
    *(f"play until {moment}" for moment in ("Pd is launched", "Python is in it", "LiteRT is in it")),
    *("memory of Pd, 1 x bach", "memory of Pd, 2 x bach", "memory of a further [composer], bach"),
    *(f"{n} composers, bach at 16ths: Python's thread" for n in (1, 2, 2)),
    "composers before the first underrun, bach at 16ths",
]


def bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_row_has_finite_figures() -> None:
    parts = [word for part in PARTS for word in ("--only", part)]
    head, _, *lines = bench("--seconds", "0.1", "--markdown", *parts).splitlines()
    for word in ("processor", "cores", "load average", "Pd", "Python", "numpy", "LiteRT", "commit"):
        assert word in head
    heading, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert heading == ["measured", "value", "p50", "p99", "max", "n", "unit", "what was done"]
    assert [what for what, *_ in rows] == ROWS
    for what, *figures, unit, how in rows:
        numbers = [float(figure.replace(",", "")) for figure in figures if figure]
        assert len(numbers) in (1, 4), what
        assert all(math.isfinite(number) for number in numbers), what
        assert unit
        assert how


@pytest.mark.slow
def test_tokens_beside_keras_and_beside_another_checkout() -> None:
    text = bench("--seconds", "1", "--only", "tokens", "--against", str(EXTERNALS))
    for network in ("all", "drums", "tiny_cache"):
        for side in ("", ", against"):
            assert f"token, {network}{side}: LiteRT / products" in text
    for network in ("all", "drums"):
        assert f"token, {network}: Keras predict / LiteRT" in text or "TensorFlow is not installed" in text


def test_another_checkout_has_a_library() -> None:
    command = [sys.executable, "-m", "tests.bench", "--against", "tests"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "tests: there is no neuralmidi.pd_linux" in refused.stderr


@pytest.mark.parametrize("model", ["tiny", "tiny_poly"])
def test_a_part_of_it_as_text(model: str) -> None:
    text = bench("--seconds", "0.1", "--only", "steps", "--only", "render", "--model", model)
    first = ROWS.index("one token, hot")
    assert all(row in text for row in ROWS[first : first + 5])
    assert "every 25 ms; " in text


def test_help_has_an_example() -> None:
    assert "python -m tests.bench --quick" in bench("--help")
