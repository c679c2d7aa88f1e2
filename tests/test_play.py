"""``pd_patches/play`` as a user runs it, with the real Pd, on a computer without display and sound card."""

import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mido
import pytest
from pd_runner import DATA, ROOT

PLAY = ROOT / "pd_patches" / "play"
COMPOSER = ("--composer", str(DATA / "tiny"))
HEADLESS = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


def play(*arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLAY, *arguments], capture_output=True, text=True, timeout=120, cwd=folder, env=HEADLESS, check=False
    )


@contextmanager
def playing(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Started, and playing: its first note is printed."""
    command = [str(PLAY), *COMPOSER, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=HEADLESS) as process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def pd_of(process: subprocess.Popen[str]) -> Path:
    """What the kernel shows of the Pd that ``process`` has started, as long as it runs."""
    (pd,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert b"headless.pd" in Path(f"/proc/{pd}/cmdline").read_bytes()
    return Path("/proc", pd)


def onsets(file: Path) -> list[tuple[int, int]]:
    """When and what, in ticks and pitches."""
    now, found = 0, []
    for message in mido.merge_tracks(mido.MidiFile(file).tracks):
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note))
    return found


def time_signature(file: Path) -> tuple[int, int]:
    (metre,) = (message for message in mido.MidiFile(file) if message.type == "time_signature")
    return metre.numerator, metre.denominator


def test_a_recording_is_complete_and_says_what_it_is(tmp_path: Path) -> None:
    run = play(
        *COMPOSER,
        "--bars",
        "2",
        "--tempo",
        "240",
        "--record",
        "a b.wav",
        "--midi",
        "a b.mid",
        folder=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    with wave.open(str(tmp_path / "a b.wav")) as sound:
        assert sound.getnchannels() == 2
        assert sound.getnframes() / sound.getframerate() == pytest.approx(2 * 16 * 15 / 240 + 2, abs=0.01)
    said = re.search(r"a b.wav: 4.0 s, peak (-?[\d.]+) dB\n.*a b.mid: (\d+) notes", run.stdout)
    assert said, run.stdout
    assert -40 < float(said[1]) < 0
    assert int(said[2]) == len(onsets(tmp_path / "a b.mid")) > 10
    assert sorted(os.listdir(tmp_path)) == ["a b.mid", "a b.wav"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", "5"), ("two", "5"), ("three", "6")):
        files = ("--record", tmp_path / f"{name}.wav", "--midi", tmp_path / f"{name}.mid")
        assert play(*COMPOSER, "--bars", "2", "--seed", seed, *files).returncode == 0
    for suffix in (".wav", ".mid"):
        one, two, three = (
            (tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two", "three")
        )
        assert one == two != three


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("tiny", []),
        ("tiny_poly", ["--primer", "waltz.mid"]),
        ("composers/all", ["--blend", "mozart 3 joplin", "--primer", "round_in_two_voices.mid"]),
        ("tiny_drums", ["--style", "latin 2 rock", "--fill", "2", "--humanize", "0.5", "--swing", "60"]),
    ],
)
def test_pd_plays_the_notes_that_the_composer_composes_without_pd(
    model: str, more: Sequence[str], tmp_path: Path
) -> None:
    settings = ["--bars", "4", "--seed", "3", "--temperature", "0.7", "--density", "0.5"]
    settings += [str(DATA / word) if word.endswith(".mid") else word for word in more]
    in_pd, without = tmp_path / "in_pd.mid", tmp_path / "without.mid"
    assert play("--composer", DATA / model, *settings, "--midi", in_pd).returncode == 0
    alone = [sys.executable, "-m", "neuralmidi", str(DATA / model), *settings, "--midi", str(without)]
    subprocess.run(alone, check=True, capture_output=True)
    assert onsets(in_pd) == onsets(without) != []
    assert time_signature(in_pd) == time_signature(without)


def test_it_says_how_long_bars_of_the_primers_metre_are(tmp_path: Path) -> None:
    waltz = ("--composer", DATA / "tiny_poly", "--primer", DATA / "waltz.mid")
    run = play(*waltz, "--bars", "4", "--midi", "waltz.mid", folder=tmp_path)
    assert "4 bars, 6.0 s of music" in run.stdout, run.stderr


@pytest.mark.parametrize(("model", "steps"), [("tiny", "[1-4]"), ("tiny_poly", r"([1-9]|1[012])")])
def test_without_display_and_sound_card_the_notes_are_printed(model: str, steps: str) -> None:
    run = play("--composer", DATA / model, "--bars", "1", "--tempo", "480", "--seed", "1")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines
    assert all(re.fullmatch(rf" +1\.[1-4]\.{steps}( +[A-G]#?\d)+", line) for line in lines), run.stdout


def test_drums_are_printed_by_their_names() -> None:
    drums = ("--composer", DATA / "tiny_drums", "--bars", "2", "--tempo", "480", "--fill", "2")
    lines = play(*drums).stdout.splitlines()
    assert lines[:3] == ["   1.1.1  kick hat", "   1.1.3  hat", "   1.2.1  snare hat"]
    assert lines[-1] == "   2.4.4  kick crash"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_it_and_leaves_no_process(ending: signal.Signals) -> None:
    with playing() as process:
        pd = pd_of(process)
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert not pd.exists()


def test_a_reader_that_has_seen_enough_ends_it() -> None:
    with playing("--tempo", "480") as process:
        pd = pd_of(process)
        assert process.stdout
        process.stdout.close()
        assert process.wait(10) == 0
        assert not pd.exists()


def test_a_pd_that_dies_is_reported() -> None:
    with playing() as process:
        os.kill(int(pd_of(process).name), signal.SIGKILL)
        assert process.wait(10) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--composer", "wagner"], "composer wagner: there is none of that name"),
        ([*COMPOSER, "--bars", "0"], "bars: 0 is outside 1 to"),
        ([*COMPOSER, "--bars", "two"], "bars: two is not a number"),
        ([*COMPOSER, "--tempo", "nan"], "tempo: nan is outside"),
        ([*COMPOSER, "--fill", "1.5"], "fill every: 1.5 is not a whole number"),
        ([*COMPOSER, "--primer", "song.mid"], "song.mid: there is no such file"),
        ([*COMPOSER, "--record", "/nowhere/a.wav"], "/nowhere/a.wav: it cannot be written"),
        ([*COMPOSER, "--midi", "/dev/null"], "/dev/null: it is not a file"),
        ([*COMPOSER, "--record", "a.wav", "--bars", "10000"], "--record: 20000 s of music is too long"),
        ([*COMPOSER, "--record", "a", "--midi", "a"], "sound and notes cannot share a file"),
        ([*COMPOSER, "--loud"], "unrecognized arguments: --loud"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: Sequence[str], says: str, tmp_path: Path) -> None:
    run = play(*arguments, folder=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert says in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--blend", "mozart 1 nobody 2"],
            "nobody is not a composer that this model knows / choose among bach",
        ),
        (["--blend", "mozart much"], "much is not a composer that this model knows / choose among bach"),
        (["--style", "polka"], "polka is not a style that this model knows / choose among bach"),
        (["--fill", "4"], "this model knows no fills"),
        (["--primer", str(DATA / "tiny" / "model.json")], "it is no MIDI file"),
    ],
)
def test_what_a_composer_cannot_do_is_its_reason_and_no_file(
    arguments: Sequence[str], says: str, tmp_path: Path
) -> None:
    run = play("--composer", DATA / "composers" / "all", *arguments, "--midi", "a.mid", folder=tmp_path)
    assert run.returncode == 1
    assert says in run.stderr
    assert run.stderr.count(" / ") == 1
    assert not list(tmp_path.iterdir())


def test_a_composer_that_does_not_load_is_a_reason_and_no_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{}")
    (tmp_path / "old.mid").write_text("kept")
    run = play("--composer", "broken", "--midi", "old.mid", folder=tmp_path)
    assert run.returncode == 1
    assert "model.json" in run.stderr
    assert (tmp_path / "old.mid").read_text() == "kept"
