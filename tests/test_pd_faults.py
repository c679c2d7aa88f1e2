"""Faults injected for real while the real Pd plays: what is heard, what is said, and how it comes back."""

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
from pd_runner import DATA, EXTERNALS, ROOT, Patch, Run, RunPd, free_port, run_pd, sounding_after

MS = 44.1
"""Samples of a millisecond."""
STEP = 125
"""Ms of a 16th at 120 BPM."""


def playing(name: str) -> tuple[Patch, int, int]:
    """A patch whose composer plays from the beginning on, and a [shell]: what it runs comes from outside."""
    patch = Patch()
    box, shell = patch.obj(f"composer {name}"), patch.obj("shell")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "seed 5, play 1", box)
    return patch, box, shell


def script(folder: Path, name: str, *lines: str) -> str:
    """Write a file of shell commands; the message that lets [shell] run them."""
    (folder / name).write_text("\n".join(lines) + "\n")
    return f"run {name}"


def status(run: Run, word: str) -> list[list[str]]:
    """What has left the status outlet under a word."""
    return [atoms[1:] for _, atoms in run.logged("status") if atoms[0] == word]


def steps(run: Run, from_ms: float = 0) -> list[tuple[float, list[str]]]:
    """The steps: ms, number and pitches."""
    return [
        (sample / MS, atoms[1:])
        for sample, atoms in run.logged("step")
        if atoms[0] == "step" and sample / MS >= from_ms
    ]


# --- a model's files


SPOILING = {
    "truncated": (["truncate -s 500 band/model.tflite"], "band: model.tflite: not the file that model.json"),
    "emptied": ([": > band/model.json"], "band: model.json: not valid JSON"),
    "deleted": (["rm band/model.tflite"], "band: model.tflite: missing / copy the model's folder again"),
    "folder deleted": (["rm -r band"], "model 'band': not found; there are: kept, other, tiny"),
    "replaced by something else": (["cp other/model.tflite band"], "band: model.tflite: not the file"),
}
"""What happens to a model that plays, and what is said when it is asked for again."""


@pytest.mark.parametrize("case", SPOILING)
def test_a_model_plays_on_whatever_becomes_of_its_files(tmp_path: Path, run_copy: RunPd, case: str) -> None:
    for name, model in (("band", "tiny_cache"), ("kept", "tiny_cache"), ("other", "tiny2")):
        shutil.copytree(DATA / model, tmp_path / name)
    commands, why = SPOILING[case]
    spoil = script(tmp_path, "spoil.sh", *commands)
    restore = script(tmp_path, "restore.sh", "rm -rf band", "cp -r kept band")
    runs = []
    for faulty in (True, False):
        patch, box, shell = playing("band")
        if faulty:
            patch.at(500, spoil, shell)
            patch.at(1500, "composer band", box)
            patch.at(2000, restore, shell)
        patch.at(2500, "composer band", box)
        patch.quit_at(3500)
        runs.append(run_copy(patch))
    run, calm = runs
    assert run.notes() == calm.notes(), "as if nothing had happened"
    assert len(run.errors) == 1
    assert run.errors[0].startswith("composer: ")
    assert why in run.errors[0]
    assert " / " in run.errors[0]
    assert calm.errors == []
    assert status(run, "composer") == [["tiny_cache"]], "restored, it loads"


@pytest.mark.parametrize("how", ["cp other/* band", "rm -r band; mv other band"])
def test_a_model_that_is_replaced_while_it_plays_is_heard_when_it_is_asked_for(
    tmp_path: Path, run_copy: RunPd, how: str
) -> None:
    for name, model in (("band", "tiny"), ("other", "tiny2")):
        shutil.copytree(DATA / model, tmp_path / name)
    patch, box, shell = playing("band")
    patch.at(500, script(tmp_path, "replace.sh", how), shell)
    patch.at(1500, "composer band", box)
    patch.at(3000, "play 0", box)
    patch.quit_at(3001)
    run = run_copy(patch)
    assert run.errors == []
    assert sounding_after(run.notes()) == set()
    onsets = {ms: {p for s, p, v, _ in run.notes() if v and (s < 1500 * MS) == (ms == 0)} for ms in (0, 1500)}
    words = {
        ms: {int(pitch) for word in _vocabulary(name) if word[0] != "<" for pitch in word.split(",")}
        for ms, name in ((0, "tiny"), (1500, "tiny2"))
    }
    assert all(onsets[ms] and onsets[ms] <= words[ms] for ms in words), onsets


