import os
import resource
from pathlib import Path

import mido
import pytest
from hand_models import recurrent, script
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.midi_file import TICKS_PER_BEAT, timeline, write
from neuralmidi.notes import NoteEvent


def read(path: Path) -> list[tuple[float, str, int, int, int]]:
    """Every note message: time in ms, type, pitch, velocity or pressure, channel 1-16."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time * 1000
        if not message.is_meta:
            level = message.value if message.type == "polytouch" else message.velocity
            found.append((now, message.type, message.note, level, message.channel + 1))
    return found


def test_times_kinds_and_channels_come_back(tmp_path: Path) -> None:
    file = tmp_path / "take.mid"
    events = [
        (0.0, NoteEvent("on", 60, 90, 1)),
        (125.0, NoteEvent("vel", 60, 40, 1)),
        (125.0, NoteEvent("on", 0, 1, 16)),
        (1000.5, NoteEvent("off", 60, 0, 1)),
        (3333.0, NoteEvent("off", 0, 0, 16)),
    ]
    write(file, reversed(events), tempo=137)
    assert [entry[1:] for entry in read(file)] == [
        ("note_on", 60, 90, 1),
        ("note_on", 0, 1, 16),
        ("polytouch", 60, 40, 1),
        ("note_off", 60, 0, 1),
        ("note_off", 0, 0, 16),
    ]
    tick_ms = 60000 / 137 / TICKS_PER_BEAT
    assert [entry[0] for entry in read(file)] == pytest.approx([0, 125, 125, 1000.5, 3333], abs=tick_ms)


def test_events_of_one_time_keep_their_order(tmp_path: Path) -> None:
    file = tmp_path / "take.mid"
    pair = [(10.0, NoteEvent("off", 60, 0, 1)), (10.0, NoteEvent("on", 60, 90, 1))]
    write(file, [(0.0, NoteEvent("on", 60, 80, 1)), *pair])
    assert [kind for _, kind, *_ in read(file)] == ["note_on", "note_off", "note_on"]


@given(times=st.lists(st.floats(0, 4e6), min_size=1, max_size=50), tempo=st.floats(1, 1000))
def test_no_time_is_off_by_more_than_half_a_tick(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], tempo: float
) -> None:
    file = tmp_path_factory.getbasetemp() / "times.mid"
    write(file, [(time, NoteEvent("on", 60, 1, 1)) for time in times], tempo)
    beat_ms = min(60000 / tempo, 2**24 / 1000)
    half_tick = beat_ms / TICKS_PER_BEAT / 2
    for (found, *_), time in zip(read(file), sorted(times), strict=True):
        # A MIDI file holds the beat in whole microseconds, so its clock may be off by half of one a beat.
        assert abs(found - time) <= half_tick + 0.0005 * time / beat_ms + 1e-6


def test_a_performance_ends_all_its_notes(tmp_path: Path) -> None:
    composer = Composer(recurrent(), seed=3, channel=4)
    step_ms = 60000 / 137 / 4
    steps = [composer.step(step_ms) for _ in range(129)]
    write(tmp_path / "take.mid", timeline(steps, step_ms), tempo=137)
    sounding: set[int] = set()
    onsets = 0
    for time, kind, pitch, _, channel in read(tmp_path / "take.mid"):
        assert channel == 4
        assert time / step_ms == pytest.approx(round(time / step_ms), abs=0.01)
        if kind == "note_on":
            assert pitch not in sounding
            sounding.add(pitch)
            onsets += 1
        elif kind == "note_off":
            sounding.remove(pitch)
    assert onsets > 20
    assert not sounding


def test_a_last_chord_ends_when_its_step_is_over() -> None:
    composer = Composer(script("60"))
    events = list(timeline([composer.step(100) for _ in range(3)], 100))
    assert [(time, event.kind) for time, event in events] == [(0, "on"), (300, "off")]
    assert list(timeline([], 100)) == []


def test_an_empty_performance_is_a_file_too(tmp_path: Path) -> None:
    write(tmp_path / "empty.mid", [])
    assert read(tmp_path / "empty.mid") == []


def test_a_take_replaces_the_one_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "take.mid", [(0.0, NoteEvent("on", 60, 90, 1))])
    write(tmp_path / "take.mid", [])
    assert read(tmp_path / "take.mid") == []
    assert os.listdir(tmp_path) == ["take.mid"]


@pytest.mark.parametrize("name", ["missing/take.mid", "folder", "take\0.mid", "x" * 300])
def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(NeuralMIDIError, match=r"cannot be written: .* / name a file in a folder"):
        write(tmp_path / name, [])
    assert os.listdir(tmp_path) == ["folder"]


def test_a_full_disk_costs_nothing_that_was_there(tmp_path: Path) -> None:
    file = tmp_path / "take.mid"
    write(file, [])
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(NeuralMIDIError, match=r"take\.mid: cannot be written: File too large"):
            write(file, [(float(time), NoteEvent("on", 60, 90, 1)) for time in range(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["take.mid"]


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(NeuralMIDIError, match="not a file"):
        write(Path(os.devnull), [])
    assert not Path(os.devnull).is_file()


def test_a_tempo_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NeuralMIDIError, match="tempo: 0 is outside 1 to 1000"):
        write(tmp_path / "take.mid", [], tempo=0)
    assert os.listdir(tmp_path) == []
