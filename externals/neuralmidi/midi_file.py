"""Standard MIDI files: a performance is written, a piece to begin from is read."""

import errno
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import mido

from .controls import TEMPO
from .errors import NeuralMIDIError
from .kit import CHANNEL
from .life_cycle import ended
from .notes import Metre, Note, NoteEvent, Step

TICKS_PER_BEAT = 960
"""Resolution: half a millisecond at 120 BPM."""

LONGEST_BEAT = 2**24 - 1
"""Microseconds: the slowest tempo that a MIDI file can name, 3.6 BPM."""

LARGEST = 256 << 10
"""Bytes of a file that is read: it is taken in beside the music, in a few ms for each 1000 of them."""

LONGEST_WAIT = 2**28 - 1
"""Ticks between two events: more than this no MIDI file can tell."""

ENDLESS = re.compile(rb"(?<![\x80-\xff])[\x80-\xff]{4000}")
"""What a number of a file can never be, and what would take mido minutes to read as one."""

DRUMS = CHANNEL - 1
"""The channel whose notes are no pitches, as mido counts."""

BAR_BEATS = (0.25, 16.0)
"""Shortest and longest bar that is believed, in beats."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors that say so of a disk, or of a user's share of it."""

MAKE_ROOM = "make room on the disk, or name a file on another"
ELSEWHERE = "name a file in a folder that you may write to"

Timed = tuple[float, NoteEvent]
"""An event and its time in ms since the beginning."""


class Piece(NamedTuple):
    """What is written in a file.

    Attributes:
        notes: of all tracks and channels but the drums', or of these, by start; velocity 0 if all have the
            same, which then says nothing.
        metres: the time signatures, by start.
    """

    notes: list[Note]
    metres: list[Metre]


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
            yield (slot + event.delay) * step_ms, event
        time = (slot + 1) * step_ms
    for channel, pitches in sorted(sounding.items()):
        yield from ((time, event) for event in ended(pitches, channel))


def write(
    path: Path, events: Iterable[Timed], tempo: float = TEMPO.default, beats_per_bar: float = 4
) -> None:
    """Write a standard MIDI file (format 0), whole or not at all.

    A swell becomes polyphonic aftertouch, the one MIDI message that moves a single sounding note.

    Args:
        path: the file; one that is there already is replaced.
        events: in any order; those of one tick keep theirs.
        tempo: beats per minute, 1-1000: where the file's bars and beats fall. It moves no note.
        beats_per_bar: in quarter notes; so does this.

    Raises:
        NeuralMIDIError: the tempo is out of range, or the file cannot be written; what was there stays.
    """
    beat = min(60e6 / TEMPO.check(tempo), LONGEST_BEAT)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=round(beat)))
    denominator = next(d for d in (4, 8, 16, 32) if beats_per_bar * d % 4 == 0 or d == 32)
    numerator = round(beats_per_bar * denominator / 4)
    track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
    now = 0
    for ms, event in sorted(events, key=lambda timed: timed[0]):
        # Rounding the time and not the distances keeps the last bar as exact as the first.
        tick = round(1000 * ms / beat * TICKS_PER_BEAT)
        track.append(_message(event, tick - now))
        now = tick
    _save(mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]), Path(path))


def find(name: str, folders: Sequence[Path]) -> Path:
    """Return the path of a file.

    Args:
        name: absolute, or relative to one of the folders.
        folders: searched in this order.

    Raises:
        NeuralMIDIError: no folder has it.
    """
    for folder in folders:
        if os.path.isfile(path := folder / os.path.expanduser(name)):
            return path
    why = "there is no such file beside the patch or in Pd's search path"
    raise NeuralMIDIError(name[:200], why, "give its path from the patch's folder")