# --- a disk that is full


SMALL_DISK = """
cp -r "$0/." "$0.before" && mount -t tmpfs -o size=64k none "$0" && cp -r "$0.before/." "$0" || exit 99
"$@"
status=$?
cp -r "$0/." "$0.after"
exit $status
"""
"""Runs a command while a folder is a disk of 64 kB of its own, with what lay there. What is on it at the end
is in the folder beside it whose name ends with ``.after``."""


def with_a_small_disk(disk: Path) -> list[str | Path]:
    """What runs the command behind it so; the disk is to be seen by nobody else."""
    return ["unshare", "-Urm", "sh", "-c", SMALL_DISK, disk]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder that can become a small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", folder], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a full disk needs a mount namespace, which this machine does not let us have")
    return folder


def test_a_take_that_finds_the_disk_full_is_written_elsewhere(
    tmp_path: Path, copied_externals: Path, disk: Path
) -> None:
    patch, box, shell = playing("tiny")
    recorder = patch.obj("recorder disk/take.mid")
    patch.connect((box, 0, recorder, 0))
    patch.log(recorder, 0, "recorder")
    fill = script(tmp_path, "fill.sh", "cat /dev/zero > disk/filler || true")
    look = script(tmp_path, "look.sh", "ls -A disk > listing", "cp disk/take.mid seen.mid")
    tidy = script(tmp_path, "tidy.sh", "cp disk/take.mid first.mid", "rm disk/filler")
    patch.at(1000, "write", recorder)
    patch.at(1001, script(tmp_path, "keep.sh", "cp disk/take.mid kept.mid"), shell)
    patch.at(1500, fill, shell)
    patch.at(2000, "write", recorder)
    patch.at(2000, "write elsewhere.mid", recorder)
    patch.at(2000, look, shell)
    patch.at(2500, tidy, shell)
    patch.at(2500, "write disk/take.mid", recorder)
    patch.at(3000, "play 0", box)
    patch.quit_at(3001)
    pd = tmp_path / "bin" / "pd"  # first in the path: Pd itself, on that disk
    pd.parent.mkdir()
    words = " ".join(f"'{word}'" for word in (*with_a_small_disk(disk), shutil.which("pd")))
    pd.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    pd.chmod(0o755)
    path = f"{pd.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "NEURALMIDI_PYTHON": sys.executable, "PATH": path}
    run = run_pd(patch, tmp_path, externals=copied_externals, environment=environment)
    assert run.errors == [
        f"recorder: {disk}/take.mid: cannot be written: No space left on device"
        " / make room on the disk, or name a file on another"
    ]
    wrote = [atoms[1] for _, atoms in run.logged("recorder") if atoms[0] == "wrote"]
    assert wrote == [f"{disk}/take.mid", f"{tmp_path}/elsewhere.mid", f"{disk}/take.mid"]
    assert (tmp_path / "listing").read_text().split() == ["filler", "take.mid"], "no half file"
    assert (tmp_path / "seen.mid").read_bytes() == (tmp_path / "kept.mid").read_bytes(), "the earlier take"
    for file, ms in (("seen.mid", 1000), ("elsewhere.mid", 2000), ("disk.after/take.mid", 2500)):
        ons = sum(m.type == "note_on" for m in mido.MidiFile(tmp_path / file))
        assert ons == sum(v > 0 and sample < ms * MS for sample, _, v, _ in run.notes()) > 0
    calm, box, _ = playing("tiny")
    calm.at(3000, "play 0", box)
    calm.quit_at(3001)
    assert run.notes() == run_pd(calm, tmp_path, externals=copied_externals, environment=environment).notes()


@pytest.mark.parametrize(
    ("files", "filled", "why"),
    [
        (
            ("out.wav", "out.mid"),
            0,
            "{disk}/out.wav: the sound could not be written whole / see whether the disk",
        ),
        (
            ("out.mid",),
            60,
            "recorder: {disk}/out.mid: cannot be written: No space left on device / make room on the disk",
        ),
    ],
)
def test_what_is_rendered_onto_a_full_disk_is_not_written_at_all(
    disk: Path, files: Sequence[str], filled: int, why: str
) -> None:
    (disk / "filler").write_bytes(bytes(filled << 10))
    for file in files:
        (disk / file).write_text("an earlier one")
    options = {".wav": "--record", ".mid": "--midi"}
    named = [word for file in files for word in (options[file[-4:]], disk / file)]
    command = [ROOT / "pd_patches" / "play", "--composer", DATA / "tiny", "--bars", "2", *named]
    run = subprocess.run([*with_a_small_disk(disk), *command], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1].startswith(f"play: rendering: {why.format(disk=disk)}")
    _nothing_has_changed(disk, files)


