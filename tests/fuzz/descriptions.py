"""model.json as nobody should write it. The one of a number is always the same for the same seed."""

import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.draws import one_of

Draw = random.Random
Tree = Any
Place = tuple[Any, Any]
"""A list or an object, and an index or a key of it."""

NUMBERS = (0, 1, -1, 2, 3, 4, 10, 96, 97, 0.5, 4.0, 2**31, 10**9, 10**12, -(10**12), 10**4000, 1e308, 1e-320)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
WORDS = (
    *("", " ", "all", "tiny", "high", "low", "..", ".", "/", "/etc", "../all", "all/../all", "all/", "a\0b"),
    *("/etc/passwd", "\\", "C:\\", "~", "~root", "chords", "poly", "drums", "carried", "cache", "step"),
    *("<start>", "<unknown>", "<rest>", "-", "60", "60,64", "128", "-1", "0060", "60,60", "64,60", "٣"),
    *("bar 4/4", "bar 0/0", "bar 99/1", "bar 1/64", "wait 1", "wait 9999", "on 60", "off 60", "velocity 1"),
    *("kick", "kick+hat", "hat+kick", "late 0", "token", "logits", "condition", "state_memory", "0" * 64),
    *("\ud800", "\udfff x", "\n", "\x1b[2J", "‮", "ä", "\U0001f941", "%s%n", "__class__", "x" * 300),
    *("x" * 100_000, "60," * 30_000),
)
KEYS = (
    *("format", "name", "title", "weights", "of", "condition", "names", "tokenizer", "kind", "vocabulary"),
    *("beginning", "grid", "steps_per_beat", "states", "shape", "sha256", "benchmark", "__proto__", ""),
)
DEEP = 3000
LONG = (100, 3000, 70_000)
"""Values in a list."""
SHORT = 1000
"""Characters of a text, or values of a list, that may be repeated often."""
MANY = 8
"""Values: of more than so many in a list only these are ever spoilt, the first and the last."""
ENOUGH = 1 << 20
"""Bytes: what is as long is spoilt no further."""


def spoilt(draw: Draw, text: bytes) -> bytes:
    """A description, and what becomes of it."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if len(text) > ENOUGH:
            break
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            return _in_bytes(draw, text)
        text = one_of(draw, SPOILT)(draw, tree)
    return text


def noisy(draw: Draw, text: bytes) -> bytes:
    """A description, and what becomes of its bytes."""
    for _ in range(draw.choice((1, 1, 2, 8))):
        text = _in_bytes(draw, text)
    return text


def _in_bytes(draw: Draw, text: bytes) -> bytes:
    return draw.choice(NOISE)(draw, text)


# --- what is still JSON


def _places(tree: Tree) -> list[Place]:
    """Where something could be replaced. Of a long list only some, or nothing else would ever be met."""
    found: list[Place] = []
    left = [tree]
    while left:
        value = left.pop()
        keys = list(value) if isinstance(value, dict) else list(range(_length(value)))
        some = keys if len(keys) < MANY else [*keys[: MANY - 2], *keys[-2:]]
        found += [(value, key) for key in some]
        left += [value[key] for key in some]
    return found


def _length(value: Tree) -> int:
    return len(value) if isinstance(value, list) else 0


def _place(draw: Draw, tree: Tree) -> Place:
    """Somewhere; a place near the root as likely as all those below it."""
    places = _places(tree)
    near = [place for place in places if place[0] is tree]
    return draw.choice(draw.choice((near, places)) or [([None], 0)])


def _value(draw: Draw) -> Tree:
    kind = draw.randrange(8)
    if kind < 2:
        return draw.choice(NUMBERS)
    if kind < 4:
        return draw.choice(WORDS)
    simple: tuple[Tree, ...] = (None, True, False, [], {}, [[]], draw.choice(NOT_FINITE), draw.choice(WORDS))
    if kind < 6:
        return draw.choice(simple)
    if kind == 6:
        value = draw.choice(simple)
        return [value] * (3 if isinstance(value, str) and len(value) > SHORT else draw.choice(LONG))
    return {draw.choice(KEYS): draw.choice(simple) for _ in range(draw.randrange(4))}


def _replaced(draw: Draw, tree: Tree) -> bytes:
    holder, key = _place(draw, tree)
    holder[key] = _value(draw)
    return _text(tree)


def _retyped(draw: Draw, tree: Tree) -> bytes:
    holder, key = _place(draw, tree)
    value = holder[key]
    others = (str(value)[:1000], [value], {"0": value}, {str(value)[:1000]: None}, float("nan"), None)
    holder[key] = draw.choice(others)
    return _text(tree)


def _missing(draw: Draw, tree: Tree) -> bytes:
    holder, key = _place(draw, tree)
    del holder[key]
    return _text(tree)


def _added(draw: Draw, tree: Tree) -> bytes:
    holder, _ = _place(draw, tree)
    value = _value(draw)
    if isinstance(holder, dict):
        holder[draw.choice((draw.choice(KEYS), draw.choice(WORDS)))] = value
    else:
        holder.insert(draw.randrange(len(holder) + 1), value)
    return _text(tree)


def _moved(draw: Draw, tree: Tree) -> bytes:
    """Two values change their places, or one stands in both."""
    (one, at), (other, there) = _place(draw, tree), _place(draw, tree)
    if draw.random() < 0.5:
        one[at], other[there] = other[there], one[at]
    else:
        one[at] = json.loads(json.dumps(other[there]))
    try:
        return _text(tree)
    except ValueError:  # something is now within itself
        return b"{}"


def _list(draw: Draw, tree: Tree) -> bytes:
    """One of its lists is longer, shorter, or in another order."""
    lists = [holder for holder, _ in _places(tree) if isinstance(holder, list)]
    if lists:
        values = draw.choice(lists)
        how = draw.randrange(4)
        if how == 0:
            del values[draw.randrange(len(values)) :]
        elif how == 1:
            values *= draw.choice((2, 50 if len(values) < SHORT else 2))
        elif how == 2:
            draw.shuffle(values)
        else:
            values.append(values[draw.randrange(len(values))])
    return _text(tree)


def _borrowed(draw: Draw, tree: Tree) -> bytes:
    """The weights are somebody else's."""
    if isinstance(tree, dict):
        condition = draw.choice(({}, {"high": 1}, {"low": 0.5, "high": 0.5}, _value(draw)))
        tree["weights"] = {"of": draw.choice(WORDS), "condition": condition}
    return _text(tree)


