"""MIDI files that nobody should have: some of each kind, and those that once did harm."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from neuralmidi import bundle, midi_file
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.history import MEMORY, MOST_NOTES
from neuralmidi.notes import Note
from pd_runner import DATA, ROOT

BEGIN = b"MThd\0\0\0\6\0\1\0\1\0\1MTrk"
KEY = b"\x90\x3c\x40\1\x3c\0"
END = b"\0\xff\x2f\0"


def song(path: Path, events: bytes) -> Path:
    path.write_bytes(BEGIN + len(events + END).to_bytes(4, "big") + events + END)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(NeuralMIDIError) as error:
        midi_file.read(path)
    assert error.value.remedy == "choose another MIDI file"
    return error.value.why


@pytest.mark.parametrize(("part", "files"), [("reader", 200), ("guided", 40), ("written", 60)])
def test_what_is_taken_and_what_is_refused_is_counted(part: str, files: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "midi", "--only", part, "--cases", str(files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    row = re.search(rf"^ *{part} +(\d+) +(\d+) +(\d+) +(\d+)$", done.stdout, re.MULTILINE)
    assert row, done.stdout
    all_of_them, taken, refused, kept = map(int, row.groups())
    assert all_of_them == files == taken + refused
    assert taken >= files // 15
    assert (refused > 10) == (part != "written")
    assert (kept > 3) == (part == "guided")


def test_a_time_that_takes_all_of_the_file_to_tell_is_no_time(tmp_path: Path) -> None:
    begin = time.process_time()
    assert "a number in it is too long" in refusal(song(tmp_path / "a.mid", b"\xff" * 250_000 + b"\1" + KEY))
    assert time.process_time() - begin < 3
    assert "a number in it is too long" in refusal(song(tmp_path / "b.mid", b"\x81" * 1000 + b"\1" + KEY))


def test_so_many_bytes_in_a_row_do_not_take_long_to_look_at(tmp_path: Path) -> None:
    begin = time.process_time()
    refusal(song(tmp_path / "a.mid", (b"\xff" * 3999 + b"\1") * 60))
    assert time.process_time() - begin < 3


def test_a_refusal_is_no_longer_than_anybody_reads(tmp_path: Path) -> None:
    why = refusal(song(tmp_path / "a.mid", b"\0\xff\1" + b"\xff" * 300 + b"\1"))
    assert "Message length 1" in why
    assert len(why) < 200


def test_a_file_that_ends_too_early_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes((DATA / "waltz.mid").read_bytes()[:100])
    assert refusal(tmp_path / "a.mid").endswith("(it ends too early)")


def test_the_last_note_of_a_long_piece_is_as_exact_as_the_first(tmp_path: Path) -> None:
    begin = BEGIN[:12] + b"\0\x07" + BEGIN[14:]  # a seventh of a beat is no round number
    events = (b"\1\x90\x3c\x40\1\x3c\0") * 3000 + END
    (tmp_path / "a.mid").write_bytes(begin + len(events).to_bytes(4, "big") + events)
    notes, _ = midi_file.read(tmp_path / "a.mid")
    assert notes[-1] == Note(5999 / 7, 6000 / 7, 60)


def test_a_composer_is_told_only_so_many_notes() -> None:
    all_keys = [
        Note(slot / 12, (slot + 1) / 12, key) for slot in range(12 * MEMORY) for key in range(21, 109)
    ]
    composer = Composer(bundle.load(DATA / "tiny_poly"))
    composer.prime(all_keys)
    assert len(composer.state.history.last(MEMORY)) == MOST_NOTES
    assert composer.state.history.last(MEMORY)[-1] == Note(MEMORY - 1 / 12, MEMORY, 108)