def test_what_is_composed_onto_a_full_disk_is_not_written_at_all(disk: Path) -> None:
    (disk / "filler").write_bytes(bytes(60 << 10))
    (disk / "out.mid").write_text("an earlier one")
    command = [sys.executable, "-m", "neuralmidi", str(DATA / "tiny"), "--midi", str(disk / "out.mid")]
    run = subprocess.run(
        [*with_a_small_disk(disk), *command], capture_output=True, text=True, cwd=EXTERNALS, check=False
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == (
        f"neuralmidi: {disk}/out.mid: cannot be written: No space left on device"
        " / make room on the disk, or name a file on another\n"
    )
    _nothing_has_changed(disk, ["out.mid"])


def _nothing_has_changed(disk: Path, files: Sequence[str]) -> None:
    left = disk.with_name("disk.after")
    assert sorted(os.listdir(left)) == sorted(["filler", *files])
    assert all((left / file).read_text() == "an earlier one" for file in files)


# --- a model that gives no numbers


LOGITS, MEMORY = 1.25e-9, 2.5e-9
"""Where the tables of ``brittle.tflite`` begin; tests/data/make_tiny.py has more."""
NAN, INF = float("nan"), float("inf")
GONE = "55,59,62,67"
"""The fifth chord of the ring of `tiny`."""


def _vocabulary(name: str) -> list[str]:
    return list(json.loads((DATA / name / "model.json").read_text())["tokenizer"]["vocabulary"])


def brittle(folder: Path, table: float, row: Sequence[float]) -> None:
    """Write the model `tiny`, which has this row added to its logits or to its memory after `GONE`."""
    words, tflite = _vocabulary("tiny"), bytearray((DATA / "broken" / "brittle.tflite").read_bytes())
    values = np.resize(np.array(row, np.float32), len(words)).tobytes()
    place = tflite.index(struct.pack("<f", table)) + words.index(GONE) * len(values)
    tflite[place : place + len(values)] = values
    description = json.loads((DATA / "tiny" / "model.json").read_text())
    description["sha256"] = hashlib.sha256(tflite).hexdigest()
    folder.mkdir()
    (folder / "model.tflite").write_bytes(tflite)
    (folder / "model.json").write_text(json.dumps(description))


NOT_FINITE: dict[str, tuple[float, Sequence[float], int]] = {
    "one logit is NaN": (LOGITS, [0, NAN, *[0] * 8], 5),
    "one logit is infinite": (LOGITS, [*[0] * 9, INF], 5),
    "every token is forbidden": (LOGITS, [-INF], 5),
    "the state is NaN": (MEMORY, [NAN], 6),
}
"""What happens after `GONE`, and how many steps there are before it is noticed."""


@pytest.mark.parametrize("case", NOT_FINITE)
def test_a_model_that_gives_no_numbers_ends_its_notes_and_is_replaced(tmp_path: Path, case: str) -> None:
    table, row, good = NOT_FINITE[case]
    brittle(tmp_path / "brittle", table, row)
    patch = Patch()
    box = patch.obj("composer brittle")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "temperature 0.1, play 1", box)
    patch.at(12 * STEP, "play 1", box)
    patch.at(16 * STEP, "reset", box)
    patch.at(28 * STEP, "composer tiny2", box)
    patch.at(40 * STEP, "play 0", box)
    patch.quit_at(40 * STEP + 1)
    run = run_pd(patch, tmp_path)
    fails = [good * STEP, 12 * STEP, (16 + good) * STEP]  # once each time that it is tried, not in every step
    told = [sample / MS for sample, atoms in run.logged("status") if atoms[0] == "error"]
    assert told == pytest.approx(fails, abs=0.1)
    assert len(run.errors) == len(fails)
    assert set(run.errors) == {run.errors[0]}
    assert run.errors[0].startswith(
        "composer: the step failed: model.tflite: its output is not finite / load another, "
    )
    assert sounding_after(n for n in run.notes() if n[0] <= fails[0] * MS + 1) == set(), "within a step"
    numbers = [(round(ms / STEP), int(words[0])) for ms, words in steps(run)]
    assert numbers == [
        *((step, step) for step in range(good)),
        *((16 + step, step) for step in range(good)),
        *((28 + step, good + step) for step in range(12)),
    ], "`composer` goes on from where it has failed"
    assert sounding_after(run.notes()) == set()


