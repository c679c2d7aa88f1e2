"""A model on disk: model.tflite and model.json in a folder. The trainer writes it, the runtime checks it.

Composers may share one file of weights. Where model.json has ``"weights": {"of": "all", "condition":
{...}}`` there is no model.tflite: the network is that of the folder ``all`` next door, always under that
condition. What it is, is said there: tokenizer, grid, states and condition.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from . import trial
from .caches import Array
from .errors import NeuralMIDIError
from .network import Shape
from .step_model import StepModel
from .tokenizer import Tokenizer, tokenizer_from

FORMAT: Final = 2
"""The version of model.json that this version writes, and the newest that it reads.

What 2 adds to 1: caches, a condition, shared weights, the tokenizer's beginning, benchmarks.
"""

DESCRIPTION: Final = "model.json"
WEIGHTS: Final = "model.tflite"
LIMITS: Final[Mapping[str, int]] = {DESCRIPTION: 4 << 20, WEIGHTS: 64 << 20}
"""The largest size of each file in bytes: a damaged or hostile file must not fill the memory."""

OWN: Final = ("tokenizer", "grid", "states")
"""What a model.json that shares its weights may say itself: another beginning, say."""

KINDS: Final = ("carried", "cache")
"""Of states, see `StepModel`."""

_STEPS_PER_BEAT: Final = range(1, 97)
_LONGEST_TEXT: Final = 200
"""Characters of a name or a title."""
_MOST_WORDS: Final = 1 << 16
"""In a vocabulary: what is made of it takes some hundred bytes for each."""
_TRIED: Final = 8
"""Tokens that a network is given in its trial."""
_survived: Final = {
    "8e6dde6c45b4dc1769e359316c41eb12ca66824f33d9feea88de63b3573507c5",  # all
    "f5860557cd179968f355ab69aee2bc9ceb21c2b28f5317002f63eea262b45a72",  # drums
    "470e9bb234235346bf8353021bed79c19cea66e320e3ddd599a746a04a58a770",  # benchmark_groove
    "daaa37fa8f0c1e166bb9828882b2674de7aad3bf6449f233cc709f36ad738a65",  # benchmark_jsb16
    "e557817ed4a3f135c0ec0a4d0cb3361c3f7ece66cb889fcedd4c9b7d98e237bb",  # benchmark_jsb4
}
"""The .tflite files that have been tried, by their sha256: at first those that come with neuralmidi."""


@dataclass(frozen=True)
class Bundle:
    """A model that has passed every check and is ready to play.

    Attributes:
        directory: where it was loaded from.
        name: what a player types, ``bach``.
        title: what a menu shows.
        tokenizer: what its tokens mean.
        steps_per_beat: the grid it was trained on; 4 is a 16th grid.
        model: the network; where `step` is given no condition, it plays under `condition`.
        condition_names: whom a player may blend, in the order of the network's condition; nobody if it has
            none, or a fixed one.
        condition: the fixed one, ``[N]``; None: there is none, or it is free.
        description: the whole of model.json.
    """

    directory: Path
    name: str
    title: str
    tokenizer: Tokenizer
    steps_per_beat: int
    model: StepModel
    condition_names: tuple[str, ...]
    condition: Array | None
    description: Mapping[str, Any]


def load(directory: Path) -> Bundle:
    """Load and check a model.

    Args:
        directory: the folder that holds model.json and model.tflite.

    Raises:
        NeuralMIDIError: anything at all is wrong with it; names the file, the reason and the remedy.
    """
    directory = Path(directory)
    with _errors_name(directory):
        return _load(directory)


def _load(directory: Path) -> Bundle:
    if not directory.is_dir():
        raise NeuralMIDIError(str(directory), "no such folder", "give the name or folder of a model")
    description = _description(directory / DESCRIPTION)
    home, network = _network(directory, description)
    with _errors_name(home):
        tflite = _read(home / WEIGHTS)
    digest = hashlib.sha256(tflite).hexdigest()
    if digest != description.get("sha256"):
        raise _damaged(WEIGHTS, f"not the file that {DESCRIPTION} describes (sha256 differs)")
    names = _condition_names(network)
    fixed = _fixed_condition(description, names)
    tokenizer = _tokenizer(network)
    model = _model(tflite, digest, _states(network), _nobody(names) if fixed is None else fixed)
    if model.vocabulary_size != len(tokenizer.vocabulary):
        sizes = f"{len(tokenizer.vocabulary)} words for a model of {model.vocabulary_size} tokens"
        raise _damaged(DESCRIPTION, f"its vocabulary has {sizes}")
    _flag(description, "benchmark")
    model.step(model.initial_state(), tokenizer.start)  # a silently failed conversion shows here, as NaN
    return Bundle(
        directory=directory,
        name=_text(description, "name"),
        title=_text(description, "title"),
        tokenizer=tokenizer,
        steps_per_beat=tokenizer.steps_per_beat,
        model=model,
        condition_names=names if fixed is None else (),
        condition=fixed,
        description=description,
    )


def _network(directory: Path, description: Mapping[str, Any]) -> tuple[Path, Mapping[str, Any]]:
    """Return the folder where the weights are, and what describes their network."""
    if "weights" not in description:
        return directory, description
    name = _text(description, "weights", "of")
    if name != Path(name).name or name == "..":  # nothing but a neighbour is ever opened
        raise _malformed(("weights", "of"), "the bare name of a folder beside this one")
    home = directory.resolve().parent / name
    with _errors_name(home):
        network = _description(home / DESCRIPTION)
        if "weights" in network:
            raise _damaged(DESCRIPTION, "has no weights of its own to share")
    return home, {**network, **{key: description[key] for key in OWN if key in description}}


def _tokenizer(network: Mapping[str, Any]) -> Tokenizer:
    kind, words = _text(network, "tokenizer", "kind"), _words(network, "vocabulary")
    steps_per_beat = _steps_per_beat(network)
    if _at(network, "tokenizer", "beginning") is None:
        return tokenizer_from(kind, words, steps_per_beat)
    return tokenizer_from(kind, words, steps_per_beat, _words(network, "beginning"))


def _model(
    tflite: bytes, digest: str, states: Mapping[str, tuple[str, Shape]], condition: Array | None
) -> StepModel:
    carried, caches = ([name for name, (kind, _) in states.items() if kind == wanted] for wanted in KINDS)
    make = partial(StepModel, tflite, carried, caches, condition)
    if digest not in _survived:
        import_module("ai_edge_litert.interpreter")  # here, and not again in each trial
        trial.survive(WEIGHTS, partial(_try, make))
        _survived.add(digest)
    model = make()
    if model.state_shapes != {name: shape for name, (_, shape) in states.items()}:
        raise _damaged(DESCRIPTION, "the shapes of its states are not the model's")
    return model


def _try(make: Callable[[], StepModel]) -> None:
    """Make a model and play a little."""
    model = make()
    state = model.initial_state()
    for token in {*range(min(_TRIED, model.vocabulary_size)), model.vocabulary_size - 1}:
        with suppress(NeuralMIDIError):  # a composer that plays gets these, too
            _, state = model.step(state, token)


def write(directory: Path, tflite: bytes, description: Mapping[str, Any]) -> None:
    """Write a model's two files. A reader in between sees a wrong checksum, never half a file.

    Args:
        directory: made if missing.
        tflite: the exported model; with ``weights``, the one that is shared, which is not written again.
        description: the rest of model.json; ``format`` and ``sha256`` are added here.
    """
    whole = {"format": FORMAT, **description, "sha256": hashlib.sha256(tflite).hexdigest()}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    directory.mkdir(parents=True, exist_ok=True)
    files = {} if "weights" in description else {WEIGHTS: tflite}
    for name, content in {**files, DESCRIPTION: f"{text}\n".encode()}.items():
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
    """Return the names of all models in some directories, sorted, each once; benchmarks are no music."""
    found = (path for directory in directories for path in Path(directory).glob(f"*/{DESCRIPTION}"))
    return sorted({path.parent.name for path in found if not _is_benchmark(path)})


def _is_benchmark(path: Path) -> bool:
    try:
        return _description(path).get("benchmark") is True
    except NeuralMIDIError:
        return False  # it is listed, so that a player who tries it is told what is wrong


@contextmanager
def _errors_name(folder: Path) -> Iterator[None]:
    """Let an error begin with the folder that it is about."""
    try:
        yield
    except NeuralMIDIError as error:
        if error.what.startswith(str(folder)):
            raise
        raise NeuralMIDIError(f"{folder}: {error.what}", error.why, error.remedy) from error


def _read(path: Path) -> bytes:
    """Return a file's contents, refused before they are read if too large."""
    if not os.path.isfile(path):  # unlike Path's, it takes any name at all
        raise _damaged(path.name, "missing")
    limit = LIMITS[path.name]
    try:
        with path.open("rb") as file:
            content = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
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
    if not _can_be_shown(value):
        raise _malformed(keys, f"a text of up to {_LONGEST_TEXT} characters that can be shown")
    return value


