"""The tokenizer ``poly``: note after note, so that no chord is ever out of the vocabulary.

A piece is told slot by slot of a grid, but only where something changes: which keys go up, then which go
down and how hard, then for how long nothing changes. Within a slot the ends come first, then the attacks,
each in ascending pitch, and waits are as long as possible: so everything that a keyboard can do has exactly
one spelling, and its likelihood is the product of the likelihoods of its tokens.

A tempo, a pedal, fingers and parts are not told. The words, in the order of the vocabulary:

===========================  ==========================================================================
``<start>``                  a piece begins; given, never said
``bar 4/4``, ...             the time signature from here on, at a bar line; given, never said
``velocity 1`` ...           how loud the attacks are from here on: of 8 levels, level 1 is 1-15, 8 is 112-127
``wait 1`` ...               so many slots pass
``off 21`` .. ``off 108``    a key goes up
``on 21`` .. ``on 108``      a key goes down; struck again, it goes up in the same slot first
===========================  ==========================================================================
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from typing import Final, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..grid import Slots, Strokes, columns, on_grid, slot_of
from ..hands import Hands
from ..notes import PITCHES, Metre, Note
from .words import START, malformed, tokens_of

KEYS: Final = range(21, 109)
"""The MIDI pitches of a piano's keys. What lies beyond is played in the nearest octave."""

Kind = Literal["start", "bar", "velocity", "wait", "off", "on"]


NUMBERED: Final[Mapping[str, Kind]] = {"velocity": "velocity", "wait": "wait", "off": "off", "on": "on"}
"""The kinds whose words end with a number as it is."""

Number = TypeVar("Number", int, Slots)


class Action(NamedTuple):
    """What a token does.

    Attributes:
        kind: the first word of its word.
        value: length of the bar in slots, level (from 1), slots that pass, or MIDI pitch; 0 for ``start``.
    """

    kind: Kind
    value: int


def poly_vocabulary(
    steps_per_beat: int, bars: Sequence[str], velocities: int = 8, longest_wait: int | None = None
) -> tuple[str, ...]:
    """Return the words of a vocabulary.

    Args:
        steps_per_beat: slots in a quarter note.
        bars: the time signatures that occur, ``4/4``; each bar must be a whole number of slots.
        velocities: levels of loudness; 0: none is ever told.
        longest_wait: in slots; None: two beats.

    Raises:
        NeuralMIDIError: a time signature does not fit the grid.
    """
    for bar in bars:
        _slots(bar, steps_per_beat)
    waits = range(1, (longest_wait or 2 * steps_per_beat) + 1)
    return (
        START,
        *(f"bar {bar}" for bar in bars),
        *(f"velocity {level}" for level in range(1, velocities + 1)),
        *(f"wait {slots}" for slots in waits),
        *(f"off {pitch}" for pitch in KEYS),
        *(f"on {pitch}" for pitch in KEYS),
    )


