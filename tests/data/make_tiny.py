"""Makes the tests' tiny models, sound and broken: ``PYTHONPATH=externals:. python tests/data/make_tiny.py``.

Each walks round a ring of words. The likeliest next word is the next of the ring, then the one after it, the
others are all alike: at temperature 0.1 it walks the ring, at 1 it takes the next word in about 6 of 10
steps, at 2 in 3 of 10. Its one state is a fading memory of past tokens, so that a lost state changes the
logits. The weights are written by hand, not trained: the tests know what must come out.
Needs the training extra.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from neuralmidi import bundle
from neuralmidi.step_model import LOGITS, SIGNATURE
from neuralmidi.tokenizer import REST, SPECIALS

from training.export import convert

RINGS = {
    "tiny": ("48,60,64,67", "48,60,64,69", "60,65,69", "53,60,65", "55,59,62,67", "67", "62,65,67,71", REST),
    "tiny2": ("72,76", "72,77", "74,77", "74,79", "76,79,84"),
}
NEXT, AFTER_NEXT = 3.0, 1.5
FADING = 0.05


def tiny(name: str) -> tuple[bytes, dict[str, object]]:
    """Return the .tflite and the description of one tiny model."""
    ring = RINGS[name]
    vocabulary = (*SPECIALS, *(word for word in ring if word != REST))
    walk = np.zeros((len(vocabulary), len(vocabulary)), np.float32)
    for word in vocabulary:
        place = ring.index(word) if word in ring else -1
        for ahead, logit in ((1, NEXT), (2, AFTER_NEXT)):
            walk[vocabulary.index(word), vocabulary.index(ring[(place + ahead) % len(ring)])] = logit
    module = tf.Module()
    module.walk = tf.Variable(walk)

    def step(token: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = FADING * state_memory + tf.one_hot(token, len(vocabulary))
        return {LOGITS: tf.matmul(memory, module.walk), "state_memory": memory}

    shape = (1, len(vocabulary))
    description: dict[str, object] = {
        "name": name,
        "title": f"{name.capitalize()} (for tests)",
        "tokenizer": {"kind": "chords", "vocabulary": vocabulary},
        "grid": {"steps_per_beat": 4},
        "states": [{"name": "state_memory", "shape": shape, "kind": "carried"}],
        "scores": [],
        "sources": [],
        "training": {"command": "python tests/data/make_tiny.py"},
        "quantisation": {"kind": "float32", "loss_nats": 0},
    }
    return convert(module, step, {"state_memory": shape}), description


def not_finite() -> bytes:
    """Return a model as a silently failed conversion leaves it: every output is NaN."""

    def step(token: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = state_memory + tf.one_hot(token, 10)
        return {LOGITS: memory * np.float32("nan"), "state_memory": memory}

    return convert(tf.Module(), step, {"state_memory": (1, 10)})


def window() -> bytes:
    """Return a model that wants a window of 64 tokens at once."""
    return _plain(lambda token: {LOGITS: tf.one_hot(token[:, -1], 10)}, (1, 64))


def flex() -> bytes:
    """Return a model with an operator that only TensorFlow has."""
    return _plain(lambda token: {LOGITS: tf.linalg.inv(tf.one_hot(token, 1)[None])[0]}, (1,))


def _plain(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], shape: tuple[int, ...]) -> bytes:
    concrete = tf.function(function).get_concrete_function(token=tf.TensorSpec(shape, tf.int32))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures={SIGNATURE: concrete})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        return bytes(converter.convert())


if __name__ == "__main__":
    here = Path(__file__).parent
    for each in RINGS:
        bundle.write(here / each, *tiny(each))
    (here / "broken").mkdir(exist_ok=True)
    for broken in (not_finite, window, flex):
        (here / "broken" / f"{broken.__name__}.tflite").write_bytes(broken())
