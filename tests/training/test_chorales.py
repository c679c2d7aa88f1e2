import json
from pathlib import Path

import pytest
from neuralmidi.errors import NeuralMIDIError

from training.chorales import FILES, clean, find, piece, read, sources
from training.likelihood import sounding

SCALE = tuple((48, 60 + step) for step in range(24))


def chorales(path: Path, **parts: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(parts))
    return path


def test_what_sounds_is_what_the_file_says(tmp_path: Path) -> None:
    steps = [[60, 64.0, 64], [64, 60], [], [0, 62, -1], [62], []]
    path = chorales(tmp_path / "some.json", valid=[steps, [[70]]], test=[[[50], [50]]])
    pieces = read(path, 4)
    assert [(each.name, each.split) for each in pieces] == [
        ("some.json valid 0", "valid"),
        ("some.json valid 1", "valid"),
        ("some.json test 0", "test"),
    ]
    assert sounding(pieces[0], 4) == [(60, 64), (60, 64), (), (62,), (62,), ()]
    assert pieces[0].notes.tolist() == [[0, 0.5, 60, 0], [0, 0.5, 64, 0], [0.75, 1.25, 62, 0]]
    assert (pieces[0].end, pieces[0].metres) == (1.5, ())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1, 2]",
        '{"train": 5}',
        '{"train": [[5]]}',
        '{"train": [[["a"]]]}',
        '{"train": [[[128]]]}',
        "[" * 9999,
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(NeuralMIDIError, match=r"x\.json: not a file of chorales"):
        read(path, 4)


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NeuralMIDIError, match="cannot be read: No such file"):
        read(tmp_path / "x.json", 4)


def test_the_file_is_that_of_the_models_grid(tmp_path: Path) -> None:
    assert find(tmp_path, 4) is None
    quarter = chorales(tmp_path / FILES[1])
    assert find(tmp_path, 1) == find(quarter, 1) == quarter
    for wrong in (tmp_path, quarter):
        with pytest.raises(NeuralMIDIError, match="has steps of 1 to a beat, the model of 4"):
            find(wrong, 4)
    sixteenth = chorales(tmp_path / FILES[4])
    assert find(tmp_path, 4) == sixteenth
    with pytest.raises(NeuralMIDIError, match="of 4 to a beat or 1 to a beat, the model of 12"):
        find(tmp_path, 12)
    assert find(tmp_path / "mine.json", 12) == tmp_path / "mine.json"  # its grid is not known


def test_a_melody_of_the_training_part_is_known_in_every_key_and_rhythm() -> None:
    train = piece("train", "train", SCALE, 4)
    higher = tuple((50, 50 + pitch) for _, pitch in SCALE for _ in range(2))
    same = piece("same", "test", tuple((40, pitch - 20) for _, pitch in higher), 4)
    other = piece("other", "test", tuple((48, 60 + step * 5 % 7) for step in range(24)), 4)
    short = piece("short", "test", SCALE[:16], 4)
    assert clean([train, same, other, short], [train]) == {"other", "short"}


def test_a_model_is_trained_on_the_pieces_of_one_file(tmp_path: Path) -> None:
    chord = [40, 50, 60, 70]
    path = chorales(tmp_path / FILES[1], train=[[chord, chord]], valid=[[chord]])
    made = sources(path, 1)
    assert [(each.name, each.split, each.composer) for each in made] == [
        (f"{FILES[1]} train 0", "train", "bach"),
        (f"{FILES[1]} valid 0", "valid", "bach"),
    ]
    assert {each.file for each in made} == {f"{tmp_path.name}/{FILES[1]}"}
    assert sounding(made[0].read(None, print), 1) == [tuple(chord)] * 2
