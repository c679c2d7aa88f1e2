from collections.abc import Sequence
from pathlib import Path

import mido
import pytest

from training.dataset import MOST_STEPS, UnusableFileError, read_composer, read_splits, read_steps


def midi_file(
    path: Path, notes: Sequence[tuple[float, float, int]], channel: int = 0, ticks: int = 480
) -> Path:
    """Write notes (start and end in beats, pitch), and return the path."""
    file = mido.MidiFile(ticks_per_beat=ticks)
    timed = [(start, "note_on", pitch) for start, _, pitch in notes] + [
        (end, "note_off", pitch) for _, end, pitch in notes
    ]
    track, now = mido.MidiTrack(), 0
    for beat, kind, pitch in sorted(timed):
        track.append(
            mido.Message(kind, note=pitch, velocity=64, channel=channel, time=round(beat * ticks) - now)
        )
        now = round(beat * ticks)
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


SCALE = [(beat, beat + 1, 60 + beat) for beat in range(8)]


def test_steps_are_counted_in_beats_whatever_the_tempo_does(data: Path) -> None:
    steps, remarks = read_steps(data / "round_in_two_voices.mid")
    assert remarks == []
    assert len(steps) == (32 + 8) * 4
    first_voice = [(60,)] * 4 + [(62,)] * 4 + [(64,)] * 4 + [(60,)] * 4
    assert list(steps[:32]) == first_voice * 2
    assert list(steps[32:36]) == [(48, 64)] * 4  # the second voice, an octave lower, two bars later
    assert list(steps[64:66]) == [(52, 67)] * 2  # after the change of tempo


def test_drums_are_left_out(data: Path) -> None:
    steps, _ = read_steps(data / "waltz.mid")
    assert [steps[4 * beat] for beat in range(4)] == [(48,), (48, 64, 67), (48, 64, 67), (43,)]
    assert steps[6] == (48,)  # an eighth is two steps
    assert all(36 not in step for step in steps)


def test_a_note_lasts_a_step_at_least(tmp_path: Path) -> None:
    steps, _ = read_steps(midi_file(tmp_path / "short.mid", [(0, 0.01, 60), (4, 4.01, 62), (7.75, 7.76, 64)]))
    assert [step for step, pitches in enumerate(steps) if pitches] == [0, 16, 31]


def test_notes_off_the_grid_are_moved_and_reported(tmp_path: Path) -> None:
    triplets = [(third / 3, (third + 1) / 3, 60 + third % 3) for third in range(24)]
    steps, remarks = read_steps(midi_file(tmp_path / "triplets.mid", triplets))
    assert len(steps) == 32
    assert remarks == ["67% of its notes lie off the 16th grid and were moved there"]


def test_a_file_of_many_hours_is_cut_and_reported(tmp_path: Path) -> None:
    steps, remarks = read_steps(midi_file(tmp_path / "long.mid", [(0, 1, 60), (9000, 9001, 62)]))
    assert len(steps) <= MOST_STEPS
    assert remarks == [f"longer than {MOST_STEPS} steps, the rest is left out"]
    held, _ = read_steps(midi_file(tmp_path / "held.mid", [(0, 9000, 60)]))
    assert len(held) == MOST_STEPS


def test_bad_files_are_reported_by_name_and_do_not_end_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "Nobody"
    midi_file(folder / "good.mid", SCALE)
    midi_file(folder / "drums.mid", SCALE, channel=9)
    midi_file(folder / "none.mid", [])
    midi_file(folder / "short.mid", [(0, 1, 60)])
    (folder / "empty.mid").write_bytes(b"")
    (folder / "text.mid").write_text("this is not MIDI")
    (folder / "cut.mid").write_bytes((folder / "good.mid").read_bytes()[:40])
    (folder / "letter.txt").write_text("not a MIDI file by its name")
    said: list[str] = []
    pieces = read_composer(folder, {}, said.append)
    assert [piece.file for piece in pieces] == ["Nobody/good.mid"]
    reasons = dict(line.split(": left out, ") for line in said)
    assert sorted(reasons) == [
        f"Nobody/{name}.mid" for name in ("cut", "drums", "empty", "none", "short", "text")
    ]
    assert reasons["Nobody/drums.mid"] == "it holds drums only"
    assert reasons["Nobody/none.mid"] == "it holds no notes"
    assert reasons["Nobody/short.mid"] == "it lasts 4 steps, less than a bar"
    assert reasons["Nobody/text.mid"].startswith("not readable as MIDI")


def test_a_split_file_decides(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        midi_file(tmp_path / "all" / "Nobody" / f"{name}.mid", SCALE)
    csv = tmp_path / "split.csv"
    csv.write_text("file,composer,split\nall/Nobody/a.mid,Nobody,test\nall/Nobody/c.mid,Nobody,train\n")
    said: list[str] = []
    pieces = read_composer(tmp_path / "all" / "Nobody", read_splits(csv), said.append)
    assert [(piece.file, piece.split) for piece in pieces] == [
        ("Nobody/a.mid", "test"),
        ("Nobody/c.mid", "train"),
    ]
    assert said == ["Nobody/b.mid: left out, the split file does not name it"]


@pytest.mark.parametrize(("files", "held_out"), [(3, 1), (9, 1), (20, 2), (35, 3)])
def test_without_a_split_file_a_tenth_each_is_held_out(tmp_path: Path, files: int, held_out: int) -> None:
    for number in range(files):
        midi_file(tmp_path / "Nobody" / f"{number}.mid", SCALE)
    splits = [piece.split for piece in read_composer(tmp_path / "Nobody", {})]
    assert [splits.count(split) for split in ("valid", "test")] == [held_out, held_out]
    assert splits == [piece.split for piece in read_composer(tmp_path / "Nobody", {})]


def test_a_file_that_is_not_midi_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\xff\xff\xff\xff")
    with pytest.raises(UnusableFileError):
        read_steps(tmp_path / "x.mid")
