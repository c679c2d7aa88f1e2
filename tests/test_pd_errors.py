"""Bad input to [composer] and [recorder] in the real Pd: one clear error each, and the music goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mido
import pytest
from neuralmidi import bundle
from pd_runner import DATA, Patch, run_pd, sounding_after

NUMBERS = {
    "temperature": "0.1 to 2.0",
    "density": "0 to 1",
    "intensity": "0 to 1",
    "smooth": "0 to 10000",
    "top_k": "0 to 1000",
    "top_p": "0.05 to 1",
    "repeats": "0 to 100",
    "channel": "1 to 16",
    "seed": "0 to 4294967295",
    "lookahead": "1 to 32",
    "tempo": "1 to 1000",
    "steps": "1 to 48",
    "sync": "0 to 1",
    "play": "0 to 1",
}
"""Messages that take one number, and its range."""


def playing(*wishes: str, name: str = "composer tiny") -> tuple[Patch, int]:
    """A patch whose composer plays for two seconds; at half a second it gets some messages."""
    patch = Patch()
    box = patch.obj(name)
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "seed 5, play 1", box)
    for wish in wishes:
        patch.at(500, wish, box)
    patch.at(2000, "play 0", box)
    patch.quit_at(2001)
    return patch, box


@pytest.mark.parametrize("name", NUMBERS)
def test_a_wrong_number_changes_nothing(tmp_path: Path, name: str) -> None:
    wrong = [name, f"{name} loud", f"{name} -1", f"{name} 1e39", f"{name} -1e39", f"{name} 1e10"]
    patch, box = playing(*wrong)
    infinite, difference, message = patch.msg("1e39"), patch.obj("- 1e39"), patch.obj(f"list prepend {name}")
    trim, start = patch.obj("list trim"), patch.obj("loadbang")
    wait = patch.obj("del 500")  # infinity minus infinity is not a number
    patch.connect((start, 0, wait, 0), (wait, 0, infinite, 0), (infinite, 0, difference, 0))
    patch.connect((difference, 0, message, 0), (message, 0, trim, 0), (trim, 0, box, 0))
    patch.at(1999, "info", box)
    run = run_pd(patch, tmp_path)
    undisturbed, box = playing()
    undisturbed.at(1999, "info", box)
    calm = run_pd(undisturbed, tmp_path)
    assert len(run.errors) == len(wrong) + 1
    assert all(f"composer: {name}: " in error for error in run.errors)
    assert all(f"from {NUMBERS[name]}" in error for error in run.errors)
    given = ("missing", "loud", "-1", "inf", "-inf", "1e+10 10000000000", "nan")
    for value in given:
        assert any(any(word in error for word in value.split()) for error in run.errors), value
    errors = [atoms for _, atoms in run.logged("status") if atoms[0] == "error"]
    assert len(errors) == len(run.errors), "each leaves the status outlet too"
    assert run.notes() == calm.notes()
    assert [a for _, a in run.logged("status") if a[0] == "info"] == [
        a for _, a in calm.logged("status") if a[0] == "info"
    ]


def test_fractions_where_whole_numbers_belong(tmp_path: Path) -> None:
    patch, _ = playing(
        "steps 3.5, play 0.5, seed 1.5, note 60.5 90, channel 2.5, lookahead 1.5, top_k 0.5, repeats 1.5"
    )
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 8
    assert all("is not a whole number" in error for error in run.errors)


def test_what_comes_beyond_a_message_is_ignored(tmp_path: Path) -> None:
    patch, _ = playing("tempo 120 fast, sync 1 2, panic now, info 5, temperature 1 2, note 60 0 1, play 1 1")
    assert run_pd(patch, tmp_path).errors == []


def test_wrong_words_are_named_with_the_right_ones(tmp_path: Path) -> None:
    patch, _ = playing(
        "tempature 1, 60 90 1, composer, composer 7, composer bach joplin, note, note 60, note 200 90"
    )
    run = run_pd(patch, tmp_path)
    expected = (
        "tempature",
        "list",
        "composer: composer",
        "composer: composer",
        "composer: composer",
        "note",
        "note",
    )
    assert len(run.errors) == 8
    for word, error in zip(expected, run.errors, strict=False):
        assert word in error
    assert "temperature" in run.errors[0], "the error lists what there is"
    assert "tiny" in run.errors[2]
    assert "note: 200 is outside 0 to 127" in run.errors[7]


def spoiled(how: Callable[[Path], object], folder: Path) -> Path:
    """A copy of a good model, spoiled."""
    copy = folder / "spoiled"
    shutil.copytree(DATA / "tiny2", copy)
    how(copy)
    return copy


def describe(**changes: object) -> Callable[[Path], object]:
    """Change model.json."""

    def how(folder: Path) -> None:
        file = folder / "model.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return how


def truncate(folder: Path) -> None:
    weights = folder / "model.tflite"
    weights.write_bytes(weights.read_bytes()[:500])


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda f: (f / "model.tflite").unlink(), "missing"),
    "truncated": (truncate, "sha256"),
    "wrong sha256": (describe(sha256="0" * 64), "sha256"),
    "vocabulary": (
        describe(tokenizer={"kind": "chords", "vocabulary": ["<start>", "<unknown>", "<rest>", "60"]}),
        "vocabulary",
    ),
    "tokenizer": (describe(tokenizer={"kind": "morse", "vocabulary": ["<start>"]}), "morse"),
    "future format": (describe(format=99), "update neuralmidi"),
    "no json": (lambda f: (f / "model.json").write_text("{"), "JSON"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_model_that_cannot_be_played_leaves_the_last_good_one(tmp_path: Path, case: str) -> None:
    how, reason = SPOILED[case]
    spoiled(how, tmp_path)
    patch, _ = playing("composer spoiled")
    run = run_pd(patch, tmp_path)
    calm = run_pd(playing()[0], tmp_path)
    assert len(run.errors) == 1
    assert run.errors[0].startswith("composer: ")
    assert "spoiled" in run.errors[0]
    assert reason in run.errors[0]
    assert " / " in run.errors[0], "and what to do"
    assert run.notes() == calm.notes()


BLENDS = {
    "blend nobody 1": "nobody is not a composer that this model knows / choose among low, high",
    "blend low nobody 0.5": "nobody is not a composer",
    "blend 0.5 low": "0.5 is not a composer",
    "blend low -1": "outside 0 to 1000",
    "blend low 1e39": "outside 0 to 1000",
    "blend low 0 high 0": "all weights are 0 / ",
    "blend low 0.5 low 0.5": "low occurs twice",
}


def test_a_wrong_blend_changes_nothing(tmp_path: Path) -> None:
    patch, _ = playing(*BLENDS, name="composer tiny_blend")
    run = run_pd(patch, tmp_path)
    calm = run_pd(playing(name="composer tiny_blend")[0], tmp_path)
    assert len(run.errors) == len(BLENDS)
    for why, error in zip(BLENDS.values(), run.errors, strict=True):
        assert error.startswith("composer: blend")
        assert why in error
    assert run.notes() == calm.notes()


def test_a_model_of_one_composer_says_that_it_cannot_be_blended(tmp_path: Path) -> None:
    patch, _ = playing("blend low 1", "blend")
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 2
    assert all("composer: blend: this model is of one composer / " in error for error in run.errors)
    assert run.notes() == run_pd(playing()[0], tmp_path).notes()


def damaged(tracks: bytes, division: bytes = b"\x01\xe0") -> bytes:
    """A MIDI file of one track with this in it."""
    head = b"MThd\0\0\0\6\0\0\0\1" + division
    return head + b"MTrk" + len(tracks).to_bytes(4, "big") + tracks


END = b"\0\xff\x2f\0"
NOTE = b"\0\x90\x3c\x50\x60\x80\x3c\x40"
PRIMERS = {
    "empty": (b"", "no MIDI file"),
    "text": (b"Fr\xc3\xa8re Jacques" * 100, "no MIDI file"),
    "cut": (damaged(NOTE + END)[:-6], "no MIDI file, or a damaged one"),
    "no notes": (damaged(END), "there is no note in it"),
    "drums only": (damaged(b"\0\x99\x24\x50\x60\x89\x24\x40" + END), "there is no note in it"),
    "in seconds": (damaged(NOTE + END, b"\xe7\x28"), "not in beats"),
    "no time": (damaged(NOTE + END, b"\0\0"), "not in beats"),
    "huge": (damaged(NOTE * 40_000 + END), "larger than 256 kB"),
}


@pytest.mark.parametrize("case", PRIMERS)
def test_a_primer_that_is_none_is_named_and_the_music_goes_on(tmp_path: Path, case: str) -> None:
    content, why = PRIMERS[case]
    (tmp_path / "song.mid").write_bytes(content)
    run = run_pd(playing("primer song.mid")[0], tmp_path)
    assert len(run.errors) == 1
    assert run.errors[0].startswith(f"composer: {tmp_path}/song.mid: cannot be read: ")
    assert why in run.errors[0]
    assert " / " in run.errors[0]
    assert run.notes() == run_pd(playing()[0], tmp_path).notes()


def test_primers_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    wishes = (
        "primer",
        "primer 7",
        "primer a b",
        "primer nowhere.mid",
        "primer folder.mid",
        f"primer {'x' * 900}",
    )
    run = run_pd(playing(*wishes)[0], tmp_path)
    assert len(run.errors) == len(wishes)
    assert all("primer: it takes one file / name one file" in error for error in run.errors[:3])
    assert all("there is no such file beside the patch or in Pd's search path" in e for e in run.errors[3:])
    assert run.notes() == run_pd(playing()[0], tmp_path).notes()


def test_blend_waits_for_a_model_and_a_primer_does_not(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "blend high, primer waltz.mid, composer tiny_blend, info", box)
    patch.at(1, "composer tiny, composer tiny_blend, info", box)
    patch.quit_at(10)
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 1
    assert "composer: primer: no model is loaded" in run.errors[0]
    blends = [atoms[2:] for _, atoms in run.logged("status") if atoms[:2] == ["info", "blend"]]
    assert blends[0] == ["high", "1"]


def test_a_blend_that_the_first_model_cannot_do_is_said_and_it_plays(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "blend high, temperature 0.1, composer tiny, info, play 1", box)
    patch.quit_at(200)
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 1
    assert run.errors[0].startswith("composer: blend: this model is of one composer")
    assert ["info", "temperature", "0.1"] in [atoms for _, atoms in run.logged("status")]
    assert run.notes()


@pytest.mark.clock
def test_an_object_without_a_model_waits_for_one(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer nobody")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, "temperature 0.1, seed 4, play 1", box)
    patch.at(500, "composer tiny", box)
    patch.at(1900, "info", box)
    patch.at(2000, "play 0", box)
    patch.quit_at(2001)
    run = run_pd(patch, tmp_path, batch=False)
    choice = ", ".join(bundle.available([*bundle.default_directories(), DATA]))
    assert f"composer: model 'nobody': not found; there are: {choice} / " in "".join(run.errors)
    no_model = f"composer: play: no model is loaded / send `composer` and one of {choice}"
    assert no_model in "".join(run.errors)
    assert ["ready", "tiny"] in [atoms for _, atoms in run.logged("status")]
    info = {atoms[1]: atoms[2] for _, atoms in run.logged("status") if atoms[0] == "info"}
    assert info["temperature"] == "0.1", "what was turned before is not lost"
    assert info["seed"] == "4"
    assert info["underruns"] == "0", "it starts when its first step is ready"
    onsets = [sample for sample, _, velocity, _ in run.notes() if velocity]
    assert min(onsets) >= 500 * 44.1
    assert sounding_after(run.notes()) == set()


def test_what_is_recorded_is_what_was_played(tmp_path: Path) -> None:
    patch, box = playing()
    recorder = patch.obj("recorder take.mid")
    patch.connect((box, 0, recorder, 0))
    patch.log(recorder, 0, "recorder")
    patch.at(1970, "info, write", recorder)  # some notes still sound
    patch.at(1999, "write other.mid", recorder)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    played = [n for n in run.notes() if n[0] < 1970 * 44.1]
    ons = sum(1 for *_, velocity, _ in played if velocity)
    said = [atoms for _, atoms in run.logged("recorder")]
    assert said == [
        ["recording", str(ons)],
        ["wrote", f"{tmp_path}/take.mid", str(ons)],
        ["wrote", f"{tmp_path}/other.mid", str(ons)],
    ]
    time, recorded = 0.0, []
    for message in mido.MidiFile(tmp_path / "take.mid"):
        time += message.time
        if message.type in ("note_on", "note_off"):
            recorded.append((round(time * 1000), message.note, message.velocity, message.channel + 1))
    begin = played[0][0]
    expected = [(round((sample - begin) / 44.1), *note) for sample, *note in played]
    assert recorded[: len(expected)] == expected
    assert sounding_after(recorded) == set(), "the file ends every note"


def test_a_recording_has_the_bars_of_the_composer_s_grid(tmp_path: Path) -> None:
    patch, box = playing(name="composer tiny_poly")
    recorder, grid, told = patch.obj("recorder waltz.mid"), patch.obj("route grid"), patch.msg("grid $1 $2")
    patch.connect((box, 0, recorder, 0), (box, 2, grid, 0), (grid, 0, told, 0), (told, 0, recorder, 0))
    patch.at(0, "primer waltz.mid", box)
    patch.at(1900, "write", recorder)
    assert run_pd(patch, tmp_path).errors == []
    (metre,) = (m for m in mido.MidiFile(tmp_path / "waltz.mid") if m.type == "time_signature")
    assert (metre.numerator, metre.denominator) == (3, 4)


def test_a_recorder_says_what_it_cannot_do(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("recorder")
    patch.log(box, 0, "status")
    for wish in (
        "write",
        "write nowhere/take.mid",
        "60",
        "300 90 1",
        "60 90 17",
        "sixty 90 1",
        "tempo 0",
        "grid 4",
        "grid 4 65",
        "wirte",
        "write 7",
    ):
        patch.at(0, wish, box)
    patch.at(1, "60 90, 60 0", box)
    patch.at(2, "write good.mid", box)
    patch.quit_at(10)
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 11
    assert "no file is named / send `write NAME.mid`" in run.errors[0]
    assert f"{tmp_path}/nowhere/take.mid" in run.errors[1]
    assert run.logged("status")[-1][1] == ["wrote", f"{tmp_path}/good.mid", "1"]
    assert (tmp_path / "good.mid").is_file()
