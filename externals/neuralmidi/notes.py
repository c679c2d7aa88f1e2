"""What a composer plays: note events in MIDI terms, and the step that carries them."""

from dataclasses import dataclass
from typing import Literal

PITCHES = range(128)
"""MIDI pitches: 60 is middle C."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(pitch: int) -> str:
    """The name of a MIDI pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One event of a note's life.

    Attributes:
        kind: ``on`` starts a note, ``off`` ends it, ``vel`` swells a sounding note without a new attack.
        pitch: MIDI pitch, 0-127.
        velocity: MIDI velocity, 1-127; 0 for ``off``.
        channel: MIDI channel, 1-16.
    """

    kind: Literal["on", "off", "vel"]
    pitch: int
    velocity: int
    channel: int


@dataclass(frozen=True, slots=True)
class Step:
    """One slot of the grid, as it leaves the composer.

    Attributes:
        number: how many steps came before it since the composer was reset.
        pitches: every pitch that sounds in this step, ascending.
        events: what changes at its start, offs first.
    """

    number: int
    pitches: tuple[int, ...]
    events: tuple[NoteEvent, ...]
