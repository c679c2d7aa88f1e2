"""Fixtures that several tests share."""

import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from pd_runner import EXTERNALS, HELPERS, RunPd, run_pd

# Tests send these to programs, which would inherit it if nohup or a shell's background lets them be ignored.
for _number, _handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture
def copied_externals(tmp_path: Path) -> Path:
    """A copy of ``externals`` that a test may spoil, with the tests' own Python externals in it."""
    copy = tmp_path / "externals"
    shutil.copytree(EXTERNALS, copy, ignore=shutil.ignore_patterns("__pycache__", "bridge"))
    for file in (HELPERS / "objects").glob("*.py"):
        shutil.copy(file, copy / "neuralmidi" / "objects")
    return copy


@pytest.fixture
def run_copy(tmp_path: Path, copied_externals: Path) -> RunPd:
    """`run_pd` on the copy. It lies outside of any environment, so this Python is named to it."""
    environment = {**os.environ, "NEURALMIDI_PYTHON": sys.executable}
    return partial(run_pd, folder=tmp_path, externals=copied_externals, environment=environment)
