"""The soak runs, repeats itself, and notices what is wrong: a Pd is put in its way that does it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pd_runner import ROOT

DAY = ("day", "--hours", "0.006", "--seed", "3")
LIVE = ("live", "--minutes", "0.03")

SPOILT = f"""#!{sys.executable}
import re, subprocess, sys
command = [{shutil.which("pd")!r}, *sys.argv[1:]]
pd = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
out, notes, errors, hoard = sys.stdout.buffer, 0, 0, []
for line in pd.stdout:
    note = re.match(rb"note-(.): \\S+ (\\S+) (\\S+) (\\S+)", line)
    ends = note and note[3] == b"0"
    notes += bool(ends)
    {{spoil}}
    out.write(line)
    out.flush()
sys.exit(pd.wait())
"""
"""A Pd whose output is spoilt, or who grows."""


def soak(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{path or ''}:{os.environ['PATH']}"}
    return subprocess.run(
        [sys.executable, "-m", "tests.soaking", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def digest(done: subprocess.CompletedProcess[str]) -> str:
    return str(re.findall(r"players: (\w+)", done.stdout)[0])


def test_some_seconds_of_a_day_are_well_and_the_same_again() -> None:
    first, second = soak(*DAY), soak(*DAY)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "all is well" in first.stdout
    began, ended = re.findall(r"([\d,]+) notes began, ([\d,]+) ended", first.stdout)[0]
    assert began == ended
    assert int(began.replace(",", "")) > 500
    assert re.search(r" [1-9]\d* swaps, \d+ deletions, [1-9]\d* errors, each expected, 0 und", first.stdout)
    assert digest(first) == digest(second)


def test_a_shorter_day_begins_a_longer_one_and_another_seed_is_another() -> None:
    text = """
from itertools import takewhile
from tests.soaking.run import DAY
from tests.soaking.score import score
short, long, other = (list(score(seed, DAY.life, ms)) for seed, ms in ((1, 60e3), (1, 600e3), (2, 600e3)))
same = [a == b for a, b in zip(short, long) if a.name != "end"]
assert len(same) > 30 and all(same)
assert long != other
"""
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, check=True)


@pytest.mark.clock
def test_some_seconds_of_real_time_are_well() -> None:
    done = soak(*LIVE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is well" in done.stdout
    assert re.search(r"[1-9]\d* notes began", done.stdout)
    assert "the computer stalled for" in done.stdout


SAID = "line += b{!r} * line.startswith(b'act: 20\\n')".format
WRONG = {
    "lines": {
        "if notes == 40 and ends: continue": "nothing has ended|begins while it sounds",
        "line *= 1 + bool(notes == 60 and ends)": "ends though it does not sound",
        SAID("error: pop: goes the weasel\n"): "an error that nobody has provoked: pop: goes the weasel",
        SAID("Traceback (most recent call last):\n"): "nobody knows this line: Traceback",
        SAID("status-1: underrun 1\n"): "player 1: an underrun: ",
    },
    "silence": {
        "errors += b'error' in line": "",
        "if b'error' in line and errors < 3: continue": "this was not refused: ",
        "hoard.append(b'x' * 100_000)": "memory grows: ",
    },
    "death": {"if line.startswith(b'act: 20'): pd.kill(); break": r"Pd has ended after 19 of \d+ acts"},
}
"""What is spoilt, and what is said of it."""


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_with_the_command_that_repeats_it(tmp_path: Path, wrong: str) -> None:
    spoilt = tmp_path / "pd"
    spoilt.write_text(SPOILT.format(spoil="\n    ".join(WRONG[wrong])))
    spoilt.chmod(0o755)
    done = soak(*DAY, path=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for said in WRONG[wrong].values():
        told = rf"^WRONG at \d\d:\d\d:\d\d\.\d\d\d: .*({said})"
        assert re.search(told, done.stdout, re.MULTILINE), said
    assert re.search(r"^once more: tests/soak day --seed 3 --hours \d\.\d+$", done.stdout, re.MULTILINE)


def test_ctrl_c_ends_it_with_the_books_so_far() -> None:
    command = [sys.executable, "-m", "tests.soaking", "live", "--minutes", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "live, seed 1: 00:00:0" in said
    assert "stopped" in said


def test_a_bang_that_comes_as_the_composer_is_made_may_find_nothing_ready() -> None:
    text = """
from collections import deque
from tests.soaking.books import REFILL, Account
from tests.soaking.score import Act
build, now, later = (Act(1, time, 1, name, (), False, True, 250.0, 4) for time, name in
    ((9000, "build"), (9000, "drive"), (9500, "drive")))
for acts, ready in (((build, now), 0), ((build, later), 250), ((now, later), 250), ((build,), 250)):
    account = Account(last=deque(acts), changed=100)
    assert account.bridged(100.1) == ready, acts
    assert account.bridged(100.1 + REFILL) == 1000
"""
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, check=True)
