"""What a drummer does, as a network sees it: where in the bar, what the last bars had, what can follow."""

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from neuralmidi.kit import KIT
from neuralmidi.tokenizer.drums import LATEST, LEVELS

INSTRUMENTS: Final = len(KIT)
BARS: Final = (1, 2, 4)
"""Bars ago whose hits are seen, slot by slot: most slots are what they were a bar ago."""
AROUND: Final = (-2, -1, 1)
"""Slots that are seen besides, counted back from the one a bar ago: what came after it, and before."""
PLACE: Final = 2 + INSTRUMENTS
"""Of the place: slot of the bar, whether a velocity has been told, and what is hit that is not told yet."""
ROW: Final = 3 * INSTRUMENTS
"""Of a slot: what is hit, how hard from 0 to 1, and how late from -1 to 1, of each instrument."""

Action = tuple[str, int]
"""What a token does: ``start 0``, ``unknown 0``, ``hit`` mask, ``velocity`` level, ``late`` sixteenths."""


@keras.saving.register_keras_serializable("neuralmidi")
class Sticks(keras.layers.Layer):
    """A recurrent cell without weights that plays the tokens it reads on a drum kit.

    Run over a window by `keras.layers.RNN`, or called once per token: both see the same, since all it knows
    goes in and out as state: the place, ``[batch, PLACE]``, and the last slots, the newest first, ``[batch,
    rows * ROW]``, each as hard and as late as it was hit.

    Output, ``[batch, features + tokens + 1]``: the features (slot of the bar as a one-hot vector; what is
    not told yet; the instrument that is told next, as a one-hot vector; whether its velocity has been; the
    last two slots; the same slot `BARS` ago and the slots `AROUND` it); 1 or 0 for each token, whether it can
    follow; 1 if a slot begins with this token, 0 if it tells more of one.

    Args:
        actions: what each token does, in the order of the vocabulary.
        steps_per_beat: slots of the grid in a quarter note; four beats are a bar.
    """

    def __init__(self, actions: Sequence[Action], steps_per_beat: int, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.actions = [(str(kind), int(value)) for kind, value in actions]
        self.steps_per_beat = steps_per_beat
        self.slots = 4 * steps_per_beat
        self.rows = max(BARS) * self.slots + 1
        seen = 2 + len(BARS) + len(AROUND)
        self.features = self.slots + 2 * INSTRUMENTS + 1 + seen * ROW
        self.state_size = [PLACE, self.rows * ROW]
        self.output_size = self.features + len(self.actions) + 1
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
        bits = row[:, :INSTRUMENTS]
        hits, alone, goes_on, level, late, parts = (
            row[:, column : column + 1] for column in range(INSTRUMENTS, INSTRUMENTS + COLUMNS)
        )
        begins = hits + alone
        is_level = ops.cast(level > 0, "float32")
        next_told = _first(place[:, 2:])
        past = past * goes_on
        silent = ops.zeros_like(bits)
        past = ops.where(
            begins > 0,
            ops.concatenate([bits, silent, silent, past[:, :-ROW]], -1),
            ops.concatenate(
                [
                    past[:, :INSTRUMENTS],
                    past[:, INSTRUMENTS : 2 * INSTRUMENTS] + next_told * level / LEVELS,
                    past[:, 2 * INSTRUMENTS : ROW] + next_told * parts / LATEST,
                    past[:, ROW:],
                ],
                -1,
            ),
        )
        untold = (place[:, 2:] - late * next_told) * goes_on
        untold = ops.maximum(hits * bits + (1 - begins) * untold, 0.0)
        left = ops.cast(ops.sum(untold, -1, keepdims=True) > 0.5, "float32")
        over = (1 - left) * ops.maximum(late, begins)
        slot = (place[:, :1] + over) * goes_on
        slot = slot * ops.cast(slot < self.slots - 0.5, "float32")
        told = is_level * left
        legal = self._kinds["late"] * told + self._kinds["velocity"] * (1 - told)
        output = [
            ops.cast(ops.abs(slot - np.arange(self.slots, dtype=np.float32)) < 0.5, "float32"),
            untold,
            _first(untold),
            told,
            past[:, : 2 * ROW],
            *self._ago(past, left),
            self._kinds["hit"] * (1 - left) + left * legal,
            1 - is_level - late,
        ]
        return ops.concatenate(output, -1), [ops.concatenate([slot, told, untold], -1), past]

    def _ago(self, past: Any, left: Any) -> list[Any]:
        """Return what was hit bars ago: where the slot is that comes next, or the one that is being told."""
        places = [bars * self.slots for bars in BARS] + [min(BARS) * self.slots + slots for slots in AROUND]
        ends = [place * ROW for place in places]
        return [left * past[:, end : end + ROW] + (1 - left) * past[:, end - ROW : end] for end in ends]

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


COLUMNS: Final = 6
"""Of a token besides what it hits, see `_table`."""


def _table(actions: Sequence[Action]) -> np.ndarray:
    """Return what each token is, a row per token.

    What it hits, an instrument each; then 1 or 0: it says what is hit; it is a slot of which nobody knows
    what is hit; it does not begin a piece; then its level of velocity; whether it says how late; how late.
    """
    table = np.zeros((len(actions), INSTRUMENTS + COLUMNS), np.int32)
    hits, alone, goes_on, level, late, parts = table[:, INSTRUMENTS:].T
    goes_on[:] = 1
    for token, (kind, value) in enumerate(actions):
        if kind == "start":
            goes_on[token] = 0
        elif kind == "unknown":
            alone[token] = 1
        elif kind == "hit":
            hits[token] = 1
            table[token, :INSTRUMENTS] = [value >> place & 1 for place in range(INSTRUMENTS)]
        elif kind == "velocity":
            level[token] = value
        elif kind == "late":
            late[token], parts[token] = 1, value
    return table
