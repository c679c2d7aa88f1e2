"""The network: a front sees tokens, a trunk remembers, a condition says who composes. Keras 3."""

from collections.abc import Mapping
from typing import Any, Final

import keras

from training.trunks import Shapes, Tensors

TOKEN: Final = "token"
CONDITION: Final = "condition"


@keras.saving.register_keras_serializable("neuralmidi")
class Network(keras.Model):
    """Reads tokens, predicts the next one.

    Takes ``{"token": [batch, tokens] int}`` and, if it knows composers apart, ``"condition": [batch,
    composers]``, how much of each (all zeros: no one in particular). Gives logits ``[batch, tokens, V]``,
    natural-log scale, float32.

    Args:
        front: see `training.fronts`.
        trunk: see `training.trunks`.
        composers: how many it knows apart; 0: it has no such input.
        unseen: share of what the front sees that is dropped while training.
    """

    def __init__(
        self, front: Any, trunk: Any, composers: int = 0, unseen: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.front, self.trunk, self.composers, self.unseen = front, trunk, composers, unseen
        self.blink = keras.layers.Dropout(unseen, name="blink")
        if composers:
            self.style = keras.layers.Dense(front.width, use_bias=False, name="style")

    def build(self, input_shape: Any = None) -> None:
        """Make the weights."""
        for part, shape in ((self.front, None), (self.trunk, (None, None, self.front.width))):
            if not part.built:  # a loaded part is
                part.build(shape)
        if self.composers:
            self.style.build((None, self.composers))
        self.built = True

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make the weights while a file is loaded: they depend on no input's shape."""
        self.build()

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> Any:
        """Return the logits of the token after each given one."""
        seen, aside = self.front.window(inputs[TOKEN])
        if self.composers:
            seen = seen + self.style(inputs[CONDITION])[:, None]
        seen = self.blink(seen, training=training)
        return self.front.logits(self.trunk(seen, training=training), aside)

    @property
    def states(self) -> Shapes:
        """Shape of each state that a streamed step carries, by name."""
        return {**self.front.states, **self.trunk.states}

    @property
    def caches(self) -> Shapes:
        """Shape of each cache that a streamed step reads, by name."""
        return dict(self.trunk.caches)

    def step(
        self, token: Any, states: Mapping[str, Any], condition: Any | None = None
    ) -> tuple[Any, Tensors]:
        """Read one token: the same numbers as `call`, one at a time.

        Args:
            token: ``[1]`` int.
            states: every state and cache by name; zeros before the first token.
            condition: ``[1, composers]``.

        Returns:
            Logits ``[1, V]``; every new state, and the new row of every cache.
        """
        seen, aside, new = self.front.step(token, states)
        if self.composers:
            seen = seen + self.style(condition)
        heard, remembered = self.trunk.step(seen, states)
        return self.front.logits(heard, aside), {**new, **remembered}

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes, as data."""
        parts = {"front": self.front, "trunk": self.trunk}
        saved = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **saved, "composers": self.composers, "unseen": self.unseen}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Network":
        """Make it from its data."""
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("front", "trunk")}
        return cls(**{**config, **parts})
