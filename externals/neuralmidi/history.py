"""What was played of late, as notes in beats: any model can be told of it, whatever its grid and words."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from .errors import NeuralMIDIError
from .notes import Metre, Note

MEMORY = 16
"""Beats that are remembered, and that a new model hears of what was played before it: four bars of 4/4."""


MOST_NOTES = 1000
"""What a new model hears of what was played before it: to be told more would take seconds, and no hands play
so much in so many beats."""

OVERHANG = 0.25
"""Beats by which the last note of a piece may hang over the bar line at which the piece is over."""


@dataclass(frozen=True, slots=True)
class History:
    """The last `MEMORY` beats. Nothing in it is ever written to.

    Attributes:
        now: beats that have been played or heard, ever.
        notes: those that have ended, in the order of their ends.
        held: by pitch, those that have not; their `end` means nothing yet.
    """

    now: float = 0.0
    notes: tuple[Note, ...] = ()
    held: Mapping[int, Note] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Iterable[Note], metre: Metre) -> "History":
        """Return what a listener remembers of a piece: its last whole bars, up to the bar line it ends at.

        Args:
            notes: in any order.
            metre: its last time signature.

        Raises:
            NeuralMIDIError: there is no note.
        """
        piece = list(notes)
        if not piece:
            raise NeuralMIDIError("primer", "there is no note in it", "take a file with notes")
        bar = 4 * metre.numerator / metre.denominator
        over = max(note.end for note in piece) - OVERHANG - metre.start
        end = metre.start + bar * max(ceil(over / bar), 1)
        begin = end - bar * min(max(MEMORY // bar, 1), ceil(end / bar))
        heard = (note._replace(start=note.start - begin, end=min(note.end, end) - begin) for note in piece)
        return cls(end - begin, tuple(sorted((note for note in heard if note.end > 0), key=lambda n: n.end)))

    def after(self, sounding: Mapping[int, int], struck: Collection[int], beats: float) -> "History":
        """The history when one more slot is over.

        Args:
            sounding: MIDI pitch to velocity of what sounds in it.
            struck: those of them that begin in it; one that did not sound before does so anyway.
            beats: length of the slot.
        """
        now = self.now + beats
        if not struck and sounding.keys() == self.held.keys():
            return History(now, self._remembered(now), self.held)
        ended = tuple(
            note._replace(end=self.now)
            for pitch, note in self.held.items()
            if pitch in struck or pitch not in sounding
        )
        held = {
            pitch: self.held[pitch]
            if pitch in self.held and pitch not in struck
            else Note(self.now, self.now, pitch, velocity)
            for pitch, velocity in sounding.items()
        }
        return History(now, (*self._remembered(now), *ended), held)

    @property
    def is_silent(self) -> bool:
        """Whether nothing has sounded for as long as it remembers."""
        return self.silent_for(MEMORY)

    def silent_for(self, beats: float) -> bool:
        """Whether nothing has sounded for so many beats, `MEMORY` at most, or ever."""
        return not self.held and (not self.notes or self.notes[-1].end <= self.now - beats)

    def beats_since_bar_line(self, place: float, bar: float) -> float:
        """Return how many of the remembered beats lie behind the first bar line among them.

        Args:
            place: where the music is, in beats since a bar line.
            bar: length of a bar in beats; 0: nothing is known of bars, and all that is remembered counts.
        """
        remembered = min(self.now, MEMORY)
        if not bar:
            return remembered
        begun = place % bar
        return begun + (remembered - begun) // bar * bar if begun <= remembered else remembered

    def last(self, beats: float) -> list[Note]:
        """The notes of the last beats, which begin at 0 here; what is held ends at their end.

        At most the last `MOST_NOTES` of them.
        """
        begin = self.now - beats
        all_notes = (*self.notes, *(note._replace(end=self.now) for note in self.held.values()))
        return [
            note._replace(start=max(note.start - begin, 0.0), end=note.end - begin)
            for note in all_notes
            if note.end > begin
        ][-MOST_NOTES:]

    def _remembered(self, now: float) -> tuple[Note, ...]:
        """The ended notes, less those that ended too long ago."""
        forgotten = 0
        while forgotten < len(self.notes) and self.notes[forgotten].end <= now - MEMORY:
            forgotten += 1
        return self.notes[forgotten:]
