"""Messages that nobody should send, in the real Pd: some of each kind, and those that once did harm."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from neuralmidi import midi_file
from neuralmidi.errors import LONGEST, NeuralMIDIError
from pd_runner import ROOT, Patch, run_pd

FUZZ = (sys.executable, "-m", "tests.fuzz", "pd")


def test_pd_lives_and_every_composer_plays_on_after_400_messages() -> None:
    command = [*FUZZ, "--only", "batch", "--cases", "400"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    row = re.search(r"^batch +(\d+) +([\d,]+) +([\d,]+) +\d+ +\d+$", done.stdout, re.MULTILINE)
    assert row, done.stdout
    messages, refusals, notes = (int(number.replace(",", "")) for number in row.groups())
    assert messages == 400
    assert min(refusals, notes) > 50


SPOILT = """
import sys
from tests.fuzz import pd
from tests.fuzz import __main__ as command
{spoil}
sys.exit(command.main())
"""


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("pd.CALM = ()\npd.SETTINGS = (('play', 0),)", "no longer plays"),
        ("pd.REFUSAL = pd.DROPPED", "after the start: Pd says: error: "),
        ("pd._messages = lambda *_: [b'pd quit;']", "Pd ended too early"),
    ],
)
def test_what_must_not_happen_is_noticed_with_the_command_that_shows_it(spoil: str, why: str) -> None:
    command = [sys.executable, "-c", SPOILT.format(spoil=spoil), "pd", "--only", "batch", "--cases", "10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert why in done.stderr
    assert re.search(r"tests\.fuzz pd --only batch --seed 1 --cases \d+$", done.stderr, re.MULTILINE)


def test_what_is_sent_never_leaves_the_line_of_its_refusal(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer")
    patch.log(box, 2, "status")
    words = "tempo two\\\nlines, two\\\nlines, composer two\\\nlines, tempo " + 900 * "x" + ", " + 900 * "y"
    patch.at(0, words, box)
    patch.quit_at(100)
    errors = run_pd(patch, tmp_path).errors
    assert len(errors) == 5
    assert all(re.search(r"two(\?|\\n)lines|xxx|yyy", error) for error in errors)
    assert all(re.fullmatch(r"composer: .+: .+ / .+", error) for error in errors), "no remedy is cut off"


def test_a_home_that_nobody_has_is_a_folder_that_is_not_there(tmp_path: Path) -> None:
    patch = Patch()
    patch.at(0, "write ~nobody-at-all/take.mid", patch.obj("recorder"))
    patch.quit_at(100)
    (error,) = run_pd(patch, tmp_path).errors
    assert "cannot be written: No such file or directory / name a file in a folder that you may" in error


def test_an_error_is_one_line_that_a_console_shows_whole() -> None:
    shown = str(NeuralMIDIError("a\nb\x1b\udcff" + "c" * 10_000 + ".mid", "no\n" * 10_000, "do this"))
    assert re.fullmatch(r"a\?b\?\?c+\.\.\.c+\.mid: (no\?)+.*\.\.\..* / do this", shown)
    assert len(shown) < 2 * LONGEST + 50


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="only root may read the system's log")
def test_a_file_that_never_ends_is_not_waited_for() -> None:
    begin = time.monotonic()
    with pytest.raises(NeuralMIDIError, match=r"kmsg: cannot be read: "):
        midi_file.read(Path("/proc/kmsg"))
    assert time.monotonic() - begin < 30
