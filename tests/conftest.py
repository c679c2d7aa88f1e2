"""Fixtures that several tests share."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from pd_runner import EXTERNALS, HELPERS


@pytest.fixture
def copied_externals(tmp_path: Path) -> Path:
    """A copy of ``externals`` that a test may spoil, with the tests' own Python externals in it."""
    copy = tmp_path / "externals"
    shutil.copytree(EXTERNALS, copy, ignore=shutil.ignore_patterns("__pycache__", "bridge"))
    for file in (HELPERS / "objects").glob("*.py"):
        shutil.copy(file, copy / "neuralmidi" / "objects")
    return copy


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment's variables, naming this Python to a library that lies outside of any environment."""
    return {**os.environ, "NEURALMIDI_PYTHON": sys.executable}
