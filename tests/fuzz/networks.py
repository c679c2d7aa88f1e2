"""A .tflite file as nobody should export it. The one of a number is always the same for the same seed."""

import random
import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.fuzz.draws import one_of

Draw = random.Random
Holder = tuple[Any, Any]
"""A table and the name of a field of it, or a list and an index."""

IDENTIFIER = b"TFL3"
NUMBERS = (0, 1, -1, 2, 3, 4, 10, 11, 127, -128, 255, 2**15, 2**16, 2**20, 2**24, 10**9, 2**31 - 1, -(2**31))
NAMES = (b"", b"token", b"logits", b"step", b"\xff\xfe", b"x" * 70_000)
WORDS_32 = (0, 1, 2, 3, 4, 8, 0xFF, 0xFFFF, 1 << 20, 1 << 28, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
OPERATORS = 208
"""How many are built in."""
TRIES = 20
"""Until what has been drawn can be written down at all."""


def unpacked(tflite: bytes) -> Any:
    """The tables of a file, as objects."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(tflite), 0))


def packed(model: Any) -> bytes:
    """A file of these tables."""
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def noisy(draw: Draw, tflite: bytes) -> bytes:
    """A file, and what becomes of its bytes."""
    noise = one_of(draw, NOISE)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        tflite = noise(draw, tflite)
    return tflite


def rewritten(draw: Draw, tflite: bytes) -> bytes:
    """A file that is well formed, with other numbers, names and tensors in it."""
    for _ in range(TRIES):
        model = unpacked(tflite)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            _change(draw, model)
        try:
            return packed(model)
        except Exception:  # nobody could write this down: something else, then
            continue
    return tflite


# --- tables


def _holders(tree: Any) -> dict[str, list[Holder]]:
    """All that could be replaced, by the field that it is in, so that the rare is met as often."""
    found: dict[str, list[Holder]] = {}
    left = [("model", tree)]
    while left:
        name, value = left.pop()
        if isinstance(value, np.ndarray) or (isinstance(value, list) and len(value) > 5000):
            continue  # weights
        if isinstance(value, list):
            keys: list[Any] = list(range(len(value)))
            left += [(name, each) for each in value]
            found.setdefault(name, []).extend((value, key) for key in keys)
        elif hasattr(value, "__dict__"):
            for field, each in vars(value).items():
                found.setdefault(f"{type(value).__name__}.{field}", []).append((value, field))
                left.append((f"{type(value).__name__}.{field} items", each))
    return found


def _change(draw: Draw, model: Any) -> None:
    holders = {name: each for name, each in _holders(model).items() if each}
    holder, key = draw.choice(holders[draw.choice(sorted(holders))])
    old = holder[key] if isinstance(holder, list) else getattr(holder, key)
    new = _other(draw, key, old)
    if isinstance(holder, list):
        _change_list(draw, holder, key, new)
    else:
        setattr(holder, key, new)


def _other(draw: Draw, key: Any, old: Any) -> Any:
    if draw.random() < 0.1:
        return None
    if key in ("builtinCode", "deprecatedBuiltinCode"):
        return draw.randrange(OPERATORS)
    if isinstance(old, bool):
        return not old
    if isinstance(old, (int, np.integer)):
        return draw.choice((int(old) + draw.choice((1, -1)), draw.choice(NUMBERS), draw.randrange(40)))
    if isinstance(old, float):
        return draw.choice((0.0, -1.0, 1e38, float("nan"), float("inf")))
    if isinstance(old, bytes):
        return draw.choice(
            (b"", b"token", b"logits", b"step", b"\xff\xfe", old[:-1], old + b"x", b"x" * 70_000)
        )
    if isinstance(old, np.ndarray):
        numbers = old[: draw.randrange(len(old) + 1)] if draw.random() < 0.3 else old.copy()
        if len(numbers):
            numbers[draw.randrange(len(numbers))] = draw.choice((0, 1, 127, 128, 255))
        return numbers
    if isinstance(old, list):
        return draw.choice(([], old[:-1], old[::-1], old + old[:1], old[1:]))
    return draw.choice((None, old))


def _change_list(draw: Draw, values: list[Any], key: int, new: Any) -> None:
    how = draw.randrange(5)
    if how < 3:
        values[key] = new
    elif how == 3:
        values.insert(draw.randrange(len(values) + 1), values[key])
    else:
        del values[key]


# --- bytes


def _flipped(draw: Draw, tflite: bytes) -> bytes:
    place = draw.randrange(len(tflite))
    return tflite[:place] + bytes([tflite[place] ^ 1 << draw.randrange(8)]) + tflite[place + 1 :]


def _word(draw: Draw, tflite: bytes) -> bytes:
    place = draw.randrange(len(tflite)) & ~3
    return tflite[:place] + struct.pack("<I", draw.choice(WORDS_32)) + tflite[place + 4 :]


def _half(draw: Draw, tflite: bytes) -> bytes:
    """One of the many 16-bit offsets that say where a field is, 0 if nowhere."""
    place = draw.randrange(len(tflite)) & ~1
    return tflite[:place] + struct.pack("<H", draw.choice((0, 4, 8, 12, 16, 0xFFFF))) + tflite[place + 2 :]


def _copied(draw: Draw, tflite: bytes) -> bytes:
    here, there, size = draw.randrange(len(tflite)), draw.randrange(len(tflite)), draw.choice((4, 8, 16, 64))
    return tflite[:here] + tflite[there : there + size] + tflite[here + size :]


def _cut(draw: Draw, tflite: bytes) -> bytes:
    return tflite[: draw.randrange(1, len(tflite) + 1)]


NOISE: dict[Callable[[Draw, bytes], bytes], int] = {_flipped: 3, _word: 4, _half: 3, _copied: 2, _cut: 1}
