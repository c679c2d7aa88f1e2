"""How it was done at first: a window of 64 for every single token, in training and in playing."""

from dataclasses import replace
from typing import Any, Final

import keras
from neuralmidi.errors import NeuralMIDIError

from training.concert import Batch, Concert
from training.network import TOKEN, Network
from training.settings import Settings

WINDOW: Final = 64


class Original(keras.Model):
    """Plain layers that read a window and say what comes next: ``[batch, tokens]`` to ``[batch, 1, V]``.

    As quick as they can be: no condition, no hands, no dropout.

    Args:
        settings: architecture, layers, units and width.
        vocabulary: how many tokens there are.

    Raises:
        NeuralMIDIError: it is to be another architecture than ``lstm`` or ``gru``.
    """

    def __init__(self, settings: Settings, vocabulary: int) -> None:
        super().__init__()
        kinds = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
        if settings.architecture not in kinds:
            why = f"'{settings.architecture}' is none"
            raise NeuralMIDIError("the original", why, f"choose one of {' or '.join(kinds)}")
        kind = kinds[settings.architecture]
        self.embedding = keras.layers.Embedding(vocabulary, settings.width)
        self.stack = [
            kind(settings.units, return_sequences=number < settings.layers)
            for number in range(1, settings.layers + 1)
        ]
        self.said = keras.layers.Dense(vocabulary, dtype="float32")
        self({TOKEN: keras.ops.zeros((1, WINDOW), "int32")})  # makes the weights

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the logits of the next token."""
        x = self.embedding(inputs[TOKEN])
        for layer in self.stack:
            x = layer(x)
        return self.said(x)[:, None]


class LastOnly(keras.Model):
    """A network of today that is asked for the last token of a window only, ``[batch, 1, V]``.

    Args:
        network: that is asked.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the logits of the next token."""
        seen, aside = self.network.front.window(inputs[TOKEN])
        heard = self.network.trunk(seen, training=training)
        return self.network.front.logits(heard[:, -1:], aside[:, -1:])


class Windows(Concert):
    """The same music, a window and one target each. Its settings' ``seq_len`` is the window."""

    def batch(self, epoch: int, index: int) -> Batch:
        """Return one batch."""
        return last_target(super().batch(epoch, index))


def last_target(batch: Batch) -> Batch:
    """Return a batch of which only the last target counts."""
    return replace(batch, targets=batch.targets[:, -1:], weights=batch.weights[:, -1:])
