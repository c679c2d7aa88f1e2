"""Two libraries with Python in one Pd: ours, and one that runs Python on Pd's thread (`pd/embedder.c`)."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from pd_runner import HELPERS, Patch, Run, run_pd, sounding_after

PD_HEADERS = "/usr/include/pd"
KEPT = (
    "another library in this Pd keeps Python for itself / leave that one out, or let neuralmidi play in "
    "another Pd, or with `neuralmidi stream`"
)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the other library, built against the Python of ours."""
    folder = tmp_path_factory.mktemp("embedder")
    config = sysconfig.get_config_vars()
    command = [
        "cc",
        "-std=gnu11",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wextra",
        "-Wno-cast-function-type",
        "-Werror",
    ]
    command += [f"-I{PD_HEADERS}", f"-I{sysconfig.get_path('include')}", str(HELPERS / "embedder.c")]
    command += [f"-L{config['LIBDIR']}", f"-lpython{config['LDVERSION']}", f"-Wl,-rpath,{config['LIBDIR']}"]
    subprocess.run([*command, "-o", str(folder / "embedder.pd_linux")], check=True)
    return folder


def play(
    folder: Path, embedder: Path, behaviour: str, *, first: bool, change: float = 1000, bang: bool = True
) -> Run:
    """Play [composer] and [embedder] for a while, change the model, and play on for as long.

    Args:
        folder: to run in.
        embedder: the other library's.
        behaviour: of the other library.
        first: it is loaded before ours.
        change: when the model changes, in ms.
        bang: the other library calls Python every 100 ms. Python then lets others in, also us.
    """
    patch = Patch()
    composer, other = patch.obj("composer tiny"), patch.obj("embedder")
    patch.log(composer, 0, "note")
    patch.log(other, 0, "sum")
    start, metro = patch.obj("loadbang"), patch.obj("metro 100")
    patch.connect((start, 0, metro, 0), *([(metro, 0, other, 0)] if bang else []))
    patch.log(metro, 0, "tick")
    patch.at(50, "tempo 300, play 1", composer)
    patch.at(change, "composer tiny2", composer)
    patch.at(change + 900, "play 0", composer)
    patch.quit_at(2 * change)
    load = ["-path", str(embedder), "-lib", "embedder"]
    words = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "EMBEDDER": behaviour,
        "NEURALMIDI_PYTHON": sys.executable,
    }
    if first:
        (folder / "pd").write_text(f'#!/bin/sh\nexec {shutil.which("pd")} {" ".join(load)} "$@"\n')
        (folder / "pd").chmod(0o755)
    return run_pd(
        patch,
        folder,
        batch=False,
        timeout=20,
        flags=() if first else load,
        environment={**os.environ, **words},
    )


@pytest.mark.clock
@pytest.mark.parametrize("first", [True, False])
def test_two_libraries_share_python(tmp_path: Path, embedder: Path, first: bool) -> None:
    run = play(tmp_path, embedder, "share", first=first)
    assert run.errors == []
    assert [atoms for _, atoms in run.logged("sum")] == [["10"]] * len(run.logged("tick"))
    assert len(run.logged("tick")) == 20
    notes = run.notes()
    assert [1 for at, _, velocity, _ in notes if velocity and at > 1500 * 44.1]
    assert sounding_after(notes) == set()


def test_a_library_that_keeps_python_for_itself_is_said(tmp_path: Path, embedder: Path) -> None:
    run = play(tmp_path, embedder, "keep", first=True)
    assert f"neuralmidi: cannot start: {KEPT}" in run.errors
    assert len(run.logged("sum")) == len(run.logged("tick")) == 20, "Pd and the other library play"


@pytest.mark.clock
def test_one_that_takes_python_away_later_is_said_when_asked_for(tmp_path: Path, embedder: Path) -> None:
    run = play(tmp_path, embedder, "keep", first=False, change=2200, bang=False)
    assert f"neuralmidi: Python cannot be started again: {KEPT}" in run.errors
    assert len(run.logged("tick")) == 44, "Pd plays on"
    assert run.returncode == 0
