"""The system's clock is set back by an hour while it plays (`pd/set_back.c`): nobody waits for an hour."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pd_runner import HELPERS, Patch, RunPd, run_pd, sounding_after


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    built = tmp_path_factory.mktemp("clock") / "set_back.so"
    command = ["cc", "-std=gnu11", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, str(HELPERS / "set_back.c"), "-ldl", "-o", str(built)], check=True)
    return built


@pytest.fixture
def run_set_back(tmp_path: Path, copied_externals: Path, clock: Path) -> RunPd:
    """`run_pd` with a clock that can be set back."""
    words = {"LD_PRELOAD": str(clock), "NEURALMIDI_PYTHON": sys.executable}
    return partial(
        run_pd, folder=tmp_path, timeout=30, externals=copied_externals, environment={**os.environ, **words}
    )


@pytest.mark.clock
def test_it_plays_on(run_set_back: RunPd) -> None:
    patch = Patch()
    composer, faulty = patch.obj("composer tiny"), patch.obj("faulty")
    patch.log(composer, 0, "note")
    patch.at(50, "tempo 300, play 1", composer)
    patch.at(300, "now set_clock_back", faulty)
    patch.at(600, "composer tiny2", composer)
    patch.at(1150, "play 0", composer)
    patch.quit_at(1200)
    run = run_set_back(patch, batch=False)
    assert run.errors == []
    assert run.returncode == 0
    assert [1 for at, _, velocity, _ in run.notes() if velocity and at > 800 * 44.1]
    assert sounding_after(run.notes()) == set()


def test_sync_gives_up_on_a_stuck_python_and_plays_again_when_it_is_back(run_set_back: RunPd) -> None:
    patch = Patch()
    box, start, metro = patch.obj("faulty"), patch.obj("loadbang"), patch.obj("metro 100")
    patch.connect((start, 0, metro, 0), (metro, 0, box, 0))
    patch.log(box, 0, "note")
    patch.at(100, "sync 1", box)
    patch.at(550, "now set_clock_back_and_nap", box)
    patch.at(13_050, "panic", box)
    patch.quit_at(13_060)
    run = run_set_back(patch, batch=False)
    assert "faulty: sync: Python has not answered for 10 s / sync is off now" in run.errors
    assert any(sample > 12_000 * 44.1 and velocity for sample, _, velocity, _ in run.notes())
    assert sounding_after(run.notes()) == set()
    assert run.returncode == 0
