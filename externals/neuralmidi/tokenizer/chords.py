"""The tokenizer ``chords``: each slot of the grid is one token, the whole set of sounding pitches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import NeuralMIDIError
from ..grid import columns, on_grid, slot_of
from ..hands import Hands
from ..hearing import Ear
from ..notes import PITCHES, Metre, Note
from .words import START, malformed, tokens_of

UNKNOWN: Final = "<unknown>"
REST: Final = "<rest>"
SPECIALS: Final = (START, UNKNOWN, REST)
"""The first three words of every vocabulary: before the music, out of the vocabulary, nothing sounds."""


def spell(pitches: Collection[int]) -> str:
    """Return the word of a sounding set: its pitches ascending, ``60,64,67``, or ``<rest>`` for none."""
    return ",".join(map(str, sorted(set(pitches)))) or REST


class ChordTokenizer:
    """One token per slot: the whole set of sounding pitches. A note struck again is not told from a held one.

    Args:
        vocabulary: ``<start>``, ``<unknown>``, ``<rest>``, then chords spelled as `spell` does, each once.
        steps_per_beat: slots in a quarter note.
        beginning: the words that stand before the music.

    Raises:
        NeuralMIDIError: the vocabulary is not of that form.
    """

    kind: str = "chords"
    percussive: bool = False
    start: int = SPECIALS.index(START)
    unmusical: tuple[int, ...] = (SPECIALS.index(START), SPECIALS.index(UNKNOWN))
    pauses: tuple[int, ...] = (SPECIALS.index(REST),)

    def __init__(
        self, vocabulary: Sequence[str], steps_per_beat: int = 4, beginning: Sequence[str] = (START,)
    ) -> None:
        if isinstance(vocabulary, str) or tuple(vocabulary[: len(SPECIALS)]) != SPECIALS:
            raise malformed(f"does not begin with {' '.join(SPECIALS)}")
        self.vocabulary = tuple(vocabulary)
        self.steps_per_beat = steps_per_beat
        self._pitches = ((),) * len(SPECIALS) + tuple(map(_pitches_of, self.vocabulary[len(SPECIALS) :]))
        self._tokens = {word: token for token, word in enumerate(self.vocabulary)}
        if len(self._tokens) != len(self.vocabulary):
            raise malformed("a word occurs twice")
        self.beginning = tokens_of(beginning, self.vocabulary)

    def encode(self, pitches: Collection[int]) -> int:
        """Return the token of a set of MIDI pitches; a set out of the vocabulary is ``<unknown>``."""
        return self._tokens.get(spell(pitches), SPECIALS.index(UNKNOWN))

    def decode(self, token: int) -> tuple[int, ...]:
        """Return the MIDI pitches of a token, ascending; none for the three specials.

        Raises:
            NeuralMIDIError: there is no such token.
        """
        if not 0 <= token < len(self._pitches):
            legal = f"outside 0 to {len(self._pitches) - 1}"
            raise NeuralMIDIError(f"token {token}", legal, "choose a token of the model's vocabulary")
        return self._pitches[token]

    def hear(self, pitches: Collection[int]) -> int:
        """Return the token of the known chord that is nearest to a set of MIDI pitches (see `Ear`)."""
        token = self.encode(pitches)
        if token != SPECIALS.index(UNKNOWN):
            return token
        nearest = self._ear.nearest(pitches)
        return token if nearest is None else nearest

    def read(self, hands: Hands, token: int) -> Hands:
        """Return what the hands do in the slot of a token; it does not tell what they strike."""
        return Hands() if token == self.start else Hands(dict.fromkeys(self.decode(token), 0), wait=1)

    def write(
        self, hands: Hands, sounding: Mapping[int, int], struck: Collection[int] = ()
    ) -> tuple[int, ...]:
        """Return the token of a slot."""
        return (self.hear(sounding),)

    def passing(self, slots: int) -> tuple[int, ...]:
        """Return nothing: each token lasts a slot, whether or not it changes anything."""
        return ()

    def release(self, pitches: Collection[int]) -> tuple[int, ...]:
        """Return nothing: the next token says what no longer sounds."""
        return ()

    def encode_piece(
        self, notes: Iterable[Note], metres: Iterable[Metre] = (), end: float | None = None
    ) -> NDArray[np.int32]:
        """Return the tokens of a whole piece, from ``<start>`` on.

        Args:
            notes: in any order, in beats.
            metres: not told.
            end: where it ends, in beats; None: where its last note ends.
        """
        strokes = on_grid(columns(notes), self.steps_per_beat)
        last = slot_of(end, self.steps_per_beat) if end is not None else int(strokes.end.max(initial=0))
        chords: list[list[int]] = [[] for _ in range(last)]
        for pitch, first, after in zip(strokes.pitch.tolist(), strokes.start, strokes.end, strict=True):
            for chord in chords[first:after]:
                chord.append(pitch)
        return np.array([self.start, *map(self.hear, chords)], np.int32)

    def decode_piece(self, tokens: Iterable[int]) -> tuple[list[Note], list[Metre]]:
        """Return the notes, by start and pitch: one for as long as a pitch goes on; and no time signature."""
        notes = []
        begun: dict[int, int] = {}
        chords = (self.decode(token) for token in tokens if token != self.start)
        for slot, chord in enumerate((*chords, ())):
            for pitch in [pitch for pitch in begun if pitch not in chord]:
                start = begun.pop(pitch) / self.steps_per_beat
                notes.append(Note(start, slot / self.steps_per_beat, pitch))
            begun |= dict.fromkeys((pitch for pitch in chord if pitch not in begun), slot)
        return sorted(notes), []

    @cached_property
    def _ear(self) -> Ear:
        """Made when first needed."""
        return Ear(self._pitches)


def _pitches_of(word: str) -> tuple[int, ...]:
    """Return the pitches of a chord's word; only the one spelling that `spell` gives is accepted."""
    try:
        pitches = tuple(map(int, word.split(",")))
    except (AttributeError, ValueError):
        pitches = ()
    if not pitches or spell(pitches) != word or not all(pitch in PITCHES for pitch in pitches):
        why = "is not a chord (MIDI pitches 0 to 127, ascending, separated by commas)"
        raise malformed(f"{str(word)[:40]!r} {why}")
    return pitches
