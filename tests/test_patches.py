"""The patches in the real Pd: they load, sound as they should, host plugins, render, and help."""

import json
import re
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
from neuralmidi.kit import KIT
from numpy.typing import NDArray
from pd_runner import DATA, EXTERNALS, HELPERS, ROOT, Patch, Run, run_pd

PATCHES = ROOT / "pd_patches"
ALL = sorted([*PATCHES.glob("*.pd"), *EXTERNALS.glob("*.pd")])
HELP = sorted(EXTERNALS.glob("*-help.pd"))
RATE = 44100
SILENCE = 1e-5
"""-100 dB."""

Samples = NDArray[np.float64]
Timed = tuple[float, str]
"""Milliseconds, message."""

WITH_PLUGINS = ("-path", str(HELPERS / "plugin"))


@pytest.fixture
def models(tmp_path: Path) -> tuple[str, ...]:
    """Flags with which Pd finds the names that the patches use, and a small quick model behind each.

    ``bach`` has 4 steps a beat, ``joplin`` 12, ``all`` knows several, ``drums`` plays drums.
    """
    known = {"bach": "tiny", "joplin": "tiny_poly", "all": "composers/all", "drums": "tiny_drums"}
    for name, model in known.items():
        shutil.copytree(DATA / model, tmp_path / "models" / name)
    return ("-path", str(tmp_path / "models"))


def run(patch: Patch | Path, folder: Path, *flags: str, sends: Sequence[str] = ()) -> Run:
    """Run a patch in batch with the abstractions of ``pd_patches`` at hand."""
    said = [word for text in sends for word in ("-send", text)]
    return run_pd(patch, folder, flags=("-noaudio", "-r", str(RATE), "-path", str(PATCHES), *flags, *said))


def read_wav(file: Path) -> Samples:
    """A WAV file of 24 bit as numbers between -1 and 1, shape (samples, channels)."""
    with wave.open(str(file)) as sound:
        assert (sound.getsampwidth(), sound.getframerate()) == (3, RATE)
        raw = np.frombuffer(sound.readframes(sound.getnframes()), np.uint8).reshape(-1, 3)
        padded = np.pad(raw, ((0, 0), (1, 0))).copy().view("<i4") / 2**31
        return padded.reshape(-1, sound.getnchannels())


def render(
    folder: Path, voice: str, events: Sequence[Timed], seconds: float, *flags: str
) -> tuple[Samples, Run]:
    """What an instrument sounds like when it is sent messages.

    Args:
        folder: where the files of the run are.
        voice: an object with signals at its first two outlets.
        events: what it is sent.
        seconds: how long it is listened to.
        flags: more of Pd's own.
    """
    patch = Patch()
    box = patch.obj(voice)
    patch.at(0, "; pd dsp 1")
    for outlet, channel in enumerate(("left", "right")):
        patch.obj(f"table {channel} {round(seconds * RATE)}")
        tape = patch.obj(f"tabwrite~ {channel}")
        patch.connect((box, outlet, tape, 0))
        patch.at(0, "bang", tape)
    for ms, message in events:
        patch.at(ms, message, box)
    if voice.startswith("vst"):
        patch.connect((box, 2, patch.obj("print status"), 0))
    patch.at(seconds * 1000 + 10, "write -wave -bytes 3 sound.wav left right", patch.obj("soundfiler"))
    patch.quit_at(seconds * 1000 + 20)
    done = run(patch, folder, *flags)
    return read_wav(folder / "sound.wav"), done


def peak(sound: Samples, start: float = 0, end: float = np.inf) -> float:
    """The largest sample between two moments in seconds."""
    return float(np.abs(sound[round(start * RATE) : round(min(end * RATE, len(sound)))]).max())


def message_boxes(patch: Path) -> list[str]:
    """The text of every message box, subpatches included, each as one line."""
    boxes = re.findall(r"^#X msg \d+ \d+ (.*?)(?:, f \d+)?;$", patch.read_text(), re.MULTILINE | re.DOTALL)
    return [box.replace("\n", " ").replace(" \\,", ",") for box in boxes]


