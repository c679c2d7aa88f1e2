"""Proof by numbers: likelihood through the shipped file, a counting baseline, how the music comes out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from typing import Final

import keras
import numpy as np
from neuralmidi.sampling import sample
from neuralmidi.step_model import StepModel
from neuralmidi.tokenizer import Tokenizer
from numpy.typing import NDArray

from training.dataset import Steps
from training.export import ExportError
from training.tokens import Tokens

STREAMED: Final = 256
TOLERANCE: Final = 1e-4
BAR: Final = 16


@dataclass(frozen=True)
class Score:
    """How well a model predicts some pieces, each from its first step on and without memory of the others.

    Attributes:
        nats_per_step: mean of ``-ln p(token)``; a chord out of the vocabulary is thinned out before.
        accuracy: share of steps whose token was the likeliest.
        steps: how many were scored.
    """

    nats_per_step: float
    accuracy: float
    steps: int


def require_same_as_keras(model: keras.Model, step_model: StepModel, tokens: Tokens) -> float:
    """Feed the same tokens to Keras at once and to LiteRT one by one.

    Args:
        model: the trained network.
        step_model: its float32 export.
        tokens: at least `STREAMED`.

    Returns:
        The largest difference between two logits.

    Raises:
        ExportError: it is above `TOLERANCE`.
    """
    tokens = tokens[:STREAMED]
    window = np.asarray(model(tokens[None], training=False))[0]
    state = step_model.initial_state()
    worst = 0.0
    for token, wanted in zip(tokens, window, strict=True):
        logits, state = step_model.step(state, int(token))
        worst = max(worst, float(np.abs(logits - wanted).max()))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"after {STREAMED} steps the file differs from Keras by {worst:.2g}: do not ship it"
        )
    return worst


def score(step_model: StepModel, start: int, pieces: Iterable[Tokens]) -> Score:
    """Score pieces through LiteRT, as they are heard by the player: one token at a time."""

    def predictions(tokens: Tokens) -> Iterable[NDArray[np.float64]]:
        state = step_model.initial_state()
        for token in (start, *tokens[:-1]):
            logits, state = step_model.step(state, int(token))
            yield _log_softmax(logits)

    return _score(predictions, pieces)


def _score(predictions: Callable[[Tokens], Iterable[NDArray[np.float64]]], pieces: Iterable[Tokens]) -> Score:
    nats, hits, steps = 0.0, 0, 0
    for tokens in pieces:
        for token, log_p in zip(tokens, predictions(tokens), strict=True):
            nats -= log_p[token]
            hits += int(log_p.argmax()) == token
            steps += 1
    return Score(nats / steps, hits / steps, steps)


class CountingModel:
    """The baseline: an n-gram over the same tokens, smoothed as Witten and Bell (1991) do.

    Each context of up to ``order - 1`` tokens gives way to the next shorter one in proportion to how many
    different tokens have followed it; the shortest gives way to all tokens alike.

    Args:
        pieces: training tokens, one sequence per piece and key.
        size: of the vocabulary.
        order: the n of the n-gram.
    """

    def __init__(self, pieces: Iterable[Tokens], size: int, order: int = 6) -> None:
        self.size = size
        self.order = order
        self.followers: dict[tuple[int, ...], Counter[int]] = {}
        for tokens in pieces:
            heard = tuple(map(int, tokens))
            for place, token in enumerate(heard):
                for context in self._contexts(heard[:place]):
                    self.followers.setdefault(context, Counter())[token] += 1

    def score(self, pieces: Iterable[Tokens]) -> Score:
        """Score pieces, each without memory of the others."""

        def predictions(tokens: Tokens) -> Iterable[NDArray[np.float64]]:
            heard = tuple(map(int, tokens))
            for place in range(len(heard)):
                yield np.log(self._probabilities(heard[:place]))

        return _score(predictions, pieces)

    def _contexts(self, heard: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the contexts of the next token, shortest first."""
        return [heard[len(heard) - length :] for length in range(min(self.order - 1, len(heard)) + 1)]

    def _probabilities(self, heard: tuple[int, ...]) -> NDArray[np.float64]:
        p = np.full(self.size, 1 / self.size)
        for context in self._contexts(heard):
            followers = self.followers.get(context)
            if followers is None:
                break
            p *= len(followers)
            p[list(followers)] += list(followers.values())
            p /= len(followers) + followers.total()
        return p


@dataclass(frozen=True)
class Music:
    """What some music is like, in numbers that show a model that has collapsed.

    Attributes:
        rests: share of steps in which nothing sounds.
        polyphony: mean number of sounding pitches in the other steps.
        notes_per_bar: pitches that begin to sound per 16 steps.
        longest_held: steps of the longest run of one unchanged chord.
        chords: different chords per 100 steps.
    """

    rests: float
    polyphony: float
    notes_per_bar: float
    longest_held: int
    chords: float


def describe(steps: Steps) -> Music:
    """Return what some music is like."""
    sizes = [len(step) for step in steps if step]
    begun = sum(len(set(after) - set(before)) for before, after in pairwise(((), *steps)))
    return Music(
        rests=1 - len(sizes) / len(steps),
        polyphony=float(np.mean(sizes)) if sizes else 0.0,
        notes_per_bar=begun / len(steps) * BAR,
        longest_held=max((sum(1 for _ in run) for chord, run in groupby(steps) if chord), default=0),
        chords=len({*steps}) / len(steps) * 100,
    )


def describe_all(pieces: Sequence[Steps]) -> dict[str, float]:
    """Return the mean of each figure over some pieces, and the longest held chord of all."""
    rows = [asdict(describe(piece)) for piece in pieces]
    mean = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
    return mean | {"longest_held": max(row["longest_held"] for row in rows)}


def generate(step_model: StepModel, tokenizer: Tokenizer, steps: int, temperature: float, seed: int) -> Steps:
    """Play some steps as the composer does: from ``<start>``, never a token that cannot be played."""
    rng = np.random.default_rng(seed)
    state, token = step_model.initial_state(), tokenizer.start
    played = []
    for _ in range(steps):
        logits, state = step_model.step(state, token)
        logits[list(tokenizer.unmusical)] = -np.inf
        token = sample(logits, temperature=temperature, uniform=rng.random())
        played.append(tokenizer.decode(token))
    return tuple(played)


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
