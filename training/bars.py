"""Bars of drums as a text file, a bar per line: what is hit in each of 16 steps, how hard and how late.

A line is JSON, here one broken at its commas (steps 4 to 16 left out)::

    {"bar": 0, "style": "funk 0.7 latin 0.3", "model": "drums",
     "tokens": ["kick+hat", "velocity 13", "late 0", "velocity 8", "late 1", "-", "hat", ...],
     "instruments": [["kick", "hat"], [], ["hat"], ...],
     "velocities": [[100, 60], [], [44], ...],
     "late": [[0.0, 0.0625], [], [-0.125], ...]}

``instruments`` has a list for each step, of names of `KIT`; ``velocities`` (1-127) and ``late`` (-0.5 to 0.5
steps behind the grid, below 0 before it) have a number for each of these names. ``tokens`` is the same in the
words of the model's vocabulary. To be read, a line needs the three lists alone.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import KIT

STEPS: Final = 16
"""Of a bar: 16ths of 4/4."""
STEPS_PER_BEAT: Final = 4
LATEST: Final = 0.5
"""Steps that a hit may be early or late."""
LOUDEST: Final = 127
MOST_BARS: Final = 10_000
LONGEST_LINE: Final = 64 << 10
"""Bytes: eight times the longest that is ever written. A damaged or hostile file must not fill the memory."""

_INSTRUMENTS: Final = {each.name: place for place, each in enumerate(KIT)}
_REMEDY: Final = "correct it, or write the file again with training.sample_bars"


class Hit(NamedTuple):
    """A hit.

    Attributes:
        place: of its instrument in `KIT`.
        velocity: 1-127.
        late: steps behind the grid, -0.5 to 0.5.
    """

    place: int
    velocity: int
    late: float


@dataclass(frozen=True)
class Bar:
    """A bar of drums.

    Attributes:
        steps: the hits of each of 16 steps.
        style: what it was asked to be, as a player writes it; empty: nothing in particular.
        model: who played it.
        tokens: the words that the model said.
    """

    steps: tuple[tuple[Hit, ...], ...]
    style: str = ""
    model: str = ""
    tokens: tuple[str, ...] = ()


def line_of(number: int, bar: Bar) -> str:
    """Return the line of a bar, without its end.

    Args:
        number: of the bar, from 0.
        bar: what is in it.
    """
    told = {
        "bar": number,
        "style": bar.style,
        "model": bar.model,
        "tokens": bar.tokens,
        "instruments": [[KIT[hit.place].name for hit in step] for step in bar.steps],
        "velocities": [[hit.velocity for hit in step] for step in bar.steps],
        "late": [[hit.late for hit in step] for step in bar.steps],
    }
    return json.dumps(told, ensure_ascii=False)


def read(path: Path) -> list[Bar]:
    """Read a file of bars.

    Raises:
        NeuralMIDIError: it cannot be read, has no bar or too many, or a line is not that of a bar: the text
            names the line.
    """
    bars: list[Bar] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(path, file), 1):
                if not line.strip():
                    continue
                if len(bars) == MOST_BARS:
                    raise NeuralMIDIError(str(path), f"has more than {MOST_BARS} bars", "split it")
                try:
                    bars.append(_bar(line))
                except ValueError as error:
                    raise NeuralMIDIError(f"{path}, line {number}", str(error), _REMEDY) from error
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise NeuralMIDIError(str(path), why, "name a file that training.sample_bars has written") from error
    if not bars:
        raise NeuralMIDIError(str(path), "there is no bar in it", "write it with training.sample_bars")
    return bars


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, then put it in its place: nobody ever reads half of it.

    Raises:
        NeuralMIDIError: it cannot be written; what was there stays.
    """
    try:
        if path.exists() and not path.is_file():  # a device's name would be taken from it
            raise OSError("there is something that is not a file")
        part = path.with_name(f"{path.name}.part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        why = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise NeuralMIDIError(str(path), why, "name a file in a folder that you may write to") from error


def _lines(path: Path, file: Any) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise NeuralMIDIError(f"{path}, line {number}", f"longer than {LONGEST_LINE >> 10} kB", _REMEDY)
        yield line


def _bar(line: bytes) -> Bar:
    """Return the bar of a line; a ValueError says what is wrong with it."""
    try:
        told = json.loads(line.decode())
    except RecursionError as error:
        raise ValueError("not JSON that is a bar: nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(told, dict):
        raise ValueError("not a bar: it has no 'instruments'")
    names, velocities, late = (_steps(told, key) for key in ("instruments", "velocities", "late"))
    steps = [_hits(*step) for step in zip(range(1, STEPS + 1), names, velocities, late, strict=True)]
    style, model = (str(told.get(key, "")) for key in ("style", "model"))
    tokens = told.get("tokens")
    return Bar(tuple(steps), style, model, tuple(map(str, tokens)) if isinstance(tokens, list) else ())


def _steps(told: dict[str, Any], key: str) -> Sequence[list[Any]]:
    if key not in told:
        raise ValueError(f"not a bar: it has no '{key}'")
    steps = told[key]
    if not isinstance(steps, list) or not all(isinstance(step, list) for step in steps):
        raise ValueError(f"'{key}' is not a list of {STEPS} lists, one for each step")
    if len(steps) != STEPS:
        raise ValueError(f"'{key}' has {len(steps)} steps, not {STEPS}")
    return steps


def _hits(number: int, names: list[Any], velocities: list[Any], late: list[Any]) -> tuple[Hit, ...]:
    """Return the hits of a step."""
    for key, values in (("velocities", velocities), ("late", late)):
        if len(values) != len(names):
            raise ValueError(f"step {number} has {len(names)} instruments, and {len(values)} '{key}'")
    hits = tuple(
        Hit(_place(number, name), _velocity(number, velocity), _late(number, lateness))
        for name, velocity, lateness in zip(names, velocities, late, strict=True)
    )
    if len({hit.place for hit in hits}) < len(hits):
        raise ValueError(f"step {number} has an instrument twice")
    return hits


def _place(number: int, name: object) -> int:
    if not isinstance(name, str) or name not in _INSTRUMENTS:
        there = ", ".join(_INSTRUMENTS)
        raise ValueError(f"step {number}: there is no instrument {_short(name)}, but {there}")
    return _INSTRUMENTS[name]


def _velocity(number: int, value: object) -> int:
    if type(value) is not int or not 1 <= value <= LOUDEST:
        raise ValueError(f"step {number}: the velocity {_short(value)} is not a whole number, 1 to {LOUDEST}")
    return value


def _late(number: int, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LATEST <= value <= LATEST:
        raise ValueError(f"step {number}: {_short(value)} late is not a number from {-LATEST} to {LATEST}")
    return float(value)


def _short(value: object) -> str:
    return repr(value)[:40]


def text(bars: Iterable[Bar]) -> str:
    """Return the text of a file of bars."""
    return "".join(f"{line_of(number, bar)}\n" for number, bar in enumerate(bars))
