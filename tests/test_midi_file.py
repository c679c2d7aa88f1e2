import os
import resource
from contextlib import suppress
from pathlib import Path

import mido
import pytest
from hand_models import recurrent, script
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.midi_file import LARGEST, TICKS_PER_BEAT, Piece, find, timeline, write
from neuralmidi.midi_file import read as read_piece
from neuralmidi.notes import Metre, Note, NoteEvent

DATA = Path(__file__).parent / "data"


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


@pytest.mark.parametrize(
    ("beats", "signature"), [(4, (4, 4)), (3, (3, 4)), (1.5, (3, 8)), (0.75, (3, 16)), (2.25, (9, 16))]
)
def test_bars_are_as_long_as_the_model_says(tmp_path: Path, beats: float, signature: tuple[int, int]) -> None:
    write(tmp_path / "take.mid", [], beats_per_bar=beats)
    (found,) = (m for m in mido.MidiFile(tmp_path / "take.mid") if m.type == "time_signature")
    assert (found.numerator, found.denominator) == signature


# Reading


def track(*messages: mido.Message | mido.MetaMessage, **file: int) -> mido.MidiFile:
    return mido.MidiFile(tracks=[mido.MidiTrack(messages)], **{"ticks_per_beat": 480, **file})


def on(note: int, time: int = 0, velocity: int = 64, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, time=time, velocity=velocity, channel=channel)


def piece(tmp_path: Path, file: mido.MidiFile) -> Piece:
    file.save(tmp_path / "song.mid")
    return read_piece(tmp_path / "song.mid")


def test_a_piece_is_read_in_beats_whatever_its_tempo() -> None:
    round_in_two_voices = read_piece(DATA / "round_in_two_voices.mid")
    assert round_in_two_voices.notes[:4] == [Note(0, 1, 60), Note(1, 2, 62), Note(2, 3, 64), Note(3, 4, 60)]
    assert {note.velocity for note in round_in_two_voices.notes} == {0}, "all the same says nothing"
    assert round_in_two_voices.metres == [Metre(0, 4, 4)]
    assert max(note.end for note in round_in_two_voices.notes) == 40


def test_drums_are_left_out_and_the_metre_is_read() -> None:
    waltz = read_piece(DATA / "waltz.mid")
    assert waltz.metres == [Metre(0, 3, 4)]
    assert 36 not in {note.pitch for note in waltz.notes}


def test_notes_on_one_key_end_in_the_order_they_began(tmp_path: Path) -> None:
    messages = [
        on(60, velocity=50),
        on(60, 240, 80),
        on(60, 240, 0),
        mido.Message("note_off", note=60, time=480),
    ]
    assert piece(tmp_path, track(*messages)).notes == [Note(0, 1, 60, 50), Note(0.5, 2, 60, 80)]


def test_a_note_that_nothing_ends_ends_with_its_track(tmp_path: Path) -> None:
    messages = [on(60), on(62, 480, 0), mido.MetaMessage("text", text="x", time=480)]
    assert piece(tmp_path, track(*messages)).notes == [Note(0, 2, 60)]


def test_a_bar_that_cannot_be_is_not_believed(tmp_path: Path) -> None:
    odd = [
        mido.MetaMessage("time_signature", numerator=n, denominator=d)
        for n, d in ((0, 4), (255, 4), (1, 2**20), (5, 8))
    ]
    assert piece(tmp_path, track(*odd, on(60), on(60, 480, 0))).metres == [Metre(0, 5, 8)]


@given(content=st.binary(max_size=300), cut=st.integers(0, 300))
def test_no_bytes_at_all_break_it(tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int) -> None:
    file = tmp_path_factory.getbasetemp() / "noise.mid"
    whole = (DATA / "waltz.mid").read_bytes()
    for noise in (content, b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + content, whole[:cut] + content + whole[cut:]):
        file.write_bytes(noise)
        with suppress(NeuralMIDIError):
            assert read_piece(file).notes


@pytest.mark.parametrize("name", ["missing.mid", "folder", "pipe", "a\0b", "x" * 300])
def test_a_file_that_is_none_is_one_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        NeuralMIDIError, match="cannot be read: there is no such file / choose another MIDI file"
    ):
        read_piece(tmp_path / name)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.mid").open("wb") as huge:
        huge.truncate(LARGEST + 1)
    with pytest.raises(NeuralMIDIError, match="it is larger than 256 kB"):
        read_piece(tmp_path / "huge.mid")


def test_a_file_is_found_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "waltz.mid").touch()
    assert find("waltz.mid", [tmp_path, DATA]) == tmp_path / "waltz.mid"
    assert find("round_in_two_voices.mid", [tmp_path, DATA]) == DATA / "round_in_two_voices.mid"
    assert find(str(DATA / "waltz.mid"), [tmp_path]) == DATA / "waltz.mid"
    with pytest.raises(NeuralMIDIError, match=r"song\.mid: there is no such file"):
        find("song.mid", [tmp_path, DATA])
