"""A model on disk: model.tflite and model.json in a folder. The trainer writes it, the runtime checks it."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import NeuralMIDIError
from .step_model import StepModel
from .tokenizer import Tokenizer, tokenizer_from

FORMAT: Final = 1
"""The version of model.json that this version writes, and the newest that it reads."""

DESCRIPTION: Final = "model.json"
WEIGHTS: Final = "model.tflite"
LIMITS: Final[Mapping[str, int]] = {DESCRIPTION: 4 << 20, WEIGHTS: 64 << 20}
"""The largest size of each file in bytes: a damaged or hostile file must not fill the memory."""

_STEPS_PER_BEAT: Final = range(1, 97)


@dataclass(frozen=True)
class Bundle:
    """A model that has passed every check and is ready to play.

    Attributes:
        directory: where it was loaded from.
        name: what a player types, ``bach``.
        title: what a menu shows.
        tokenizer: what its tokens mean.
        steps_per_beat: the grid it was trained on; 4 is a 16th grid.
        model: the network.
        description: the whole of model.json.
    """

    directory: Path
    name: str
    title: str
    tokenizer: Tokenizer
    steps_per_beat: int
    model: StepModel
    description: Mapping[str, Any]


def load(directory: Path) -> Bundle:
    """Load and check a model.

    Args:
        directory: the folder that holds model.json and model.tflite.

    Raises:
        NeuralMIDIError: anything at all is wrong with it; names the file, the reason and the remedy.
    """
    directory = Path(directory)
    try:
        return _load(directory)
    except NeuralMIDIError as error:
        if error.what.startswith(str(directory)):
            raise
        raise NeuralMIDIError(f"{directory}: {error.what}", error.why, error.remedy) from error


def _load(directory: Path) -> Bundle:
    if not directory.is_dir():
        raise NeuralMIDIError(str(directory), "no such folder", "give the name or folder of a model")
    description = _description(directory / DESCRIPTION)
    tokenizer = tokenizer_from(_text(description, "tokenizer", "kind"), _words(description))
    tflite = _read(directory / WEIGHTS)
    if hashlib.sha256(tflite).hexdigest() != description.get("sha256"):
        raise _damaged(WEIGHTS, f"not the file that {DESCRIPTION} describes (sha256 differs)")
    states = _states(description)
    model = StepModel(tflite, list(states))
    if model.state_shapes != tuple(states.values()):
        raise _damaged(DESCRIPTION, "the shapes of its states are not the model's")
    if model.vocabulary_size != len(tokenizer.vocabulary):
        sizes = f"{len(tokenizer.vocabulary)} words for a model of {model.vocabulary_size} tokens"
        raise _damaged(DESCRIPTION, f"its vocabulary has {sizes}")
    model.step(model.initial_state(), tokenizer.start)  # a silently failed conversion shows here, as NaN
    return Bundle(
        directory=directory,
        name=_text(description, "name"),
        title=_text(description, "title"),
        tokenizer=tokenizer,
        steps_per_beat=_steps_per_beat(description),
        model=model,
        description=description,
    )


def write(directory: Path, tflite: bytes, description: Mapping[str, Any]) -> None:
    """Write a model's two files. A reader in between sees a wrong checksum, never half a file.

    Args:
        directory: made if missing.
        tflite: the exported model.
        description: the rest of model.json; ``format`` and ``sha256`` are added here.
    """
    sha256 = hashlib.sha256(tflite).hexdigest()
    whole = {"format": FORMAT, **description, "sha256": sha256}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in ((WEIGHTS, tflite), (DESCRIPTION, f"{text}\n".encode())):
        part = directory / f"{name}.part"
        part.write_bytes(content)
        part.replace(directory / name)


def default_directories() -> list[Path]:
    """Return where the models that came with neuralmidi are: beside ``externals``, or in the package."""
    package = Path(__file__).resolve().parent
    places = (package.parents[1] / "tflite_models", package / "tflite_models")
    return [place for place in places if place.is_dir()]


def find(name: str, directories: Sequence[Path]) -> Path:
    """Return the folder of a model.

    Args:
        name: a bare name, or a path, absolute or relative to one of the directories.
        directories: searched in this order.

    Raises:
        NeuralMIDIError: no directory has it; lists the names that are there.
    """
    wanted = Path(os.path.expanduser(name))
    for directory in directories if not wanted.is_absolute() else [Path()]:
        if name and os.path.isfile(directory / wanted / DESCRIPTION):
            return directory / wanted
    why = f"not found; there are: {', '.join(available(directories)) or 'none'}"
    raise NeuralMIDIError(f"model {name[:200]!r}", why, "choose one of these, or train it")


def available(directories: Sequence[Path]) -> list[str]:
    """Return the names of all models in some directories, sorted, each once."""
    found = (path for directory in directories for path in Path(directory).glob(f"*/{DESCRIPTION}"))
    return sorted({path.parent.name for path in found})


def _read(path: Path) -> bytes:
    """Return a file's contents, refused before they are read if too large."""
    if not path.is_file():
        raise _damaged(path.name, "missing")
    limit = LIMITS[path.name]
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise NeuralMIDIError(path.name, why, "check its permissions") from error
    if len(content) > limit:
        raise _damaged(path.name, f"larger than {limit >> 20} MB")
    return content


def _description(path: Path) -> Mapping[str, Any]:
    """Return model.json, parsed, of a format this version reads."""
    try:
        parsed = json.loads(_read(path).decode())
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _damaged(path.name, f"not valid JSON: {why}") from error
    if not isinstance(parsed, dict):
        raise _damaged(path.name, "does not describe a model")
    version = parsed.get("format")
    if type(version) is not int or version < 1:
        raise _damaged(path.name, "has no format version")
    if version > FORMAT:
        why = f"format {version} is newer than the {FORMAT} this version knows"
        raise NeuralMIDIError(path.name, why, "update neuralmidi")
    return parsed


def _at(description: Mapping[str, Any], *keys: str) -> Any:
    """Return the value under nested keys, or None."""
    value: Any = description
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(description: Mapping[str, Any], *keys: str) -> str:
    value = _at(description, *keys)
    if not isinstance(value, str) or not value:
        raise _malformed(keys, "a text")
    return value


def _words(description: Mapping[str, Any]) -> list[str]:
    keys = ("tokenizer", "vocabulary")
    value = _at(description, *keys)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _malformed(keys, "a list of texts")
    return value


def _steps_per_beat(description: Mapping[str, Any]) -> int:
    keys = ("grid", "steps_per_beat")
    value = _at(description, *keys)
    if type(value) is not int or value not in _STEPS_PER_BEAT:
        raise _malformed(keys, f"a whole number, {_STEPS_PER_BEAT[0]} to {_STEPS_PER_BEAT[-1]}")
    return value


def _states(description: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each state by name, in order."""
    value = _at(description, "states")
    wanted = "a list of {name, shape, kind: carried}"
    if not isinstance(value, list):
        raise _malformed(("states",), wanted)
    states = {}
    for state in value:
        name, shape, kind = (_at(state, key) for key in ("name", "shape", "kind"))
        sizes = isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)
        if not isinstance(name, str) or name in states or not sizes or kind != "carried":
            raise _malformed(("states",), wanted)
        states[name] = tuple(shape)
    return states


def _damaged(file: str, why: str) -> NeuralMIDIError:
    return NeuralMIDIError(file, why, "copy the model's folder again, or train and export it again")


def _malformed(keys: Sequence[str], wanted: str) -> NeuralMIDIError:
    return _damaged(DESCRIPTION, f"'{'.'.join(keys)}' is not {wanted}")
