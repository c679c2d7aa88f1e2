"""A model in the middle of the music: what it has been told, and what has happened since."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .hands import Hands
from .tokenizer import Tokenizer

Condition = NDArray[np.float32] | None
"""How much of each composer, ``[N]``; None for a model of one."""


class Model(Protocol):
    """What the composer needs of a step model. Its states are values: nothing in them may ever change."""

    def initial_state(self) -> Any:
        """The state before the first token."""

    def step(self, state: Any, token: int, condition: Condition = None) -> tuple[NDArray[np.float32], Any]:
        """Logits ``[V]`` (a fresh array) of what follows ``token``, and the state after it."""


class Score(Protocol):
    """What the composer needs of a bundle: a model and what its tokens mean."""

    @property
    def name(self) -> str:
        """The name a player calls it by."""

    @property
    def model(self) -> Model:
        """The network."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What its tokens mean."""

    @property
    def condition_names(self) -> tuple[str, ...]:
        """The composers that the model's condition is about; none if it has no condition to be chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Where a model is in the music. Nothing in it is ever written to.

    The last token waits until the next one is due: it is told to the network when the network is asked for
    what follows. So a wait that the model has said can still be cut short by a player.

    Attributes:
        bundle: the model, with what its tokens mean.
        state: the network's, before `token`.
        token: the last token; None: it has been withdrawn, and time is all that is to be told.
        hands: what they do after that token.
        passed: slots since that token's slot began.
    """

    bundle: Score
    state: Any
    token: int | None
    hands: Hands
    passed: int

    @classmethod
    def begin(cls, bundle: Score, tokens: Iterable[int], condition: Condition) -> "Reading":
        """Tell a model its first tokens; those that let time pass have done so."""
        return Introduction().begin(bundle, tokens, condition)

    @property
    def waits(self) -> bool:
        """Whether the last token still holds in the slot that comes."""
        return self.passed < self.hands.wait

    def later(self) -> "Reading":
        """The slot is over."""
        return Reading(self.bundle, self.state, self.token, self.hands, self.passed + 1)

    def on_time(self, condition: Condition) -> "Reading":
        """Open the slot that comes: the model knows how much time has passed."""
        told = self.hands.wait
        if self.passed == told:
            return replace(self, passed=0)
        silent = replace(self, token=None) if told else self  # a wait has not lasted as long as it said
        passing = self.bundle.tokenizer.passing(self.passed)
        return replace(silent._told(passing, condition), passed=0)

    def releasing(self, pitches: Collection[int], condition: Condition) -> "Reading":
        """Tell the model in the open slot that these keys go up."""
        return self._told(self.bundle.tokenizer.release(pitches), condition)

    def hearing(
        self, sounding: Mapping[int, int], struck: Collection[int], condition: Condition
    ) -> "Reading":
        """Let the model hear a slot that it has not composed.

        Args:
            sounding: MIDI pitch to velocity of what sounds in it.
            struck: those of them that begin in it.
            condition: what it plays under.
        """
        changes = self.bundle.tokenizer.write(self.hands, sounding, struck)
        heard = self.on_time(condition)._told(changes, condition) if changes else self
        return heard.later()

    def ask(self, condition: Condition) -> tuple[NDArray[np.float32], "Reading"]:
        """Ask the model what follows; returns the logits ``[V]``, and the reading to which to `add` it."""
        assert self.token is not None, "a slot is opened before anything is asked"
        logits, state = self.bundle.model.step(self.state, self.token, condition)
        return logits, Reading(self.bundle, state, None, self.hands, self.passed)

    def add(self, token: int) -> "Reading":
        """One more token, which the network is told when it is asked for what follows."""
        hands = self.bundle.tokenizer.read(self.hands, token)
        return Reading(self.bundle, self.state, token, hands, self.passed)

    def _told(self, tokens: Iterable[int], condition: Condition) -> "Reading":
        """Tell the model tokens; the last one waits."""
        reading = self
        for token in tokens:
            if reading.token is not None:
                _, reading = reading.ask(condition)
            reading = reading.add(token)
        return reading


class Introduction:
    """Tells a model what has been played before it joins in; the next time, only what is new.

    A change that comes too late acts again, a step or two later. To be told all the music anew would take as
    long as the first time, and be too late once more, until no step is left.
    """

    def __init__(self) -> None:
        self._to: Score | None = None
        self._condition: Condition = None
        self._told: list[tuple[int, Reading]] = []  # each token, and the reading right after it

    def begin(self, bundle: Score, tokens: Iterable[int], condition: Condition) -> Reading:
        """Tell a model its first tokens; those that let time pass have done so."""
        if bundle is not self._to or not np.array_equal(condition, self._condition):  # type: ignore[arg-type]
            self._to, self._condition, self._told = bundle, condition, []
        words = list(tokens)
        known = 0
        while known < min(len(words), len(self._told)) and words[known] == self._told[known][0]:
            known += 1
        del self._told[known:]
        nothing = Reading(bundle, bundle.model.initial_state(), None, Hands(), 0)
        reading = self._told[-1][1] if known else nothing
        for token in words[known:]:
            reading = reading._told([token], condition)
            self._told.append((token, reading))
        return replace(reading, passed=reading.hands.wait)
