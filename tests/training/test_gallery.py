import shutil
import wave
from pathlib import Path

import mido
import pytest
from neuralmidi import bundle

from training.gallery import main, record


@pytest.fixture
def dataset(tmp_path: Path, data: Path) -> Path:
    for number in range(3):
        (tmp_path / "dataset" / "Tiny").mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "waltz.mid", tmp_path / "dataset" / "Tiny" / f"{number}.mid")
    return tmp_path / "dataset"


@pytest.mark.parametrize("name", ["tiny", "tiny_poly"])
def test_there_is_a_minute_to_listen_to_and_a_picture(
    tmp_path: Path, data: Path, dataset: Path, name: str
) -> None:
    out = tmp_path / "out"
    asked = ["--out", str(out), "--composers", str(data / name), "--dataset", str(dataset), "--tempo", "90"]
    assert main(asked) == 0
    assert sorted(file.name for file in out.iterdir()) == [f"{name}.mid", f"{name}.png"]
    length = mido.MidiFile(out / f"{name}.mid").length
    assert 55 < length <= 62
    assert 0 < (out / f"{name}.png").stat().st_size < 60_000


def test_pure_data_plays_it(tmp_path: Path, data: Path) -> None:
    record(tmp_path / "tiny.wav", bundle.load(data / "tiny"), 1, 1, 240)
    with wave.open(str(tmp_path / "tiny.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() >= 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--composers", "nobody"], "model 'nobody': not found"),
        (["--tempo", "fast"], "tempo"),
        (["--seed", "-1"], "seed"),
        (["--split", "nothing.csv", "--dataset", "."], "nothing.csv"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    assert main(["--out", str(tmp_path), "--composers", str(data / "tiny"), *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("gallery: ")
    assert why in said
    assert said.count("\n") == 1
