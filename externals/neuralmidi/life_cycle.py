"""A note's life: what must start, end or swell so that the sounding notes become the wanted ones."""

from collections.abc import Collection, Iterable, Mapping

from .notes import NoteEvent

SMALLEST_SWELL = 4
"""Velocity steps under this are not heard as a swell and would only flood the MIDI line."""


def advance(
    sounding: Mapping[int, int], targets: Mapping[int, int], channel: int, struck: Collection[int] = ()
) -> tuple[tuple[NoteEvent, ...], dict[int, int]]:
    """Lead the sounding notes to the targets.

    A pitch in both holds without a new attack, unless it is struck again: then it ends first. One that holds
    swells if its velocity is off by `SMALLEST_SWELL` or more.

    Args:
        sounding: pitch to velocity (1-127) of every note that sounds now.
        targets: pitch to velocity (1-127) of every note that shall sound.
        channel: MIDI channel of all of them, 1-16.
        struck: the targets that begin now, even if they sound already.

    Returns:
        The events (offs, then ons, then swells, each in ascending pitch) and the new sounding notes.
    """
    on, vel = [], []
    after = {}
    for pitch in sorted(targets):
        velocity = targets[pitch]
        held = sounding.get(pitch)
        if held is None or pitch in struck:
            on.append(NoteEvent("on", pitch, velocity, channel))
        elif abs(velocity - held) >= SMALLEST_SWELL:
            vel.append(NoteEvent("vel", pitch, velocity, channel))
        else:
            velocity = held
        after[pitch] = velocity
    off = ended((pitch for pitch in sounding if pitch not in targets or pitch in struck), channel)
    return (*off, *on, *vel), after


def ended(pitches: Iterable[int], channel: int) -> tuple[NoteEvent, ...]:
    """The events that end these notes, in ascending pitch."""
    return tuple(NoteEvent("off", pitch, 0, channel) for pitch in sorted(pitches))
