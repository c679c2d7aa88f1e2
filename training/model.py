"""The network: chords seen as sets of pitches, two layers of LSTM. Keras 3, whatever the backend."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray


class ChordLSTM(keras.Model):
    """Reads tokens, predicts the next one: ``[batch, steps]`` int to logits ``[batch, steps, V]``.

    A word has two vectors, one to be heard and one to be said. Both are computed from what the chord is made
    of, plus a free part, so that rare chords share what is learnt from frequent ones. Measured on Bach's
    validation pieces after 250 updates (4096 words, all other chords one word): 2.93 nats per step, with free
    vectors alone 4.26. At export each becomes a plain matrix.

    Args:
        features: ``[V, F]``, see `training.tokens.chord_features`.
        units: of each LSTM layer.
        layers: how many.
        width: the length of a word's vectors.
        dropout: share of values dropped between the layers while training.
    """

    def __init__(
        self,
        features: NDArray[np.float32],
        units: int = 256,
        layers: int = 2,
        width: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.features = features
        self.units = units
        self.width = width
        self.seen = keras.layers.Dense(256, activation="gelu", name="seen")
        self.heard = keras.layers.Dense(width, name="heard")
        self.said = keras.layers.Dense(width, name="said")
        self.lstms = [
            keras.layers.LSTM(units, return_sequences=True, name=f"lstm_{layer}") for layer in range(layers)
        ]
        self.dropouts = [
            keras.layers.Dropout(dropout, name=f"dropout_{layer}") for layer in range(layers + 1)
        ]
        self.project = keras.layers.Dense(width, name="project")

    def build(self, input_shape: object = None) -> None:
        """Make the weights."""
        words, kinds = self.features.shape
        self.seen.build((None, kinds))
        for vectors in (self.heard, self.said):
            vectors.build((None, self.seen.units))
        for layer, lstm in enumerate(self.lstms):
            lstm.build((None, None, self.units if layer else self.width))
        self.project.build((None, None, self.units))
        self.free_heard, self.free_said = (
            self.add_weight(shape=(words, self.width), initializer="zeros", name=f"free_{name}")
            for name in ("heard", "said")
        )
        self.bias = self.add_weight(shape=(words,), initializer="zeros", name="bias")
        self.built = True

    def vectors(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the vectors of all words, to be heard and to be said, ``[V, width]`` each."""
        seen = self.seen(keras.ops.convert_to_tensor(self.features))
        return self.heard(seen) + self.free_heard, self.said(seen) + self.free_said

    def call(self, tokens: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the logits of the token after each given one."""
        heard, said = self.vectors()
        x = keras.ops.take(heard, tokens, axis=0)
        for dropout, lstm in zip(self.dropouts, self.lstms, strict=False):
            x = lstm(dropout(x, training=training))
        x = self.project(self.dropouts[-1](x, training=training))
        return keras.ops.matmul(x, keras.ops.transpose(said)) + self.bias


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
    heard, said = model.vectors()
    cells = []
    for lstm in model.lstms:
        cell = lstm.cell
        kernel = np.concatenate([numpy(cell.kernel), numpy(cell.recurrent_kernel)])
        cells.append((kernel, numpy(cell.bias)))
    return StepWeights(
        embedding=numpy(heard),
        cells=cells,
        project=(numpy(model.project.kernel), numpy(model.project.bias)),
        output=numpy(said),
        bias=numpy(model.bias),
    )
