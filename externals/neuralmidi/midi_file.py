"""A performance as a standard MIDI file."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import mido

from .controls import TEMPO
from .errors import NeuralMIDIError
from .life_cycle import ended
from .notes import NoteEvent, Step

TICKS_PER_BEAT = 960
"""Resolution: half a millisecond at 120 BPM."""

LONGEST_BEAT = 2**24 - 1
"""Microseconds: the slowest tempo that a MIDI file can name, 3.6 BPM."""

Timed = tuple[float, NoteEvent]
"""An event and its time in ms since the beginning."""


def timeline(steps: Iterable[Step], step_ms: float) -> Iterator[Timed]:
    """Give every event of consecutive steps its time; when the last step is over, what sounds ends.

    Args:
        steps: what a composer played from a beginning with nothing sounding.
        step_ms: length of a step in ms.
    """
    time = 0.0
    sounding: dict[int, set[int]] = {}
    for slot, step in enumerate(steps):
        for event in step.events:
            pitches = sounding.setdefault(event.channel, set())
            (pitches.discard if event.kind == "off" else pitches.add)(event.pitch)
            yield slot * step_ms, event
        time = (slot + 1) * step_ms
    for channel, pitches in sorted(sounding.items()):
        yield from ((time, event) for event in ended(pitches, channel))


def write(path: Path, events: Iterable[Timed], tempo: float = TEMPO.default) -> None:
    """Write a standard MIDI file (format 0) in 4/4, whole or not at all.

    A swell becomes polyphonic aftertouch, the one MIDI message that moves a single sounding note.

    Args:
        path: the file; one that is there already is replaced.
        events: in any order; those of one tick keep theirs.
        tempo: beats per minute, 1-1000: where the file's bars and beats fall. It moves no note.

    Raises:
        NeuralMIDIError: the tempo is out of range, or the file cannot be written; what was there stays.
    """
    beat = min(60e6 / TEMPO.check(tempo), LONGEST_BEAT)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=round(beat)))
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    now = 0
    for ms, event in sorted(events, key=lambda timed: timed[0]):
        # Rounding the time and not the distances keeps the last bar as exact as the first.
        tick = round(1000 * ms / beat * TICKS_PER_BEAT)
        track.append(_message(event, tick - now))
        now = tick
    _save(mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]), Path(path))


def _message(event: NoteEvent, delta: int) -> mido.Message:
    place = {"note": event.pitch, "channel": event.channel - 1, "time": delta}
    if event.kind == "vel":
        return mido.Message("polytouch", value=event.velocity, **place)
    return mido.Message(f"note_{event.kind}", velocity=event.velocity, **place)


def _save(midi: mido.MidiFile, path: Path) -> None:
    """Write beside the file, then put it in its place: a full disk must not cost the last take."""
    try:
        if path.exists() and not path.is_file():
            raise _unwritable(path, "there is something that is not a file")
        part = path.with_name(f"{path.name}.part")
        try:
            midi.save(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(path, getattr(error, "strerror", None) or str(error)) from error


def _unwritable(path: Path, why: str) -> NeuralMIDIError:
    return NeuralMIDIError(
        str(path), f"cannot be written: {why}", "name a file in a folder that you may write to"
    )
