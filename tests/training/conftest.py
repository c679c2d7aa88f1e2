"""The tests of the training side need the training extra: TensorFlow, Keras and pretty_midi."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `training` is run from the repository, never installed


@pytest.fixture
def data() -> Path:
    """The tests' own MIDI files and tiny models."""
    return Path(__file__).parents[1] / "data"