# --- every patch loads


@pytest.mark.parametrize("patch", ALL, ids=lambda patch: patch.stem)
def test_a_patch_loads_without_a_complaint(patch: Path, tmp_path: Path, models: tuple[str, ...]) -> None:
    plugins = WITH_PLUGINS if patch.stem == "vst_host~" else ()
    done = run(patch, tmp_path, *models, *plugins, sends=["pd quit"])
    assert done.returncode == 0
    assert not done.errors
    assert "no such" not in done.output
    assert "can't" not in done.output


# --- the piano


def test_a_note_sounds_and_is_gone_after_its_end(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "synth~", [(100, "60 100 1"), (600, "60 0 1")], 4)
    assert peak(sound, 0, 0.1) == 0
    assert 0.05 < peak(sound, 0.1, 0.3) < 0.5
    assert peak(sound, 3.5) < SILENCE


def test_a_note_has_its_pitch(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "synth~", [(0, "69 100 1")], 1.1)
    spectrum = np.abs(np.fft.rfft(sound[:RATE, 0] * np.hanning(RATE)))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_velocity_is_loudness(tmp_path: Path) -> None:
    peaks = [peak(render(tmp_path, "synth~", [(0, f"60 {v} 1")], 0.5)[0]) for v in (1, 40, 80, 127)]
    assert 0 < peaks[0] < peaks[1] < peaks[2] < peaks[3] < 1


def test_24_notes_at_once_all_sound_and_never_reach_full_scale(tmp_path: Path) -> None:
    pitches = range(40, 88, 2)
    events = [(0.0, f"{p} 127 1") for p in pitches] + [(2000.0, f"{p} 0 1") for p in pitches]
    sound, done = render(tmp_path, "synth~", events, 6)
    assert not done.errors
    assert 0.3 < peak(sound) < 1
    spectrum = np.abs(np.fft.rfft(sound[RATE : 2 * RATE].sum(axis=1) * np.hanning(RATE)))
    for pitch in pitches:
        bin_ = round(440 * 2 ** ((pitch - 69) / 12))
        near, around = spectrum[bin_ - 1 : bin_ + 2].max(), np.median(spectrum[bin_ - 12 : bin_ + 13])
        assert near > 2 * around, f"pitch {pitch} is not heard"
    assert peak(sound, 5.5) < SILENCE


def test_a_stolen_voice_does_not_click(tmp_path: Path) -> None:
    loud = [(0.0, "room 0"), (0.0, "33 127 1")]
    soft = [(1.0 + k, f"{40 + k} 1 1") for k in range(23)]
    sound, _ = render(tmp_path, "synth~", [*loud, *soft, (1000, "100 1 1")], 1.2)
    jumps = np.abs(np.diff(sound, axis=0))
    swinging, stolen = jumps[round(0.8 * RATE) : round(0.99 * RATE)], jumps[round(0.99 * RATE) :]
    assert stolen.max() < 2 * swinging.max()


def test_a_list_of_two_atoms_is_on_channel_1(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "synth~", [(0, "60 100")], 0.5)
    assert peak(sound) > 0.02


def test_the_piano_leaves_drums_out_and_panic_ends_every_note(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "synth~", [(0, "40 127 10")], 0.5)
    assert peak(sound) == 0
    sound, _ = render(tmp_path, "synth~", [(0, "40 127 1"), (0, "47 127 2"), (500, "panic")], 4)
    assert peak(sound, 3.5) < SILENCE


def test_drums_sound_beside_the_piano_until_a_plugin_plays(tmp_path: Path) -> None:
    sound, _ = render(
        tmp_path, "vst_voice~", [(0, "38 100 10"), (1000, "open it"), (1500, "38 100 10")], 2, *WITH_PLUGINS
    )
    assert peak(sound, 0, 0.5) > 0.05
    assert np.allclose(sound[round(1.4 * RATE) :], 0.1, atol=1e-3)  # the stand-in's


