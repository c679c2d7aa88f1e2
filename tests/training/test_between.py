import shutil
from pathlib import Path

import pytest
from neuralmidi import bundle

from training.between import SHARES, main


@pytest.fixture
def models(tmp_path: Path, data: Path) -> Path:
    """A model of two composers, and one of each alone."""
    shutil.copytree(data / "tiny_blend", tmp_path / "all")
    tflite = (tmp_path / "all" / "model.tflite").read_bytes()
    for name in ("low", "high"):
        description = {"name": name, "title": name, "weights": {"of": "all", "condition": {name: 1}}}
        bundle.write(tmp_path / name, tflite, description)
    return tmp_path


def test_the_nearer_a_blend_is_to_a_composer_the_likelier_it_is_to_that_composers_model(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(models / name) for name in ("low", "high")]
    picture = models / "between.png"
    asked = [*names, "--base", str(models / "all"), "--excerpts", "1", "--out", str(picture)]
    assert main(asked) == 0
    rows = {line.split()[0]: [*map(float, line.split()[1:])] for line in capsys.readouterr().out.splitlines()}
    low, high = rows["low"], rows["high"]
    assert len(low) == len(high) == len(SHARES)
    assert low[0] < low[4] < low[-1]
    assert high[0] > high[4] > high[-1]
    assert rows["difference"][0] == pytest.approx(high[0] - low[0], abs=0.002)
    assert 0 < picture.stat().st_size < 60_000


def test_a_model_that_blends_nobody_is_refused(
    models: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        str(models / "low"),
        str(models / "high"),
        "--base",
        str(data / "tiny"),
        "--out",
        str(models / "x.png"),
    ]
    assert main(asked) == 2
    assert capsys.readouterr().err.startswith("between: ")
