"""One step of a network as a .tflite file. The one module that knows the converter."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from neuralmidi.network import CONDITION, LOGITS, SIGNATURE, TOKEN
from neuralmidi.step_model import StepModel
from numpy.typing import NDArray

from training.network import Network

KINDS: Final = ("carried", "cache")
_FORBIDDEN: Final = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
"""Operators of a model that keeps its weights or its state outside the file or inside the interpreter."""


STREAMED: Final = 256
"""Steps that the exported file must agree with Keras over."""
TOLERANCE: Final = 1e-4
"""Largest difference of two logits; rounding gives about 1e-5."""


class ExportError(Exception):
    """The model cannot be exported; the message says why."""


def export(networks: Sequence[Network], *, int8: bool) -> bytes:
    """Return the .tflite of one step of a network, or of several that decide together.

    Several are an ensemble, the mean of their probabilities; each keeps its states, named ``m0_...``.

    Args:
        networks: trained alike, differing in their seeds only.
        int8: store the weights as 8-bit integers with a scale (dynamic range); state and logits stay float32.

    Raises:
        ExportError: a weight is not finite, or the converter gave something else than the network.
    """
    networks = [_float32(network) for network in networks]
    if not all(np.isfinite(weight).all() for network in networks for weight in network.get_weights()):
        raise ExportError("a weight is NaN or infinite: the training diverged; lower the learning rate")
    # Raw variables on a plain tf.Module: with a Keras model as the tracked object the file comes out empty
    # and every output is NaN, and nothing complains.
    module = tf.Module()
    module.weights = [weight.value for network in networks for weight in network.weights]
    for network in networks:
        module.weights += _fold(network)

    def step(
        token: tf.Tensor, condition: tf.Tensor | None = None, **states: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        logits: list[Any] = []
        new: dict[str, Any] = {}
        for prefix, network in prefixed(networks):
            own = {name: states[prefix + name] for name in {**network.states, **network.caches}}
            said, after = network.step(token, own, condition)
            logits.append(said)
            new |= {prefix + name: state for name, state in after.items()}
        return {LOGITS: together(logits), **new}

    tflite = convert(module, step, shapes(networks), int8=int8, condition=networks[0].composers)
    parameters = sum(network.trunk.count_params() for network in networks)  # what is before it may be folded
    if len(tflite) < parameters * (1 if int8 else 4):
        raise ExportError(f"{len(tflite)} bytes cannot hold {parameters} parameters: weights were lost")
    return tflite


def step_model(tflite: bytes, networks: Sequence[Network]) -> StepModel:
    """Return the exported file as the runtime runs it."""
    kinds = {kind: [each["name"] for each in described(networks) if each["kind"] == kind] for kind in KINDS}
    size = networks[0].composers
    condition = np.zeros(size, np.float32) if size else None
    return StepModel(tflite, kinds["carried"], kinds["cache"], condition)


def require_same_as_keras(networks: Sequence[Network], model: StepModel, tokens: NDArray[np.int32]) -> float:
    """Feed the same tokens to Keras at once and to LiteRT one by one.

    Args:
        networks: as they were exported.
        model: their float32 export.
        tokens: at least `STREAMED`.

    Returns:
        The largest difference between two logits.

    Raises:
        ExportError: it is above `TOLERANCE`, or not a number.
    """
    tokens = tokens[:STREAMED]
    condition = np.linspace(0, 1, networks[0].composers, dtype=np.float32) if networks[0].composers else None
    inputs = {TOKEN: tokens[None], **({} if condition is None else {CONDITION: condition[None]})}
    # Compiled: by itself Keras takes the steps of the window one after the other, in seconds.
    compiled = [tf.function(_float32(network), autograph=False) for network in networks]
    window = together([network(inputs, training=False) for network in compiled])
    state = model.initial_state()
    worst = 0.0
    for token, wanted in zip(tokens, keras.ops.convert_to_numpy(window)[0], strict=True):
        logits, state = model.step(state, int(token), condition)
        worst = max(worst, float(np.abs(logits - wanted).max()))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"after {STREAMED} steps the file differs from Keras by {worst:.2g}: do not ship it"
        )
    return worst


def prefixed(networks: Sequence[Network]) -> list[tuple[str, Network]]:
    """Return each network with what its states' names begin with in the exported step."""
    return [(f"m{number}_" if len(networks) > 1 else "", network) for number, network in enumerate(networks)]


def together(logits: Sequence[Any]) -> Any:
    """Return the logits of what several networks say together: the logarithm of their mean probability."""
    if len(logits) == 1:
        return logits[0]
    said = keras.ops.stack([keras.ops.log_softmax(each, axis=-1) for each in logits])
    return keras.ops.logsumexp(said, axis=0) - float(np.log(len(logits)))


def shapes(networks: Sequence[Network]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every state and cache of the exported step, by name."""
    return {
        prefix + name: shape
        for prefix, network in prefixed(networks)
        for name, shape in {**network.states, **network.caches}.items()
    }


def described(networks: Sequence[Network]) -> list[dict[str, Any]]:
    """Return the states as model.json lists them."""
    caches = {prefix + name for prefix, network in prefixed(networks) for name in network.caches}
    return [
        {"name": name, "shape": list(shape), "kind": "cache" if name in caches else "carried"}
        for name, shape in shapes(networks).items()
    ]


def convert(
    module: tf.Module,
    step: Callable[..., dict[str, tf.Tensor]],
    states: Mapping[str, tuple[int, ...]],
    *,
    int8: bool = False,
    condition: int = 0,
) -> bytes:
    """Return the .tflite of any step function over a module's raw variables.

    Args:
        module: holds the variables that ``step`` uses.
        step: ``(token [1] int32, **states float32) -> {logits, **states}``, and ``condition [1, n]`` if any.
        states: the shape of each state.
        int8: quantise the weights, dynamic range.
        condition: how long that input is; 0: there is none.

    Raises:
        ExportError: the file needs operators outside LiteRT's built-in ones.
    """
    inputs = {TOKEN: tf.TensorSpec([1], tf.int32, TOKEN)}
    inputs |= {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in states.items()}
    if condition:
        inputs[CONDITION] = tf.TensorSpec([1, condition], tf.float32, CONDITION)
    concrete = tf.function(step, autograph=False).get_concrete_function(**inputs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: concrete})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        tflite = bytes(converter.convert())
    strange = [name for name in operators(tflite) if name.startswith("Flex") or name in _FORBIDDEN]
    if strange:
        raise ExportError(f"the file needs {', '.join(strange)}, which the runtime does not have")
    return tflite


def operators(tflite: bytes) -> list[str]:
    """Return the names of the operators that a .tflite file uses, custom ones by their own name."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model: Any = schema.ModelT.InitFromPackedBuf(tflite, 0)
    return sorted(
        code.customCode.decode()
        if code.customCode
        else names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    )


def _float32(network: Network) -> Network:
    """Return the network computing in float32, whatever it was trained in: the weights are float32 anyway."""
    config = json.loads(json.dumps(network.get_config()).replace("mixed_bfloat16", "float32"))
    copy = Network.from_config(config)
    copy.build()
    copy.set_weights(network.get_weights())
    return copy


def _fold(network: Network) -> list[tf.Variable]:
    """Let a network compute once what is the same at every step; returns where that is kept."""
    kept: list[tf.Variable] = []

    def keep(array: Any) -> tf.Variable:
        kept.append(tf.Variable(array))
        return kept[-1]

    if hasattr(network.front, "fold"):
        network.front.fold(keep)
    return kept
