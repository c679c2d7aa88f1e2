"""Something to hear: a benchmark needs no dataset, for a token costs the same in any music."""

from pathlib import Path
from typing import Final

from training.dataset import Source
from training.prepare import Music, prepare, survey
from training.settings import Settings

PIECES: Final = sorted((Path(__file__).parents[2] / "tests" / "data").glob("*.mid"))


def music(settings: Settings, folder: Path) -> Music:
    """Return the tests' own pieces as a network hears them, both to train and to validate."""
    sources = [Source(path, path.name, "", split) for split in ("train", "valid") for path in PIECES]
    return prepare(sources, survey(sources, settings, folder / "notes"), settings, folder)