# --- plugins


def plugin_lines(done: Run) -> list[str]:
    return re.findall(r"^vst: (.*)$", done.output, re.MULTILINE)


def test_a_plugin_gets_the_notes_and_the_piano_is_silent(tmp_path: Path) -> None:
    events = [(0, "60 100 1"), (100, "open a\\ plugin"), (200, "62 90 3"), (300, "62 0 3")]
    sound, done = render(tmp_path, "vst_voice~", events, 3, *WITH_PLUGINS)
    assert not done.errors
    assert plugin_lines(done) == [
        "open 1 a\\ plugin",
        "latency 0",
        "midi_note 3 62 90",
        "midi_note 3 62 0",
    ]
    assert re.search(r"^status: .*a plugin plays$", done.output, re.MULTILINE)
    assert peak(sound, 0, 0.1) > 0.05  # the piano, from the first moment
    end = sound[round(2.9 * RATE) :]  # the stand-in sounds, the piano's note has been ended
    assert np.allclose(end, 0.1, atol=SILENCE)


def test_a_plugin_that_does_not_open_leaves_the_piano_playing(tmp_path: Path) -> None:
    sound, done = render(tmp_path, "vst_voice~", [(0, "open missing"), (100, "60 100 1")], 0.5, *WITH_PLUGINS)
    assert plugin_lines(done) == ["open 0"]
    assert "that plugin did not open" in done.output
    assert peak(sound, 0.1) > 0.05


def test_closing_a_plugin_ends_its_notes_and_gives_the_piano_back(tmp_path: Path) -> None:
    events = [(0, "open it"), (10, "60 90 1"), (50, "close"), (100, "64 90 1"), (150, "close")]
    sound, done = render(tmp_path, "vst_voice~", events, 0.5, *WITH_PLUGINS)
    ends = [f"midi_cc {channel} 123 0" for channel in range(1, 17)]
    assert plugin_lines(done) == ["open 1 it", "latency 0", "midi_note 1 60 90", *ends, "close"]
    assert peak(sound, 0.1) > 0.05


def test_without_vstplugin_the_piano_plays_and_the_remedy_is_told(tmp_path: Path) -> None:
    events = [(0, "open LABS"), (100, "60 100 1"), (200, "open LABS")]
    sound, done = render(tmp_path, "vst_voice~", events, 0.5)
    assert done.output.count("status: no vstplugin~ here: install it with Help > Find externals") == 2
    assert peak(sound, 0.1) > 0.05


# --- the instrument and its kin


def neuralmidi(*messages: str) -> list[str]:
    return [f"neuralmidi {message}" for message in messages]


def escaped(file: Path) -> str:
    """A file's name as it is written in a Pd message."""
    return str(file).replace(" ", "\\ ")


@pytest.mark.parametrize("name", ["joplin", "drums"])
def test_the_instrument_plays_from_outside_and_quits_by_itself(
    name: str, tmp_path: Path, models: tuple[str, ...]
) -> None:
    sends = neuralmidi(f"composer {name}", "tempo 240", "temperature 1.2", "seed 3", "bars 2", "play 1")
    done = run(PATCHES / "audio_engine.pd", tmp_path, *models, sends=sends)
    assert done.returncode == 0
    assert not done.errors


