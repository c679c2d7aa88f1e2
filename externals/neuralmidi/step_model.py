"""A neural network that takes one token at a time. The one module that knows LiteRT."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import NeuralMIDIError

State = tuple[NDArray[np.float32], ...]
"""What the network remembers, an array per state. Never written in place, so a snapshot is a reference."""

SIGNATURE: Final = "step"
TOKEN: Final = "token"
LOGITS: Final = "logits"

_EXPORT_AGAIN: Final = "export the model again with this version's training.train_composer_models"


class StepModel:
    """Runs the signature ``step`` of a .tflite model: ``(token, state) -> (logits, state)``.

    It keeps no memory of its own: the state goes in and comes out, so one model serves many composers, one
    call at a time.

    Args:
        tflite: the contents of the .tflite file.
        state_names: the inputs that carry state, in the order of `State`; each is also an output.

    Attributes:
        vocabulary_size: how many tokens it knows.
        state_shapes: the shape of each state, in order.

    Raises:
        NeuralMIDIError: the file is damaged, needs operators that LiteRT lacks, or its inputs and
            outputs are not those of a step.
    """

    def __init__(self, tflite: bytes, state_names: Sequence[str]) -> None:
        self._run = _step_runner(tflite)
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        names = tuple(state_names)
        if sorted(inputs) != sorted((TOKEN, *names)) or sorted(outputs) != sorted((LOGITS, *names)):
            raise _misfit(f"takes {sorted(inputs)} and gives {sorted(outputs)}, states: {list(names)}")
        _check(TOKEN, inputs[TOKEN], np.int32, ((1,), (1, 1)))
        self.vocabulary_size = int(outputs[LOGITS]["shape"][-1])
        _check(LOGITS, outputs[LOGITS], np.float32, ((self.vocabulary_size,), (1, self.vocabulary_size)))
        self.state_shapes = tuple(_shape(inputs[name]) for name in names)
        for name, shape in zip(names, self.state_shapes, strict=True):
            _check(name, inputs[name], np.float32, (shape,))
            _check(name, outputs[name], np.float32, (shape,))
        self._token_shape = _shape(inputs[TOKEN])
        self._state_names = names

    def initial_state(self) -> State:
        """Return the state before any token: all zeros."""
        return tuple(np.zeros(shape, np.float32) for shape in self.state_shapes)

    def step(self, state: State, token: int) -> tuple[NDArray[np.float32], State]:
        """Feed one token.

        Args:
            state: what an earlier step or `initial_state` returned; left as it is.
            token: 0 to ``vocabulary_size - 1``.

        Returns:
            The logits of the next token, shape ``[vocabulary_size]``, natural-log scale, and the new state;
            all of them fresh arrays.

        Raises:
            NeuralMIDIError: there is no such token, the state is not this model's, or the logits are not
                finite. The model stays usable.
        """
        # LiteRT would take -1 for the last token and resize its tensors to whatever shape comes in.
        if not 0 <= token < self.vocabulary_size:
            why = f"outside the vocabulary, 0 to {self.vocabulary_size - 1}"
            raise NeuralMIDIError(f"token {token}", why, "feed a token of this model's tokenizer")
        if tuple(part.shape for part in state) != self.state_shapes:
            raise NeuralMIDIError("state", "is another model's", "start from this model's initial_state()")
        states = dict(zip(self._state_names, state, strict=True))
        try:
            new = self._run(**{TOKEN: np.full(self._token_shape, token, np.int32)}, **states)
        except RuntimeError as error:
            raise NeuralMIDIError("model.tflite", f"a step failed: {error}", _EXPORT_AGAIN) from error
        logits: NDArray[np.float32] = new[LOGITS].reshape(-1)
        if not np.isfinite(logits).all():
            raise NeuralMIDIError("model.tflite", "its output is not finite", _EXPORT_AGAIN)
        return logits, tuple(new[name] for name in self._state_names)


def _step_runner(tflite: bytes) -> Any:
    """Return LiteRT's runner of the signature ``step``: named arrays in, named fresh arrays out."""
    from ai_edge_litert.interpreter import Interpreter  # here, so that importing neuralmidi stays quick

    try:
        interpreter = Interpreter(model_content=tflite, num_threads=1)  # two threads only add jitter
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        if "Select TensorFlow op" in why or "custom op" in why:
            why = f"needs operators that LiteRT has not built in ({why})"
        raise NeuralMIDIError("model.tflite", why or "not a .tflite file", _EXPORT_AGAIN) from error
    found = list(interpreter.get_signature_list())
    if found != [SIGNATURE]:
        raise _misfit(f"has the signatures {found}, not the one signature '{SIGNATURE}'")
    return interpreter.get_signature_runner(SIGNATURE)


def _shape(details: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(size) for size in details["shape"])


def _check(name: str, details: Mapping[str, Any], dtype: type, shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise unless a tensor has the type and one of the shapes, none of them open."""
    if details["dtype"] is not dtype or _shape(details) not in shapes or -1 in details["shape_signature"]:
        found = f"{details['dtype'].__name__} {list(_shape(details))}"
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise _misfit(f"'{name}' is {found}, not a fixed {dtype.__name__} {wanted}")


def _misfit(why: str) -> NeuralMIDIError:
    return NeuralMIDIError("model.tflite", why, _EXPORT_AGAIN)
