"""One step of a model as a .tflite file. The one module that knows the converter."""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from neuralmidi.step_model import LOGITS, SIGNATURE, TOKEN

from training.model import StepWeights

_FORBIDDEN: Final = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
"""Operators of a model that keeps its weights or its state outside the file or inside the interpreter."""


class ExportError(Exception):
    """The model cannot be exported; the message says why."""


def export_lstm(weights: StepWeights, *, int8: bool) -> bytes:
    """Return the .tflite of one step of a chord LSTM.

    Args:
        weights: the trained model as matrices.
        int8: store the weights as 8-bit integers with a scale (dynamic range); state and logits stay float32.

    Raises:
        ExportError: a weight is not finite, or the converter gave something else than the model.
    """
    if not all(np.isfinite(array).all() for array in weights.arrays()):
        raise ExportError("a weight is NaN or infinite: the training diverged; lower the learning rate")
    # Raw variables on a plain tf.Module: with a Keras model as the tracked object the file comes out empty
    # and every output is NaN, and nothing complains.
    module = tf.Module()
    module.weights = [tf.Variable(array) for array in weights.arrays()]
    embedding, *cells, project, project_bias, output, bias = module.weights

    def step(token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        new = {}
        x = tf.gather(embedding, token)
        for layer, (kernel, cell_bias) in enumerate(zip(cells[::2], cells[1::2], strict=True)):
            h, c = (f"state_{layer}_{part}" for part in ("h", "c"))
            gates = tf.matmul(tf.concat([x, states[h]], 1), kernel) + cell_bias
            i, f, candidate, o = tf.split(gates, 4, axis=1)
            new[c] = tf.sigmoid(f) * states[c] + tf.sigmoid(i) * tf.tanh(candidate)
            x = new[h] = tf.sigmoid(o) * tf.tanh(new[c])
        x = tf.matmul(x, project) + project_bias
        return {LOGITS: tf.matmul(x, output, transpose_b=True) + bias, **new}

    tflite = convert(module, step, weights.states, int8=int8)
    parameters = sum(array.size for array in weights.arrays())
    if len(tflite) < parameters * (1 if int8 else 4):
        raise ExportError(f"{len(tflite)} bytes cannot hold {parameters} parameters: the weights were lost")
    return tflite


def convert(
    module: tf.Module,
    step: Callable[..., dict[str, tf.Tensor]],
    states: Mapping[str, tuple[int, ...]],
    *,
    int8: bool = False,
) -> bytes:
    """Return the .tflite of any step function over a module's raw variables.

    Args:
        module: holds the variables that ``step`` uses.
        step: ``(token [1] int32, **states float32) -> {logits, **states}``.
        states: the shape of each state.
        int8: quantise the weights, dynamic range.

    Raises:
        ExportError: the file needs operators outside LiteRT's built-in ones.
    """
    inputs = {TOKEN: tf.TensorSpec([1], tf.int32, TOKEN)}
    inputs |= {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in states.items()}
    concrete = tf.function(step).get_concrete_function(**inputs)
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
