from pathlib import Path

import numpy as np
import pytest
from midi import groove as make_groove
from midi import midi_file
from neuralmidi.errors import NeuralMIDIError

from training import groove
from training.corpora import read
from training.dataset import read_all


def test_a_performance_is_found_with_its_style_and_its_split(tmp_path: Path) -> None:
    said: list[str] = []
    found = groove.find(make_groove(tmp_path), said.append)
    assert [(each.composer, each.split) for each in found[:4]] == [
        ("funk", "train"),
        ("funk+fill", "train"),
        ("funk", "valid"),
        ("funk+fill", "valid"),
    ]
    assert said == ["1 performances that are not in 4/4 are left out: waltz.mid ..."]


def test_hits_are_read_as_early_and_as_hard_as_they_are(tmp_path: Path) -> None:
    hits = [(0.0, 0.1, 36), (0.98, 1.1, 38), (4.02, 4.1, 42), (4.5, 4.6, 99)]
    midi_file(tmp_path / "rock" / "a.mid", hits, channel=9, velocities=(20, 100, 60, 90))
    (whole,) = read_all(groove.find(tmp_path, lambda line: None))
    assert whole.notes[:, 0] == pytest.approx([0, 0.98, 4.02], abs=0.002)
    assert whole.notes[:, 2:].tolist() == [[36, 20], [38, 100], [42, 60]]
    assert (whole.composer, whole.end) == ("rock", 8)


@pytest.mark.parametrize(
    ("channel", "metre", "why"),
    [(0, (0, 4, 4), "no drum is hit in it"), (9, (0, 3, 4), "its 1 bars are not in 4/4")],
)
def test_what_is_no_drumming_in_4_4_is_left_out_by_name(
    tmp_path: Path, channel: int, metre: tuple[int, int, int], why: str
) -> None:
    midi_file(tmp_path / "rock" / "a.mid", [(0, 1, 36), (1, 2, 38)], channel=channel, metres=[metre])
    (tmp_path / "rock" / "b.mid").write_bytes(b"no music")
    said: list[str] = []
    assert not [*read_all(groove.find(tmp_path, said.append), report=said.append)]
    assert f"a.mid: left out, {why}" in said[0]
    assert "b.mid: left out, not readable as MIDI" in said[1]


def test_bars_of_3_4_in_a_file_are_skipped_and_counted(tmp_path: Path) -> None:
    hits = [
        (0.0, 0.1, 36),
        (3.5, 3.6, 38),
        (4.0, 4.1, 42),
        (7.5, 7.6, 42),
        (9.98, 10.1, 36),
        (12.0, 12.1, 38),
    ]
    midi_file(tmp_path / "rock" / "a.mid", hits, channel=9, metres=[(0, 4, 4), (4, 3, 4), (10, 4, 4)])
    said: list[str] = []
    (whole,) = read_all(groove.find(tmp_path, said.append), report=said.append)
    assert said == [f"{tmp_path.name}/rock/a.mid: 2 bars that are not in 4/4 are skipped"]
    assert whole.notes[:, 0] == pytest.approx([0, 3.5, 3.98, 6], abs=0.002)
    assert whole.notes[:, 2].tolist() == [36, 38, 36, 38]
    assert whole.end == 8


@pytest.mark.parametrize(
    ("info", "why"),
    [(None, "neither info.csv nor"), ("style,split\nrock,train\n", "what is 'time_signature'")],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, info: str | None, why: str) -> None:
    if info:
        (tmp_path / "info.csv").write_text(info)
    with pytest.raises(NeuralMIDIError, match=why):
        groove.find(tmp_path)


def test_single_bars_are_on_the_grid_equally_loud_and_without_what_is_not_published(tmp_path: Path) -> None:
    performances = groove.find(make_groove(tmp_path, bars=3), lambda line: None)
    found = groove.bars(performances)
    assert len(found) == 2 * 2 * (3 + 1)
    bars = [each.read(None, print) for each in found]
    notes = np.concatenate([bar.notes for bar in bars])
    assert set(notes[:, 2]) == {36, 38}
    assert set(notes[:, 3]) == {groove.EQUALLY_LOUD}
    assert set(notes[:, 0] * 4) <= set(range(16))
    assert {bar.end for bar in bars} == {4}


def test_who_evaluates_finds_it_by_its_info(tmp_path: Path) -> None:
    parts = read(make_groove(tmp_path), 4, ("funk",)).parts
    assert {split: len(pieces) for split, pieces in parts.items()} == {"train": 4, "valid": 4}


def test_hits_that_come_after_hours_are_left_out(tmp_path: Path) -> None:
    hits = [(0.0, 1, 36), (9_000_000.0, 9_000_001, 36)]
    midi_file(tmp_path / "rock" / "a.mid", hits, channel=9, ticks=1)
    said: list[str] = []
    (whole,) = read_all(groove.find(tmp_path, said.append), report=said.append)
    assert (len(whole.notes), whole.end) == (1, 4)
    assert said == [f"{tmp_path.name}/rock/a.mid: longer than 5000 beats, the rest is left out"]


def test_bars_that_cannot_be_are_not_counted(tmp_path: Path) -> None:
    metres = [(0, 4, 4), (4, 1, 2**100), (8, 4, 4)]
    midi_file(tmp_path / "rock" / "a.mid", [(0, 1, 36), (5, 6, 38)], channel=9, metres=metres)
    said: list[str] = []
    (whole,) = read_all(groove.find(tmp_path, said.append), report=said.append)
    assert (whole.notes[:, 0].tolist(), said) == ([0, 5], [])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("rock,beat,4-4,../secret.mid,train", "is not in its folder"),
        ("rock,beat,4-4,/etc/passwd,train", "is not in its folder"),
        ("rock,beat,4-4", "row 1 has no midi_filename"),
    ],
)
def test_an_info_that_leads_elsewhere_or_nowhere_is_refused(tmp_path: Path, row: str, why: str) -> None:
    (tmp_path / "info.csv").write_text(f"style,beat_type,time_signature,midi_filename,split\n{row}\n")
    with pytest.raises(NeuralMIDIError, match=f"{why}.* / take the dataset's own file"):
        groove.find(tmp_path)
