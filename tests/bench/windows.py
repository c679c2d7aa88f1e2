"""Keras `predict` of one window of 64 tokens, by networks of the same build as those that ship; see `turns`.

Runs where TensorFlow is. The weights are random: they cost the same.
"""

import sys
from pathlib import Path

from neuralmidi import bundle
from neuralmidi.quiet import quiet

from tests.bench.turns import Act, serve

PREDICT = "predict"


def predictor(folder: Path) -> Act:
    """What asks the network of a model for its next token, as the first version did.

    Raises:
        NeuralMIDIError: its model.json does not tell how it was built.
    """
    import numpy as np

    from training.bench.windows import WINDOW
    from training.model import build
    from training.network import TOKEN
    from training.settings import settings_from

    music = bundle.load(folder)
    network = build(settings_from(music.description["training"]["hparams"]), music.tokenizer)
    window = {TOKEN: np.resize(np.arange(1, music.model.vocabulary_size, dtype=np.int32), (1, WINDOW))}

    def predict() -> None:
        network.predict(window, verbose=0)

    return predict


if __name__ == "__main__":
    with quiet():
        acts = {f"{PREDICT} {Path(folder).name}": predictor(Path(folder)) for folder in sys.argv[1:]}
    serve(acts)