class PolyTokenizer:
    """One token per change: see the module's text.

    Args:
        vocabulary: words in the order of `poly_vocabulary`.
        steps_per_beat: slots in a quarter note.
        beginning: the words that stand before the music: ``<start>``, and a bar if the vocabulary has any.

    Attributes:
        actions: what each token does.
        longest_wait: slots that one token can let pass.
        velocities: levels of loudness; 0: none.

    Raises:
        NeuralMIDIError: the vocabulary is not of that form.
    """

    kind: str = "poly"
    percussive: bool = False
    start: int = 0

    def __init__(
        self, vocabulary: Sequence[str], steps_per_beat: int = 12, beginning: Sequence[str] = (START,)
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.steps_per_beat = steps_per_beat
        self.actions = tuple(_action(word, steps_per_beat) for word in self.vocabulary)
        count = Counter(action.kind for action in self.actions)
        self.velocities, self.longest_wait = count["velocity"], count["wait"]
        self._bars = {
            word[4:]: token for token, word in enumerate(self.vocabulary) if word.startswith("bar ")
        }
        _check(
            self.vocabulary,
            poly_vocabulary(steps_per_beat, [*self._bars], self.velocities, self.longest_wait),
        )
        self.unmusical = tuple(range(1 + count["bar"]))
        # The token of each word, less the word's number.
        self._velocity = len(self.unmusical) - 1
        self._wait = self._velocity + self.velocities
        self._off = self._wait + self.longest_wait + 1 - KEYS[0]
        self._on = self._off + len(KEYS)
        self.pauses = tuple(range(self._wait + 1, self._wait + self.longest_wait + 1))
        self.beginning = tokens_of(beginning, self.vocabulary)

    def read(self, hands: Hands, token: int) -> Hands:
        """Return what the hands do after one more token."""
        kind, value = self.actions[token]
        if kind == "wait":
            return replace(hands, attacked=frozenset(), wait=value)
        if kind == "velocity":
            return replace(hands, wait=0, velocity=self._loudness(value))
        if kind == "start":
            return Hands()
        if kind == "bar":
            return replace(hands, wait=0, bar=value)
        sounding = {pitch: velocity for pitch, velocity in hands.sounding.items() if pitch != value}
        if kind == "off":
            return replace(hands, sounding=sounding, wait=0)
        sounding[value] = hands.velocity
        return replace(hands, sounding=sounding, attacked=hands.attacked | {value}, wait=0)

    def write(
        self, hands: Hands, sounding: Mapping[int, int], struck: Collection[int] = ()
    ) -> tuple[int, ...]:
        """Return the tokens of what changes in a slot; none if nothing does."""
        wanted = {_key(pitch): velocity for pitch, velocity in sounding.items()}
        again = set(map(_key, struck))
        ends = (pitch for pitch in sorted(hands.sounding) if pitch in again or pitch not in wanted)
        tokens = [self._off + pitch for pitch in ends]
        level = self._level(hands.velocity)
        for pitch in sorted(pitch for pitch in wanted if pitch in again or pitch not in hands.sounding):
            wish = self._level(wanted[pitch]) or level
            tokens += [self._velocity + wish, self._on + pitch] if wish != level else [self._on + pitch]
            level = wish
        return tuple(tokens)

    def passing(self, slots: int) -> tuple[int, ...]:
        """Return the tokens that let slots pass: the longest waits first."""
        whole, rest = divmod(slots, self.longest_wait)
        waits = (*(self.longest_wait,) * whole, rest)
        return tuple(self._wait + wait for wait in waits if wait)

    def release(self, pitches: Collection[int]) -> tuple[int, ...]:
        """Return the tokens that end sounding keys."""
        return tuple(self._off + pitch for pitch in sorted(pitches))

    def encode_piece(
        self, notes: Iterable[Note], metres: Iterable[Metre] = (), end: float | None = None
    ) -> NDArray[np.int32]:
        """Return the tokens of a whole piece, from ``<start>`` on; about a microsecond a note, as an array.

        A bar that the vocabulary does not have is told as one of the same length, if there is one.

        Args:
            notes: in any order, in beats; quicker as an array ``[N, 4]`` of start, end, pitch, velocity.
                A velocity of 0 says nothing, and is what notes of a piece without any dynamics should have.
            metres: the time signatures.
            end: where it ends, in beats. What still sounds there is not ended, and what comes later is left
                out. None: where its last note ends.
        """
        table = columns(notes)
        table[:, 2] = _key(table[:, 2].astype(np.int64))
        strokes = on_grid(table, self.steps_per_beat)
        last = slot_of(end, self.steps_per_beat) if end is not None else int(strokes.end.max(initial=0))
        slot, token = self._changes(strokes, metres)
        early = slot < last
        return self._with_waits(slot[early], token[early], last)

    def decode_piece(self, tokens: Iterable[int]) -> tuple[list[Note], list[Metre]]:
        """Return the notes, by start and pitch, and the time signatures of a piece.

        What still sounds at the end ends there; ``<start>`` ends everything, too. A velocity is the middle of
        its level, 0 if none was told.
        """
        notes: list[Note] = []
        metres: list[Metre] = []
        down: dict[int, tuple[int, int]] = {}
        slot = velocity = 0

        def up(pitch: int) -> None:
            if pitch in down:
                begun, loud = down.pop(pitch)
                notes.append(Note(begun / self.steps_per_beat, slot / self.steps_per_beat, pitch, loud))

        for token in tokens:
            kind, value = self.actions[token]
            if kind == "wait":
                slot += value
            elif kind == "velocity":
                velocity = self._loudness(value)
            elif kind == "bar":
                numerator, denominator = map(int, self.vocabulary[token][4:].split("/"))
                metres.append(Metre(slot / self.steps_per_beat, numerator, denominator))
            elif kind == "start":
                velocity = 0
                for pitch in [*down]:
                    up(pitch)
            else:
                up(value)
                if kind == "on":
                    down[value] = slot, velocity
        for pitch in [*down]:
            up(pitch)
        return sorted(notes, key=lambda note: (note.start, note.pitch)), metres

    def transpose(self, tokens: NDArray[np.int32], semitones: int) -> NDArray[np.int32]:
        """Return the tokens in another key.

        Raises:
            ValueError: a note would leave the piano; `span` tells beforehand.
        """
        low, high = self.span(tokens)
        if low + semitones not in KEYS or high + semitones not in KEYS:
            raise ValueError(f"{low} to {high} does not fit on a piano {semitones} semitones away")
        return np.where(tokens >= self._off + KEYS[0], tokens + semitones, tokens).astype(np.int32)

    def span(self, tokens: NDArray[np.int32]) -> tuple[int, int]:
        """Return the lowest and the highest MIDI pitch; those of the middle C if there is none."""
        keys = tokens[tokens >= self._off + KEYS[0]] - (self._off + KEYS[0])
        pitches = keys % len(KEYS) + KEYS[0] if len(keys) else np.array([60])
        return int(pitches.min()), int(pitches.max())

    def _changes(self, strokes: Strokes, metres: Iterable[Metre]) -> tuple[Slots, Slots]:
        """Return the slot and the token of all that changes, in their order."""
        pitch = strokes.pitch
        told, level = self._levels(strokes)
        bar_slot, bar = self._told_bars(metres)
        slot = np.concatenate([bar_slot, strokes.end, strokes.start[told], strokes.start])
        token = np.concatenate([bar, self._off + pitch, self._velocity + level, self._on + pitch])
        # Within a slot: the bar, ends by pitch, attacks by pitch, each after the level that it needs.
        attack = 2 * (len(PITCHES) + pitch)
        place = np.concatenate([np.full(len(bar), -1), pitch, attack[told], attack + 1])
        order = np.lexsort((place, slot))
        return slot[order], token[order]

    def _levels(self, strokes: Strokes) -> tuple[Slots, Slots]:
        """Return the strokes before which a new level is told, and that level."""
        level = self._level(strokes.velocity)
        by_time = np.lexsort((strokes.pitch, strokes.start))
        by_time = by_time[level[by_time] > 0]
        told = by_time[np.diff(level[by_time], prepend=0) != 0]
        return told, level[told]

    def _told_bars(self, metres: Iterable[Metre]) -> tuple[Slots, Slots]:
        """Return the slots and the tokens of the time signatures, where they change."""
        bars = {slot_of(metre.start, self.steps_per_beat): self._bar(metre) for metre in sorted(metres)}
        slot, token = np.array([[*bars], [*bars.values()]], np.int64)
        known = token > 0
        slot, token = slot[known], token[known]
        new = np.diff(token, prepend=0) != 0
        return slot[new], token[new]

    def _bar(self, metre: Metre) -> int:
        """Return the token of a time signature, or of one whose bar is as long; 0 if there is none."""
        word = f"{metre.numerator}/{metre.denominator}"
        if word in self._bars:
            return self._bars[word]
        length = 4 * self.steps_per_beat * Fraction(metre.numerator, metre.denominator)
        return next((token for token in self._bars.values() if self.actions[token].value == length), 0)

    def _with_waits(self, slot: Slots, token: Slots, last: int) -> NDArray[np.int32]:
        """Return the tokens of changes with the time between them, up to the last slot."""
        gap = np.diff(slot, prepend=0, append=last)
        waits = -(-gap // self.longest_wait)
        tokens = np.full(waits.sum() + len(token) + 1, self._wait + self.longest_wait, np.int32)
        tokens[0] = self.start
        place = np.cumsum(waits + 1)  # behind the waits of each gap
        rest = gap - (waits - 1) * self.longest_wait
        tokens[place[waits > 0] - 1] = self._wait + rest[waits > 0]
        tokens[place[:-1]] = token
        return tokens

    def _level(self, velocity: Number) -> Number:
        """Return the level of a MIDI velocity, from 1; 0 if there is none, or no word for it."""
        return (velocity * self.velocities // 128 + 1) * (velocity > 0) * (self.velocities > 0)

    def _loudness(self, level: int) -> int:
        """Return the MIDI velocity in the middle of a level."""
        return (2 * level - 1) * 64 // self.velocities


def _key(pitch: Number) -> Number:
    """Return the key of the piano for a MIDI pitch: its own, or the one in the nearest octave there is."""
    below, above = KEYS[0] - pitch, pitch - KEYS[-1]
    return pitch + (below + 11) // 12 * 12 * (below > 0) - (above + 11) // 12 * 12 * (above > 0)


def _slots(bar: str, steps_per_beat: int) -> int:
    """Return the length of a bar, written as a time signature, in slots."""
    if not re.fullmatch(r"[1-9]\d?/(1|2|4|8|16|32|64)", bar):
        raise malformed(f"{bar[:40]!r} is not a time signature, like 4/4")
    length = 4 * steps_per_beat * Fraction(bar)
    if length.denominator != 1:
        raise malformed(f"a bar of {bar} does not fit a grid of {steps_per_beat} steps a beat")
    return int(length)


def _action(word: str, steps_per_beat: int) -> Action:
    """Return what a word does."""
    if word == START:
        return Action("start", 0)
    kind, _, value = str(word).partition(" ")
    if kind == "bar":
        return Action("bar", _slots(value, steps_per_beat))
    if kind in NUMBERED and re.fullmatch(r"[1-9]\d{0,3}", value):
        return Action(NUMBERED[kind], int(value))
    raise malformed(f"{str(word)[:40]!r} is not a word of the tokenizer poly")


def _check(words: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise unless each word stands where it belongs."""
    for word, right in zip_longest(words, wanted):
        if word != right:
            raise malformed(f"{word or 'its end'!r} stands where {right or 'its end'!r} belongs")
