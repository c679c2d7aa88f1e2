"""Which of the models that ship play together."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuralmidi import bundle


def model(name: str) -> Path:
    """The folder of a model that ships.

    Raises:
        NeuralMIDIError: it is not there.
    """
    return bundle.find(name, bundle.default_directories())


def everyone() -> list[Path]:
    """All of them but the benchmarks."""
    return [model(name) for name in bundle.available(bundle.default_directories())]


def sharing(one: Path) -> list[Path]:
    """A model, and all the others that play the same file of weights."""
    others = (folder for folder in everyone() if folder.resolve() != one.resolve())
    return [one, *(folder for folder in others if home(folder) == home(one))]


def networks() -> Mapping[str, Path]:
    """A folder for each file of weights, by its name, the benchmarks' among them."""
    folders = (
        file.parent for place in bundle.default_directories() for file in place.glob(f"*/{bundle.WEIGHTS}")
    )
    return {folder.name: folder for folder in sorted(folders)}


def home(folder: Path) -> Path:
    """Where the weights of a model are."""
    weights = description(folder).get("weights")
    return folder.resolve().parent / weights["of"] if weights else folder.resolve()


def description(folder: Path) -> dict[str, Any]:
    """The model.json of a model, which the runtime checks whenever it is played."""
    return dict(json.loads((folder / bundle.DESCRIPTION).read_text(encoding="utf-8")))
