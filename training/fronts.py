"""Where tokens enter a network and where logits leave it: one front per kind of tokenizer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.hands import FORBIDDEN, KEYS, LOWEST, PLACE, Action, Hands
from training.sticks import Sticks
from training.trunks import Shapes, Tensors

MOVES: Final = ("off", "on")
AGE: Final = "state_age"
PLACE_STATE: Final = "state_place"
PAST: Final = "state_past"


class Front(Protocol):
    """What a network needs of it.

    Attributes:
        width: of what it gives to the trunk.
        states: shape of each carried state of the streamed step, by name.
    """

    width: int
    states: Shapes

    def window(self, tokens: Any) -> tuple[Any, Any]:
        """See a window ``[batch, tokens]``: ``[batch, tokens, width]`` and what `logits` needs of it."""

    def step(self, token: Any, states: Mapping[str, Any]) -> tuple[Any, Any, Tensors]:
        """See one token ``[1]``: the same two for it alone, and the new states."""

    def logits(self, heard: Any, aside: Any) -> Any:
        """Turn the trunk's output into logits, float32."""


@keras.saving.register_keras_serializable("neuralmidi")
class PolyFront(keras.layers.Layer):
    """For poly tokens: sees the token and the hands that played it; never says what cannot follow.

    It hears and says keys twice, by their place on the keyboard and by their distance from the origin (see
    `Hands`). Measured on the chorales' 16th grid, all else equal: 2.86 nats per step after two epochs, with
    the place alone 3.81.

    Args:
        actions: what each token does, see `Hands`.
        steps_per_beat: slots of the grid in a quarter note.
        width: of what it gives to the trunk.
        units: of what the trunk gives back.
    """

    def __init__(
        self, actions: Sequence[Action], steps_per_beat: int, width: int, units: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self.width, self.units = width, units
        self.hands = Hands(actions, steps_per_beat, name="hands")
        self.watch = keras.layers.RNN(self.hands, return_sequences=True, dtype="float32", name="watch")
        self.token = keras.layers.Embedding(len(actions), width, name="token")
        self.seen = keras.layers.Dense(width, name="seen")
        self.said = keras.layers.Dense(len(actions), dtype="float32", name="said")
        self.moved = keras.layers.Dense(len(MOVES) * 2 * KEYS, dtype="float32", name="moved")
        self._moves = np.array([kind in MOVES for kind, _ in self.hands.actions], np.int32)
        self._distances = np.array([_place(*action) for action in self.hands.actions], np.int32)
        self.states: Shapes = {AGE: (1, KEYS), PLACE_STATE: (1, PLACE)}

    def build(self, shape: Any = None) -> None:
        """Make the weights."""
        self.watch.build((None, None, 1))
        self.token.build((None, None))
        self.seen.build((None, None, self.hands.features))
        self.said.build((None, None, self.units))
        self.moved.build((None, None, self.units))

    def window(self, tokens: Any) -> tuple[Any, Any]:
        """See a window."""
        hands = self.watch(ops.cast(tokens, "float32")[..., None])
        return self._seen(tokens, hands)

    def step(self, token: Any, states: Mapping[str, Any]) -> tuple[Any, Any, Tensors]:
        """See one token."""
        hands, after = self.hands(ops.cast(token, "float32")[:, None], [states[AGE], states[PLACE_STATE]])
        return *self._seen(token, hands), dict(zip((AGE, PLACE_STATE), after, strict=True))

    def _seen(self, tokens: Any, hands: Any) -> tuple[Any, Any]:
        features, aside = hands[..., : self.hands.features], hands[..., self.hands.features :]
        return self.token(tokens) + self.seen(features), aside

    def logits(self, heard: Any, aside: Any) -> Any:
        """Return ``[..., V]``."""
        legal, origin = aside[..., :-1], aside[..., -1:]
        moved = self.moved(heard)
        rest = ops.zeros_like(moved[..., :1])  # what tokens that move no key find
        distance = self._distances - ops.cast(origin, "int32") * self._moves
        said = self.said(heard) + ops.take_along_axis(ops.concatenate([moved, rest], -1), distance, axis=-1)
        return said + (1 - legal) * FORBIDDEN

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        hands = {"actions": self.hands.actions, "steps_per_beat": self.hands.steps_per_beat}
        return {**super().get_config(), **hands, "width": self.width, "units": self.units}


@keras.saving.register_keras_serializable("neuralmidi")
class DrumFront(keras.layers.Layer):
    """For drum tokens: sees the token, the place in the bar and what the last bars had there.

    Args:
        actions: what each token does, see `Sticks`.
        steps_per_beat: slots of the grid in a quarter note.
        width: of what it gives to the trunk.
        units: of what the trunk gives back.
    """

    def __init__(
        self, actions: Sequence[Action], steps_per_beat: int, width: int, units: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self.width, self.units = width, units
        self.sticks = Sticks(actions, steps_per_beat, name="sticks")
        self.watch = keras.layers.RNN(self.sticks, return_sequences=True, dtype="float32", name="watch")
        self.token = keras.layers.Embedding(len(actions), width, name="token")
        self.seen = keras.layers.Dense(width, name="seen")
        self.said = keras.layers.Dense(len(actions), dtype="float32", name="said")
        place, past = self.sticks.state_size
        self.states: Shapes = {PLACE_STATE: (1, place), PAST: (1, past)}

    def build(self, shape: Any = None) -> None:
        """Make the weights."""
        self.watch.build((None, None, 1))
        self.token.build((None, None))
        self.seen.build((None, None, self.sticks.features))
        self.said.build((None, None, self.units))

    def window(self, tokens: Any) -> tuple[Any, Any]:
        """See a window."""
        return self._seen(tokens, self.watch(ops.cast(tokens, "float32")[..., None]))

    def step(self, token: Any, states: Mapping[str, Any]) -> tuple[Any, Any, Tensors]:
        """See one token."""
        seen, after = self.sticks(ops.cast(token, "float32")[:, None], [states[name] for name in self.states])
        return *self._seen(token, seen), dict(zip(self.states, after, strict=True))

    def _seen(self, tokens: Any, seen: Any) -> tuple[Any, Any]:
        features, legal = seen[..., : self.sticks.features], seen[..., self.sticks.features : -1]
        return self.token(tokens) + self.seen(features), legal

    def logits(self, heard: Any, aside: Any) -> Any:
        """Return ``[..., V]``."""
        return self.said(heard) + (1 - aside) * FORBIDDEN

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        sticks = {"actions": self.sticks.actions, "steps_per_beat": self.sticks.steps_per_beat}
        return {**super().get_config(), **sticks, "width": self.width, "units": self.units}


def _place(kind: str, value: int) -> int:
    """Return where a token's logit by distance lies if the origin is the first key."""
    if kind not in MOVES:
        return len(MOVES) * 2 * KEYS
    return MOVES.index(kind) * 2 * KEYS + KEYS + value - LOWEST


@keras.saving.register_keras_serializable("neuralmidi")
class ChordFront(keras.layers.Layer):
    """For chord tokens: a word has two vectors, one to be heard and one to be said.

    Both are computed from what the chord is made of, plus a free part, so that rare chords share what is
    learnt from frequent ones. Measured on Bach's validation pieces after 250 updates (4096 words, all other
    chords one word): 2.93 nats per step, with free vectors alone 4.26. `fold` makes plain matrices of them.

    Args:
        features: ``[V, F]``, see `training.tokens.chord_features`.
        width: length of a word's vectors.
        units: of what the trunk gives back.
    """

    def __init__(self, features: Any, width: int, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.features: NDArray[np.float32] = np.asarray(features, np.float32)
        self.width, self.units = width, units
        self.made_of = keras.layers.Dense(256, activation="gelu", name="made_of")
        self.heard = keras.layers.Dense(width, name="heard")
        self.said = keras.layers.Dense(width, name="said")
        self.project = keras.layers.Dense(width, name="project")
        self.states: Shapes = {}
        self._folded: tuple[Any, Any] | None = None

    def build(self, shape: Any = None) -> None:
        """Make the weights."""
        words, kinds = self.features.shape
        self.made_of.build((None, kinds))
        for vectors in (self.heard, self.said):
            vectors.build((None, self.made_of.units))
        self.project.build((None, None, self.units))
        self.free_heard, self.free_said = (
            self.add_weight(shape=(words, self.width), initializer="zeros", name=f"free_{name}")
            for name in ("heard", "said")
        )
        self.bias = self.add_weight(shape=(words,), initializer="zeros", name="bias")

    def vectors(self) -> tuple[Any, Any]:
        """Return the vectors of all words, to be heard and to be said, ``[V, width]`` each."""
        if self._folded:
            return self._folded
        made_of = self.made_of(ops.convert_to_tensor(self.features))
        return self.heard(made_of) + self.free_heard, self.said(made_of) + self.free_said

    def fold(self, keep: Any) -> None:
        """Compute the vectors once for all; ``keep`` makes a stored variable of each."""
        self._folded = tuple(keep(ops.convert_to_numpy(each)) for each in self.vectors())

    def window(self, tokens: Any) -> tuple[Any, Any]:
        """See a window; the words to be said are kept for `logits`."""
        heard, said = self.vectors()
        return ops.take(heard, tokens, axis=0), said

    def step(self, token: Any, states: Mapping[str, Any]) -> tuple[Any, Any, Tensors]:
        """See one token."""
        return *self.window(token), {}

    def logits(self, heard: Any, aside: Any) -> Any:
        """Return ``[..., V]``."""
        return ops.cast(ops.matmul(self.project(heard), ops.transpose(aside)) + self.bias, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        sizes = {"width": self.width, "units": self.units}
        return {**super().get_config(), "features": self.features.tolist(), **sizes}
