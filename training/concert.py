"""The endless concert that a model is trained on, and the windows that it is validated on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.settings import Settings
from training.shards import Corpus
from training.tokens import OWN_KEY, Representation, around

AT_START: Final = 0.125
"""How often an excerpt begins at the beginning of a piece; else at a bar line anywhere in it."""
UNHEARD: Final = 0.02
"""Share of what is heard in training that is replaced by the token for the unheard, if there is one."""
CONTEXT: Final = 128
"""Least tokens of music before the first that a window scores, but for the beginning of a piece."""
WINDOW: Final = 640
MOST_SCORED: Final = 300_000
"""Tokens that are scored after each epoch; what is beyond is left out, evenly."""


Conditions = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """What a model learns from at once.

    Attributes:
        tokens: ``[B, T]`` int32, what is heard.
        condition: ``[B, N]`` float32, whose music it is: 1 in a column, or 0 in all; N may be 0.
        targets: ``[B, T]`` int32, what comes after each.
        weights: ``[B, T]`` float32, alike for the targets that count, 0 for the others, 1 in the mean.
    """

    tokens: NDArray[np.int32]
    condition: NDArray[np.float32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.tokens)


class Concert:
    """Batches of excerpts: pieces in random keys, one after the other; the same for the same place in it.

    Args:
        corpus: the training pieces.
        representation: what their ids mean.
        conditions: ``[kinds, N]``, what the model is told of the pieces of each kind; N may be 0.
        settings: how long, how many, how mixed.
    """

    def __init__(
        self, corpus: Corpus, representation: Representation, conditions: Conditions, settings: Settings
    ) -> None:
        self.corpus = corpus
        self.representation = representation
        self.conditions = conditions
        self.settings = settings
        sizes = corpus.sizes
        self.batches: int = max(1, round(settings.passes * sizes.sum() / (settings.batch * settings.seq_len)))
        whose = corpus.pieces["composer"]
        self._groups = [np.flatnonzero(whose == who) for who in np.unique(whose)]
        shares = np.array([sizes[group].sum() for group in self._groups], float) ** settings.balance
        self._chances = _chances(shares)
        self._within = [_chances(sizes[group]) for group in self._groups]

    def batch(self, epoch: int, index: int) -> Batch:
        """Return one batch."""
        settings = self.settings
        rng = np.random.default_rng((settings.seed, epoch, index))
        room = settings.seq_len + 1
        tokens = np.zeros((settings.batch, room), np.int32)
        weights = np.zeros((settings.batch, room), np.float32)
        condition = np.zeros((settings.batch, self.conditions.shape[1]), np.float32)
        for row in range(settings.batch):
            group = _draw(self._chances, rng)
            who = int(self.corpus.pieces["composer"][self._groups[group][0]])
            if who >= 0 and self.conditions.size and rng.random() >= settings.nobody:
                condition[row] = self.conditions[who]
            self._excerpt(group, tokens[row], weights[row], rng)
        heard = tokens[:, :-1].copy()
        if self.representation.unheard is not None:
            heard[rng.random(heard.shape) < UNHEARD] = self.representation.unheard
        return Batch(heard, condition, tokens[:, 1:], _mean_1(weights[:, 1:]))

    def _excerpt(
        self, group: int, tokens: NDArray[np.int32], weights: NDArray[np.float32], rng: np.random.Generator
    ) -> None:
        """Fill one row."""
        corpus, given = self.corpus, self.representation.given
        filled = 0

        def play(music: NDArray[np.int32], *, scored: bool = True) -> None:
            nonlocal filled
            music = music[: len(tokens) - filled]
            tokens[filled : filled + len(music)] = music
            weights[filled : filled + len(music)] = (music >= given) * scored
            filled += len(music)

        sounding = tokens[:0]
        while filled < len(tokens):
            piece = int(self._groups[group][_draw(self._within[group], rng)])
            first, last = around(corpus.pieces["keys"][piece], self.settings.keys)
            key = self.representation.keys[int(rng.integers(first, last + 1))]
            place = 0
            if filled == 0 and rng.random() >= AT_START:
                entries = corpus.entries(piece)
                somewhere = np.searchsorted(entries[:, 0], rng.integers(corpus.sizes[piece]), "right")
                if somewhere:
                    place = int(entries[somewhere - 1, 0])
                    play(key[corpus.prelude(piece, entries[somewhere - 1])], scored=False)
            elif filled and rng.random() < self.settings.segue:
                opening = key[corpus.ids(piece, 1, 2)]
                bar = opening[opening < given]
                play(bar)
                play(sounding)
                place = 1 + len(bar)
            play(key[corpus.ids(piece, place, place + len(tokens) - filled)])
            sounding = key[corpus.coda(piece)]


def windows(
    corpus: Corpus, representation: Representation, conditions: Conditions, most: int = MOST_SCORED
) -> Batch:
    """Cut pieces, each in its own key, into windows that score each token once, with the music before it."""
    rows = [window for piece in range(len(corpus)) for window in _windows(corpus, representation, piece)]
    every = max(1, -(-sum(int(weights.sum()) for _, _, weights in rows) // most))
    rows = rows[every // 2 :: every] if len(rows) > every else rows
    longest = max((len(music) for _, music, _ in rows), default=1)
    tokens = np.zeros((len(rows), longest), np.int32)
    weights = np.zeros((len(rows), longest), np.float32)
    condition = np.zeros((len(rows), conditions.shape[1]), np.float32)
    for row, (piece, music, counts) in enumerate(rows):
        tokens[row, : len(music)] = music
        weights[row, : len(music)] = counts
        who = int(corpus.pieces["composer"][piece])
        if who >= 0 and conditions.size:
            condition[row] = conditions[who]
    return Batch(tokens[:, :-1], condition, tokens[:, 1:], _mean_1(weights[:, 1:]))


def _windows(
    corpus: Corpus, representation: Representation, piece: int
) -> list[tuple[int, NDArray[np.int32], NDArray[np.float32]]]:
    """Return the windows of one piece: the piece, tokens, and which of them count."""
    key = representation.keys[OWN_KEY]
    entries = corpus.entries(piece)
    size = int(corpus.sizes[piece])
    rows = []
    done = 0
    while done < size:
        place, prelude = 0, key[:0]
        if done:
            early = entries[entries[:, 0] <= max(0, done - CONTEXT)]
            entry = early[-1] if len(early) else entries[0]
            if entry[0] + WINDOW // 2 < done or entry[0] > done:  # a bar longer than any that is music
                break
            place, prelude = int(entry[0]), key[corpus.prelude(piece, entry)]
        music = key[corpus.ids(piece, place, place + WINDOW + 1 - len(prelude))]
        counts = (music >= representation.given).astype(np.float32)
        counts[: done - place] = 0
        rows.append(
            (piece, np.concatenate([prelude, music]), np.concatenate([prelude * np.float32(0), counts]))
        )
        done = place + len(music)
    return rows


def _chances(shares: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    """Return the running sum of probabilities."""
    return np.asarray(np.cumsum(shares) / np.sum(shares))


def _draw(chances: NDArray[np.float64], rng: np.random.Generator) -> int:
    return min(int(np.searchsorted(chances, rng.random(), "right")), len(chances) - 1)


def _mean_1(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(weights / max(weights.mean(), np.finfo(np.float32).tiny), np.float32)
