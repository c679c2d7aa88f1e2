"""A neural network that takes one token at a time: what a bundle plays with."""

from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from .caches import Array
from .errors import NeuralMIDIError
from .network import Network, State

PATIENCE: Final = 1.0
"""Seconds that a network is waited for. A step takes a thousandth of that."""

_networks: WeakValueDictionary[tuple[object, ...], Network] = WeakValueDictionary()
"""Those that are in use, by what they were made of."""


def _network(
    tflite: bytes, carried: Sequence[str], caches: Sequence[str], condition: Array | None
) -> Network:
    """Return the network of a file: the one that plays already, if there is one."""
    size = 0 if condition is None else len(condition)
    key = (tflite, tuple(carried), tuple(caches), size)
    network = _networks.get(key)
    if network is None or network.is_stuck:
        network = _networks[key] = Network(tflite, carried, caches, size)
    return network


class StepModel:
    """Runs the signature ``step`` of a .tflite model: ``(token, condition, state) -> (logits, state)``.

    The state goes in and comes out, so one model serves many composers, one call at a time; and models that
    are made of the same file share one network. The state is of two kinds. A *carried* state (LSTM, GRU) is
    an input and an output of one shape. A *cache* (attention) is an input ``[1, slots, width]`` of which a
    step returns one new row, ``[1, 1, width]``. Its place is the slot ``tokens fed before % slots``: the
    oldest row gives way to the newest.

    To copy whole caches at each step would cost more than the network itself, so they lie in the interpreter
    for good, and a step writes its one row there. After a rewind, or when two composers take turns, the rows
    that differ are written anew; all others are where they were.

    Args:
        tflite: the contents of the .tflite file.
        carried: names of the carried states, in the order of `State.carried`.
        caches: names of the caches, in the order of their numbers in a row.
        condition: what the input ``condition`` gets when `step` is given none, ``[N]``: zeros, or what a
            bundle fixes. None: the model has no such input.

    Attributes:
        vocabulary_size: how many tokens it knows.
        state_shapes: the shape of each state by name, the carried ones first.
        condition_size: length of the input ``condition``; 0: there is none.

    Raises:
        NeuralMIDIError: the file is damaged, needs operators that LiteRT lacks, or its inputs and
            outputs are not those of a step.
    """

    def __init__(
        self,
        tflite: bytes,
        carried: Sequence[str],
        caches: Sequence[str] = (),
        condition: Array | None = None,
    ) -> None:
        self._network = _network(tflite, carried, caches, condition)
        self._default = condition
        self.condition_size = 0 if condition is None else len(condition)
        self.vocabulary_size = self._network.vocabulary_size
        self.state_shapes = self._network.state_shapes

    def initial_state(self) -> State:
        """Return the state before any token: all zeros."""
        return self._network.initial_state()

    def step(self, state: State, token: int, condition: Array | None = None) -> tuple[Array, State]:
        """Feed one token.

        Args:
            state: what an earlier step or `initial_state` returned; left as it is.
            token: 0 to ``vocabulary_size - 1``.
            condition: ``[condition_size]``; None: what the model was made with.

        Returns:
            The logits of the next token, shape ``[vocabulary_size]``, natural-log scale, a fresh array, and
            the new state.

        Raises:
            NeuralMIDIError: there is no such token, the state is not this model's, the condition is not of
                its size, or the logits are not finite. The model stays usable.
        """
        # LiteRT would take -1 for the last token.
        if not 0 <= token < self.vocabulary_size:
            why = f"outside the vocabulary, 0 to {self.vocabulary_size - 1}"
            raise NeuralMIDIError(f"token {token}", why, "feed a token of this model's tokenizer")
        if state.shapes is not self.state_shapes and state.shapes != self.state_shapes:
            raise NeuralMIDIError("state", "is another model's", "start from this model's initial_state()")
        if condition is None:
            condition = self._default
        size = 0 if condition is None else len(condition)
        if size != self.condition_size:
            why = f"has {size} numbers, not {self.condition_size}"
            raise NeuralMIDIError("condition", why, "give a number for each of the model's names")
        network = self._network
        network.is_stuck = network.is_stuck or not network.lock.acquire(timeout=PATIENCE)
        if network.is_stuck:  # whoever was in it has been given up, and is in it still
            remedy = "send `composer` and its name, which loads it anew, or another's"
            raise NeuralMIDIError("model.tflite", "a step of it has not come to an end", remedy)
        try:
            return network.step(state, token, condition)
        finally:
            network.lock.release()
