"""The system's clock is set back by an hour while it plays (`pd/set_back.c`): nobody waits for an hour."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pd_runner import HELPERS, Patch, Run, run_pd, sounding_after

SET_BACK = "import ctypes, time\nctypes.CDLL(None).set_back()\ntime.sleep({})\n"


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    built = tmp_path_factory.mktemp("clock") / "set_back.so"
    command = ["cc", "-std=gnu11", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, str(HELPERS / "set_back.c"), "-ldl", "-o", str(built)], check=True)
    return built


def play(folder: Path, externals: Path, clock: Path, *, batch: bool) -> Run:
    """A second of [composer] and [faulty], which sets the clock back in the middle of a message."""
    patch = Patch()
    composer, faulty = patch.obj("composer tiny"), patch.obj("faulty")
    patch.log(composer, 0, "note")
    patch.at(0, "tempo 300, play 1", composer)
    patch.at(300, "now set_clock_back", faulty)
    patch.at(600, "composer tiny2", composer)
    patch.at(1150, "play 0", composer)
    patch.quit_at(1200)
    words = {"LD_PRELOAD": str(clock), "NEURALMIDI_PYTHON": sys.executable}
    return run_pd(
        patch, folder, batch=batch, timeout=20, externals=externals, environment={**os.environ, **words}
    )


def played_on(run: Run) -> None:
    assert run.errors == []
    assert run.returncode == 0
    notes = run.notes()
    assert [1 for at, _, velocity, _ in notes if velocity and at > 800 * 44.1]
    assert sounding_after(notes) == set()


@pytest.mark.parametrize("batch", [True, False])
def test_a_clock_that_is_set_back_while_pd_waits(
    tmp_path: Path, copied_externals: Path, clock: Path, batch: bool
) -> None:
    played_on(play(tmp_path, copied_externals, clock, batch=batch))


def test_a_clock_that_is_set_back_while_python_starts(
    tmp_path: Path, copied_externals: Path, clock: Path
) -> None:
    (copied_externals / "neuralmidi" / "objects" / "early.py").write_text(SET_BACK.format(0.2))
    played_on(play(tmp_path, copied_externals, clock, batch=True))