def _can_be_shown(text: str) -> bool:
    """Whether it may stand in a menu, on a terminal, in a message of Pd."""
    return len(text) <= _LONGEST_TEXT and text.isprintable()


def _words(description: Mapping[str, Any], which: str) -> list[str]:
    keys = ("tokenizer", which)
    value = _at(description, *keys)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _malformed(keys, "a list of texts")
    if len(value) > _MOST_WORDS:
        raise _malformed(keys, f"a list of up to {_MOST_WORDS} texts")
    return value


def _flag(description: Mapping[str, Any], key: str) -> bool:
    value = description.get(key, False)
    if not isinstance(value, bool):
        raise _malformed((key,), "true or false")
    return value


def _condition_names(network: Mapping[str, Any]) -> tuple[str, ...]:
    if "condition" not in network:
        return ()
    keys = ("condition", "names")
    value = _at(network, *keys)
    texts = isinstance(value, list) and all(
        isinstance(name, str) and name and _can_be_shown(name) for name in value
    )
    if not texts or not value or len(set(value)) < len(value):
        raise _malformed(keys, "a list of names, each once")
    return tuple(value)


def _fixed_condition(description: Mapping[str, Any], names: Sequence[str]) -> Array | None:
    """Return what the shared network is fixed to; None: it is not shared, or has no condition."""
    if "weights" not in description or not names:
        return None
    keys = ("weights", "condition")
    value = _at(description, *keys)
    if not isinstance(value, dict) or not all(
        name in names and type(weight) in (int, float) and 0 <= weight <= 1 for name, weight in value.items()
    ):
        raise _malformed(keys, f"a number from 0 to 1 for some of: {', '.join(names)}")
    return np.array([value.get(name, 0) for name in names], np.float32)