def read(path: Path, *, drums: bool = False) -> Piece:
    """Read a piece from a standard MIDI file.

    Args:
        path: the file.
        drums: what the drums' channel plays, instead of all others.

    Raises:
        NeuralMIDIError: it is too large, no MIDI file, without notes, or its time is not told in beats.
    """
    content = _read(path)
    try:
        midi = mido.MidiFile(file=BytesIO(content), clip=True)
    except EOFError as error:
        raise _unreadable(path, "it is no MIDI file, or a damaged one (it ends too early)") from error
    except Exception as error:  # mido lets out whatever a corrupt file makes it trip over
        raise _unreadable(path, f"it is no MIDI file, or a damaged one ({str(error)[:100]})") from error
    if any(message.time > LONGEST_WAIT for track in midi.tracks for message in track):
        raise _unreadable(path, "it is damaged (a number in it is too long)")
    if midi.ticks_per_beat < 1:
        raise _unreadable(path, "its time is told in seconds, not in beats")
    notes = sorted(note for track in midi.tracks for note in _notes(track, midi.ticks_per_beat, drums))
    if not notes:
        raise _unreadable(path, "no drum is hit in it" if drums else "there is no note in it, but for drums")
    if len({note.velocity for note in notes}) == 1:
        notes = [note._replace(velocity=0) for note in notes]
    return Piece(notes, sorted(m for track in midi.tracks for m in _metres(track, midi.ticks_per_beat)))


def _read(path: Path) -> bytes:
    if not os.path.isfile(path):
        raise _unreadable(path, "there is no such file")
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            content = file.read(LARGEST + 1) or b""
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    if len(content) > LARGEST:
        raise _unreadable(path, f"it is larger than {LARGEST >> 10} kB")
    if ENDLESS.search(content):
        raise _unreadable(path, "it is no MIDI file, or a damaged one (a number in it is too long)")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open a file that may be none: to read the system's own log, say, waits until there is more of it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _notes(track: mido.MidiTrack, ticks_per_beat: int, drums: bool) -> Iterator[Note]:
    """The notes of a track; of two on one key the one that began first ends first."""
    begun: dict[tuple[int, int], deque[tuple[float, int]]] = {}
    ticks, now = 0, 0.0
    for message in track:
        ticks += message.time
        now = ticks / ticks_per_beat
        if message.type not in ("note_on", "note_off") or (message.channel == DRUMS) != drums:
            continue
        key = begun.setdefault((message.channel, message.note), deque())
        if message.type == "note_on" and message.velocity:
            key.append((now, message.velocity))
        elif key:
            start, velocity = key.popleft()
            yield Note(start, now, message.note, velocity)
    for (_, pitch), key in begun.items():  # they were never ended
        yield from (Note(start, now, pitch, velocity) for start, velocity in key)


def _metres(track: mido.MidiTrack, ticks_per_beat: int) -> Iterator[Metre]:
    ticks = 0
    for message in track:
        ticks += message.time
        if message.type != "time_signature":
            continue
        if BAR_BEATS[0] <= 4 * message.numerator / message.denominator <= BAR_BEATS[1]:
            yield Metre(ticks / ticks_per_beat, message.numerator, message.denominator)


def _unreadable(path: Path, why: str) -> NeuralMIDIError:
    return NeuralMIDIError(str(path), f"cannot be read: {why}", "choose another MIDI file")


def _message(event: NoteEvent, delta: int) -> mido.Message:
    place = {"note": event.pitch, "channel": event.channel - 1, "time": delta}
    if event.kind == "vel":
        return mido.Message("polytouch", value=event.velocity, **place)
    return mido.Message(f"note_{event.kind}", velocity=event.velocity, **place)


def _save(midi: mido.MidiFile, path: Path) -> None:
    """Write beside the file, then put it in its place: a full disk must not cost the last take."""
    try:
        if path.exists() and not path.is_file():
            raise _unwritable(path, "there is something that is not a file", ELSEWHERE)
        part = path.with_name(f"{path.name}.part")
        try:
            midi.save(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
        raise _unwritable(path, why, MAKE_ROOM if number in FULL else ELSEWHERE) from error


def _unwritable(path: Path, why: str, remedy: str) -> NeuralMIDIError:
    return NeuralMIDIError(str(path), f"cannot be written: {why}", remedy)
