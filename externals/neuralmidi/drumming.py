"""How a drummer's hits leave: which of them, how hard, and when, to a fraction of a step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .notes import NoteEvent

FLAT = 96
"""The velocity of every hit that is not humanised: 0.75 of the loudest, an intensity of 1 / 0.75 aside."""
LENGTH = 0.5
"""Steps after which a hit's note ends, if it is not hit again before. Drums ring as long as they like."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One drum that is hit once.

    Attributes:
        pitch: General MIDI's.
        velocity: as the model says, 1-127; 0: it does not.
        late: slots behind its own, as the model says; below 0 before it.
    """

    pitch: int
    velocity: int
    late: float


def hits(sounding: Mapping[int, int], late: Mapping[int, float]) -> tuple[Hit, ...]:
    """Return what is hit in a slot, by pitch: MIDI pitch to velocity, and to slots that it is late."""
    return tuple(Hit(pitch, loud, late.get(pitch, 0.0)) for pitch, loud in sorted(sounding.items()))


def moment(slot: float, late: float, humanize: float, swing: float, eighth: float) -> float:
    """Return when a hit sounds, in slots since the first bar line.

    Swing leads every eighth's first half to ``swing`` percent of it and lets the second half go faster, so
    that what comes first stays first, however late it is.

    Args:
        slot: the hit's own.
        late: slots behind it, as the model says.
        humanize: how much of that counts, 0 to 1.
        swing: where in the eighth the second 16th is, in percent of it: 50 straight, 67 a triplet.
        eighth: slots in an eighth note.
    """
    straight = slot + humanize * late
    eighths, place = divmod(straight / eighth, 1.0)
    middle = swing / 100
    swung = 2 * place * middle if place < 1 / 2 else middle + (2 * place - 1) * (1 - middle)
    return (eighths + swung) * eighth


def loudness(velocity: int, humanize: float) -> float:
    """Return how hard a hit is, in MIDI velocities: from `FLAT` to what the model says."""
    return FLAT + humanize * ((velocity or FLAT) - FLAT)


def struck(leaving: Iterable[tuple[float, int, int]], channel: int) -> tuple[NoteEvent, ...]:
    """Return the events of hits, by time: each begins, and ends a moment later or when it is hit again.

    Of two on one drum at the same moment the louder one is heard.

    Args:
        leaving: when, in steps after this one's beginning; MIDI pitch; velocity, 1-127.
        channel: MIDI channel, 1-16.
    """
    loudest = {(begin, pitch): velocity for begin, pitch, velocity in sorted(leaving)}
    events = []
    for (begin, pitch), velocity in loudest.items():
        again = (later for later, other in loudest if other == pitch and later > begin)
        end = min(begin + LENGTH, next(again, begin + LENGTH))
        events.append(NoteEvent("on", pitch, velocity, channel, begin))
        events.append(NoteEvent("off", pitch, 0, channel, end))
    return tuple(sorted(events, key=lambda event: (event.delay, event.kind != "off")))
