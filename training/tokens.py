"""From steps to tokens: transposition, the vocabulary, and how much of the music it covers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from neuralmidi.tokenizer import REST, SPECIALS, START, UNKNOWN, ChordTokenizer, spell
from numpy.typing import NDArray

from training.dataset import Piece, Steps

Tokens = NDArray[np.int32]

SEMITONES: Final = range(-6, 6)
"""Every key once. Unseen chords are the main loss of chord tokens; transposition makes most of them seen."""
MOST_NOTES: Final = 12
"""Of a chord that is thinned out: the parts of larger ones are too many to look at."""
PIANO: Final = range(21, 109)


def transpositions(steps: Steps) -> list[Steps]:
    """Return the steps in every key in which all pitches stay on the piano; the own key at least."""
    pitches = {pitch for step in steps for pitch in step}
    low, high = min(pitches), max(pitches)
    shifts = [shift for shift in SEMITONES if low + shift in PIANO and high + shift in PIANO] or [0]
    return [tuple(tuple(pitch + shift for pitch in step) for step in steps) for shift in shifts]


def build_tokenizer(pieces: Iterable[Piece], size: int) -> ChordTokenizer:
    """Return a tokenizer of the most frequent chords over all transpositions.

    Args:
        pieces: the music to count, training pieces only.
        size: at most so many words, the specials included.
    """
    counts = Counter(
        spell(step) for piece in pieces for steps in transpositions(piece.steps) for step in steps if step
    )
    words = sorted(counts, key=lambda word: (-counts[word], word))  # ties by name: same data, same file
    return ChordTokenizer((*SPECIALS, *words[: size - len(SPECIALS)]))


def encode(tokenizer: ChordTokenizer, steps: Steps) -> Tokens:
    """Return the token of each step; a chord out of the vocabulary is thinned out until it is in it.

    Left as ``<unknown>``, a tenth of the steps would teach a model to say what can never be played.
    """
    words = {step: _nearest(tokenizer, step) for step in set(steps)}
    return np.array([words[step] for step in steps], np.int32)


def _nearest(tokenizer: ChordTokenizer, chord: tuple[int, ...]) -> int:
    """Return the token of the largest known part of a chord, the one with its outer voices before others."""
    if len(chord) > MOST_NOTES:
        chord = chord[: MOST_NOTES // 2] + chord[-MOST_NOTES // 2 :]
    for size in range(len(chord), 0, -1):
        parts = {tokenizer.encode(part): part for part in combinations(chord, size)}
        parts.pop(SPECIALS.index(UNKNOWN), None)
        if parts:
            outer = {token: (part[-1] == chord[-1]) + (part[0] == chord[0]) for token, part in parts.items()}
            return min(parts, key=lambda token: (-outer[token], token))
    return tokenizer.encode(chord)


def coverage(tokenizer: ChordTokenizer, pieces: Iterable[Piece]) -> float:
    """Return the share of steps, 0 to 1, whose whole chord is in the vocabulary, in the own key."""
    tokens = [tokenizer.encode(step) for piece in pieces for step in piece.steps]
    return float(np.mean(np.array(tokens) != SPECIALS.index(UNKNOWN)))


def chord_features(vocabulary: Sequence[str]) -> NDArray[np.float32]:
    """Return what a chord is made of, one row of zeros and ones per word.

    A network that sees pitches, not numbers of words, knows a rare chord by its frequent relatives.

    Returns:
        ``[V, F]``: the special words, the pitches, the lowest, the highest, the pitch classes, how many notes
        (as a bar of ones, 8 and more alike); columns that are all zero are left out.
    """
    tokenizer = ChordTokenizer(vocabulary)
    features = np.zeros((len(vocabulary), 3 + 3 * 128 + 12 + 8), np.float32)
    for token, row in enumerate(features):
        chord = tokenizer.decode(token)
        if not chord:
            row[token] = 1
            continue
        pitches, lowest, highest, classes, count = np.split(row[3:], (128, 256, 384, 396))
        pitches[list(chord)] = 1
        lowest[chord[0]] = highest[chord[-1]] = 1
        classes[[pitch % 12 for pitch in chord]] = 1
        count[: len(chord)] = 1
    return features[:, features.any(axis=0)]


def stream(
    pieces: Sequence[Sequence[Tokens]],
    length: int,
    rng: np.random.Generator,
    *,
    bar: int = 16,
    at_start: float = 0.125,
) -> Tokens:
    """Return an excerpt of the endless concert: pieces in random keys, one after the other.

    The last step of a piece is followed by rests up to the next bar line and then by another piece, so that a
    model which has come to an end knows how to begin again.

    Args:
        pieces: per piece its tokens in every key.
        length: how many tokens.
        rng: the choice of pieces (by length), keys and the place to begin.
        bar: steps a bar.
        at_start: how often to begin at the beginning of a piece, with ``<start>``; else anywhere in it.
    """
    sizes = np.array([len(keys[0]) for keys in pieces])
    parts: list[Tokens] = []
    room = length
    while room > 0:
        keys = pieces[int(rng.choice(len(pieces), p=sizes / sizes.sum()))]
        tokens = keys[int(rng.integers(len(keys)))]
        if not parts and rng.random() < at_start:
            tokens = np.concatenate([[SPECIALS.index(START)], tokens])
        elif not parts:
            tokens = tokens[rng.integers(len(tokens)) :]
        rests = np.full(-len(tokens) % bar, SPECIALS.index(REST))
        parts += [tokens, rests]
        room -= len(tokens) + len(rests)
    return np.concatenate(parts)[:length].astype(np.int32)