def _twice(draw: Draw, tree: Tree) -> bytes:
    """A key stands there twice."""
    value = _text(_value(draw))
    return b"{" + f'"{draw.choice(KEYS)}": '.encode() + value + b", " + _text(tree)[1:]


def _abyss(draw: Draw, tree: Tree) -> bytes:
    before, after = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = draw.choice((50, 900, DEEP, 300_000))
    return b'{"format": 2, "name": ' + before * deep + b"1" + after * deep + b", " + _text(tree)[1:]


def _text(tree: Tree) -> bytes:
    return json.dumps(tree).encode()


SPOILT: dict[Callable[[Draw, Tree], bytes], int] = {
    _replaced: 30,
    _retyped: 10,
    _missing: 10,
    _added: 10,
    _moved: 8,
    _list: 12,
    _borrowed: 6,
    _twice: 3,
    _abyss: 1,
}
"""What becomes of it, and how often."""


# --- what may not be


def _flipped(draw: Draw, text: bytes) -> bytes:
    if not text:
        return b"\0"
    place = draw.randrange(len(text))
    return text[:place] + bytes([text[place] ^ 1 << draw.randrange(8)]) + text[place + 1 :]


def _cut(draw: Draw, text: bytes) -> bytes:
    return text[: draw.randrange(len(text) + 1)]


def _without(draw: Draw, text: bytes) -> bytes:
    begin = draw.randrange(len(text) + 1)
    return text[:begin] + text[begin + draw.choice((1, 2, 10, 100)) :]


def _inserted(draw: Draw, text: bytes) -> bytes:
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice(PIECES) + text[place:]


def _repeated(draw: Draw, text: bytes) -> bytes:
    begin, end = sorted(draw.choices(range(len(text) + 1), k=2))
    return text[:end] + text[begin:end] + text[end:]


NOISE = (_flipped, _flipped, _cut, _without, _inserted, _inserted, _repeated)
PIECES = (
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\\ud800",
        b"\\u0000",
    ),
    *(b"NaN", b"Infinity", b"-", b"e999", b"9" * 5000, b"null", b"[" * 2000, b'{"a":' * 2000, b"\r\n", b"//"),
)
