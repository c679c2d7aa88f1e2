"""Small models written by hand, so that the composer's tests need no file and take microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from neuralmidi.reading import Condition
from neuralmidi.tokenizer import (
    REST,
    START,
    UNKNOWN,
    ChordTokenizer,
    DrumTokenizer,
    PolyTokenizer,
    Tokenizer,
    drum_vocabulary,
    poly_vocabulary,
)
from numpy.typing import NDArray

State = tuple[NDArray[np.float32], ...]
CHORDS = ("60", "62", "64", "60,64", "60,64,67", "62,65,69", "60,64,67,72", "48,60,64,67", "0", "0,127")


def tokenizer(chords: Sequence[str] = CHORDS, steps_per_beat: int = 4) -> ChordTokenizer:
    return ChordTokenizer((START, UNKNOWN, REST, *chords), steps_per_beat)


class Recurrent:
    """A recurrent network with random weights: every token it has heard matters."""

    def __init__(self, vocabulary_size: int, seed: int = 0, width: int = 8) -> None:
        draw = np.random.default_rng(seed).normal
        self._embedding = draw(size=(vocabulary_size, width)).astype(np.float32)
        self._recurrent = draw(size=(width, width)).astype(np.float32)
        self._output = draw(size=(width, vocabulary_size)).astype(np.float32)
        self._conditions = draw(size=(4, width)).astype(np.float32)
        self._width = width

    def initial_state(self) -> State:
        return (np.zeros((1, self._width), np.float32),)

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        told = self._conditions[: len(condition)].T @ condition if condition is not None else 0
        hidden = np.tanh(state[0] @ self._recurrent + self._embedding[token] + told)
        return (hidden @ self._output)[0], (hidden,)


class Lawful(Recurrent):
    """A recurrent network for poly that never says what cannot follow; its state is also all it has heard.

    Within a slot the ends come before the attacks, each in ascending pitch; after a wait that is not the
    longest something changes.
    """

    def __init__(self, tokenizer: PolyTokenizer, seed: int = 0) -> None:
        super().__init__(len(tokenizer.vocabulary), seed)
        self._actions, self._longest_wait = tokenizer.actions, tokenizer.longest_wait

    def initial_state(self) -> State:
        return (np.zeros(0, np.float32), np.zeros(128, np.float32), *super().initial_state())

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        heard, down, hidden = state
        logits, after = super().step((hidden,), token, condition)
        kind, value = self._actions[token]
        down = down.copy()
        if kind in ("on", "off"):
            down[value] = kind == "on"
        ended = value if kind == "off" else 128 if kind == "on" else -1
        begun = value if kind == "on" else -1
        changes = kind == "wait" and value < self._longest_wait
        legal = [
            (kind == "off" and bool(down[value]) and value > ended)
            or (kind == "on" and not down[value] and value > begun)
            or (kind == "wait" and not changes)
            for kind, value in self._actions
        ]
        new = (np.append(heard, np.float32(token)), down, *after)
        return np.where(legal, logits, np.float32(-1e4)), new


class Script:
    """Says these tokens one after another, over and over; its state is all it has heard.

    Args:
        tokens: one for each token heard.
        vocabulary_size: of all.
        after: what it hears first without saying anything.
    """

    def __init__(self, tokens: Sequence[int], vocabulary_size: int, after: int = 0) -> None:
        self._tokens = tokens
        self._size = vocabulary_size
        self._after = after

    def initial_state(self) -> State:
        return (np.zeros(0, np.float32),)

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        (heard,) = state
        logits = np.zeros(self._size, np.float32)
        logits[self._tokens[(len(heard) - self._after) % len(self._tokens)]] = 1000
        return logits, (np.append(heard, np.float32(token)),)


class Ring(Script):
    """Says after each of its tokens the one behind it, and after any other its first."""

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        logits, after = super().step(state, token, condition)
        place = self._tokens.index(token) + 1 if token in self._tokens else 0
        logits[:] = 0
        logits[self._tokens[place % len(self._tokens)]] = 1000
        return logits, after


@dataclass(frozen=True)
class Bundle:
    """What the composer asks of a bundle."""

    name: str
    model: Recurrent | Script
    tokenizer: Tokenizer
    condition_names: tuple[str, ...] = ()


def recurrent(seed: int = 0, chords: Sequence[str] = CHORDS, name: str = "recurrent") -> Bundle:
    words = tokenizer(chords)
    return Bundle(name, Recurrent(len(words.vocabulary), seed), words)


def script(*chords: str, vocabulary: Sequence[str] = CHORDS, steps_per_beat: int = 4) -> Bundle:
    """A bundle that plays these chords, each written as in a vocabulary; "" is a rest."""
    words = tokenizer(vocabulary, steps_per_beat)
    tokens = [words.vocabulary.index(chord or REST) for chord in chords]
    return Bundle("script", Script(tokens, len(words.vocabulary)), words)


def poly_tokenizer(steps_per_beat: int = 4, bar: str | None = "4/4", velocities: int = 8) -> PolyTokenizer:
    words = poly_vocabulary(steps_per_beat, ("4/4", "3/4", "6/8"), velocities)
    return PolyTokenizer(words, steps_per_beat, (START, f"bar {bar}") if bar else (START,))


def poly(*words: str, steps_per_beat: int = 4, bar: str | None = "4/4", velocities: int = 8) -> Bundle:
    """A bundle that says these words of the tokenizer poly, over and over."""
    meaning = poly_tokenizer(steps_per_beat, bar, velocities)
    tokens = list(map(meaning.vocabulary.index, words))
    model = Script(tokens, len(meaning.vocabulary), after=len(meaning.beginning) - 1)
    return Bundle("poly", model, meaning)


def poly_ring(*words: str, steps_per_beat: int = 4, bar: str = "4/4", velocities: int = 8) -> Bundle:
    """A bundle that says each of these words of the tokenizer poly after the one before it."""
    meaning = poly_tokenizer(steps_per_beat, bar, velocities)
    return Bundle("ring", Ring(list(map(meaning.vocabulary.index, words)), len(meaning.vocabulary)), meaning)


def recurrent_poly(seed: int = 0, steps_per_beat: int = 4, names: tuple[str, ...] = ()) -> Bundle:
    """A bundle that says anything, and much that cannot follow."""
    meaning = poly_tokenizer(steps_per_beat)
    return Bundle("recurrent poly", Recurrent(len(meaning.vocabulary), seed), meaning, names)


def lawful(seed: int = 0, steps_per_beat: int = 4) -> Bundle:
    """A bundle that says all that can follow and nothing else."""
    meaning = poly_tokenizer(steps_per_beat, velocities=0)
    return Bundle("lawful", Lawful(meaning, seed), meaning)


DRUMS = DrumTokenizer(drum_vocabulary(range(512)))


def drums(*words: str, names: tuple[str, ...] = ()) -> Bundle:
    """A drummer who says these words of the tokenizer drums, over and over."""
    tokens = list(map(DRUMS.vocabulary.index, words))
    return Bundle("drums", Script(tokens, len(DRUMS.vocabulary)), DRUMS, names)


def drum_ring(*words: str) -> Bundle:
    """A drummer who says each of these words after the one before it, whatever has been heard."""
    tokens = list(map(DRUMS.vocabulary.index, words))
    return Bundle("ring", Ring(tokens, len(DRUMS.vocabulary)), DRUMS)


def hit(instrument: str, level: int = 12, late: int = 0) -> tuple[str, str, str]:
    """The words of a slot with one hit."""
    return instrument, f"velocity {level}", f"late {late}"
