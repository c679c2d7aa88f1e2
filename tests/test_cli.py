import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest
from neuralmidi.__main__ import main

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
TINY, POLY, BLEND = (str(DATA / name) for name in ("tiny", "tiny_poly", "tiny_blend"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "externals")}


def shell(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "neuralmidi", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_it_prints_the_notes_and_nothing_else() -> None:
    run = shell(TINY, "--bars", "2", "--seed", "1", "--temperature", "0.1")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[:3] == [
        "   1.1.1   C3   C4   E4   G4              48 60 64 67",
        "   1.1.2  ~C3  ~C4  ~E4   A4              48 60 64 69",
        "   1.1.3  ~C4   F4  ~A4                   60 65 69",
    ]
    assert run.stdout.splitlines()[-1].split()[0] == "2.4.4"


def test_the_same_seed_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    first = printed(capsys, TINY, "--seed", "5")
    assert printed(capsys, TINY, "--seed", "5") == first
    assert printed(capsys, TINY, "--seed", "6") != first


def test_controls_act_from_the_first_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, TINY, "--density", "0").splitlines() == ["   1.1.1   rest"]
    assert printed(capsys, TINY, "--top-k", "1", "--seed", "1") == printed(capsys, TINY, "--top-k", "1")


def test_midi_is_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.mid"
    text = printed(capsys, TINY, "--bars", "4", "--tempo", "90", "--channel", "3", "--midi", str(file))
    attacks = [
        name
        for line in text.splitlines()
        for name in line[10:40].split()
        if name not in ("rest",) and name[0] != "~"
    ]
    messages = list(mido.MidiFile(file))
    onsets = [message for message in messages if message.type == "note_on"]
    assert len(onsets) == len(attacks) > 50
    assert {message.channel for message in onsets} == {2}
    assert sum(message.time for message in messages) == pytest.approx(4 * 4 * 60 / 90, abs=0.001)


def test_bars_and_times_are_the_models_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.mid"
    text = printed(capsys, POLY, "--bars", "2", "--tempo", "120", "--temperature", "0.1", "--midi", str(file))
    places = [line.split()[0] for line in text.splitlines() if line]
    assert places == [f"{bar}.{place}" for bar in (1, 2) for place in ("1.1", "2.1", "2.9", "3.1", "4.1")]
    assert sum(message.time for message in mido.MidiFile(file)) == pytest.approx(4, abs=0.001)
    assert "  ~C3  ~C4   F4   G4" in text.splitlines()[1], "G4 is struck again"


def test_a_primer_is_gone_on_from_in_its_metre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waltz = str(DATA / "waltz.mid")
    file = tmp_path / "out.mid"
    alone = printed(capsys, POLY, "--bars", "4")
    primed = printed(capsys, POLY, "--bars", "4", "--primer", waltz, "--midi", str(file))
    assert primed != alone
    assert "  4.3." in primed
    assert not [line for line in primed.splitlines() if line[:8].split(".")[1:2] == ["4"]], (
        "no bar has a fourth beat"
    )
    (metre,) = (message for message in mido.MidiFile(file) if message.type == "time_signature")
    assert (metre.numerator, metre.denominator) == (3, 4)
    assert printed(capsys, POLY, "--bars", "4", "--primer", waltz) == primed


def test_a_blend_is_played_from_the_first_note(capsys: pytest.CaptureFixture[str]) -> None:
    low, high = (
        {
            int(pitch)
            for line in printed(capsys, BLEND, "--temperature", "0.1", "--blend", words).splitlines()
            for pitch in line[40:].split()
        }
        for words in ("low", "low 0 high 0.5")
    )
    assert max(low) < min(high)


def test_repeats_keep_it_from_going_round_in_circles(capsys: pytest.CaptureFixture[str]) -> None:
    circles, other = (
        printed(capsys, TINY, "--temperature", "0.1", "--bars", "8", "--repeats", n) for n in ("0", "1")
    )
    bars = [[line.split(".", 1)[1] for line in bar.splitlines()] for bar in circles.split("\n\n")]
    assert all(bar[1:] == bars[0][1:] for bar in bars)
    assert other != circles


def test_a_name_is_looked_for_here_too(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(TINY)
    assert shell("mine", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "the following arguments are required: composer"),
        (("nobody",), "model 'nobody': not found; there are: "),
        ((TINY, "--bars", "0"), "bars: 0 is outside 1 to 100000 / send a whole number from 1 to 100000"),
        ((TINY, "--bars", "many"), "bars: many is not a number"),
        ((TINY, "--tempo", "nan"), "tempo: nan is outside 1 to 1000"),
        (
            (TINY, "--temperature", "3"),
            "temperature: 3 is outside 0.1 to 2.0 / send a number from 0.1 to 2.0",
        ),
        ((TINY, "--seed", "-1"), "seed: -1 is outside 0 to 4294967295"),
        ((TINY, "--top-k", "1.5"), "top_k: 1.5 is not a whole number"),
        ((TINY, "--colour", "1"), "unrecognized arguments: --colour 1 / neuralmidi --help"),
        ((TINY, "--bars"), "argument --bars: expected one argument"),
        ((TINY, "--repeats", "-1"), "repeats: -1 is outside 0 to 100"),
        ((TINY, "--blend", "low 1"), "blend: this model is of one composer / "),
        ((BLEND, "--blend", "nobody"), "blend: nobody is not a composer that this model knows"),
        ((BLEND, "--blend", "low much"), "blend: much is not a composer"),
        ((TINY, "--primer", "nowhere.mid"), "nowhere.mid: cannot be read: there is no such file"),
        ((TINY, "--primer", __file__), "test_cli.py: cannot be read: it is no MIDI file"),
        ((TINY, "--midi", ""), "cannot be written: there is something that is not a file"),
        (
            (TINY, "--midi", "/nowhere/out.mid"),
            "/nowhere/out.mid: cannot be written: No such file or directory",
        ),
    ],
)
def test_an_error_is_one_line(
    arguments: tuple[str, ...], text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("neuralmidi: ")
    assert err.count("\n") == 1
    assert text in err


def test_a_broken_model_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.json").write_text("{")
    assert main([str(tmp_path)]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "model.json" in err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "neuralmidi bach --seed 2 --bars 32" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "neuralmidi", TINY, "--bars", "400"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "neuralmidi", TINY]
        run = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert run.returncode == 2
    assert run.stderr == "neuralmidi: [Errno 28] No space left on device\n"


def test_ctrl_c_ends_it_without_a_word() -> None:
    command = [sys.executable, "-m", "neuralmidi", TINY, "--bars", "100000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while "ai_edge_litert" not in maps.read_text():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err) == (b"", b"")
    assert process.returncode == 130


def test_models_lists_every_model_that_is_there_to_play(capsys: pytest.CaptureFixture[str]) -> None:
    found = {path.parent.name for path in (ROOT / "tflite_models").glob("*/model.json")}
    names = sorted(name for name in found if not name.startswith("benchmark_"))
    assert len(names) >= 9
    assert [line.split()[0] for line in printed(capsys, "models").splitlines()] == names
