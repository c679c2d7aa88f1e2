"""Makes the MIDI files of the tests: ``python tests/data/make_midi.py``."""

from collections.abc import Sequence
from pathlib import Path

import mido

Note = tuple[float, int, float]
"""Start and length in beats, MIDI pitch in between."""
TICKS = 480
ROUND = ((60, 62, 64, 60) * 2, (64, 65, 67, None) * 2, (67, 69, 67, 65, 64, 60) * 2, (60, 55, 60, None) * 2)
"""Frère Jacques (traditional), four phrases; None holds the note before."""
LENGTHS = ((1,) * 8, (1, 1, 1, 1) * 2, (0.5, 0.5, 0.5, 0.5, 1, 1) * 2, (1,) * 8)
WALTZ = ((48, (64, 67)), (43, (62, 65, 71)), (43, (62, 65)), (48, (60, 64, 67)))


def round_in_two_voices() -> mido.MidiFile:
    """A canon: the second voice enters after two bars, an octave lower; the tempo changes in the middle."""
    notes: list[Note] = []
    beat = 0.0
    for pitches, lengths in zip(ROUND, LENGTHS, strict=True):
        for pitch, length in zip(pitches, lengths, strict=True):
            if pitch is None:
                notes[-1] = (*notes[-1][:2], notes[-1][2] + length)
            else:
                notes.append((beat, pitch, length))
            beat += length
    second = [(start + 8, pitch - 12, length) for start, pitch, length in notes]
    return _file([notes, second], tempi=((0, 100), (16, 140)))


def waltz() -> mido.MidiFile:
    """An own waltz in 3/4: a bass, repeated chords above it, a drum on every bar."""
    bass: list[Note] = []
    chords: list[Note] = []
    drum: list[Note] = []
    for bar, (low, high) in enumerate(WALTZ * 2):
        bass.append((3 * bar, low, 3))
        chords += [(3 * bar + beat, pitch, 0.5) for beat in (1, 2) for pitch in high]
        drum.append((3 * bar, 36, 0.25))
    return _file([bass, chords, drum], tempi=((0, 160),), meter=3, drums=2)


def _file(
    tracks: Sequence[Sequence[Note]],
    tempi: tuple[tuple[int, int], ...],
    meter: int = 4,
    drums: int | None = None,
) -> mido.MidiFile:
    """Return a file of tracks of notes: start and length in beats, MIDI pitch."""
    file = mido.MidiFile(ticks_per_beat=TICKS)
    meta = [(0, mido.MetaMessage("time_signature", numerator=meter, denominator=4))]
    meta += [(beat, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for beat, bpm in tempi]
    file.tracks.append(_track(meta))
    for place, notes in enumerate(tracks):
        channel = 9 if place == drums else place
        on = [(start, mido.Message("note_on", note=p, velocity=80, channel=channel)) for start, p, _ in notes]
        off = [
            (start + beats, mido.Message("note_off", note=p, channel=channel)) for start, p, beats in notes
        ]
        file.tracks.append(_track(off + on))  # where both fall together, the old note ends first
    return file


def _track(timed: Sequence[tuple[float, mido.Message]]) -> mido.MidiTrack:
    track, now = mido.MidiTrack(), 0
    for beat, message in sorted(timed, key=lambda pair: pair[0]):
        track.append(message.copy(time=round(beat * TICKS) - now))
        now = round(beat * TICKS)
    return track


if __name__ == "__main__":
    for make in (round_in_two_voices, waltz):
        make().save(Path(__file__).parent / f"{make.__name__}.mid")
