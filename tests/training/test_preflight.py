from pathlib import Path

import numpy as np
import pytest
from midi import SCALE, midi_file, piece, song

from training.dataset import Piece, Split, find
from training.preflight import Survey, report_on, survey
from training.prepare import survey as survey_files
from training.settings import Settings


def music(pieces: int, notes: int, off: float = 0.0, loud: int = 0, valid: int = 1) -> list[Piece]:
    """Pieces of so many notes each, all of them so many beats off the beat."""
    made = []
    for number in range(pieces + valid):
        columns = np.array([(beat + off, beat + 1, 60, loud) for beat in range(notes)], np.float64)
        split: Split = "train" if number < pieces else "valid"
        made.append(Piece(str(number), "nobody", split, columns, (), float(notes)))
    return made


@pytest.mark.parametrize(
    ("pieces", "advice"),
    [
        (music(20, 1000, loud=64), []),
        (music(3, 100, loud=64), ["3 pieces with 300 notes are little", "--base"]),
        (
            music(20, 1000, off=0.2, loud=64),
            ["100% of the notes begin off the grid", "to no click / quantise"],
        ),
        (music(20, 1000), ["every note is equally loud", "intensity and accents"]),
        (music(20, 1000, loud=64, valid=0), ["to train and to validate on", "add MIDI files"]),
    ],
)
def test_what_will_go_wrong_is_said_with_what_to_do(pieces: list[Piece], advice: list[str]) -> None:
    said = survey(pieces, 12).advice()
    assert len(said) == bool(advice)
    for part in advice:
        assert part in said[0]


def test_music_that_is_somewhat_off_the_grid_asks_for_a_finer_one() -> None:
    triplets = [(third / 3, third / 3 + 0.3, 60, 64 + third % 2) for third in range(30)]
    straight = [(beat / 2, beat / 2 + 0.5, 70, 64) for beat in range(40)]
    both = piece(triplets + straight, end=32)
    assert survey([both], 4).off_grid == pytest.approx(20 / 70)
    assert "--steps_per_beat 8" in survey([both], 4)._crooked()
    assert survey([both], 12).off_grid == 0


def test_the_survey_of_a_folder_counts_and_names_files(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Nobody"
    for number in range(6):
        midi_file(folder / f"{number}.mid", SCALE, metres=())
    midi_file(folder / "drums.mid", SCALE, channel=9)
    found = survey_files(find([folder.parent], {}), Settings(), tmp_path / "notes")
    said: list[str] = []
    report_on(found, said.append)
    assert "data/Nobody/drums.mid: left out, it holds drums only" in said
    assert "data/Nobody/0.mid, data/Nobody/1.mid, data/Nobody/2.mid and 3 more: it begins without" in said[0]
    assert found.composers == {"nobody": 8 * found.counts["train"].pieces}
    assert found.usable
    assert any(line.startswith("train ") and "0.0% off a grid of 12 a beat" in line for line in said)


def test_drums_alone_are_nothing_to_learn_from(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Nobody"
    for number in range(3):
        midi_file(folder / f"{number}.mid", SCALE, channel=9)
    found = survey_files(find([folder.parent], {}), Settings(), tmp_path / "notes")
    assert not found.usable
    assert found.advice() == [
        "there is nothing to learn from, drums are left out / add files with pitched instruments, or use "
        "training.train_drums"
    ]


def test_a_survey_of_nothing_says_so() -> None:
    assert not Survey(12).usable
    assert "three at least" in Survey(12).advice()[0]
    assert song(1, 0).composer == "nobody"