def test_logits_that_are_finite_if_only_just_are_music(tmp_path: Path) -> None:
    brittle(tmp_path / "brittle", LOGITS, [-3.3e38, *[3.3e38] * 9])
    patch, _, _ = playing("brittle")
    patch.quit_at(3000)
    run = run_pd(patch.text().replace("shell", "bang"), tmp_path)
    assert run.errors == []
    assert len(steps(run)) == 24


# --- a computer that is too slow, or stands still


def a_clock(patch: Patch) -> None:
    """Log every 50 ms how many ms of real time have passed since the patch's start."""
    start, metro, passed = patch.obj("loadbang"), patch.obj("metro 50"), patch.obj("realtime")
    patch.connect((start, 0, metro, 0), (start, 0, passed, 0), (metro, 0, passed, 1))
    patch.log(passed, 0, "clock")


@pytest.mark.clock
def test_models_that_are_slower_than_the_tempo_leave_pd_in_time(tmp_path: Path) -> None:
    patch = Patch()
    names = [f"player{number}" for number in range(8)]
    for name in names:
        box = patch.obj("composer all")
        for outlet, tag in enumerate(("note", "step", "status")):
            patch.log(box, outlet, f"{name}-{tag}")
        patch.at(600, "tempo 1000, steps 48, play 1", box)  # 1.25 ms each
        patch.at(1600, "steps 12, tempo 120", box)
        patch.at(2900, "play 0", box)
    a_clock(patch)
    patch.quit_at(2901)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors, "something was too slow"
    assert all(error.startswith("composer: underrun: no step was ready: ") for error in run.errors)
    assert len(run.errors) <= 2 * len(names), "once a second from each"
    for name in names:
        told = [(sample / MS, atoms) for sample, atoms in run.logged(f"{name}-status")]
        counted = [(ms, int(atoms[1])) for ms, atoms in told if atoms[0] == "underrun"]
        assert [number for _, number in counted] == list(range(1, len(counted) + 1))
        assert all(ms < 2100 for ms, _ in counted), "at a humane tempo nothing is missing"
        later = [sample / MS for sample, atoms in run.logged(f"{name}-step") if atoms[0] == "step"]
        later = [ms for ms in later if ms > 2100]
        assert [after - before for before, after in pairwise(later)] == pytest.approx(
            [500 / 12] * (len(later) - 1), abs=0.1
        )
        assert len(later) > 12
        assert sounding_after(run.notes(f"{name}-note")) == set()
    ticks = [(sample / MS, float(passed)) for sample, (passed,) in run.logged("clock")]
    assert len(ticks) == 59
    assert max(passed - ms for ms, passed in ticks) < 1000, "Pd's time is real time"


@pytest.mark.clock
def test_a_pd_that_stood_still_plays_on_in_time(tmp_path: Path, run_copy: RunPd) -> None:
    patch, box, shell = playing("tiny")
    stop = script(tmp_path, "stop.sh", "(kill -STOP $PPID; sleep 2; kill -CONT $PPID) &")
    patch.at(600, stop, shell)
    patch.at(4100, "play 0", box)
    patch.quit_at(4101)
    run = run_copy(patch, batch=False)
    counted = [sample / MS for sample, atoms in run.logged("status") if atoms[0] == "underrun"]
    assert counted, "it has stood still"
    assert all(error.startswith("composer: underrun: ") for error in run.errors)
    assert len(run.errors) == 1, "not one for each second that is caught up with"
    silent = [note for note in run.notes() if note[0] <= counted[1] * MS + 0.5]
    assert sounding_after(silent) == set(), "two missing steps end the notes"
    assert max(counted) < 3100, "no lasting underruns"
    later = [ms for ms, _ in steps(run, 3100)]
    assert len(later) == 8
    assert [after - before for before, after in pairwise(later)] == pytest.approx([STEP] * 7, abs=0.1)
    calm, _, _ = playing("tiny")
    calm.quit_at(4100)
    played = [words for _, words in steps(run)]
    assert played == [words for _, words in steps(run_copy(calm))][: len(played)], "no step is lost"
    assert sounding_after(run.notes()) == set()


