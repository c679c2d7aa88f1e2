import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from midi import SCALE, midi_file
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.notes import Metre
from pd_runner import ROOT

from training import dataset
from training.dataset import (
    MOST_BEATS,
    MOST_NOTES,
    Source,
    UnusableFileError,
    find,
    own_splits,
    read,
    read_all,
    read_splits,
)
from training.prepare import prepare, survey
from training.settings import settings_from


def write_text(path: Path) -> None:
    path.write_text("this is not MIDI")


def write_cut(path: Path) -> None:
    path.write_bytes(midi_file(path, SCALE).read_bytes()[:40])


def write_100_000_notes(path: Path) -> None:
    midi_file(path, [(n / 30, n / 30 + 0.02, 30 + n % 60) for n in range(100_000)])


BAD: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "corrupt": (write_cut, "left out, not readable as MIDI", 0),
    "empty": (lambda path: path.write_bytes(b""), "left out, not readable as MIDI", 0),
    "not MIDI": (write_text, "left out, not readable as MIDI", 0),
    "without notes": (lambda path: midi_file(path, []), "left out, it holds no notes", 0),
    "drums": (lambda path: midi_file(path, SCALE, channel=9), "left out, it holds drums only", 0),
    "short": (lambda path: midi_file(path, [(0, 1, 60)]), "left out, it lasts 1 beats, less than a bar", 0),
    "huge": (
        lambda path: path.write_bytes(bytes(9 << 20)),
        "left out, 9 MB are too much for a piece of music",
        0,
    ),
    "2 hours": (
        lambda path: midi_file(path, [*SCALE, (14_399, 14_400, 62)]),
        f"longer than {MOST_BEATS} beats, the rest is left out",
        8,
    ),
    "100,000 notes": (
        write_100_000_notes,
        f"100000 notes, what comes after the first {MOST_NOTES} is left out",
        MOST_NOTES,
    ),
    "no meter": (
        lambda path: midi_file(path, SCALE, metres=()),
        "it begins without a time signature, taken as 4/4",
        8,
    ),
    "odd meter": (
        lambda path: midi_file(path, SCALE, metres=[(0, 13, 32)]),
        "a bar of 13/32 cannot be counted here, taken as 4/4",
        8,
    ),
    "meter in the bar": (
        lambda path: midi_file(path, SCALE, metres=[(0, 4, 4), (3, 3, 4)]),
        "time signatures that do not come at a bar line cut the bar before them short",
        8,
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_reported_by_name_with_what_was_done(tmp_path: Path, kind: str) -> None:
    write, what, notes = BAD[kind]
    folder = tmp_path / "data" / "Nobody"
    midi_file(folder / "good.mid", SCALE)
    write(folder / f"{kind}.mid")
    said: list[str] = []
    pieces = {each.name: each for each in read_all(find([folder.parent], {}), report=said.append)}
    assert said == [line for line in said if line.startswith(f"data/Nobody/{kind}.mid: {what}")]
    assert len(said) == 1
    assert len(pieces["data/Nobody/good.mid"].notes) == 8
    bad = pieces.get(f"data/Nobody/{kind}.mid")
    assert (len(bad.notes) if bad else 0) == notes


@pytest.mark.parametrize("metre", [(5, 8), (7, 8), (6, 8), (3, 2), (2, 2), (9, 16)])
def test_any_meter_that_can_be_counted_is_taken_as_it_is(tmp_path: Path, metre: tuple[int, int]) -> None:
    path = midi_file(tmp_path / "data" / "Nobody" / "a.mid", SCALE, metres=[(0, *metre)])
    said: list[str] = []
    sources = find([path.parents[1]], {path.resolve(): "train"})
    (read_piece,) = read_all(sources, report=said.append)
    assert said == []
    assert read_piece.metres == (Metre(0, *metre),)
    bars = read_piece.end / (4 * metre[0] / metre[1])
    assert bars == int(bars)
    assert 8 <= read_piece.end < 8 + 4 * metre[0] / metre[1]


def test_notes_are_counted_in_beats_whatever_the_tempo_does(data: Path) -> None:
    notes, metres, remarks = read(data / "round_in_two_voices.mid")
    assert remarks == []
    assert metres == (Metre(0, 4, 4),)
    assert notes[:4].tolist() == [[0, 1, 60, 0], [1, 2, 62, 0], [2, 3, 64, 0], [3, 4, 60, 0]]
    assert [8, 9, 48, 0] in notes.tolist()  # the second voice, an octave lower, two bars later
    assert notes[:, 1].max() == 40  # after the change of tempo


def test_drums_are_left_out_and_a_waltz_is_in_three(data: Path) -> None:
    notes, metres, _ = read(data / "waltz.mid")
    assert 36 not in notes[:, 2]
    assert metres == (Metre(0, 3, 4),)


def test_velocity_is_told_unless_all_notes_are_equally_loud(tmp_path: Path) -> None:
    notes, _, _ = read(midi_file(tmp_path / "a.mid", SCALE, velocities=(50, 80)))
    assert set(notes[:, 3]) == {50, 80}
    notes, _, _ = read(midi_file(tmp_path / "b.mid", SCALE, velocities=(80,)))
    assert set(notes[:, 3]) == {0}


def test_a_time_signature_that_comes_a_tick_late_belongs_to_the_bar_line(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "a.mid", SCALE, metres=[(0, 4, 4), (4 + 1 / 480, 3, 4)])
    _, metres, remarks = read(path)
    assert (metres, remarks) == ((Metre(0, 4, 4), Metre(4, 3, 4)), [])


def test_what_was_read_is_kept_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = midi_file(tmp_path / "data" / "Nobody" / "a.mid", SCALE, metres=())
    sources, cache = find([path.parents[1]], {path.resolve(): "train"}), tmp_path / "cache"
    said: list[str] = []
    (first,) = read_all(sources, cache, said.append)
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "read", None)
        (again,) = read_all(sources, cache, said.append)
    assert np.array_equal(first.notes, again.notes)
    assert (first.metres, first.end) == (again.metres, again.end)
    assert said[0] == said[1]
    for kept in cache.iterdir():
        kept.write_bytes(b"half writ")
    (damaged,) = read_all(sources, cache, said.append)
    assert np.array_equal(first.notes, damaged.notes)
    midi_file(path, SCALE[:5], metres=())
    (changed,) = read_all(sources, cache, said.append)
    assert len(changed.notes) == 5


