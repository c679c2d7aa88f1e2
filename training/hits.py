"""How well a model foresees what a drummer does: which drums each 16th hits, how hard, how late."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from typing import Any, Final

import numpy as np
from neuralmidi.kit import KIT
from neuralmidi.tokenizer import DrumTokenizer
from neuralmidi.tokenizer.drums import PARTS, loudness
from numpy.typing import NDArray

from training.likelihood import Model, Score, log_softmax

UNKNOWN: Final = -1
"""Stands for hits that the vocabulary has no word for; they count as one more word."""
SILENT: Final = 0
"""The mask of a slot in which nothing is hit."""


@dataclass(frozen=True)
class Told:
    """How hard or how late hits were, and what the model thought.

    Attributes:
        nats: ``-ln p`` of each.
        right: ``[hits]``, what it was: MIDI velocity, or slots.
        expected: ``[hits]``, the mean of what it thought.
    """

    nats: NDArray[np.float64]
    right: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """A performance, and what a model thought of it while it went on.

    Attributes:
        masks: ``[slots]``, what was hit, a bit for each of `KIT`; or `UNKNOWN`.
        guesses: ``[slots]``, what was likeliest.
        nats: ``[slots]``, ``-ln p`` of what was hit.
        velocity: of each hit, in MIDI velocities.
        late: of each hit, in slots.
        bar: slots of a bar.
    """

    masks: NDArray[np.int64]
    guesses: NDArray[np.int64]
    nats: NDArray[np.float64]
    velocity: Told
    late: Told
    bar: int

    @property
    def score(self) -> Score:
        """The same as a `Score`: a step is right if the likeliest hits were hit."""
        return Score(
            pitches=float(self.nats.sum()),
            velocity=float(self.velocity.nats.sum()),
            timing=float(self.late.nats.sum()),
            steps=len(self.masks),
            right=int((self.masks == self.guesses).sum()),
            notes=len(self.late.nats),
            beats=len(self.masks) * 4 / self.bar,
            pieces=1,
        )


def listen(model: Model, tokenizer: DrumTokenizer, tokens: Sequence[int]) -> Hits:
    """Let a model foresee a performance, one token after the other.

    Args:
        model: asked for what follows each token.
        tokenizer: what its tokens mean.
        tokens: the performance; the first of them is told.
    """
    words = slice(1, tokenizer.hits.stop)  # <unknown>, too
    masks = np.array([UNKNOWN, *tokenizer.masks])
    levels = np.array([loudness(value) for kind, value in tokenizer.actions if kind == "velocity"], float)
    parts = np.array([value / PARTS for kind, value in tokenizer.actions if kind == "late"])
    first_level, first_part = tokenizer.levels.start, tokenizer.lateness.start
    slots: list[tuple[int, int, float]] = []
    velocity: list[tuple[float, float, float]] = []
    late: list[tuple[float, float, float]] = []
    state = model.initial_state()
    for token, after in pairwise(tokens):
        logits, state = model.step(state, token)
        log_p = log_softmax(logits)
        cost = -float(log_p[after])
        if after < first_level:
            slots.append((masks[after - 1], masks[int(log_p[words].argmax())], cost))
        elif after < first_part:
            velocity.append((cost, levels[after - first_level], _mean(log_p[tokenizer.levels], levels)))
        else:
            late.append((cost, parts[after - first_part], _mean(log_p[tokenizer.lateness], parts)))
    hit, guessed, nats = np.array(slots, float).reshape(-1, 3).T
    hard, when = (Told(*np.array(each, float).reshape(-1, 3).T) for each in (velocity, late))
    return Hits(hit.astype(int), guessed.astype(int), nats, hard, when, 4 * tokenizer.steps_per_beat)


def figures(performances: Sequence[Hits]) -> dict[str, Any]:
    """Return what is to be known of how well performances were foreseen, ready for JSON.

    ``perplexity`` and ``accuracy`` are of the hits of a step, empty ones included; ``f1`` is the harmonic
    mean of precision and recall of each instrument's hits, the likeliest hits of each step taken; a bar is
    exact if all its steps are right. ``velocity_error`` (MIDI velocities) and ``timing_error`` (slots) are
    mean absolute errors of the expected values; ``..._flat`` those of the mean of these performances.
    """
    masks, guesses = (
        np.concatenate([getattr(each, name) for each in performances]) for name in ("masks", "guesses")
    )
    right = masks == guesses
    exact = [bar for each in performances for bar in _bars(each.masks == each.guesses, each.bar)]
    report: dict[str, Any] = {
        "perplexity": round(exp(float(np.concatenate([each.nats for each in performances]).mean())), 4),
        "accuracy": round(float(right.mean()), 4),
        "exact_bars": round(float(np.mean([bar.all() for bar in exact])), 4),
        "f1": {each.name: round(_f1(masks, guesses, place), 4) for place, each in enumerate(KIT)},
    }
    for name, key in (("velocity", "velocity"), ("late", "timing")):
        told: list[Told] = [getattr(each, name) for each in performances]
        real = np.concatenate([each.right for each in told])
        expected = np.concatenate([each.expected for each in told])
        report[f"{key}_error"] = round(float(np.abs(real - expected).mean()), 4)
        report[f"{key}_error_flat"] = round(float(np.abs(real - real.mean()).mean()), 4)
    return report


def published(bars: Sequence[Hits]) -> dict[str, float]:
    """Return perplexity and accuracy under the protocol of the published 2 x 384 LSTM.

    A bar by itself; 16 targets, the inputs shifted by one: the first step is given, and the 16th target
    repeats the 15th, which needs no model, so that it counts as foreseen.
    """
    nats = np.concatenate([np.append(each.nats[1:], 0.0) for each in bars])
    right = np.concatenate([np.append((each.masks == each.guesses)[1:], True) for each in bars])
    return {
        "published_perplexity": round(exp(float(nats.mean())), 4),
        "published_accuracy": round(float(right.mean()), 4),
    }


def unfolded(masks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return masks as ``[slots, instruments]``; of what is unknown, nothing."""
    known = np.where(masks == UNKNOWN, SILENT, masks)
    return (known[:, None] >> np.arange(len(KIT)) & 1).astype(bool)


def _f1(masks: NDArray[np.int64], guesses: NDArray[np.int64], place: int) -> float:
    real, guessed = unfolded(masks)[:, place], unfolded(guesses)[:, place]
    both = int((real & guessed).sum())
    return 2 * both / max(1, int(real.sum()) + int(guessed.sum()))


def _bars(steps: NDArray[Any], bar: int) -> Iterator[NDArray[Any]]:
    return (steps[first : first + bar] for first in range(0, len(steps) - bar + 1, bar))


def _mean(log_p: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    p = np.exp(log_p)
    return float((p * values).sum() / p.sum())
