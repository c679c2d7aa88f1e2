"""MIDI files as the tests need them, good and bad."""

from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
from neuralmidi.notes import Metre

from training.dataset import Piece, Split

SCALE = [(beat, beat + 1, 60 + beat) for beat in range(8)]
"""Start, end in beats, pitch."""


def midi_file(
    path: Path,
    notes: Sequence[tuple[float, float, int]],
    channel: int = 0,
    metres: Sequence[tuple[float, int, int]] = ((0, 4, 4),),
    velocities: Sequence[int] = (64,),
    ticks: int = 480,
) -> Path:
    """Write notes (start and end in beats, pitch), and return the path."""
    timed = [
        (start, mido.MetaMessage("time_signature", numerator=top, denominator=bottom))
        for start, top, bottom in metres
    ]
    for place, (start, end, pitch) in enumerate(notes):
        velocity = velocities[place % len(velocities)]
        timed.append((start, mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)))
        timed.append((end, mido.Message("note_off", note=pitch, channel=channel)))
    file = mido.MidiFile(ticks_per_beat=ticks)
    track, now = mido.MidiTrack(), 0
    for beat, message in sorted(timed, key=lambda pair: (pair[0], pair[1].type != "note_off")):
        track.append(message.copy(time=round(beat * ticks) - now))
        now = round(beat * ticks)
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def piece(
    notes: Sequence[tuple[float, float, int] | tuple[float, float, int, int]],
    metres: Sequence[Metre] = (Metre(0, 4, 4),),
    end: float = 8.0,
    name: str = "a",
    split: Split = "train",
    composer: str = "nobody",
) -> Piece:
    """Return a piece: notes are start and end in beats, pitch, and velocity if it tells."""
    columns = np.array([(*note, 0)[:4] for note in notes], np.float64)
    return Piece(
        name, composer, split, columns[np.lexsort((columns[:, 2], columns[:, 0]))], tuple(metres), end
    )


def song(bars: int, seed: int, composer: str = "nobody", split: Split = "train") -> Piece:
    """Return something like music: a bass, chords and a tune, some notes held over the bar line."""
    rng = np.random.default_rng(seed)
    notes: list[tuple[float, float, int, int]] = []
    for bar in range(bars):
        root = int(rng.choice([48, 53, 55]))
        notes.append((4 * bar, 4 * bar + 4.5, root - 12, 50))
        notes += [(4 * bar + 2, 4 * bar + 3.9, root + third, 64) for third in (0, 4, 7)]
        for beat in np.sort(rng.choice(12, 4, replace=False)) / 3:
            pitch = 60 + int(rng.choice([0, 2, 4, 5, 7, 9, 11]))
            notes.append((4 * bar + beat, 4 * bar + beat + float(rng.choice([0.5, 1, 2.5])), pitch, 90))
    return piece(notes, end=4.0 * bars, name=f"{composer}-{seed}", split=split, composer=composer)


def groove(folder: Path, styles: Sequence[str] = ("funk", "rock"), bars: int = 8) -> Path:
    """Write something like the Groove MIDI Dataset: for each style a beat for each split, and a fill."""
    rows = ["style,beat_type,time_signature,midi_filename,split"]
    for place, style in enumerate(styles):
        for split in ("train", "validation"):
            for kind, length in (("beat", bars), ("fill", 1)):
                rng = np.random.default_rng(len(rows))
                hits = [
                    (max(0.0, 4 * bar + beat / 4 + float(rng.normal(0, 0.02))), drum)
                    for bar in range(length)
                    for drum, beats in ((36, (0, 8 + place)), (38, (4, 12)), (22, range(0, 16, 2)))
                    for beat in (beats if kind == "beat" else range(0, 16, 3))
                ]
                name = f"{style}_{split}_{kind}.mid"
                notes = [(start, start + 0.1, drum) for start, drum in hits]
                midi_file(folder / name, notes, channel=9, velocities=rng.integers(20, 120, 40).tolist())
                rows.append(f"{style}/any,{kind},4-4,{name},{split}")
    rows.append("waltz,beat,3-4,waltz.mid,train")
    (folder / "info.csv").write_text("\n".join(rows) + "\n")
    return folder
