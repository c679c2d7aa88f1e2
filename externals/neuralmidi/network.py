"""A .tflite file at work: a step of its network. The one module that knows LiteRT."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .caches import Array, Caches, Slots
from .errors import NeuralMIDIError

SIGNATURE: Final = "step"
TOKEN: Final = "token"
CONDITION: Final = "condition"
LOGITS: Final = "logits"

Shape = tuple[int, ...]

_NO_REASON: Final = "LiteRT refuses it without a reason: perhaps it wants too much memory"
_EXPORT_AGAIN: Final = "export the model again with this version's training.train_composer_models"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a network remembers. Nothing in it is ever written to: to keep it is to take a snapshot.

    Attributes:
        shapes: of the model's states: what tells its own states from another model's.
        carried: the carried states, in the model's order.
        slots: what each slot of the caches holds.
        fed: how many tokens have been fed.
    """

    shapes: Mapping[str, Shape]
    carried: tuple[Array, ...]
    slots: Slots
    fed: int


class Network:
    """A .tflite file in LiteRT. There is one for all models that are of one file, and they take turns.

    Args:
        tflite: the contents of the file.
        carried: names of the carried states.
        caches: names of the caches.
        condition_size: length of the input ``condition``; 0: there is none.

    Attributes:
        lock: whoever uses the network holds it.
        is_stuck: somebody has held it for far too long; nobody else is to wait.
        vocabulary_size: how many tokens it knows.
        state_shapes: the shape of each state by name, the carried ones first.
        caches: of attention, the rows that it sees.

    Raises:
        NeuralMIDIError: the file is damaged, needs operators that LiteRT lacks, or its inputs and
            outputs are not those of a step.
    """

    def __init__(
        self, tflite: bytes, carried: Sequence[str], caches: Sequence[str], condition_size: int
    ) -> None:
        self.lock, self.is_stuck = Lock(), False
        self._interpreter = _interpreter(tflite)
        inputs, outputs = _tensors(self._interpreter)
        _check_names(inputs, outputs, (*carried, *caches), takes_condition=condition_size > 0)
        self.vocabulary_size = int(outputs[LOGITS]["shape"][-1])
        _check(LOGITS, outputs[LOGITS], np.float32, ((self.vocabulary_size,), (1, self.vocabulary_size)))
        _check(TOKEN, inputs[TOKEN], np.int32, ((1,), (1, 1)))
        if condition_size:
            _check(CONDITION, inputs[CONDITION], np.float32, ((1, condition_size),))
        self.state_shapes: Mapping[str, Shape] = {name: _shape(inputs[name]) for name in (*carried, *caches)}
        _check_states(inputs, outputs, carried, caches)
        _settle(self._interpreter, inputs)
        into = {name: _memory(self._interpreter, tensor) for name, tensor in inputs.items()}
        out = {name: tensor["index"] for name, tensor in outputs.items()}
        self._token, self._logits, self._condition = into[TOKEN], out[LOGITS], into.get(CONDITION)
        self._carried_in, self._carried_out = ([side[name] for name in carried] for side in (into, out))
        self.caches, self._rows = Caches([into[name][0] for name in caches]), [out[name] for name in caches]

    def initial_state(self) -> State:
        """Return the state before any token: all zeros."""
        carried = tuple(np.zeros_like(part) for part in self._carried_in)
        return State(self.state_shapes, carried, (None,) * len(self.caches.held), 0)

    def step(self, state: State, token: int, condition: Array | None) -> tuple[Array, State]:
        """Feed one token; all of these are its own, and of the right size.

        Raises:
            NeuralMIDIError: what comes out is not finite.
        """
        if self._condition is not None:
            self._condition[...] = condition
        self.caches.hold(state.slots)
        self._token[...] = token
        for place, part in zip(self._carried_in, state.carried, strict=True):
            place[...] = part
        _run(self._interpreter)
        logits: Array = self._interpreter.get_tensor(self._logits).ravel()
        # If there is a NaN among them, numpy takes it for both the smallest and the largest.
        if not (isfinite(logits[logits.argmin()]) and isfinite(logits[logits.argmax()])):
            remedy = f"load another, or {_EXPORT_AGAIN}"
            raise NeuralMIDIError("model.tflite", "its output is not finite", remedy)
        carried = tuple([self._interpreter.get_tensor(part) for part in self._carried_out])
        if self._rows:
            rows = [self._interpreter.get_tensor(row)[0, 0] for row in self._rows]
            self.caches.add(state.fed % len(state.slots), rows)
        return logits, State(self.state_shapes, carried, self.caches.held, state.fed + 1)


