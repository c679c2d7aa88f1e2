from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from networks import ARCHITECTURES, logits, network, tokens
from neuralmidi.network import LOGITS, TOKEN

from training.export import (
    TOLERANCE,
    ExportError,
    convert,
    export,
    operators,
    require_same_as_keras,
    step_model,
)
from training.network import Network


@cache
def exported(kind: str, trunk: str, composers: int, int8: bool) -> tuple[Network, bytes]:
    """A network and its file; the converter is slow, so each is made once."""
    made = network(kind, trunk, composers)
    return made, export([made], int8=int8)


@pytest.mark.parametrize(("kind", "trunk", "composers"), ARCHITECTURES)
def test_256_streamed_steps_equal_the_window(kind: str, trunk: str, composers: int) -> None:
    made, file = exported(kind, trunk, composers, int8=False)
    assert require_same_as_keras([made], step_model(file, [made]), tokens(kind)) <= TOLERANCE


def test_an_ensemble_says_the_mean_probability() -> None:
    members = [network("poly", "lstm", 0, seed) for seed in range(2)]
    model = step_model(export(members, int8=False), members)
    assert require_same_as_keras(members, model, tokens("poly")) <= TOLERANCE
    music = tokens("poly")[:20]
    alone = [logits(each, {TOKEN: music[None]})[0] for each in members]
    mean = np.mean([_softmax(said) for said in alone], axis=0)
    assert np.allclose(_softmax(_said(model, music)), mean, atol=1e-5)


def test_another_models_file_is_not_shipped() -> None:
    made, file = exported("poly", "gru", 0, int8=False)
    other = network("poly", "gru")
    other.set_weights([weight + np.float32(0.001) for weight in other.get_weights()])
    with pytest.raises(ExportError, match="differs from Keras by 0"):
        require_same_as_keras([other], step_model(file, [made]), tokens("poly"))


@pytest.mark.parametrize(("kind", "trunk", "composers"), ARCHITECTURES)
def test_int8_is_a_quarter_of_the_size_and_nearly_as_good(kind: str, trunk: str, composers: int) -> None:
    (made, whole), (_, small) = (exported(kind, trunk, composers, int8=int8) for int8 in (False, True))
    quantised = [
        weight.size for weight in made.trunk.get_weights() if weight.size >= 1024
    ]  # smaller ones stay
    assert len(small) < len(whole) - 2.5 * sum(quantised)
    music = tokens(kind)[:100]
    losses = [_loss(_softmax(_said(step_model(file, [made]), music)), music) for file in (whole, small)]
    assert abs(losses[0] - losses[1]) < 0.05


def test_the_file_holds_built_in_operators_only() -> None:
    for kind, trunk, composers in ARCHITECTURES:
        names = operators(exported(kind, trunk, composers, int8=True)[1])
        assert "FULLY_CONNECTED" in names
        assert not [name for name in names if name.startswith("Flex") or "VAR" in name]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_model_cannot_be_exported(bad: float) -> None:
    made = network("poly", "gru")
    weights = made.get_weights()
    weights[3].flat[7] = bad
    made.set_weights(weights)
    with pytest.raises(ExportError, match="diverged"):
        export([made], int8=False)


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


def _said(model: object, music: np.ndarray) -> np.ndarray:
    state = model.initial_state()  # type: ignore[attr-defined]
    said = []
    for token in music:
        logits, state = model.step(state, int(token))  # type: ignore[attr-defined]
        said.append(logits)
    return np.array(said)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def _loss(probabilities: np.ndarray, music: np.ndarray) -> float:
    chosen = np.take_along_axis(probabilities[:-1], music[1:, None].astype(np.int64), -1)
    return float(-np.log(chosen + 1e-30).mean())
