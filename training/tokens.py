"""From pieces to tokens, by representation: what a model reads, in which keys, and where one can come in."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from neuralmidi.hands import Hands
from neuralmidi.kit import KIT
from neuralmidi.notes import Metre
from neuralmidi.tokenizer import (
    KEYS,
    SPECIALS,
    START,
    UNKNOWN,
    ChordTokenizer,
    DrumTokenizer,
    PolyTokenizer,
    Tokenizer,
    drum_vocabulary,
    poly_vocabulary,
    spell,
)
from numpy.typing import NDArray

from training.dataset import USUAL_BAR, Piece
from training.likelihood import sounding
from training.settings import Settings

Tokens = NDArray[np.int32]

SEMITONES: Final = range(-6, 6)
"""Every key once. A model then knows a turn of phrase in all of them, however few the pieces."""
OWN_KEY: Final = SEMITONES.index(0)


@dataclass(frozen=True)
class Line:
    """One piece as a model reads it.

    Attributes:
        ids: ``[L]``, its tokens.
        entries: ``[E, 3]``, where one can come in: the place in ``ids`` to go on from, and begin and end in
            ``preludes`` of what is to be read before that.
        preludes: one after the other: the bar, what sounds already, and how long that goes on.
        coda: what ends all that still sounds at the end.
        keys: the first and the last of `SEMITONES`, as indices, in which the piece stays on the piano.
    """

    ids: Tokens
    entries: NDArray[np.int32]
    preludes: Tokens
    coda: Tokens
    keys: tuple[int, int]


class Representation(Protocol):
    """How pieces become tokens.

    Attributes:
        tokenizer: as it goes into model.json.
        keys: ``[12, V]``, what becomes of each token in each of `SEMITONES`.
        given: the tokens below it are read and never said, so they are not scored.
        unheard: the token that stands for what a player may play and nobody has heard, or None.
    """

    tokenizer: Tokenizer
    keys: Tokens
    given: int
    unheard: int | None

    def encode(self, piece: Piece) -> Line:
        """Return a piece's tokens."""


class Poly:
    """Note after note; one can come in at every bar line.

    Args:
        tokenizer: says what the tokens are.
    """

    unheard: int | None = None

    def __init__(self, tokenizer: PolyTokenizer) -> None:
        self.tokenizer: Tokenizer = tokenizer
        self._poly = tokenizer
        self.given = len(tokenizer.unmusical)
        tokens = np.arange(len(tokenizer.vocabulary), dtype=np.int32)
        moves = np.array([action.kind in ("off", "on") for action in tokenizer.actions])
        self.keys: Tokens = np.stack([tokens + moves * shift for shift in SEMITONES]).astype(np.int32)

    def encode(self, piece: Piece) -> Line:
        """Return a piece's tokens."""
        ids = self._poly.encode_piece(piece.notes, piece.metres, piece.end)
        entries: list[tuple[int, int, int]] = []
        preludes: list[int] = []
        lines = iter([*_bar_lines(piece, self._poly.steps_per_beat), np.inf])
        line = next(lines)
        slot = 0
        held: set[int] = set()
        told: dict[str, list[int]] = {"bar": [], "velocity": []}  # the last token of each
        for place, gap, token in _events(self._poly, ids):
            while line < slot + gap:
                begun = len(preludes)
                on = self._poly.write(Hands(), dict.fromkeys(held, 0))
                preludes += [*told["bar"], *(told["velocity"] if on else []), *on]
                preludes += self._poly.passing(slot + gap - int(line))
                entries.append((place, begun, len(preludes)))
                line = next(lines)
            slot += gap
            kind, value = self._poly.actions[token]
            if kind == "on":
                held.add(value)
            elif kind == "off":
                held.discard(value)
            elif kind in told:
                told[kind] = [token]
        return Line(
            ids,
            np.array(entries, np.int32).reshape(-1, 3),
            np.array(preludes, np.int32),
            np.array(self._poly.release(held), np.int32),
            _keys(*self._poly.span(ids)),
        )


class Drums:
    """What is hit in each slot, and how; one can come in at every bar line.

    Args:
        tokenizer: says what the tokens are.
    """

    unheard: int | None = None  # in the place of a velocity it would be a slot more

    def __init__(self, tokenizer: DrumTokenizer) -> None:
        self.tokenizer: Tokenizer = tokenizer
        self._drums = tokenizer
        self.given = 1
        self.keys: Tokens = np.tile(np.arange(len(tokenizer.vocabulary), dtype=np.int32), (len(SEMITONES), 1))

    def encode(self, piece: Piece) -> Line:
        """Return a piece's tokens."""
        ids = self._drums.encode_piece(piece.notes, piece.metres, piece.end)
        slots = np.flatnonzero((ids >= 1) & (ids <= self._drums.velocity))  # each begins with what is hit
        places = slots[:: 4 * self._drums.steps_per_beat].astype(np.int32)
        nothing = np.zeros(0, np.int32)
        return Line(ids, np.stack([places, 0 * places, 0 * places], 1), nothing, nothing, (OWN_KEY, OWN_KEY))


