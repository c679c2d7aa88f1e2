"""A model's folder that nobody should have: it is loaded, and plays, or is refused with a reason."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from neuralmidi import bundle
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError

from tests.pd_runner import DATA

STEPS = 50
STEP_MS = 125.0
MODELS = ("tiny", "tiny2", "tiny_blend", "tiny_cache", "tiny_drums", "tiny_poly")
SHARED = "high"
"""It shares the weights of its neighbour `ALL`, a copy of ``tiny_blend``."""
ALL = "all"

MESSAGE = 1000
"""Characters: the longest message that a player is expected to read."""
TEXT = 1000
"""Of a name or a title."""
FORBIDDEN = ("exec", "compile", "import", "pickle.find_class", "os.system", "os.exec", "subprocess.Popen")
"""Events that Python reports before they happen: none of them once all is imported."""
LOOKED_AT = ("open", "os.listdir", "os.scandir")
HARMLESS = ("/dev/null", "/proc/self/statm")
"""What a trial opens."""


REASONS = {
    "not valid JSON: nested": "nested too deep",
    "not valid JSON": "not valid JSON",
    "no format version": "has no format version",
    "format ": "a format that this version does not know",
    "of the beginning is not in it": "a word of the beginning is not in the vocabulary",
    " is not a word of ": "not a word of its tokenizer",
    " belongs": "a word stands in the wrong place of the vocabulary",
    "is not a chord": "not a chord",
    "is not a time signature": "not a time signature",
    "does not fit a grid": "a bar does not fit the grid",
    "words for a model of": "more or fewer words than the model has tokens",
    "some of: ": "a fixed condition that makes no sense",
    "takes [": "other inputs or outputs than those of a step",
    "has the signatures": "other signatures than the one of a step",
    "not a fixed ": "an input or output of another shape or type",
    "a trial of it": "",
    "a step failed": "LiteRT: a step fails",
    "not a valid Flatbuffer": "LiteRT: not a valid Flatbuffer",
    "failed to prepare": "LiteRT: an operator cannot be prepared",
    "tflite/": "LiteRT: an operator cannot be prepared",
    "operators that LiteRT has not": "LiteRT: an operator is not built in",
    "egistration": "LiteRT: an operator is not built in",
    "find op for builtin": "LiteRT: an operator is not built in",
    "odec can't decode": "a name is not UTF-8",
    "ensor": "LiteRT: a tensor is not as it should be",
    "uffer": "LiteRT: a tensor is not as it should be",
}
"""What reasons have in common, by what stands in them; the first that fits. "": the whole of it."""
WIDE = 70


class ViolationError(Exception):
    """What must not happen."""


def make(root: Path) -> Mapping[str, Path]:
    """Make the folders that are spoilt, under a root in which nothing else is; by name."""
    for name in MODELS:
        shutil.copytree(DATA / name, root / name)
    shutil.copytree(DATA / "tiny_blend", root / ALL)
    tflite = (root / ALL / bundle.WEIGHTS).read_bytes()
    weights = {"of": ALL, "condition": {"high": 1}}
    bundle.write(root / SHARED, tflite, {"name": SHARED, "title": "High", "weights": weights})
    return {name: root / name for name in (*MODELS, SHARED)}


def play(folder: Path) -> str | None:
    """Load a model and let it compose.

    Returns:
        Why it was refused, without what differs from model to model; None: it played.

    Raises:
        ViolationError: a refusal lacks something, or what is shown of the model cannot be shown.
        Exception: anything else that must not happen.
    """
    try:
        loaded = bundle.load(folder)
    except NeuralMIDIError as error:
        _check(error, folder)
        return _reason(error)
    for text in (loaded.name, loaded.title, *loaded.condition_names):
        if len(text) > TEXT or not text.isprintable():
            raise ViolationError(f"this can be shown nowhere: {text[:40]!a}")
    try:
        _compose(loaded)
    except NeuralMIDIError as error:
        _check(error, None)
        return f"in a step: {_reason(error)}"
    return None


def _compose(loaded: bundle.Bundle) -> None:
    composer = Composer(loaded, seed=1)
    for name in loaded.condition_names[:1]:
        composer.blend(name)
    for number in range(STEPS):
        if number == STEPS // 2:
            composer.note(60, 100)
        if number == STEPS // 2 + 4:
            composer.note(60, 0)
        composer.step(STEP_MS)
    composer.info()


def _check(error: NeuralMIDIError, folder: Path | None) -> None:
    whole = all((error.what, error.why, error.remedy))
    named = folder is None or error.what.startswith(str(folder))
    if not (whole and named and str(error).isprintable() and len(str(error)) <= MESSAGE):
        raise ViolationError(
            f"not a message for a musician: {str(error)[:300]!a} ({len(str(error))} characters)"
        )
    if "does not survive its trial" in error.why:
        raise ViolationError(f"a trial did what it must not: {error}")


def _reason(error: NeuralMIDIError) -> str:
    for sign, reason in REASONS.items():
        if sign in error.why:
            return reason or error.why
    said = re.sub(r"'[^']*'$|\[.*\]|\(.*\)", "...", error.why.partition(": ")[0])
    return re.sub(r"-?\d+", "N", said)[:WIDE]


class Watch:
    """While it is entered, nothing but the files below a root is opened, nothing imported, nothing evaluated.

    It ends the process where it happens, or the copy of it in which a file is tried.
    """

    def __init__(self, root: Path) -> None:
        self.inside = f"{root}/"
        self.on = False
        sys.addaudithook(self._look)

    def __enter__(self) -> None:
        self.on = True

    def __exit__(self, *_: object) -> None:
        self.on = False

    def _look(self, event: str, arguments: Sequence[object]) -> None:
        if not self.on:
            return
        place = arguments[0] if event in LOOKED_AT else HARMLESS[0]
        below = isinstance(place, int) or str(place).startswith(self.inside) or place in HARMLESS
        if event in FORBIDDEN or not below:
            raise SystemExit(f"{event} {arguments}"[:300])  # nothing takes it for a fault of the file