@pytest.mark.parametrize(("name", "steps_per_beat"), [("bach", 4), ("joplin", 12), ("drums", 4)])
def test_headless_prints_where_notes_begin_and_quits_at_the_end_of_a_bar(
    name: str, steps_per_beat: int, tmp_path: Path, models: tuple[str, ...]
) -> None:
    sends = neuralmidi(f"composer {name}", "bars 2", "play 1")
    done = run(PATCHES / "headless.pd", tmp_path, *models, sends=sends)
    assert not done.errors
    steps = [list(map(int, line.split())) for line in re.findall(r"^step: (.*)$", done.output, re.MULTILINE)]
    assert all(len(step) > 3 for step in steps)
    places = [(bar, beat, step) for bar, beat, step, *_ in steps]
    assert places == sorted(set(places))
    assert {bar for bar, _, _ in places} == {1, 2}
    assert {beat for _, beat, _ in places} == {1, 2, 3, 4}
    assert max(step for _, _, step in places) in range(steps_per_beat // 2 + 1, steps_per_beat + 1)


@pytest.mark.parametrize("name", ["bach", "joplin", "drums"])
def test_a_render_is_complete_and_repeatable(name: str, tmp_path: Path, models: tuple[str, ...]) -> None:
    results = []
    for take in ("a", "b"):
        wav, midi = tmp_path / f"a take {take}.wav", tmp_path / f"a take {take}.mid"
        files = (f"wav {escaped(wav)}", f"midi {escaped(midi)}")
        sends = neuralmidi(f"composer {name}", "tempo 240", "seed 1", "bars 3", *files, "start")
        done = run(PATCHES / "render.pd", tmp_path, *models, sends=sends)
        assert (done.returncode, done.errors) == (0, [])
        assert done.output.rstrip().endswith("render: done")
        results.append((wav.read_bytes(), midi.read_bytes()))
    assert results[0] == results[1]
    sound = read_wav(wav)
    assert len(sound) / RATE == pytest.approx(3 * 4 * 60 / 240 + 2, abs=0.001)
    assert 0.1 < peak(sound) < 1
    assert peak(sound, 4.95) < 1e-3
    assert mido.MidiFile(midi).length <= 3 + 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        "composer nobody",
        "temperature 99",
        "blend bach",
        "primer nothing.mid",
        "wav /no/such/folder/a.wav",
        "midi /no/such/folder/a.mid",
    ],
)
def test_a_render_that_cannot_be_done_fails(wrong: str, tmp_path: Path, models: tuple[str, ...]) -> None:
    sends = neuralmidi("composer bach", "bars 1", wrong, "start")
    done = run(PATCHES / "render.pd", tmp_path, *models, sends=sends)
    assert done.returncode == 1
    assert done.output.rstrip().endswith("render: failed")


def test_a_render_has_bars_of_the_metre_that_it_goes_on_in(tmp_path: Path, models: tuple[str, ...]) -> None:
    wav = tmp_path / "waltz.wav"
    primer = f"primer {escaped(DATA / 'waltz.mid')}"
    sends = neuralmidi("composer joplin", primer, "tempo 240", "bars 4", f"wav {escaped(wav)}", "start")
    assert run(PATCHES / "render.pd", tmp_path, *models, sends=sends).returncode == 0
    assert len(read_wav(wav)) / RATE == pytest.approx(4 * 3 * 60 / 240 + 2, abs=0.001)


# --- bars


