"""What a composer reads and plays: the notes of a piece, note events, the step that carries them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

PITCHES = range(128)
"""MIDI pitches: 60 is middle C."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(pitch: int) -> str:
    """The name of a MIDI pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def velocity_of(loudness: float) -> int:
    """The MIDI velocity, 1-127, of a loudness from 0 to 1; what is louder is as loud as can be."""
    return min(127, max(1, round(127 * loudness)))


class Note(NamedTuple):
    """A note of a piece that is written down, or remembered.

    Attributes:
        start: when it begins, in beats (quarter notes) since the piece began, 0 or more.
        end: when it ends, in beats.
        pitch: MIDI pitch, 0-127.
        velocity: MIDI velocity, 1-127; 0: nobody says how loud.
    """

    start: float
    end: float
    pitch: int
    velocity: int = 0


class Metre(NamedTuple):
    """A time signature of a piece.

    Attributes:
        start: the bar line from which it holds, in beats (quarter notes) since the piece began.
        numerator: 3 of 3/4.
        denominator: 4 of 3/4: a power of 2.
    """

    start: float
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One event of a note's life.

    Attributes:
        kind: ``on`` starts a note, ``off`` ends it, ``vel`` swells a sounding note without a new attack.
        pitch: MIDI pitch, 0-127.
        velocity: MIDI velocity, 1-127; 0 for ``off``.
        channel: MIDI channel, 1-16.
        delay: when, in steps after the beginning of its step, 0 or more.
    """

    kind: Literal["on", "off", "vel"]
    pitch: int
    velocity: int
    channel: int
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One slot of the grid, as it leaves the composer.

    Attributes:
        number: how many steps came before it since the composer was reset.
        pitches: every pitch that sounds in this step, ascending.
        events: what changes at its start, offs first, or later, in the order of their times.
        beats: its length, in beats.
    """

    number: int
    pitches: tuple[int, ...]
    events: tuple[NoteEvent, ...]
    beats: float = 0.25
