"""What is fuzzed of a model's folder: model.json, and the .tflite file, each in some ways."""

import hashlib
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from neuralmidi import bundle
from neuralmidi.quiet import quiet

from tests.fuzz import descriptions, folders, networks, workers
from tests.fuzz.draws import draw_of
from tests.fuzz.kinds import Kind, Outcome
from tests.fuzz.workers import Case

Spoil = Callable[[random.Random, bytes], bytes]

HEADING = ("cases", "played", "refused", "for reasons")
GUIDED = "guided"
FRESH = 0.2
"""How often a guided case begins from a sound description, and not from one that led somewhere new."""
MODULES = (str(Path(bundle.__file__)), str(Path(bundle.__file__).parent / "tokenizer"))
"""Where a guided run looks which lines are reached."""


def _outcome(answers: Counter[str | None]) -> Outcome:
    played = answers.pop(None, 0)
    reasons = Counter({why: count for why, count in answers.items() if why is not None})
    return Outcome((played + reasons.total(), played, reasons.total(), len(reasons)), reasons)


@contextmanager
def _folders() -> Iterator[Mapping[str, Path]]:
    """All models, warm: whatever they import when they first play, they have."""
    with tempfile.TemporaryDirectory() as root:
        made = folders.make(Path(root))
        with quiet():
            refused = {name: why for name, folder in made.items() if (why := folders.play(folder))}
        if refused:
            raise RuntimeError(f"sound models are refused: {refused}")
        yield made


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


# --- model.json


def _json(spoil: Spoil, seed: int, made: Mapping[str, Path]) -> Case:
    sound = {name: (folder / bundle.DESCRIPTION).read_bytes() for name, folder in made.items()}

    def case(number: int) -> str | None:
        draw = draw_of(seed, number)
        name = draw.choice(list(made))
        return _described(made[name], spoil(draw, sound[name]))

    return case


def _described(folder: Path, description: bytes) -> str | None:
    _put(folder / bundle.DESCRIPTION, description)
    return folders.play(folder)


def _guided(seed: int, made: Mapping[str, Path]) -> Case:
    """What reaches lines that nothing before has reached is spoilt further."""
    sound = [(name, (folder / bundle.DESCRIPTION).read_bytes()) for name, folder in made.items()]
    kept: list[tuple[str, bytes]] = []
    reached: set[tuple[Any, int, int]] = set()

    def case(number: int) -> str | None:
        draw = draw_of(seed, number)
        name, text = draw.choice(sound if not kept or draw.random() < FRESH else kept)
        text = draw.choice((descriptions.spoilt, descriptions.noisy))(draw, text)
        before = len(reached)
        sys.settrace(partial(_trace, reached))
        try:
            answer = _described(made[name], text)
        finally:
            sys.settrace(None)
        if len(reached) > before and len(text) < bundle.LIMITS[bundle.DESCRIPTION]:
            kept.append((name, text))
        return answer

    return case


def _trace(reached: set[tuple[Any, int, int]], frame: FrameType, event: str, _: object) -> Any:
    """Follow the calls of a model's loading, and from which line to which each goes."""
    if not frame.f_code.co_filename.startswith(MODULES):
        return None
    last = frame.f_lineno

    def line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal last
        reached.add((frame.f_code, last, frame.f_lineno))
        last = frame.f_lineno
        return line

    return line


# --- model.tflite


def _tflite(spoil: Spoil, seed: int, made: Mapping[str, Path]) -> Case:
    own = {name: folder for name, folder in made.items() if (folder / bundle.WEIGHTS).exists()}
    sound = {name: (folder / bundle.WEIGHTS).read_bytes() for name, folder in own.items()}
    described = {name: json.loads((folder / bundle.DESCRIPTION).read_bytes()) for name, folder in own.items()}

    def case(number: int) -> str | None:
        draw = draw_of(seed, number)
        name = draw.choice(list(own))
        tflite = spoil(draw, sound[name])
        checksum = {"sha256": hashlib.sha256(tflite).hexdigest()}  # as whoever means harm would have it
        _put(own[name] / bundle.WEIGHTS, tflite)
        return _described(own[name], json.dumps({**described[name], **checksum}).encode())

    return case


# --- the kinds

Start = Callable[[int, Mapping[str, Path]], Case]
DESCRIPTIONS: Mapping[str, Start] = {
    "structure": partial(_json, descriptions.spoilt),
    "text": partial(_json, descriptions.noisy),
    GUIDED: _guided,
}
NETWORKS: Mapping[str, Start] = {
    "bytes": partial(_tflite, networks.noisy),
    "tables": partial(_tflite, networks.rewritten),
}


def _run(parts: Mapping[str, Start], name: str, seed: int, cases: range) -> Outcome:
    with _folders() as made:
        start = partial(_watched, parts[name], seed, made)
        answers = workers.run(name, start, cases, alone=name != GUIDED)
    return _outcome(answers)


def _watched(start: Start, seed: int, made: Mapping[str, Path]) -> Case:
    case = start(seed, made)
    watch = folders.Watch(made[folders.SHARED].parent)

    def watched(number: int) -> str | None:
        with watch:
            return case(number)

    return watched


JSON = Kind("model.json", HEADING, DESCRIPTIONS, 30_000, partial(_run, DESCRIPTIONS))
TFLITE = Kind("the .tflite file", HEADING, NETWORKS, 30_000, partial(_run, NETWORKS))
