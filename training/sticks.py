"""What a drummer does, as a network sees it: where in the bar, what the last bars had, what can follow."""

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from neuralmidi.kit import KIT

INSTRUMENTS: Final = len(KIT)
BARS: Final = 2
"""Bars that are remembered, to be seen slot by slot: most slots are what they were a bar ago."""
PLACE: Final = 2 + INSTRUMENTS
"""Of the place: slot of the bar, whether a velocity has been told, and what is hit that is not told yet."""
FORBIDDEN: Final = -100.0
"""Added to the logit of what cannot follow, see `training.hands`."""

Action = tuple[str, int]
"""What a token does: ``start 0``, ``unknown 0``, ``hit`` mask, ``velocity`` level, ``late`` sixteenths."""


@keras.saving.register_keras_serializable("neuralmidi")
class Sticks(keras.layers.Layer):
    """A recurrent cell without weights that plays the tokens it reads on a drum kit.

    Run over a window by `keras.layers.RNN`, or called once per token: both see the same, since all it knows
    goes in and out as state: the place, ``[batch, PLACE]``, and what was hit in the last slots, the newest
    first, ``[batch, BARS * slots of a bar * INSTRUMENTS]``.

    Output, ``[batch, features + tokens]``: the features (slot of the bar as a one-hot vector; what is not
    told yet; the instrument that is told next, as a one-hot vector; whether its velocity has been; what was
    hit a bar, two bars before the slot that comes next); 1 or 0 for each token, whether it can follow.

    Args:
        actions: what each token does, in the order of the vocabulary.
        steps_per_beat: slots of the grid in a quarter note; four beats are a bar.
    """

    def __init__(self, actions: Sequence[Action], steps_per_beat: int, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.actions = [(str(kind), int(value)) for kind, value in actions]
        self.steps_per_beat = steps_per_beat
        self.slots = 4 * steps_per_beat
        self.features = self.slots + 2 * INSTRUMENTS + 1 + BARS * INSTRUMENTS
        self.state_size = [PLACE, BARS * self.slots * INSTRUMENTS]
        self.output_size = self.features + len(self.actions)
        self._table = _table(self.actions)
        self._kinds = {
            kinds[0]: np.array([[float(kind in kinds) for kind, _ in self.actions]], np.float32)
            for kinds in (("hit", "unknown"), ("velocity",), ("late",))
        }
        self.built = True

    def call(self, token: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Play one token ``[batch, 1]``."""
        place, past = states
        row = ops.take(ops.convert_to_tensor(self._table), ops.cast(token[:, 0], "int32"), axis=0)
        row = ops.cast(row, "float32")  # kept whole: int8 export would round a table of floats
        bits, (hits, velocity, late, slot_alone, goes_on) = (
            row[:, :INSTRUMENTS],
            (row[:, INSTRUMENTS + column : INSTRUMENTS + column + 1] for column in range(5)),
        )
        untold = (place[:, 2:] - late * _first(place[:, 2:])) * goes_on
        untold = ops.maximum(hits * bits + (1 - hits) * untold, 0.0)
        left = ops.cast(ops.sum(untold, -1, keepdims=True) > 0.5, "float32")
        over = (1 - left) * ops.maximum(late, ops.maximum(hits, slot_alone))
        slot = (place[:, :1] + over) * goes_on
        slot = slot * ops.cast(slot < self.slots - 0.5, "float32")
        past = ops.where(
            hits + slot_alone > 0.5, ops.concatenate([bits, past[:, :-INSTRUMENTS]], -1), past * goes_on
        )
        told = velocity * left
        bar = self.slots * INSTRUMENTS
        ago = [past[:, end - INSTRUMENTS : end] for end in range(bar, BARS * bar + 1, bar)]
        how = self._kinds["late"] * told + self._kinds["velocity"] * (1 - told)
        output = [
            ops.cast(ops.abs(slot - np.arange(self.slots, dtype=np.float32)) < 0.5, "float32"),
            untold,
            _first(untold),
            told,
            *ago,
            self._kinds["hit"] * (1 - left)
            + left * (self._kinds["late"] * told + self._kinds["velocity"] * (1 - told)),
        ]
        return ops.concatenate(output, -1), [ops.concatenate([slot, told, untold], -1), past]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return the state before any token: a bar begins, nothing has been hit."""
        return [ops.zeros((batch_size, size)) for size in self.state_size]

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        return {**super().get_config(), "actions": self.actions, "steps_per_beat": self.steps_per_beat}


def _first(hits: Any) -> Any:
    """Return the first of some hits alone, ``[batch, INSTRUMENTS]``."""
    before = ops.matmul(hits, np.triu(np.ones((INSTRUMENTS, INSTRUMENTS), np.float32), 1))
    return hits * ops.cast(before < 0.5, "float32")


def _table(actions: Sequence[Action]) -> np.ndarray:
    """Return what each token changes, a row per token (see the unpacking in `Sticks.call`)."""
    table = np.zeros((len(actions), INSTRUMENTS + 5), np.int32)
    hits, velocity, late, slot_alone, goes_on = table[:, INSTRUMENTS:].T
    goes_on[:] = 1
    for token, (kind, value) in enumerate(actions):
        if kind == "start":
            goes_on[token] = 0
        elif kind == "unknown":
            slot_alone[token] = 1
        elif kind == "hit":
            hits[token] = 1
            table[token, :INSTRUMENTS] = [value >> place & 1 for place in range(INSTRUMENTS)]
        elif kind == "velocity":
            velocity[token] = 1
        elif kind == "late":
            late[token] = 1
    return table