def test_a_composer_may_be_in_several_datasets_under_several_names(tmp_path: Path) -> None:
    for place in ("piano/Haydn/a", "quartet/Haydn__Joseph/Op.1/b", "piano/BachCPE/c"):
        midi_file(tmp_path / f"{place}.mid", SCALE)
    folders = [tmp_path / "piano", tmp_path / "quartet"]
    assert [(each.name, each.composer) for each in find(folders, {})] == [
        ("piano/BachCPE/c.mid", "bach_cpe"),
        ("piano/Haydn/a.mid", "haydn"),
        ("quartet/Haydn__Joseph/Op.1/b.mid", "haydn"),
    ]
    assert [each.composer for each in find(folders, {}, ["BachCPE"])] == ["bach_cpe"]
    assert [each.composer for each in find(folders, {}, ["haydn"])] == ["haydn", "haydn"]
    left = find(folders, {}, without=[tmp_path / "piano" / "Haydn"])
    assert [each.name for each in left] == ["piano/BachCPE/c.mid", "quartet/Haydn__Joseph/Op.1/b.mid"]


def test_a_split_file_decides(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        midi_file(tmp_path / "all" / "Nobody" / f"{name}.mid", SCALE)
    csv = tmp_path / "split.csv"
    csv.write_text("file,composer,split\nall/Nobody/a.mid,Nobody,test\nall/Nobody/c.mid,Nobody,train\n")
    said: list[str] = []
    sources = find([tmp_path / "all"], read_splits(csv), report=said.append)
    assert [(each.name, each.split) for each in sources] == [
        ("all/Nobody/a.mid", "test"),
        ("all/Nobody/c.mid", "train"),
    ]
    assert said == ["all/Nobody/b.mid: left out, the split file does not name it"]


@pytest.mark.parametrize("text", ["file,part\na.mid,train\n", "file,split\na.mid,training\n"])
def test_a_split_file_that_is_none_says_what_it_needs(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(NeuralMIDIError, match="columns file and split"):
        read_splits(tmp_path / "split.csv")
    with pytest.raises(NeuralMIDIError, match="no such file"):
        read_splits(tmp_path / "none.csv")


@pytest.mark.parametrize(("files", "held_out"), [(3, 1), (9, 1), (20, 2), (35, 3)])
def test_without_a_split_file_a_tenth_each_is_held_out(tmp_path: Path, files: int, held_out: int) -> None:
    for number in range(files):
        midi_file(tmp_path / "all" / "Nobody" / f"{number}.mid", SCALE)
    splits = [each.split for each in find([tmp_path / "all"], {})]
    assert [splits.count(split) for split in ("valid", "test")] == [held_out, held_out]
    assert splits == [each.split for each in find([tmp_path / "all"], {})]


def test_a_file_that_is_not_midi_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\xff\xff\xff\xff")
    with pytest.raises(UnusableFileError):
        read(tmp_path / "x.mid")


def test_what_is_no_file_is_left_out_by_name_and_nothing_waits_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Nobody"
    good = midi_file(folder / "good.mid", SCALE)
    (folder / "folder.mid").mkdir()
    os.mkfifo(folder / "pipe.mid")
    (folder / "gone.mid").symlink_to("nowhere")
    shutil.copy(os.fsencode(good), os.fsencode(folder) + b"/caf\xe9.mid")
    sources = find([folder.parent], {path.resolve(): "train" for path in folder.iterdir()})
    said: list[str] = []
    pieces = [*read_all(sources, tmp_path / "cache", said.append)]
    assert {each.name for each in pieces} == {
        "data/Nobody/good.mid",
        "data/Nobody/caf\N{REPLACEMENT CHARACTER}.mid",
    }
    assert sorted(said) == [
        "data/Nobody/folder.mid: left out, there is no such file",
        "data/Nobody/gone.mid: left out, it cannot be read: No such file or directory",
        "data/Nobody/pipe.mid: left out, there is no such file",
    ]
    found = survey(sources, settings_from({}), tmp_path / "cache")
    prepare(sources, found, settings_from({}), tmp_path / "runs")


def test_names_that_are_no_text_are_held_out_like_others(tmp_path: Path) -> None:
    files = [Path(os.fsdecode(b"caf\xe9%d.mid" % number)) for number in range(10)]
    assert sorted(own_splits(files).values()) == ["test", *["train"] * 8, "valid"]


def test_a_metre_that_comes_after_hours_costs_nothing(tmp_path: Path) -> None:
    (read_piece,) = read_all(
        [
            Source(
                midi_file(tmp_path / "a.mid", SCALE, metres=[(0, 4, 4), (9_000_000, 3, 4)], ticks=1),
                "a",
                "b",
                "train",
            )
        ]
    )
    assert (read_piece.metres, read_piece.end) == ((Metre(0, 4, 4),), 8)


def test_a_piece_that_begins_after_hours_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="its first note comes after 5000 beats"):
        read(midi_file(tmp_path / "a.mid", [(6000, 6001, 60)], ticks=1))


@pytest.mark.parametrize("metre", [(100, 32), (128, 128), (32, 128)])
def test_a_metre_that_no_vocabulary_tells_does_not_end_the_training(
    tmp_path: Path, metre: tuple[int, int]
) -> None:
    _, metres, remarks = read(midi_file(tmp_path / "a.mid", SCALE, metres=[(0, *metre)]))
    assert metres == (Metre(0, 4, 4),)
    assert remarks == [f"a bar of {metre[0]}/{metre[1]} cannot be counted here, taken as 4/4"]


def test_a_number_that_fills_the_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\x10\0\0" + b"\xff" * (1 << 20))
    with pytest.raises(UnusableFileError, match="a number in it is too long"):
        read(tmp_path / "x.mid")


@pytest.mark.parametrize(
    "content", [b"file,split\na.mid\n", b"file,split\n\xff,train\n", b"file,split\n\0,train\n"]
)
def test_a_split_file_that_is_damaged_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(NeuralMIDIError, match=r"split\.csv: .* / give it columns file and split"):
        read_splits(tmp_path / "split.csv")


def test_no_file_that_nobody_should_have_ends_the_training() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "midi", "--only", "trainer", "--cases", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    row = re.search(r"^trainer +(\d+) +(\d+) +(\d+)", done.stdout, re.MULTILINE)
    assert row
    files, taken, refused = map(int, row.groups())
    assert files == 100 == taken + refused
    assert min(taken, refused) >= 10


def test_a_file_of_one_note_of_hours_ends(tmp_path: Path) -> None:
    notes, _, _ = read(midi_file(tmp_path / "held.mid", [(0, 9000, 60)]))
    assert notes[0, 1] == MOST_BEATS
