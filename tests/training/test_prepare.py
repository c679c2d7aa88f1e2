import shutil
from pathlib import Path

import numpy as np
from midi import SCALE, midi_file, song

from training.dataset import find
from training.prepare import Music, prepare, survey
from training.settings import settings_from

SETTINGS = settings_from({"least_notes": 20})


def make(folder: Path) -> Path:
    """Two composers with some music, one with little."""
    for number, name in enumerate(("Ann", "BobC", "Zoe")):
        for seed in range(4):
            music = song(2 if name == "Zoe" else 8, 9 * number + seed).notes.tolist()
            notes = [(start, end, int(pitch)) for start, end, pitch, _ in music]
            midi_file(folder / "data" / name / f"{seed}.mid", notes[:7] if name == "Zoe" else notes)
    return folder


def prepared(folder: Path, *, together: bool = True) -> Music:
    sources = find([folder / "data"], {})
    found = survey(sources, SETTINGS, folder / "runs" / "notes")
    return prepare(sources, found, SETTINGS, folder / "runs", together=together)


def test_composers_get_a_name_each_and_small_ones_one_together(tmp_path: Path) -> None:
    music = prepared(make(tmp_path))
    assert music.composers == ("ann", "bob", "others")
    assert [music.composer(name) for name in ("bob", "zoe", "nobody")] == [1, 2, 2]
    train = music.corpus("train")
    assert {
        name.split("/")[1]: int(who) for name, who in zip(train.names, train.pieces["composer"], strict=True)
    } == {
        "Ann": 0,
        "BobC": 1,
        "Zoe": 2,
    }


def test_composers_that_are_not_told_apart_take_turns(tmp_path: Path) -> None:
    music = prepared(make(tmp_path), together=False)
    assert music.composers == ()
    assert set(music.corpus("train").pieces["composer"]) == {-3, -2, -1}


def test_what_is_encoded_is_encoded_once_until_the_music_changes(tmp_path: Path) -> None:
    music = prepared(make(tmp_path))
    catalogue = music.folder / "train" / "catalogue.npy"
    written = catalogue.stat().st_mtime_ns
    assert prepared(tmp_path).folder == music.folder
    assert catalogue.stat().st_mtime_ns == written
    midi_file(tmp_path / "data" / "Ann" / "0.mid", SCALE)
    assert prepared(tmp_path).folder != music.folder


def test_a_copy_on_another_machine_is_the_same_music(tmp_path: Path) -> None:
    here = prepared(make(tmp_path / "here"))
    (tmp_path / "there").mkdir()
    shutil.copytree(tmp_path / "here" / "data", tmp_path / "there" / "data", copy_function=shutil.copy)
    there = prepared(tmp_path / "there")
    assert here.facts() == there.facts()
    assert np.array_equal(here.corpus("valid").ids(0), there.corpus("valid").ids(0))
