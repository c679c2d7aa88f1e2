"""What plain counting achieves: the scores a network has to beat, on the same music and in the same units."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Final

import numpy as np
from neuralmidi.tokenizer import PolyTokenizer
from numpy.typing import NDArray

from training.likelihood import GIVEN, Score, begun
from training.spelling import Spelling

ORDER: Final = 6
"""The n of the n-grams: a symbol is predicted from the five before it."""
MIDDLE: Final = 60
"""What the first pitch is told from."""
PITCHED: Final = ("off", "on")
FORBIDDEN: Final = -1e4
"""The logit of what cannot follow."""

Symbols = tuple[Hashable, ...]
Chord = tuple[int, ...]
Chords = Sequence[Chord]
Known = Sequence[tuple[Counter[Hashable], int]]
"""What followed each known context, shortest first, and how often anything did."""


class Counts:
    """An n-gram, smoothed as Witten and Bell (1991) do.

    Each context of up to ``order - 1`` symbols gives way to the next shorter one in proportion to how many
    different symbols have followed it; the shortest gives way to what the caller takes for granted.

    Args:
        order: the n of the n-gram.
    """

    def __init__(self, order: int = ORDER) -> None:
        self._order = order
        self._followers: dict[Symbols, Counter[Hashable]] = {}

    def learn(self, before: Symbols, symbol: Hashable) -> None:
        """Count a symbol after those before it, the last of them last."""
        for context in self._contexts(before):
            self._followers.setdefault(context, Counter())[symbol] += 1

    def known(self, before: Symbols) -> Known:
        """Return what is known of the contexts at the end of ``before``."""
        found = (self._followers.get(context) for context in self._contexts(before))
        return [(followers, followers.total()) for followers in found if followers]

    def _contexts(self, before: Symbols) -> Iterator[Symbols]:
        return (before[len(before) - length :] for length in range(min(self._order - 1, len(before)) + 1))


def probability(known: Known, symbol: Hashable, p: float) -> float:
    """Return the probability of a symbol; ``p`` is what it would be if nothing were known."""
    for followers, total in known:
        p = (followers[symbol] + len(followers) * p) / (len(followers) + total)
    return p


def likeliest(known: Known) -> Hashable:
    """Return the likeliest symbol that has been seen at all; None if nothing is known."""
    # Of what has only ever been seen without its context, the most frequent is the best.
    candidates = {symbol for followers, _ in known[1:] for symbol in followers}
    candidates |= {symbol for followers, _ in known[:1] for symbol, _ in followers.most_common(1)}
    return max(sorted(candidates, key=str), key=lambda symbol: probability(known, symbol, 0), default=None)


class ChordCounts:
    """A 6-gram of chords: the whole set that sounds in a step, from the five steps before it, in any key.

    Chords are told from the lowest pitch of the last one that sounded. One that was never seen is spelled
    (`Spelling`), so that the likelihood is exact.

    Args:
        pieces: training music, the sounding pitches of each step, ascending.
    """

    def __init__(self, pieces: Sequence[Chords]) -> None:
        self._counts = Counts()
        self._spelling = Spelling(pieces)
        for piece in pieces:
            for before, chord in _chords(piece):
                self._counts.learn(before, chord)

    def score(self, piece: Chords, steps_per_beat: int) -> Score:
        """Score a piece from its first step on; all nats are those of pitches."""
        nats, right = 0.0, 0
        for place, (before, chord) in enumerate(_chords(piece)):
            known = self._counts.known(before)
            last = piece[place - 1] if place else ()
            nats -= log(probability(known, chord, exp(self._spelling.log_p(last, piece[place]))))
            right += likeliest(known) == chord
        return Score(
            pitches=nats,
            steps=len(piece),
            right=right,
            notes=begun(piece),
            beats=len(piece) / steps_per_beat,
            pieces=1,
        )


def _chords(piece: Chords) -> Iterator[tuple[Symbols, Chord]]:
    """Yield each chord and those before it, all told from the lowest pitch of the last that sounded."""
    bass = MIDDLE
    for place, chord in enumerate(piece):
        before = piece[max(0, place - ORDER + 1) : place]
        bass = before[-1][0] if before and before[-1] else bass
        yield tuple(_above(bass, each) for each in before), _above(bass, chord)


def _above(bass: int, chord: Chord) -> Chord:
    return tuple(pitch - bass for pitch in chord)


@dataclass(frozen=True)
class Heard:
    """What decides which event may follow.

    Attributes:
        before: the last tokens.
        pitch: of the last event that has one.
        down: the pitches that sound.
        cursor: how far the slot is: events come in the order of `_place`. -1: something must happen.
    """

    before: tuple[int, ...] = ()
    pitch: int = MIDDLE
    down: frozenset[int] = frozenset()
    cursor: int = 0


class EventCounts:
    """A 6-gram of events, in any key: pitches are told from that of the event before. Asked like a network.

    Like a network it gives nothing to an event that cannot follow.

    Args:
        tokenizer: what the tokens mean.
        pieces: the tokens of each training piece.
    """

    def __init__(self, tokenizer: PolyTokenizer, pieces: Iterable[Sequence[int]]) -> None:
        self._actions = tokenizer.actions
        self._longest = tokenizer.longest_wait
        self._counts = Counts()
        for tokens in pieces:
            heard = self.initial_state()
            for token in tokens:
                if self._actions[token].kind not in GIVEN:
                    self._counts.learn(self._told(heard, heard.before), self._told(heard, (token,))[0])
                heard = self._after(heard, token)

    def initial_state(self) -> Heard:
        """Return the state before any token: nothing sounds."""
        return Heard()

    def step(self, state: Heard, token: int) -> tuple[NDArray[np.float64], Heard]:
        """Return the logits ``[V]`` of what follows ``token``, and the state after it."""
        heard = self._after(state, token)
        known = self._counts.known(self._told(heard, heard.before))
        logits = np.full(len(self._actions), FORBIDDEN)
        for each in range(len(self._actions)):
            if self._may_follow(heard, each):
                p = probability(known, self._told(heard, (each,))[0], 1 / len(self._actions))
                logits[each] = log(p)
        return logits, heard

    def _told(self, heard: Heard, tokens: tuple[int, ...]) -> Symbols:
        """Return tokens as they are in any key."""
        actions = (self._actions[token] for token in tokens)
        return tuple((kind, value - heard.pitch if kind in PITCHED else value) for kind, value in actions)

    def _after(self, heard: Heard, token: int) -> Heard:
        kind, value = self._actions[token]
        before = (*heard.before, token)[1 - ORDER :]
        if kind == "on":
            return Heard(before, value, heard.down | {value}, _place(kind, value))
        if kind == "off":
            return Heard(before, value, heard.down - {value}, _place(kind, value))
        if kind == "velocity":
            return replace(heard, before=before, cursor=max(heard.cursor, _place(kind, value)))
        if kind == "start":
            return Heard(before)
        return replace(heard, before=before, cursor=-1 if kind == "wait" and value < self._longest else 0)

    def _may_follow(self, heard: Heard, token: int) -> bool:
        kind, value = self._actions[token]
        if kind == "wait":
            return heard.cursor >= 0
        if kind in PITCHED:
            return (value in heard.down) == (kind == "off") and _place(kind, value) > heard.cursor
        return kind == "velocity" and self._actions[heard.before[-1]].kind != "velocity"


def _place(kind: str, value: int) -> int:
    """Return where in its slot an event comes: ends first, each by pitch."""
    return {"off": 1 + value, "velocity": 128, "on": 129 + value}[kind]


class HitCounts:
    """What is hit in a 16th, counted from its place in the bar, the same place a bar ago, and what came last.

    Args:
        performances: training music, a word for each slot.
        words: how many there are.
        bar: slots of a bar.
    """

    def __init__(self, performances: Iterable[Sequence[int]], words: int, bar: int) -> None:
        self._counts, self._words, self._bar = Counts(), words, bar
        for words_played in performances:
            for before, word in self._told(words_played):
                self._counts.learn(before, word)

    def score(self, performance: Sequence[int]) -> Score:
        """Score a performance from its first slot on: what is hit, not how."""
        nats, right = 0.0, 0
        for before, word in self._told(performance):
            known = self._counts.known(before)
            nats -= log(probability(known, word, 1 / self._words))
            right += likeliest(known) == word
        return Score(pitches=nats, steps=len(performance), right=right, pieces=1)

    def _told(self, performance: Sequence[int]) -> Iterator[tuple[Symbols, int]]:
        """Yield each word and what it is counted by: what matters most comes last."""
        bar = self._bar
        for slot, word in enumerate(performance):
            ago, long_ago, last = (
                performance[slot - back] if slot >= back else None for back in (bar, 2 * bar, 1)
            )
            yield (long_ago, slot % bar, last, ago), word


def copying(performance: Sequence[int], bar: int) -> float:
    """Return the share of slots in which the same happens as a bar ago, 0 to 1; the first bar is none."""
    same = [word == ago for word, ago in zip(performance[bar:], performance[:-bar], strict=True)]
    return sum(same) / max(1, len(performance))
