"""What a remote control knows of an instrument, and what its keys ask for.

`Remote` has no terminal, no socket and no clock: messages and the time go in, messages to send come out.
`pd_patches/OSC.md` is the page of the messages.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Final, NamedTuple

from .controls import CONTROLS, PITCH, TEMPO, VELOCITY, Control
from .errors import printable
from .osc import Argument
from .wishes import NUMBERS

CHANNEL: Final = CONTROLS["channel"]

TURNS: Final[Mapping[str, tuple[Control, float]]] = {
    "t": (CONTROLS["temperature"], 0.05),
    "g": (CONTROLS["temperature"], -0.05),
    "d": (CONTROLS["density"], 0.05),
    "f": (CONTROLS["density"], -0.05),
    "i": (CONTROLS["intensity"], 0.05),
    "k": (CONTROLS["intensity"], -0.05),
    "up": (TEMPO, 1),
    "down": (TEMPO, -1),
}
"""The keys that turn a control: which, and by how much."""
PLAY, PANIC, CHOOSE, QUIT = "space", "p", "c", "q"
"""The other keys."""
KEYS: Final = (
    ("T G", "temperature"),
    ("D F", "density"),
    ("I K", "intensity"),
    ("↑ ↓", "tempo"),
    ("C", "composer"),
    ("Space", "play/stop"),
    ("P", "panic"),
    ("Q", "quit"),
)
"""All keys as a player reads them."""

SENTENCES: Final = ("blend", "style", "fill", "parts")
"""What an instrument tells of itself in several words."""
ANSWERED = 2.0
"""Seconds after its last message for which an instrument is held to be there."""
FOLLOWED = 2.5
"""Seconds after its last ``/ping`` for which an instrument is held to know us: it sends one a second."""
PENDING = 1.0
"""Seconds for which a wish that is not answered counts as asked for."""
TOLD = 20.0
"""Seconds for which an error is worth reading."""
LONGEST = 300
"""Characters of a text from outside."""

Value = float | str


class Wish(NamedTuple):
    """A message to the instrument.

    Attributes:
        path: OSC address, with its slash.
        arguments: numbers and strings.
    """

    path: str
    arguments: tuple[Argument, ...] = ()


FAREWELL: Final = ("/play", 0)
"""Stops, and ends every note."""


class Remote:
    """What is known of an instrument, from what it says; what it does not say is not assumed.

    Args:
        port: where this remote itself listens.

    Attributes:
        values: what it has told of itself, by the name of the message: ``temperature``, ``composer`` ...
        composers: the names that may be chosen.
        sounding: velocity of each sounding note, by channel and pitch.
        step: number of the running step; None: it is not known.
        steps_per_beat: the grid.
        steps_per_bar: the grid.
        error: what went wrong last, "" after `TOLD` seconds.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard_at = self.pinged_at = self.failed_at = -inf
        self.error = ""
        self._forget()

    def _forget(self) -> None:
        self.values: dict[str, Value] = {}
        self.composers: tuple[str, ...] = ()
        self.sounding: dict[tuple[int, int], int] = {}
        self.step: int | None = None
        self.steps_per_beat, self.steps_per_bar = 4, 16
        self._asked: dict[str, tuple[Value, float]] = {}
        self._listed: tuple[str, ...] = ()
        self._to_list = 0

    def answers(self, now: float) -> bool:
        """Whether it is there: anything came from it of late."""
        return now - self.heard_at < ANSWERED

    def asked(self, name: str, now: float) -> Value | None:
        """What was asked for and has not been answered yet."""
        value, at = self._asked.get(name, (None, -inf))
        return value if now - at < PENDING else None

    @property
    def playing(self) -> bool:
        """Whether its own clock runs."""
        return bool(self.values.get("play"))

    @property
    def place(self) -> tuple[int, int] | None:
        """Bar and beat, both from 1; None: it has not played yet."""
        if self.step is None:
            return None
        bar, step = divmod(self.step, self.steps_per_bar)
        return bar + 1, step // self.steps_per_beat + 1

    def press(self, key: str, now: float) -> list[Wish]:
        """Return what a key asks for; what it leads to is known when the instrument says so.

        Args:
            key: one of `TURNS`, `PLAY` or `PANIC`; others ask for nothing.
            now: seconds on any clock.
        """
        if key in TURNS:
            control, by = TURNS[key]
            wanted = round(float(self._latest(control.name, control.default, now)) + by, 2)
            return [self._ask(control.name, min(control.high, max(control.low, wanted)), now)]
        if key == PLAY:
            return [self._ask("play", 0 if self._latest("play", 0, now) else 1, now)]
        return [Wish("/panic")] if key == PANIC else []

    def choose(self, composer: str, now: float) -> list[Wish]:
        """Return what asks for another composer."""
        return [self._ask("composer", composer, now)]

    def _latest(self, name: str, default: float, now: float) -> Value:
        """What a key counts from: a key that is held down is faster than the answers may be."""
        asked = self.asked(name, now)
        return self.values.get(name, default) if asked is None else asked

    def _ask(self, name: str, value: Value, now: float) -> Wish:
        self._asked[name] = value, now
        return Wish(f"/{name}", (value,))

    def tick(self, now: float) -> list[Wish]:
        """Return what is to be sent every second, for the instrument to know us and we it."""
        if not self.answers(now):
            self.sounding.clear()
        if now - self.failed_at >= TOLD:
            self.error = ""
        ping = Wish("/ping", (self.port,))
        return [ping] if now - self.pinged_at < FOLLOWED else [ping, Wish("/subscribe", (self.port,))]

    def hear(self, path: str, arguments: Sequence[Argument], now: float) -> list[Wish]:
        """Take in a message of the instrument, of whatever content; return what answers it."""
        self.heard_at = now
        if path == "/ping":
            self.pinged_at = now
            return [Wish("/pong", tuple(arguments))]
        if path == "/status":
            return self._status(arguments, now)
        if path in _MUSIC:
            _MUSIC[path](self, arguments)
        return []

    def _status(self, arguments: Sequence[Argument], now: float) -> list[Wish]:
        word, *values = arguments or ("",)
        if word == "error":
            self.error, self.failed_at = _text(values), now
            self._asked.clear()
        elif word == "subscribed" and _whole(values[-1:]) == self.port:
            self._forget()
            self.pinged_at = now
            return [Wish("/models"), Wish("/info")]
        elif word == "info":
            word, *values = values or ("",)
            _INFO.get(str(word), Remote._told)(self, str(word), values)
        else:
            _STATUS.get(str(word), Remote._told)(self, str(word), values)
        return []

    def _told(self, name: str, values: Sequence[Argument]) -> None:
        """A value, as it is now."""
        value = _number(values)
        if name in SENTENCES:
            self.values[name] = _text(values)
        elif name in NUMBERS and len(values) == 1 and value is not None:
            self.values[name] = value
            asked = self._asked.get(name, (None, 0))[0]
            if isinstance(asked, int | float) and abs(asked - value) < 1e-4:  # float32 is not exact
                del self._asked[name]

    def _composer(self, _: str, values: Sequence[Argument]) -> None:
        self.values["composer"] = _text(values)
        self._asked.pop("composer", None)

    def _playing(self, _: str, values: Sequence[Argument]) -> None:
        self._told("play", values)

    def _models(self, _: str, values: Sequence[Argument]) -> None:
        self._listed, self._to_list = (), _positive(values)

    def _model(self, _: str, values: Sequence[Argument]) -> None:
        """One of the composers; the old list counts until the new one is whole."""
        self._listed = tuple(sorted({*self._listed, _text(values)}))
        whole = len(self._listed) >= self._to_list
        self.composers = self._listed if whole else tuple(sorted({*self.composers, *self._listed}))

    def _grid(self, _: str, values: Sequence[Argument]) -> None:
        self._steps_per_beat("", values[:1])
        self._steps_per_bar("", values[1:])

    def _steps_per_beat(self, _: str, values: Sequence[Argument]) -> None:
        self.steps_per_beat = _positive(values) or self.steps_per_beat

    def _steps_per_bar(self, _: str, values: Sequence[Argument]) -> None:
        self.steps_per_bar = _positive(values) or self.steps_per_bar

    def _step_ms(self, _: str, values: Sequence[Argument]) -> None:
        """The tempo of an instrument that does not tell it."""
        step_ms = _number(values) or 0
        if step_ms > 0 and "tempo" not in self.values:
            self.values["tempo"] = round(60000 / step_ms / self.steps_per_beat, 1)

    def _underruns(self, _: str, values: Sequence[Argument]) -> None:
        self.values["underruns"] = _number(values) or 0.0

    def _now(self, _: str, values: Sequence[Argument]) -> None:
        self._step(values)

    def _step(self, arguments: Sequence[Argument]) -> None:
        step = _whole(arguments[:1])
        if step is not None and step >= 0:
            self.step = step

    def _note_on(self, arguments: Sequence[Argument]) -> None:
        pitch, velocity, channel = _note(arguments[:1], arguments[1:2], arguments[2:])
        if pitch is None or velocity is None or channel is None:
            return
        if velocity:
            self.sounding[channel, pitch] = velocity
        else:
            self.sounding.pop((channel, pitch), None)

    def _note_off(self, arguments: Sequence[Argument]) -> None:
        self._note_on((*arguments[:1], 0, *arguments[1:]))

    def _note_vel(self, arguments: Sequence[Argument]) -> None:
        pitch, velocity, channel = _note(arguments[:1], arguments[1:2], arguments[2:])
        if pitch is not None and channel is not None and velocity and (channel, pitch) in self.sounding:
            self.sounding[channel, pitch] = velocity

    def _notes(self, arguments: Sequence[Argument]) -> None:
        """Everything that sounds; whatever was lost or came in the wrong order is mended by it."""
        known, self.sounding = self.sounding, {}
        for pair in zip(arguments[::2], arguments[1::2], strict=False):
            pitch, velocity, channel = _note(pair[:1], (VELOCITY.default,), pair[1:])
            if pitch is not None and velocity is not None and channel is not None:
                self.sounding[channel, pitch] = known.get((channel, pitch), velocity)