def _nobody(names: Sequence[str]) -> Array | None:
    """Return the condition of no one in particular; None for a network without any."""
    return np.zeros(len(names), np.float32) if names else None


def _steps_per_beat(description: Mapping[str, Any]) -> int:
    keys = ("grid", "steps_per_beat")
    value = _at(description, *keys)
    if type(value) is not int or value not in _STEPS_PER_BEAT:
        raise _malformed(keys, f"a whole number, {_STEPS_PER_BEAT[0]} to {_STEPS_PER_BEAT[-1]}")
    return value


def _states(description: Mapping[str, Any]) -> dict[str, tuple[str, Shape]]:
    """Return the kind and the shape of each state by name, in order."""
    value = _at(description, "states")
    wanted = f"a list of {{name, shape, kind: {' or '.join(KINDS)}}}"
    if not isinstance(value, list):
        raise _malformed(("states",), wanted)
    states = {}
    for state in value:
        name, shape, kind = (_at(state, key) for key in ("name", "shape", "kind"))
        sizes = isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)
        if not isinstance(name, str) or name in states or not sizes or kind not in KINDS:
            raise _malformed(("states",), wanted)
        states[name] = (kind, tuple(shape))
    return states


def _damaged(file: str, why: str) -> NeuralMIDIError:
    return NeuralMIDIError(file, why, "copy the model's folder again, or train and export it again")


def _malformed(keys: Sequence[str], wanted: str) -> NeuralMIDIError:
    return _damaged(DESCRIPTION, f"'{'.'.join(keys)}' is not {wanted}")
