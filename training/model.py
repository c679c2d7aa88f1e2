"""The network: chords seen as sets of pitches, two layers of LSTM. Keras 3, whatever the backend."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray


@keras.saving.register_keras_serializable(package="neuralmidi")
class ChordSpace(keras.layers.Layer):
    """A vector per word, computed from what the chord is made of, plus a small free part per word.

    Rare chords so share what is learnt from frequent ones. At export all of it becomes one plain matrix.

    Args:
        features: ``[V, F]``, see `training.tokens.chord_features`.
        width: the length of a vector.
        hidden: units of the layer between.
    """

    def __init__(
        self, features: NDArray[np.float32], width: int, hidden: int = 256, **options: object
    ) -> None:
        super().__init__(**options)
        self.features = np.asarray(features, np.float32)
        self.width = width
        self.hidden = keras.layers.Dense(hidden, activation="gelu", name="hidden")
        self.shared = keras.layers.Dense(width, name="shared")

    def build(self, input_shape: object = None) -> None:
        """Make the weights."""
        self.hidden.build(self.features.shape)
        self.shared.build((None, self.hidden.units))
        shape = (len(self.features), self.width)
        self.free = self.add_weight(shape=shape, initializer="zeros", name="free")
        self.built = True

    def table(self) -> keras.KerasTensor:
        """Return the vectors of all words, ``[V, width]``."""
        return self.shared(self.hidden(keras.ops.convert_to_tensor(self.features))) + self.free


@keras.saving.register_keras_serializable(package="neuralmidi")
class ChordLSTM(keras.Model):
    """Reads tokens, predicts the next one: ``[batch, steps]`` int to logits ``[batch, steps, V]``.

    Args:
        features: ``[V, F]``, see `training.tokens.chord_features`.
        units: of each LSTM layer.
        layers: how many.
        width: the length of a chord's vector, at the input and at the output.
        dropout: share of values dropped between the layers while training.
    """

    def __init__(
        self,
        features: NDArray[np.float32],
        units: int = 256,
        layers: int = 2,
        width: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.heard = ChordSpace(features, width, name="heard")
        self.said = ChordSpace(features, width, name="said")
        self.lstms = [
            keras.layers.LSTM(units, return_sequences=True, name=f"lstm_{layer}") for layer in range(layers)
        ]
        self.dropouts = [
            keras.layers.Dropout(dropout, name=f"dropout_{layer}") for layer in range(layers + 1)
        ]
        self.project = keras.layers.Dense(width, name="project")

    def build(self, input_shape: object = None) -> None:
        """Make the weights."""
        width = self.heard.width
        self.heard.build()
        self.said.build()
        for layer in self.lstms:
            layer.build((None, None, width))
            width = layer.units
        self.project.build((None, None, width))
        self.bias = self.add_weight(shape=(len(self.said.features),), initializer="zeros", name="bias")
        self.built = True

    def call(self, tokens: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the logits of the token after each given one."""
        x = keras.ops.take(self.heard.table(), tokens, axis=0)
        for dropout, lstm in zip(self.dropouts, self.lstms, strict=False):
            x = lstm(dropout(x, training=training))
        x = self.project(self.dropouts[-1](x, training=training))
        return keras.ops.matmul(x, keras.ops.transpose(self.said.table())) + self.bias


@dataclass(frozen=True)
class StepWeights:
    """A chord LSTM as plain matrices, float32.

    Attributes:
        embedding: ``[V, E]``, the input vector of each token.
        cells: per layer ``(kernel [I + H, 4 H], bias [4 H])``, the kernel over input and state together,
            gates in Keras's order: input, forget, candidate, output.
        project: ``(kernel [H, P], bias [P])``, from the last layer to the output space.
        output: ``[V, P]``, the output vector of each token.
        bias: ``[V]``, added to the logits.
    """

    embedding: NDArray[np.float32]
    cells: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
    project: tuple[NDArray[np.float32], NDArray[np.float32]]
    output: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def states(self) -> dict[str, tuple[int, ...]]:
        """The shape of each carried state by name: ``h`` and ``c`` of each layer."""
        sizes = {f"state_{layer}": len(bias) // 4 for layer, (_, bias) in enumerate(self.cells)}
        return {f"{layer}_{part}": (1, size) for layer, size in sizes.items() for part in ("h", "c")}

    def arrays(self) -> list[NDArray[np.float32]]:
        """Return every array of the model."""
        cells = [array for cell in self.cells for array in cell]
        return [self.embedding, *cells, *self.project, self.output, self.bias]


def step_weights(model: ChordLSTM) -> StepWeights:
    """Return a trained model as plain matrices: the chord vectors folded, each LSTM's two kernels in one."""
    numpy = keras.ops.convert_to_numpy
    cells = []
    for lstm in model.lstms:
        cell = lstm.cell
        kernel = np.concatenate([numpy(cell.kernel), numpy(cell.recurrent_kernel)])
        cells.append((kernel, numpy(cell.bias)))
    return StepWeights(
        embedding=numpy(model.heard.table()),
        cells=cells,
        project=(numpy(model.project.kernel), numpy(model.project.bias)),
        output=numpy(model.said.table()),
        bias=numpy(model.bias),
    )
