"""Two small models written by hand, so that the composer's tests need no file and take microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from neuralmidi.tokenizer import REST, START, UNKNOWN, ChordTokenizer, Tokenizer
from numpy.typing import NDArray

State = tuple[NDArray[np.float32], ...]
CHORDS = ("60", "62", "64", "60,64", "60,64,67", "62,65,69", "60,64,67,72", "48,60,64,67", "0", "0,127")


def tokenizer(chords: Sequence[str] = CHORDS) -> ChordTokenizer:
    return ChordTokenizer((START, UNKNOWN, REST, *chords))


class Recurrent:
    """A recurrent network with random weights: every token it has heard matters."""

    def __init__(self, vocabulary_size: int, seed: int = 0, width: int = 8) -> None:
        draw = np.random.default_rng(seed).normal
        self._embedding = draw(size=(vocabulary_size, width)).astype(np.float32)
        self._recurrent = draw(size=(width, width)).astype(np.float32)
        self._output = draw(size=(width, vocabulary_size)).astype(np.float32)
        self._width = width

    def initial_state(self) -> State:
        return (np.zeros((1, self._width), np.float32),)

    def step(self, state: State, token: int) -> tuple[NDArray[np.float32], State]:
        hidden = np.tanh(state[0] @ self._recurrent + self._embedding[token])
        return (hidden @ self._output)[0], (hidden,)


class Script:
    """Plays these tokens one after another, over and over; its state is all it has heard."""

    def __init__(self, tokens: Sequence[int], vocabulary_size: int) -> None:
        self._tokens = tokens
        self._size = vocabulary_size

    def initial_state(self) -> State:
        return (np.zeros(0, np.float32),)

    def step(self, state: State, token: int) -> tuple[NDArray[np.float32], State]:
        (heard,) = state
        logits = np.zeros(self._size, np.float32)
        logits[self._tokens[len(heard) % len(self._tokens)]] = 1000
        return logits, (np.append(heard, np.float32(token)),)


@dataclass(frozen=True)
class Bundle:
    """What the composer asks of a bundle."""

    name: str
    model: Recurrent | Script
    tokenizer: Tokenizer
    steps_per_beat: int = 4


def recurrent(seed: int = 0, chords: Sequence[str] = CHORDS, name: str = "recurrent") -> Bundle:
    words = tokenizer(chords)
    return Bundle(name, Recurrent(len(words.vocabulary), seed), words)


def script(*chords: str, vocabulary: Sequence[str] = CHORDS, steps_per_beat: int = 4) -> Bundle:
    """A bundle that plays these chords, each written as in a vocabulary; "" is a rest."""
    words = tokenizer(vocabulary)
    tokens = [words.vocabulary.index(chord or REST) for chord in chords]
    return Bundle("script", Script(tokens, len(words.vocabulary)), words, steps_per_beat)
