"""The benchmarks over UDP run, and their tables are whole. What the figures are is no test's business."""

import math
import subprocess
import sys

import pytest
from pd_runner import ROOT

LOOPS = [
    *("/ping to /pong, patch", "/note straight to /note_on, patch"),
    *(2 * ["message to note, patch, a bang every 1.5 ms"]),
    *(2 * ["message to note, patch, a bang every 1.5 ms, asleep for 5 ms at a time"]),
    *(2 * ["message to note, patch, 120 BPM"]),
    *(2 * ["message to note, streamer, 120 BPM"]),
    "/ping to /pong, streamer",
]
ONSETS = [
    row
    for pd in ("Pd", "Pd, asleep for 5 ms at a time")
    for row in (
        f"onset, object in {pd}: logical time",
        f"onset, object in {pd}: over UDP",
        f"onset, streamer, played by {pd}: logical time",
        "onset, streamer: over UDP",
    )
]
FLOODED = [
    *("messages sent", "messages it never saw", "messages refused", "/ping to /pong"),
    *("notes begun", "notes begun twice", "notes ended", "notes that only /notes ended"),
    *("packets that the follower never saw", "memory, warm", "memory, at the end"),
]
INSIDE = [
    *("patch: notes begun, inside", "patch: notes ended, inside"),
    *("patch: lateness of DSP ticks, quiet", "patch: DSP ticks more than 20 ms late, quiet"),
    *("patch: lateness of DSP ticks, flood", "patch: DSP ticks more than 20 ms late, flood"),
]


def bench(which: str, *arguments: str) -> str:
    command = [sys.executable, "-m", which, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(text: str) -> dict[str, list[float]]:
    """Of a table in Markdown: the figures of each row. Every one is finite."""
    _, _, _, _, *lines = text.splitlines()
    rows: dict[str, list[float]] = {}
    for line in lines:
        what, *figures, unit, how = (cell.strip() for cell in line.strip("|").split("|"))
        rows[what] = [float(figure.replace(",", "")) for figure in figures if figure]
        assert len(rows[what]) in (1, 4), what
        assert all(math.isfinite(figure) for figure in rows[what]), what
        assert unit
        assert how
    return rows


def test_loops_have_every_row() -> None:
    text = bench("tests.bench", "--seconds", "0.5", "--markdown", "--only", "loop")
    assert "model tiny2" in text
    assert list(table(text)) == list(dict.fromkeys(LOOPS))


def test_the_object_is_exact_in_logical_time() -> None:
    rows = table(bench("tests.bench", "--seconds", "0.5", "--markdown", "--only", "onsets"))
    assert list(rows) == list(dict.fromkeys(ONSETS))
    assert rows["onset, object in Pd: logical time"][:3] == [0, 0, 0]


@pytest.mark.parametrize(("instrument", "inside"), [("patch", INSIDE), ("streamer", [])])
def test_after_a_flood_the_notes_balance(instrument: str, inside: list[str]) -> None:
    rows = table(bench("tests.bench.flood", "--minutes", "0.01", "--markdown", "--only", instrument))
    assert list(rows) == [*(f"{instrument}: {row}" for row in FLOODED), *inside]
    assert rows[f"{instrument}: messages sent"][0] > 900
    begun, twice, ended, healed = (rows[f"{instrument}: {row}"][0] for row in FLOODED[4:8])
    assert begun == ended > 0
    assert twice == healed == 0


def test_help_has_an_example() -> None:
    assert "python -m tests.bench.flood --" in bench("tests.bench.flood", "--help")
