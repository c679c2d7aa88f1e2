"""What two hands do, as a network sees it: which keys are down, where in the bar, and what can follow."""

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

KEYS: Final = 88
LOWEST: Final = 21
"""MIDI pitch of a piano's first key."""
PLACE: Final = 4
"""Of the place: slots since the bar line, the bar's length in slots (0: unsaid), the cursor, the origin."""
REACH: Final = 36
"""Keys below and above the origin that the view from there shows: three octaves each way."""
BEATS: Final = 8
"""Beats of a bar that are told apart; the few longer bars share the last."""
COLUMNS: Final = 7
FORBIDDEN: Final = -100.0
"""Added to the logit of what cannot follow: as good as probability 0, and not so much that float32 loses the
digits that streamed and windowed logits are compared by."""

Action = tuple[str, int]
"""What a token does: ``start 0``, ``bar``, ``wait`` in slots, ``velocity`` level, ``off``, ``on`` pitch."""


@keras.saving.register_keras_serializable("neuralmidi")
class Hands(keras.layers.Layer):
    """A recurrent cell without weights that plays the tokens it reads on a keyboard.

    Run over a window by `keras.layers.RNN`, or called once per token: both see the same, since all it knows
    goes in and out as state. It computes in float32 whatever the policy, for it counts.

    State: the age of each key, ``[batch, 88]``, in slots since its attack plus 1; below 0 the same since it
    was let go; 0 before its first attack. And the place, ``[batch, 4]``. The cursor is what makes a slot's
    spelling unique: after the end of key k (from 1) it is k, after its attack 88 + k, after a velocity at
    least 88, and what follows must lie further on; after a wait it is 0, and -1 if the wait was not the
    longest, for then something must happen. The origin is the key that moved last in this slot, the lowest
    one down if none has: seen from there, music is alike in every key.

    Output, ``[batch, features + tokens + 1]``: the features (per key whether it is down, was attacked in
    this slot, and a memory of its age that fades over two beats, ``[88]`` each; slot of the beat and beat of
    the bar as one-hot vectors; the bar's length in whole notes; the view from the origin: keys down,
    attacked, and let go, which fades over a beat, ``[72]`` each); 1 or 0 for each token, whether it can
    follow; the origin, 0 to 87.

    Args:
        actions: what each token does, in the order of the vocabulary.
        steps_per_beat: slots of the grid in a quarter note.
    """

    def __init__(self, actions: Sequence[Action], steps_per_beat: int, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.actions = [(str(kind), int(value)) for kind, value in actions]
        self.steps_per_beat = steps_per_beat
        self.features = 3 * KEYS + steps_per_beat + BEATS + 1 + 3 * 2 * REACH
        self.state_size = [KEYS, PLACE]
        self.output_size = self.features + len(self.actions) + 1
        self._table = _table(self.actions)
        self._kinds = {
            kind: np.array([[float(kind == each) for each, _ in self.actions]], np.float32)
            for kind in ("velocity", "wait", "off", "on")
        }
        self._keys = np.array(
            [value - LOWEST if kind in ("off", "on") else 0 for kind, value in self.actions], np.int32
        )
        self.built = True

    def call(self, token: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Play one token ``[batch, 1]``."""
        age, place = states
        row = ops.take(ops.convert_to_tensor(self._table), ops.cast(token[:, 0], "int32"), axis=0)
        row = ops.cast(row, "float32")  # kept whole: int8 export would round a table of floats
        on, off = row[:, :KEYS], row[:, KEYS : 2 * KEYS]
        columns = (row[:, 2 * KEYS + column : 2 * KEYS + column + 1] for column in range(COLUMNS))
        wait, bar, is_bar, moves, least, cursor, goes_on = columns
        age = age * goes_on * (1 - off) * (1 - on) + on - off
        down, gone = ops.cast(age > 0, "float32"), ops.cast(age < 0, "float32")
        age = age + wait * (down - gone)
        slot = (place[:, :1] * goes_on + wait) * (1 - is_bar)
        length = place[:, 1:2] * goes_on * (1 - is_bar) + bar
        counted = length + 4 * self.steps_per_beat * ops.cast(length < 0.5, "float32")
        slot = slot - counted * ops.floor((slot + 0.5) / counted)
        cursor = ops.maximum(place[:, 2:3] * goes_on, least) * (1 - moves) + cursor
        moved = ops.sum(on + off, -1, keepdims=True)
        keys = np.arange(KEYS, dtype=np.float32)
        lowest = ops.min(keys * down + KEYS * (1 - down), -1, keepdims=True)
        lowest = lowest * ops.cast(lowest < KEYS, "float32")
        key = ops.sum((on + off) * keys, -1, keepdims=True)
        origin = key * moved + (1 - moved) * (lowest * moves + place[:, 3:] * (1 - moves))
        beat = ops.floor((slot + 0.5) / self.steps_per_beat)
        attacked = ops.cast(age < 1.5, "float32") * down * ops.cast(cursor > KEYS + 0.5, "float32")
        left = gone * ops.exp((1 - ops.abs(age)) / self.steps_per_beat)
        output = [
            down,
            attacked,
            down * ops.exp(-ops.abs(age) / (2 * self.steps_per_beat)),  # abs: 0 times infinity is not 0
            _one_hot(slot - beat * self.steps_per_beat, self.steps_per_beat),
            _one_hot(ops.minimum(beat, BEATS - 1), BEATS),
            counted / (4 * self.steps_per_beat),
            *(_view(keys, origin) for keys in (down, attacked, left)),
            self._legal(down, cursor),
            origin,
        ]
        return ops.concatenate(output, -1), [age, ops.concatenate([slot, length, cursor, origin], -1)]

    def _legal(self, down: Any, cursor: Any) -> Any:
        """Return for each token whether it can follow, ``[batch, tokens]``."""
        key_down = ops.take(down, self._keys, axis=1)
        place = self._keys.astype(np.float32)[None] + 1
        further = ops.cast(place > cursor + 0.5, "float32")
        further_on = ops.cast(place + KEYS > cursor + 0.5, "float32")
        return (
            self._kinds["off"] * key_down * further
            + self._kinds["on"] * (1 - key_down) * further_on
            + self._kinds["wait"] * ops.cast(cursor > -0.5, "float32")
            + self._kinds["velocity"]
        )

    def found_in(self, other: "Hands") -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return where another grid has each of its features, and how many times as large it is here.

        Of the same music they are equal, but that ages count from 1 in slots, whose fading depends on the
        grid. Its slots must be slots of the other grid, too.
        """
        finer = other.steps_per_beat // self.steps_per_beat
        beat = 3 * KEYS
        rest = np.arange(self.features - beat - self.steps_per_beat) + beat + other.steps_per_beat
        place = np.concatenate([np.arange(beat), beat + finer * np.arange(self.steps_per_beat), rest])
        larger = np.ones(self.features, np.float32)
        larger[2 * KEYS : beat] = np.exp(1 / (2 * other.steps_per_beat) - 1 / (2 * self.steps_per_beat))
        return place, larger

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return the state before any token: no key is down, no bar has begun."""
        return [ops.zeros((batch_size, KEYS)), ops.zeros((batch_size, PLACE))]

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        return {**super().get_config(), "actions": self.actions, "steps_per_beat": self.steps_per_beat}


def _table(actions: Sequence[Action]) -> np.ndarray:
    """Return what each token changes, a row per token (see the unpacking in `Hands.call`)."""
    table = np.zeros((len(actions), 2 * KEYS + COLUMNS), np.int32)
    on, off = table[:, :KEYS], table[:, KEYS : 2 * KEYS]
    wait, bar, is_bar, moves, least, cursor, goes_on = table[:, 2 * KEYS :].T
    least[:] = -1
    longest = max((value for kind, value in actions if kind == "wait"), default=0)
    goes_on[:] = 1
    for token, (kind, value) in enumerate(actions):
        moves[token] = kind != "velocity"
        if kind == "velocity":
            least[token] = KEYS  # attacks follow, no ends
        if kind == "start":
            goes_on[token] = 0
        elif kind == "bar":
            bar[token], is_bar[token] = value, 1
        elif kind == "wait":
            wait[token], cursor[token] = value, 0 if value == longest else -1
        elif kind == "off":
            off[token, value - LOWEST], cursor[token] = 1, value - LOWEST + 1
        elif kind == "on":
            on[token, value - LOWEST], cursor[token] = 1, KEYS + value - LOWEST + 1
    return table


def _one_hot(number: Any, size: int) -> Any:
    """Return ``[batch, size]`` for whole numbers kept as floats ``[batch, 1]``."""
    return ops.cast(ops.abs(number - np.arange(size, dtype=np.float32)) < 0.5, "float32")


def _view(keys: Any, origin: Any) -> Any:
    """Return the keys around the origin, ``[batch, 2 * REACH]``; none are down beyond the keyboard."""
    around = ops.cast(origin, "int32") + np.arange(2 * REACH, dtype=np.int32)[None]
    return ops.take_along_axis(ops.pad(keys, ((0, 0), (REACH, REACH))), around, axis=1)
