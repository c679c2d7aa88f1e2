import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from neuralmidi import bundle

from training.chorales import piece
from training.evaluate import main
from training.pool import OTHERS
from training.scores import like, score_pieces

CHORDS = [[48, 60, 64, 67]] * 4 + [[48, 60, 64, 69]] * 4 + [[60, 65, 69]] * 4


@pytest.fixture
def chorales(tmp_path: Path) -> Path:
    path = tmp_path / "jsb-chorales-16th.json"
    path.write_text(json.dumps({"train": [CHORDS * 3, CHORDS], "test": [CHORDS, CHORDS * 2]}))
    return path


@pytest.fixture
def dataset(tmp_path: Path, data: Path) -> Path:
    for number in range(4):
        (tmp_path / "Low").mkdir(exist_ok=True)
        shutil.copy(data / "round_in_two_voices.mid", tmp_path / "Low" / f"{number}.mid")
    return tmp_path


def test_the_last_line_is_one_object_of_all_figures(
    data: Path, chorales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(data / "tiny"), str(chorales), "--split", "test", "--json"]) == 0
    printed = capsys.readouterr()
    figures = json.loads(printed.out.splitlines()[-1])
    assert (figures["steps"], figures["pieces"], figures["notes"]) == (36, 2, 17)
    assert figures["nats_per_step"] == pytest.approx(figures["nats_per_note"] * 17 / 36, rel=1e-4)
    assert figures["nats_per_beat"] == pytest.approx(figures["nats_per_step"] * 4, rel=1e-4)
    assert 0 < figures["accuracy"] < 1 < figures["perplexity"]
    assert figures["clean"]["pieces"] == 2
    assert figures["music"]["polyphony"]["real"] == pytest.approx(11 / 3, abs=1e-3)
    assert (figures["model"], figures["split"]) == ("tiny", "test")
    for words in ("nats", "pitches", "hold", "velocity", "accuracy", "copied", "200 bars"):
        assert words in printed.out
    assert main([str(data / "tiny"), str(chorales.parent), "--split", "test"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == printed.out.splitlines()[2:-1]


def test_a_model_of_events_is_scored_on_midi_files(
    data: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(data / "tiny_poly"), str(dataset), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["steps"] == 40 * 12
    parts = sum(figures[f"{kind}_nats_per_step"] for kind in ("pitches", "hold", "velocity"))
    assert figures["nats_per_step"] == pytest.approx(parts, rel=1e-4)
    assert figures["music"]["copied"]["real"] == 1  # all files are one piece


def test_each_piece_is_scored_as_its_own_composers(data: Path) -> None:
    model = bundle.load(data / "tiny_blend")
    assert [like(model, name).condition for name in ("low", "high", "else")] == [
        pytest.approx([1, 0]),
        pytest.approx([0, 1]),
        pytest.approx([0, 0]),
    ]
    music = piece("chords", "test", tuple(map(tuple, CHORDS[::4])), 4)
    low, nobody = (
        score_pieces(model, [replace(music, composer=composer)])[0].nats for composer in ("low", "")
    )
    assert low < nobody
    assert like(bundle.load(data / "tiny"), "low").condition is None


def test_who_has_no_name_in_a_model_is_one_of_its_others(data: Path) -> None:
    model = replace(bundle.load(data / "tiny_blend"), condition_names=("low", OTHERS))
    assert like(model, "low").condition == pytest.approx([1, 0])
    assert like(model, "else").condition == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("model", "file", "options", "why"),
    [
        ("nothing", "jsb-chorales-16th.json", [], "model 'nothing': not found; there are: "),
        ("tiny", "nothing.mid", [], "nothing.mid: no such file or folder"),
        (
            "tiny",
            "jsb-chorales-16th.json",
            ["--split", "valid"],
            "no pieces of the split 'valid'; pieces there are: train 2, test 2",
        ),
        ("tiny", "jsb-chorales-16th.json", ["--split", "all"], "argument --split: invalid choice"),
        ("tiny_poly", "jsb-chorales-16th.json", [], "has steps of 4 to a beat, the model of 12"),
        ("tiny", "empty.json", [], "not a file of chorales (JSONDecodeError"),
        ("tiny", "empty", [], "neither MIDI files nor chorales"),
    ],
)
def test_what_is_wrong_is_one_line(
    data: Path,
    chorales: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    file: str,
    options: list[str],
    why: str,
) -> None:
    (chorales.parent / "empty.json").touch()
    (chorales.parent / "empty").mkdir()
    folder = str(data / model) if model != "nothing" else model
    assert main([folder, str(chorales.parent / file), *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert why in printed.err
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("evaluate: ")