def test_bars_follow_the_grid_and_go_on_from_the_same_beat(tmp_path: Path) -> None:
    patch = Patch()
    bars = patch.obj("bars")
    patch.log(bars, 0, "place")
    steps = [f"step {n} 60" for n in range(18)]
    patch.at(0, ", ".join([*steps, "grid 12 48", "vel 60 64 1", "step 18", "step 19"]), bars)
    patch.at(1, ", ".join(["grid 12 36", "step 20", "grid 4 16", "step 21", "step 0", "step 1"]), bars)
    patch.quit_at(10)
    places = [tuple(map(int, atoms)) for _, atoms in run(patch, tmp_path).logged("place")]
    assert places == [
        *((n // 16, n % 16, 4, 16) for n in range(18)),
        *((1, 6, 12, 48), (1, 7, 12, 48)),  # beat 4 1/2 of the piece, at which 54 twelfths have gone by
        *((1, 20, 12, 36), (1, 3, 4, 16)),  # 56 of them, and then 57
        *((0, 0, 4, 16), (0, 1, 4, 16)),
    ]


def test_bars_of_two_grids_lie_where_the_composers_do(tmp_path: Path, models: tuple[str, ...]) -> None:
    patch = Patch()
    composer, bars = patch.obj("composer bach"), patch.obj("bars")
    patch.log(bars, 0, "place")
    patch.connect((composer, 1, bars, 0), (composer, 2, bars, 0))
    patch.at(0, "play 1", composer)
    patch.at(1200, "composer joplin", composer)
    patch.quit_at(4000)
    beat = RATE / 2
    for sample, atoms in run(patch, tmp_path, *models).logged("place"):
        bar, step, per_beat, per_bar = map(int, atoms)
        assert (bar * per_bar + step) / per_beat == pytest.approx(sample / beat, abs=0.01)
    assert (per_beat, per_bar, bar) == (12, 48, 1)


# --- between composers


def test_between_composers_it_begins_in_the_middle_of_four(tmp_path: Path, models: tuple[str, ...]) -> None:
    between = (PATCHES / "05.between-composers.pd").read_text()
    assert between.count("s \\$0-told") == 1
    (tmp_path / "between.pd").write_text(between.replace("s \\$0-told", "print told"))
    patch = Patch()
    patch.obj("between")
    patch.quit_at(1000)
    done = run(patch, tmp_path, *models)
    assert not done.errors
    told = re.findall(r"^told: list (.*)$", done.output, re.MULTILINE)
    assert told == ["bach 0.25 mozart 0.25 chopin 0.25 joplin 0.25"]


def test_between_composers_the_model_that_is_shipped_knows_who_stands_at_the_corners() -> None:
    between = (PATCHES / "05.between-composers.pd").read_text()
    corners = re.findall(r"obj \d+ \d+ symbol (\w+)", between)
    known = json.loads((ROOT / "tflite_models" / "all" / "model.json").read_text())["condition"]["names"]
    assert len(corners) == 4
    assert set(corners) <= set(known)


def test_the_panel_has_styles_of_the_model_that_is_shipped_and_all_of_the_kit() -> None:
    panel = (PATCHES / "drummer.pd").read_text()
    (lines,) = re.findall(r"^#A set style \\; (.*) \\;;$", panel, re.MULTILINE)
    known = json.loads((ROOT / "tflite_models" / "drums" / "model.json").read_text())["condition"]["names"]
    styles = [line.removeprefix("style ") for line in lines.split(" \\; ")]
    assert len(styles) > 5
    assert set(styles) <= set(known)
    for name in ("any", *styles):  # the labels of the buttons
        assert f"empty empty {name} " in panel
    for each in KIT:
        assert f"\\$0-{each.name} \\$0-kit-set {each.name} " in panel
        assert f"empty empty {each.pitch} " in panel


# --- help


@pytest.mark.parametrize("help_patch", HELP, ids=lambda patch: patch.stem)
def test_help_shows_every_message_and_each_is_legal(
    help_patch: Path, tmp_path: Path, models: tuple[str, ...]
) -> None:
    box = help_patch.stem.replace("-help", " bach" if "composer" in help_patch.stem else " take.mid")
    asked = Patch()
    asked.at(0, "?", asked.obj(box))
    asked.quit_at(100)
    (error,) = run(asked, tmp_path, *models).errors
    understood = set(error.split("use one of ")[1].split(", ")) - {"list"}

    shown = [part.strip() for text in message_boxes(help_patch) for part in text.split(",")]
    shown = [text for text in shown if text.split()[0] in understood and not set("$~") & set(text)]
    assert {text.split()[0] for text in shown} == understood

    shutil.copy(DATA / "waltz.mid", tmp_path / "song.mid")
    clicked = Patch()
    target = clicked.obj(box)
    for ms, text in enumerate(shown):
        clicked.at(ms, text, target)
    clicked.quit_at(len(shown) + 100)
    assert not run(clicked, tmp_path, *models).errors
