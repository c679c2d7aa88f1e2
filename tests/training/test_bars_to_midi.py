"""A file of bars becomes MIDI, which is read back."""

from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from neuralmidi.kit import KIT

from training.bars import STEPS, Bar, Hit, text
from training.bars_to_midi import main

STEP = 60 / 100 / 4
"""Seconds, at the usual tempo."""
ALL = Bar(tuple((Hit(place % 9, 10 + 5 * place, 0.0),) for place in range(STEPS)))
HUMAN = Bar(
    ((Hit(0, 124, -0.25), Hit(2, 62, 0.0625)), (), (Hit(1, 4, 0.5),), (Hit(1, 1, -0.5),), *[()] * (STEPS - 4))
)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    (tmp_path / "bars.jsonl").write_text(text([ALL, HUMAN]))
    return tmp_path / "bars.jsonl"


def played(bars: Path, *options: str) -> pretty_midi.PrettyMIDI:
    out = bars.with_name("out.mid")
    assert main([str(bars), str(out), *options]) == 0
    assert sorted(path.name for path in bars.parent.iterdir()) == ["bars.jsonl", "out.mid"]
    return pretty_midi.PrettyMIDI(str(out))


def notes(piece: pretty_midi.PrettyMIDI) -> list[tuple[float, int, int]]:
    """Start in steps, pitch, velocity; in this order."""
    (drums,) = piece.instruments
    assert drums.is_drum
    _, tempo = piece.get_tempo_changes()
    return sorted((note.start * tempo[0] / 15, note.pitch, note.velocity) for note in drums.notes)


def test_every_hit_is_on_the_grid_and_as_hard_as_asked(bars: Path) -> None:
    found = notes(played(bars))
    wanted = [(step, KIT[hit.place].pitch, 95) for step, (hit,) in enumerate(ALL.steps)]
    wanted += [(16, 36, 95), (16, 42, 95), (18, 38, 95), (19, 38, 95)]
    assert [note[1:] for note in found] == [note[1:] for note in wanted]
    assert np.allclose([note[0] for note in found], [note[0] for note in wanted], atol=1e-3)


def test_it_is_four_four_on_channel_10(bars: Path) -> None:
    piece = played(bars, "--bpm", "87.5")
    assert piece.get_tempo_changes()[1] == pytest.approx([87.5])
    assert [(m.numerator, m.denominator) for m in piece.time_signature_changes] == [(4, 4)]
    messages = [message for track in mido.MidiFile(bars.with_name("out.mid")).tracks for message in track]
    assert {message.channel for message in messages if message.type == "note_on"} == {9}


def test_the_numbers_do_what_they_say(bars: Path) -> None:
    piece = played(bars, "--bpm", "200", "--velocity", "30", "--note_len", "0.03")
    (drums,) = piece.instruments
    assert {note.velocity for note in drums.notes} == {30}
    assert np.allclose([note.end - note.start for note in drums.notes], 0.03, atol=5e-4)
    assert max(note.start for note in drums.notes) == pytest.approx(19 * STEP / 2, abs=1e-3)


def test_a_note_ends_where_its_instrument_is_hit_again(bars: Path) -> None:
    (drums,) = played(bars, "--note_len", "10").instruments
    snare = sorted((note.start / STEP, note.end / STEP) for note in drums.notes if note.pitch == 38)
    assert np.allclose(snare, [(1, 10), (10, 18), (18, 19), (19, 19 + 10 / STEP)], atol=1e-2)


def test_a_human_is_early_late_soft_and_loud(bars: Path) -> None:
    found = notes(played(bars, "--human", "--velocity", "100"))[STEPS:]
    assert [note[1:] for note in found] == [(36, 100), (42, 50), (38, 3)]  # and the snare of both is one
    assert np.allclose([note[0] for note in found], [15.75, 16.0625, 18.5], atol=5e-3)
    assert [velocity for *_, velocity in notes(played(bars, "--human", "--velocity", "1"))] == [1] * 19


def test_nothing_is_before_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "bars.jsonl").write_text(text([HUMAN]))
    found = notes(played(tmp_path / "bars.jsonl", "--human"))
    assert found[0][:2] == (0, 36)


def test_bars_of_silence_are_a_file_without_a_note(tmp_path: Path) -> None:
    (tmp_path / "bars.jsonl").write_text(text([Bar(((),) * STEPS)]))
    assert main([str(tmp_path / "bars.jsonl"), str(tmp_path / "out.mid"), "--human"]) == 0
    assert not [
        m for track in mido.MidiFile(tmp_path / "out.mid").tracks for m in track if m.type == "note_on"
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--velocity", "128"], "velocity: 128 is outside 1 to 127"),
        (["--velocity", "loud"], "velocity: loud is not a number"),
        (["--bpm", "0"], "bpm: 0 is outside"),
        (["--bpm", "nan"], "bpm: nan is outside"),
        (["--note_len", "0"], "note_len: 0 is outside"),
        (["--humane"], "unrecognized arguments"),
    ],
)
def test_what_is_wrong_is_one_line(
    bars: Path, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    assert main([str(bars), str(bars.with_name("out.mid")), *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bars_to_midi: ")
    assert why in said
    assert said.count("\n") == 1
    assert not bars.with_name("out.mid").exists()


def test_a_bad_line_is_named_and_what_was_there_stays(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = bars.with_name("out.mid")
    out.write_bytes(b"the last take")
    bars.write_text(f"{bars.read_text()}oops\n")
    assert main([str(bars), str(out)]) == 2
    assert f"bars_to_midi: {bars}, line 3: not JSON" in capsys.readouterr().err
    assert out.read_bytes() == b"the last take"
