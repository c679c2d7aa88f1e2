import importlib.util
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from neuralmidi.step_model import LOGITS, StepModel
from neuralmidi.tokenizer import SPECIALS

from training.export import ExportError, convert, export_lstm, operators
from training.model import ChordLSTM, step_weights
from training.proof import STREAMED, TOLERANCE, require_same_as_keras, score
from training.tokens import chord_features

VOCABULARY = (*SPECIALS, *(f"{low},{low + third}" for low in range(30, 100) for third in (3, 4)))
TOKENS = np.random.default_rng(0).integers(0, len(VOCABULARY), STREAMED).astype(np.int32)


@pytest.fixture(scope="module")
def model() -> ChordLSTM:
    """A small network with random weights, every one of them away from zero."""
    keras.utils.set_random_seed(0)
    network = ChordLSTM(chord_features(VOCABULARY), units=32, layers=2, width=16)
    network.build()
    rng = np.random.default_rng(0)
    network.set_weights([weight + rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    return network


def step_model(model: ChordLSTM, *, int8: bool) -> StepModel:
    weights = step_weights(model)
    return StepModel(export_lstm(weights, int8=int8), list(weights.states))


def test_256_streamed_steps_equal_the_window(model: ChordLSTM) -> None:
    assert require_same_as_keras(model, step_model(model, int8=False), TOKENS) <= TOLERANCE


def test_another_models_file_is_not_shipped(model: ChordLSTM) -> None:
    weights = step_weights(model)
    wrong = replace(weights, bias=weights.bias + np.float32(0.001))
    with pytest.raises(ExportError, match=r"differs from Keras by 0\.001"):
        require_same_as_keras(model, StepModel(export_lstm(wrong, int8=False), list(weights.states)), TOKENS)


def test_int8_is_a_quarter_of_the_size_and_nearly_as_good(model: ChordLSTM) -> None:
    weights = step_weights(model)
    parameters = sum(array.size for array in weights.arrays())
    files = {kind: export_lstm(weights, int8=kind == "int8") for kind in ("float32", "int8")}
    assert 4 * parameters <= len(files["float32"]) <= 4 * parameters + 10_000
    assert parameters <= len(files["int8"]) <= 1.2 * parameters + 15_000
    nats = [
        score(StepModel(file, list(weights.states)), 0, [TOKENS]).nats_per_step for file in files.values()
    ]
    assert abs(nats[0] - nats[1]) < 0.2  # of 16: the weights are random, so nothing is predicted well


def test_the_file_holds_built_in_operators_only(model: ChordLSTM) -> None:
    weights = step_weights(model)
    for int8 in (False, True):
        names = operators(export_lstm(weights, int8=int8))
        assert "FULLY_CONNECTED" in names
        assert not [name for name in names if name.startswith("Flex") or "VAR" in name]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_model_cannot_be_exported(model: ChordLSTM, bad: float) -> None:
    weights = step_weights(model)
    bias = weights.bias.copy()
    bias[7] = bad
    with pytest.raises(ExportError, match="diverged"):
        export_lstm(replace(weights, bias=bias), int8=False)


def test_operators_that_the_runtime_lacks_are_named() -> None:
    def step(token: tf.Tensor, state_x: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = state_x + tf.cast(token, tf.float32)
        return {LOGITS: tf.linalg.inv(memory[None])[0], "state_x": memory}

    with pytest.raises(Exception, match="MatrixInverse"):
        convert(tf.Module(), step, {"state_x": (1, 1)})


def test_a_model_that_keeps_its_state_inside_is_refused() -> None:
    module = tf.Module()
    module.memory = tf.Variable([[0.0]])

    def step(token: tf.Tensor) -> dict[str, tf.Tensor]:
        return {LOGITS: module.memory.assign_add(tf.cast(token, tf.float32)[None])}

    with pytest.raises(ExportError, match="VAR_HANDLE"):
        convert(module, step, {})


def test_the_tiny_models_of_the_tests_can_be_made_again(data: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_tiny", data / "make_tiny.py")
    assert spec
    assert spec.loader
    make_tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_tiny)
    for name in make_tiny.RINGS:
        tflite, _ = make_tiny.tiny(name)
        made, kept = (
            StepModel(file, ["state_memory"])
            for file in (tflite, (data / name / "model.tflite").read_bytes())
        )
        for token in range(kept.vocabulary_size):
            logits = [each.step(each.initial_state(), token)[0] for each in (made, kept)]
            assert np.array_equal(logits[0], logits[1])
