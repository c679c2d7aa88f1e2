"""The tests of the training side need the training extra: TensorFlow, Keras and pretty_midi."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `training` is run from the repository, never installed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the one warning pass that Keras itself gives rise to, with the TensorFlow of today and numpy 2."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))


@pytest.fixture
def data() -> Path:
    """The tests' own MIDI files and tiny models."""
    return Path(__file__).parents[1] / "data"