def _interpreter(tflite: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # here, so that importing neuralmidi stays quick

    try:
        interpreter = Interpreter(model_content=tflite, num_threads=1)  # two threads only add jitter
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        if "Select TensorFlow op" in why or "custom op" in why:
            why = f"needs operators that LiteRT has not built in ({why})"
        raise NeuralMIDIError(
            "model.tflite",
            why or _NO_REASON,
            _EXPORT_AGAIN,
        ) from error
    found = list(interpreter.get_signature_list())
    if found != [SIGNATURE]:
        raise _misfit(f"has the signatures {found}, not the one signature '{SIGNATURE}'")
    return interpreter


Details = Mapping[str, Any]
"""What LiteRT tells of a tensor."""


def _tensors(interpreter: Any) -> tuple[dict[str, Details], dict[str, Details]]:
    """Return the inputs and the outputs of the signature, by the names that it gives them."""
    runner = interpreter.get_signature_runner(SIGNATURE)  # while it lives, the interpreter does not run
    named = (runner.get_input_details(), runner.get_output_details())
    there = (interpreter.get_input_details(), interpreter.get_output_details())
    for signature, graph in zip(named, there, strict=True):
        if not {d["index"] for d in signature.values()} <= {d["index"] for d in graph}:
            raise _misfit(f"the signature '{SIGNATURE}' is not of its main graph")
    return named


def _settle(interpreter: Any, inputs: Mapping[str, Details]) -> None:
    """Fill the inputs with zeros, and see that the model runs, and that they stay where they are."""
    for tensor in inputs.values():
        interpreter.set_tensor(tensor["index"], np.zeros(_shape(tensor), tensor["dtype"]))
    places = []
    for _ in range(2):  # whatever LiteRT lays out late, it has after the first run
        _run(interpreter)
        places.append([interpreter.tensor(tensor["index"])().ctypes.data for tensor in inputs.values()])
    if places[0] != places[1]:
        raise _misfit("does not keep its inputs in their places")


def _memory(interpreter: Any, details: Details) -> NDArray[Any]:
    """Return the memory of an input that has settled: an array that may be kept as long as the interpreter.

    Those that LiteRT itself hands out must be gone whenever the model runs, and to ask for them all again at
    each step takes longer than the rest of what Python does in it. Outputs are another matter: an operator
    may lay them out anew in every step.
    """
    lent = interpreter.tensor(details["index"])()
    memory = (ctypes.c_char * lent.nbytes).from_address(lent.ctypes.data)
    return np.frombuffer(memory, lent.dtype).reshape(lent.shape)


def _run(interpreter: Any) -> None:
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise NeuralMIDIError("model.tflite", f"a step failed: {error}", _EXPORT_AGAIN) from error


def _check_names(
    inputs: Mapping[str, Details],
    outputs: Mapping[str, Details],
    states: Sequence[str],
    *,
    takes_condition: bool,
) -> None:
    given = (TOKEN, CONDITION, *states) if takes_condition else (TOKEN, *states)
    if sorted(inputs) != sorted(given) or sorted(outputs) != sorted((LOGITS, *states)):
        condition = " and a condition" if takes_condition else ""
        why = f"takes {sorted(inputs)} and gives {sorted(outputs)}, states: {list(states)}{condition}"
        raise _misfit(why)


def _check_states(
    inputs: Mapping[str, Details],
    outputs: Mapping[str, Details],
    carried: Sequence[str],
    caches: Sequence[str],
) -> None:
    """Raise unless carried states come out as they go in, and of caches, alike in slots, a row comes out."""
    for name in carried:
        _check(name, inputs[name], np.float32, (_shape(inputs[name]),))
        _check(name, outputs[name], np.float32, (_shape(inputs[name]),))
    slots = (*_shape(inputs[caches[0]]), 0, 0)[1] if caches else 0  # they share one count
    for name in caches:
        width = _shape(inputs[name])[-1:]
        _check(name, inputs[name], np.float32, ((1, slots or 1, *width),))
        _check(name, outputs[name], np.float32, ((1, 1, *width),))


def _shape(details: Details) -> Shape:
    return tuple(int(size) for size in details["shape"])


def _check(name: str, details: Details, dtype: type, shapes: Sequence[Shape]) -> None:
    """Raise unless a tensor has the type and one of the shapes, none of them open."""
    if details["dtype"] is not dtype or _shape(details) not in shapes or -1 in details["shape_signature"]:
        found = f"{details['dtype'].__name__} {list(_shape(details))}"
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise _misfit(f"'{name}' is {found}, not a fixed {dtype.__name__} {wanted}")


def _misfit(why: str) -> NeuralMIDIError:
    return NeuralMIDIError("model.tflite", why, _EXPORT_AGAIN)