_MUSIC: Final[Mapping[str, Callable[[Remote, Sequence[Argument]], None]]] = {
    "/note_on": Remote._note_on,
    "/note_off": Remote._note_off,
    "/note_vel": Remote._note_vel,
    "/notes": Remote._notes,
    "/step": Remote._step,
}
_Hear = Callable[[Remote, str, Sequence[Argument]], None]
_STATUS: Final[Mapping[str, _Hear]] = {
    "ready": Remote._composer,
    "composer": Remote._composer,
    "models": Remote._models,
    "model": Remote._model,
    "grid": Remote._grid,
    "underrun": Remote._underruns,
}
_INFO: Final[Mapping[str, _Hear]] = {
    "composer": Remote._composer,
    "playing": Remote._playing,
    "steps_per_beat": Remote._steps_per_beat,
    "steps_per_bar": Remote._steps_per_bar,
    "step_ms": Remote._step_ms,
    "step": Remote._now,
    "underruns": Remote._underruns,
}
"""Who takes in a message; any other word is a value of that name, or of no interest."""


def _number(values: Sequence[Argument]) -> float | None:
    """The first, if it is a finite number."""
    return float(values[0]) if values and not isinstance(values[0], str) and isfinite(values[0]) else None


def _whole(values: Sequence[Argument]) -> int | None:
    value = _number(values)
    return None if value is None or value % 1 else int(value)


def _positive(values: Sequence[Argument]) -> int:
    return max(0, _whole(values) or 0)


def _note(*arguments: Sequence[Argument]) -> tuple[int | None, ...]:
    """Pitch, velocity and channel, each None if it is not legal; without a channel it is 1."""
    pitch, velocity, channel = arguments
    found = zip((PITCH, VELOCITY, CHANNEL), (pitch, velocity, channel or (1,)), strict=True)
    return tuple(_within(control, _whole(values)) for control, values in found)


def _within(control: Control, value: int | None) -> int | None:
    return value if value is not None and control.low <= value <= control.high else None


def _text(values: Sequence[Argument]) -> str:
    words = (value if isinstance(value, str) else f"{value:g}" for value in values)
    return printable(" ".join(words)[:LONGEST])
