import json
import shutil
from pathlib import Path

import pytest
from neuralmidi.errors import NeuralMIDIError

from training.corpora import read


@pytest.fixture
def dataset(tmp_path: Path, data: Path) -> Path:
    """Two composers' MIDI files and a split.csv that leaves one of them out."""
    rows = ["file,composer,split"]
    for composer in ("Bach", "Haydn__Joseph"):
        for number, split in enumerate(("train", "valid", "test", "")):
            path = tmp_path / "quartet" / composer / f"op. {number}" / f"{number}.mid"
            path.parent.mkdir(parents=True)
            shutil.copy(data / ("waltz.mid" if number % 2 else "round_in_two_voices.mid"), path)
            rows += [f"{path.relative_to(tmp_path)},{composer},{split}"] if split else []
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "quartet"


def test_a_folder_of_midi_files_is_split_by_the_list_above_it(dataset: Path) -> None:
    corpus = read(dataset, 12, ["haydn", "chopin"])
    assert {split: len(part) for split, part in corpus.parts.items()} == {"train": 2, "valid": 2, "test": 2}
    assert corpus.clean == frozenset()
    assert [(piece.name, piece.composer) for piece in corpus.parts["valid"]] == [
        ("Bach/op. 1/1.mid", ""),
        ("Haydn__Joseph/op. 1/1.mid", "haydn"),
    ]
    one = read(dataset / "Haydn__Joseph", 12, ["haydn"])
    assert [(piece.name, piece.composer) for piece in one.parts["test"]] == [("op. 2/2.mid", "haydn")]


def test_without_a_list_some_are_held_out(dataset: Path) -> None:
    (dataset.parent / "split.csv").unlink()
    corpus = read(dataset, 12)
    assert {split: len(part) for split, part in corpus.parts.items()} == {"train": 6, "valid": 1, "test": 1}


def test_a_bad_file_is_reported_and_left_out(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "Bach" / "op. 0" / "0.mid").write_bytes(b"MThd")
    assert len(read(dataset, 12).parts["train"]) == 1
    assert "Bach/op. 0/0.mid: left out, not readable as MIDI" in capsys.readouterr().err


def test_chorales_come_with_the_names_of_those_that_are_new(tmp_path: Path) -> None:
    scale, other = ([[48, 60 + step * leap % 11] for step in range(40)] for leap in (1, 3))
    chorales = {"train": [scale], "valid": [other, scale], "test": [other]}
    (tmp_path / "jsb-chorales-16th.json").write_text(json.dumps(chorales))
    for data in (tmp_path, tmp_path / "jsb-chorales-16th.json"):
        corpus = read(data, 4)
        assert {split: len(part) for split, part in corpus.parts.items()} == {
            "train": 1,
            "valid": 2,
            "test": 1,
        }
        assert corpus.clean == {"jsb-chorales-16th.json valid 0", "jsb-chorales-16th.json test 0"}


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere", "no such file or folder"), (".", "neither MIDI files nor chorales")]
)
def test_nothing_to_read_is_an_error(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        read(tmp_path / name, 4)


def test_a_list_that_is_none_is_an_error(dataset: Path) -> None:
    (dataset.parent / "split.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NeuralMIDIError, match=r"split\.csv"):
        read(dataset, 12)
