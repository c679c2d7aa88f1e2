"""What remembers: stacks of LSTM, GRU or attention that read a window at once or one token at a time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import keras
import numpy as np
from keras import ops

Shapes = Mapping[str, tuple[int, ...]]
Tensors = dict[str, Any]

HEAD: Final = 32
"""Width of an attention head."""
TURN: Final = 1 << 16
"""Tokens after which every rotary angle is where it was: so float32 can tell any two positions apart."""
POSITION: Final = "state_position"


class Trunk(Protocol):
    """Layers between what a network sees and what it says.

    Attributes:
        states: shape of each carried state of the streamed step, by name.
        caches: shape of each cache of the streamed step, by name.
    """

    states: Shapes
    caches: Shapes

    def __call__(self, x: Any, training: bool) -> Any:
        """Read a window ``[batch, tokens, width]``; returns ``[batch, tokens, units]``."""

    def step(self, x: Any, states: Mapping[str, Any]) -> tuple[Any, Tensors]:
        """Read one token ``[1, width]``; returns ``[1, units]`` and the new states and cache rows."""


@keras.saving.register_keras_serializable("neuralmidi")
class Recurrent(keras.layers.Layer):
    """A stack of LSTM (Hochreiter and Schmidhuber 1997) or GRU (Cho et al. 2014) layers.

    Args:
        cell: ``lstm`` or ``gru``.
        units: of each layer.
        layers: how many.
        dropout: share of values dropped before each layer and after the last.
    """

    def __init__(self, cell: str, units: int, layers: int, dropout: float, **options: Any) -> None:
        super().__init__(**options)
        self.cell, self.units, self.dropout = cell, units, dropout
        kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
        self.layers = [kind(units, return_sequences=True, name=f"{cell}_{layer}") for layer in range(layers)]
        self.dropouts = [keras.layers.Dropout(dropout, name=f"drop_{layer}") for layer in range(layers + 1)]
        self._parts = ("h", "c") if cell == "lstm" else ("h",)
        self.states = {f"state_{layer}_{part}": (1, units) for layer in range(layers) for part in self._parts}
        self.caches: Shapes = {}

    def build(self, shape: Sequence[int | None]) -> None:
        """Make the weights."""
        for layer in self.layers:
            layer.build((None, None, shape[-1]))
            shape = (*shape[:-1], self.units)

    def call(self, x: Any, training: bool = False) -> Any:
        """Read a window."""
        for dropout, layer in zip(self.dropouts, self.layers, strict=False):
            x = layer(dropout(x, training=training))
        return self.dropouts[-1](x, training=training)

    def step(self, x: Any, states: Mapping[str, Any]) -> tuple[Any, Tensors]:
        """Read one token."""
        new: Tensors = {}
        for number, layer in enumerate(self.layers):
            names = [f"state_{number}_{part}" for part in self._parts]
            x, after = layer.cell(x, [states[name] for name in names])
            new.update(zip(names, after, strict=True))
        return x, new

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        sizes = {"units": self.units, "layers": len(self.layers), "dropout": self.dropout}
        return {**super().get_config(), "cell": self.cell, **sizes}


@keras.saving.register_keras_serializable("neuralmidi")
class Attention(keras.layers.Layer):
    """A stack of pre-norm decoder blocks (Vaswani et al. 2017) that attend to the last ``slots`` tokens.

    Places are told by rotation (Su et al. 2021, "RoFormer"), so that a cached row stays valid while the ring
    of slots turns under it, for ever.

    Args:
        units: width of each block.
        layers: how many.
        dropout: share of values dropped after each half of a block.
        slots: tokens that a token attends to, besides itself.
    """

    def __init__(self, units: int, layers: int, dropout: float, slots: int = 256, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.layers, self.dropout, self.slots = units, layers, dropout, slots
        self.enter = keras.layers.Dense(units, name="enter")
        self.blocks = [
            {
                "norm": keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm_{number}"),
                "qkv": keras.layers.Dense(3 * units, name=f"qkv_{number}"),
                "out": keras.layers.Dense(units, name=f"out_{number}"),
                "norm2": keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm2_{number}"),
                "up": keras.layers.Dense(4 * units, activation="relu", name=f"up_{number}"),
                "down": keras.layers.Dense(units, name=f"down_{number}"),
                "drop": keras.layers.Dropout(dropout, name=f"drop_{number}"),
            }
            for number in range(layers)
        ]
        self.leave = keras.layers.LayerNormalization(epsilon=1e-5, name="leave")
        self.states = {POSITION: (1, 1)}
        self.caches = {
            f"cache_{number}_{part}": (1, slots, units) for number in range(layers) for part in ("k", "v")
        }

    def build(self, shape: Sequence[int | None]) -> None:
        """Make the weights."""
        inside = (None, None, self.units)
        self.enter.build((None, None, shape[-1]))
        for block in self.blocks:
            for name, layer in block.items():
                layer.build((None, None, 4 * self.units) if name == "down" else inside)
        self.leave.build(inside)

    def call(self, x: Any, training: bool = False) -> Any:
        """Read a window."""
        x = self.enter(x)
        tokens = ops.shape(x)[1]
        places = ops.arange(tokens, dtype="float32")
        angle = _angles(places)
        apart = places[:, None] - places[None, :]
        seen = ops.logical_and(apart >= 0, apart <= self.slots)
        for block in self.blocks:
            q, k, v = ops.split(block["qkv"](block["norm"](x)), 3, axis=-1)
            heard = _attend(_rotate(_heads(q), angle), _rotate(_heads(k), angle), _heads(v), seen)
            x = x + block["drop"](block["out"](_whole(heard)), training=training)
            x = x + block["drop"](block["down"](block["up"](block["norm2"](x))), training=training)
        return self.leave(x)

    def step(self, x: Any, states: Mapping[str, Any]) -> tuple[Any, Tensors]:
        """Read one token; the caches come without it, their new rows go out."""
        position = states[POSITION]
        x = self.enter(x)[:, None]
        angle = _angles(position[0])
        filled = ops.arange(self.slots, dtype="float32")[None] < position
        seen = ops.concatenate([filled, ops.ones((1, 1), "bool")], -1)
        after = position + 1
        # Beyond a turn the angles repeat, and all slots have long been filled.
        new: Tensors = {POSITION: ops.where(after >= TURN + self.slots, after - TURN, after)}
        for number, block in enumerate(self.blocks):
            q, k, v = ops.split(block["qkv"](block["norm"](x)), 3, axis=-1)
            k = _whole(_rotate(_heads(k), angle))
            keys, values = f"cache_{number}_k", f"cache_{number}_v"
            heard = _attend(
                _rotate(_heads(q), angle),
                _heads(ops.concatenate([states[keys], k], 1)),
                _heads(ops.concatenate([states[values], v], 1)),
                seen,
            )
            x = x + block["out"](_whole(heard))
            x = x + block["down"](block["up"](block["norm2"](x)))
            new |= {keys: k, values: v}
        return self.leave(x)[:, 0], new

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        sizes = {"units": self.units, "layers": self.layers, "dropout": self.dropout, "slots": self.slots}
        return {**super().get_config(), **sizes}


def _heads(x: Any) -> Any:
    """``[batch, tokens, units]`` to ``[batch, heads, tokens, HEAD]``."""
    batch, tokens, units = ops.shape(x)
    return ops.transpose(ops.reshape(x, (batch, tokens, units // HEAD, HEAD)), (0, 2, 1, 3))


def _whole(x: Any) -> Any:
    """Undo `_heads`."""
    batch, heads, tokens, size = ops.shape(x)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, tokens, heads * size))


def _attend(q: Any, k: Any, v: Any, seen: Any) -> Any:
    """Scaled dot-product attention over what is ``seen``, ``[queries, keys]``."""
    scores = ops.cast(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))), "float32") / HEAD**0.5
    scores = scores + (ops.cast(seen, "float32") - 1) * 1e9
    return ops.matmul(ops.cast(ops.softmax(scores), v.dtype), v)


def _angles(places: Any) -> Any:
    """Return cosine and sine of each place's rotations, ``[2, places, HEAD / 2]``: whole turns per `TURN`."""
    turns = np.round(TURN / (2 * np.pi) * 10000 ** -(np.arange(HEAD // 2) * 2 / HEAD)).clip(1)
    angle = places[:, None] * (2 * np.pi / TURN * turns).astype(np.float32)[None]
    return ops.stack([ops.cos(angle), ops.sin(angle)])


def _rotate(x: Any, angle: Any) -> Any:
    """Turn each pair (first half, second half) of a head's values by its place's angle."""
    cos, sin = ops.cast(angle[0], x.dtype), ops.cast(angle[1], x.dtype)
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate([first * cos - second * sin, first * sin + second * cos], -1)