@pytest.mark.clock
def test_a_stream_that_stood_still_is_heard_again(tmp_path: Path, run_copy: RunPd) -> None:
    port = free_port()
    patch = Patch()
    remote, box, shell = patch.obj(f"osc_remote {port}"), patch.obj("stream"), patch.obj("shell")
    patch.connect((remote, 0, box, 0), (remote, 1, box, 1), (box, 3, remote, 3))
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    command = [sys.executable, "-m", "neuralmidi.stream", "--models", str(DATA), "--composer", "tiny"]
    ports = ["--osc-port", str(port), "--control-port", str(free_port())]
    with subprocess.Popen(
        [*command, *ports], cwd=EXTERNALS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as streamer:
        try:
            assert streamer.stdout
            assert streamer.stdout.readline(), "it plays"
            pid = streamer.pid
            patch.at(
                600, script(tmp_path, "stop.sh", f"(kill -STOP {pid}; sleep 2; kill -CONT {pid}) &"), shell
            )
            patch.quit_at(3700)
            run = run_copy(patch, batch=False, flags=("-path", str(ROOT / "pd_patches")))
        finally:
            streamer.kill()
    assert run.errors == []
    begun = [note[0] for note in run.notes() if note[2]]
    heard = sorted([*begun, *(sample for sample, _ in run.logged("step"))])
    pause, begin = max((after - before, before) for before, after in pairwise(heard))
    assert pause > 1500 * MS, "it has stood still"
    meanwhile = [note for note in run.notes() if note[0] < begin + pause]
    assert sounding_after(meanwhile) == set(), "its notes have ended"
    assert max(begun) >= begin + pause, "it is heard again"
    texts = [" ".join(atoms).replace("\\", "") for _, atoms in run.logged("status")]
    assert sum(text.startswith("error stream: nothing has come from") for text in texts) == 1
    assert sum(text.startswith("stream 127.0.0.1") for text in texts) == 2
    assert not [text for text in texts if text.startswith("underrun")], "no burst of late steps"


# --- a program that is killed, or gets no memory


def test_an_earlier_take_is_whole_when_pd_is_killed_while_it_writes(tmp_path: Path, run_copy: RunPd) -> None:
    patch = Patch()
    recorder, shell = patch.obj("recorder take.mid"), patch.obj("shell")
    start, many, times, note = (
        patch.obj("loadbang"),
        patch.obj("until"),
        patch.msg("2000"),
        patch.msg("60 90"),
    )
    patch.connect((start, 0, times, 0), (times, 0, many, 0), (many, 0, note, 0), (note, 0, recorder, 0))
    patch.at(1, "write", recorder)
    begun = "while [ -s take.mid ] && [ ! -e take.mid.part ] && kill -0 $PPID; do :; done"
    patch.at(2, script(tmp_path, "kill.sh", f"({begun}; kill -KILL $PPID) &"), shell)
    for ms in range(3, 23):
        patch.at(ms, "write", recorder)
    patch.quit_at(23)
    run = run_copy(patch)
    assert run.returncode == -signal.SIGKILL
    assert sum(message.type == "note_on" for message in mido.MidiFile(tmp_path / "take.mid")) == 2000


def test_a_model_that_finds_no_memory_leaves_the_last_good_one(tmp_path: Path, run_copy: RunPd) -> None:
    shutil.copytree(DATA / "tiny2", tmp_path / "vast")
    (tmp_path / "vast" / "model.tflite").write_bytes(
        (DATA / "tiny2" / "model.tflite").read_bytes() + bytes(62 << 20)
    )
    description = json.loads((DATA / "tiny2" / "model.json").read_text())
    weights = (tmp_path / "vast" / "model.tflite").read_bytes()
    description["sha256"] = hashlib.sha256(weights).hexdigest()
    (tmp_path / "vast" / "model.json").write_text(json.dumps(description))
    squeeze = script(
        tmp_path,
        "squeeze.sh",
        "now=$(awk '/VmSize/ {print $2}' /proc/$PPID/status)",
        "prlimit --pid $PPID --as=$((now << 10)):",
    )
    relax = script(tmp_path, "relax.sh", "prlimit --pid $PPID --as=unlimited:")
    runs = []
    for faulty in (True, False):
        patch, box, shell = playing("tiny")
        if faulty:
            patch.at(500, squeeze, shell)
            patch.at(510, "composer vast", box)
            patch.at(1500, relax, shell)
        patch.at(1510, "composer vast", box)
        patch.quit_at(2500)
        runs.append(run_copy(patch))
    run, calm = runs
    assert run.errors == ["composer: no memory is left / close other programs, or load a smaller model"]
    assert run.notes() == calm.notes()
    assert calm.errors == []
    assert status(run, "composer") == [["tiny2"]]
