"""Fixtures that several tests share."""

import os
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
from pd_runner import EXTERNALS, HELPERS, RunPd, run_pd


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