class Chords:
    """The sounding set of each step; one can come in at every beat.

    Args:
        tokenizer: says what the tokens are.
    """

    given = 1
    unheard: int | None = SPECIALS.index(UNKNOWN)

    def __init__(self, tokenizer: ChordTokenizer) -> None:
        self.tokenizer: Tokenizer = tokenizer
        chords = [tokenizer.decode(token) for token in range(len(tokenizer.vocabulary))]
        self.keys: Tokens = np.stack(
            [
                [
                    tokenizer.hear([min(127, max(0, pitch + shift)) for pitch in chord]) if chord else token
                    for token, chord in enumerate(chords)
                ]
                for shift in SEMITONES
            ]
        ).astype(np.int32)

    def encode(self, piece: Piece) -> Line:
        """Return a piece's tokens."""
        ids = self.tokenizer.encode_piece(piece.notes, piece.metres, piece.end)
        places = np.arange(1, len(ids), self.tokenizer.steps_per_beat, dtype=np.int32)
        nothing = np.zeros(0, np.int32)
        pitches = piece.notes[:, 2]
        return Line(
            ids,
            np.stack([places, 0 * places, 0 * places], 1),
            nothing,
            nothing,
            _keys(int(pitches.min()), int(pitches.max())),
        )


def around(keys: Sequence[int], most: int) -> tuple[int, int]:
    """Return the first and the last of `SEMITONES`, as indices, for a piece that is heard in fewer keys.

    Args:
        keys: the first and the last.
        most: 1 to 12, its own key in their middle.
    """
    first, last = keys
    return max(int(first), OWN_KEY - most // 2), min(int(last), OWN_KEY + (most - 1) // 2)


def representation(settings: Settings, pieces: Callable[[], Iterable[Piece]]) -> Representation:
    """Return the representation that the settings name, with a vocabulary for some music.

    Args:
        settings: which, and how fine.
        pieces: gives the training pieces, one after the other.
    """
    return _KINDS[settings.tokenizer](settings, pieces())


def known(tokenizer: Tokenizer) -> Representation:
    """Return the representation of a tokenizer that is there already."""
    return _OF[type(tokenizer)](tokenizer)


def _poly(settings: Settings, pieces: Iterable[Piece]) -> Representation:
    """Time signatures and velocities as far as the pieces have them; the most frequent bar begins."""
    bars: Counter[str] = Counter()
    dynamics = False
    for piece in pieces:
        bars.update({f"{metre.numerator}/{metre.denominator}" for metre in piece.metres})
        dynamics = dynamics or bool(piece.notes[:, 3].any())
    order = sorted(bars, key=lambda bar: (-bars[bar], bar))
    vocabulary = poly_vocabulary(settings.steps_per_beat, order, 8 * dynamics, settings.longest_wait)
    beginning = (START, *(f"bar {bar}" for bar in order[:1]))
    return Poly(PolyTokenizer(vocabulary, settings.steps_per_beat, beginning))


def _chords(settings: Settings, pieces: Iterable[Piece]) -> Representation:
    """The most frequent chords over all keys; what is left is heard as the nearest of them."""
    counts: Counter[str] = Counter()
    for piece in pieces:
        chords = Counter(sounding(piece, settings.steps_per_beat))
        low, high = piece.notes[:, 2].min(), piece.notes[:, 2].max()
        first, last = around(_keys(int(low), int(high)), settings.keys)
        for shift in SEMITONES[first : last + 1]:
            for chord, many in chords.items():
                if chord:
                    counts[spell([pitch + shift for pitch in chord])] += many
    words = sorted(counts, key=lambda word: (-counts[word], word))  # ties by name: same data, same file
    return Chords(
        ChordTokenizer((*SPECIALS, *words[: settings.vocabulary - len(SPECIALS)]), settings.steps_per_beat)
    )


def _drums(settings: Settings, pieces: Iterable[Piece]) -> Representation:
    """The most frequent sets of hits."""
    everything = DrumTokenizer(drum_vocabulary(range(1 << len(KIT))), settings.steps_per_beat)
    counts: Counter[int] = Counter({0: 1})
    for piece in pieces:
        masks = map(everything.mask, everything.encode_piece(piece.notes, piece.metres, piece.end).tolist())
        counts.update(mask for mask in masks if mask is not None)
    order = sorted(counts, key=lambda mask: (-counts[mask], mask))
    return Drums(DrumTokenizer(drum_vocabulary(order[: settings.vocabulary]), settings.steps_per_beat))


_KINDS: Final[Mapping[str, Callable[[Settings, Iterable[Piece]], Representation]]] = {
    "poly": _poly,
    "chords": _chords,
    "drums": _drums,
}
_OF: Final[Mapping[type, Callable[..., Representation]]] = {
    PolyTokenizer: Poly,
    ChordTokenizer: Chords,
    DrumTokenizer: Drums,
}


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


def _events(tokenizer: PolyTokenizer, ids: Tokens) -> Iterator[tuple[int, int, int]]:
    """Give the place of each token that is no wait, the slots that have passed before it, and the token.

    The end counts as one more, `START`, which changes nothing here.
    """
    gap = 0
    for place, token in enumerate(ids.tolist()):
        kind, value = tokenizer.actions[token]
        if kind == "wait":
            gap += value
        else:
            yield place, gap, token
            gap = 0
    yield len(ids), gap, tokenizer.start


def _bar_lines(piece: Piece, steps_per_beat: int) -> list[int]:
    """Return the slots of all bar lines but the first; where nobody knows of bars, of such as are usual."""
    lines: list[int] = []
    metres = piece.metres or (Metre(0, *USUAL_BAR),)
    ends = [metre.start for metre in metres[1:]] + [piece.end]
    for metre, end in zip(metres, ends, strict=True):
        length = 4 * metre.numerator / metre.denominator
        lines += [round(beat * steps_per_beat) for beat in np.arange(metre.start, end - 1e-6, length)]
    return lines[1:]


def _keys(low: int, high: int) -> tuple[int, int]:
    """Return the first and the last of `SEMITONES`, as indices, in which these pitches are on the piano."""
    fit = [place for place, shift in enumerate(SEMITONES) if low + shift in KEYS and high + shift in KEYS]
    return (fit[0], fit[-1]) if fit else (OWN_KEY, OWN_KEY)
