import json
import shutil
from pathlib import Path

import pytest
from neuralmidi import bundle
from neuralmidi.errors import NeuralMIDIError

from training.gallery import main
from training.page import HEADING, write

DISTANCES = {
    "degrees_distance": {"generated": 0.3, "training": 0.1},
    "intervals_distance": {"generated": 0.2, "training": 0.15},
    "durations_distance": {"generated": 0.1, "training": 0.2},
}


@pytest.fixture
def models(tmp_path: Path, data: Path) -> Path:
    """A folder of two models, one of which was compared with real music."""
    for name in ("tiny", "tiny_poly"):
        shutil.copytree(data / name, tmp_path / name)
    description = json.loads((tmp_path / "tiny" / "model.json").read_text())
    (tmp_path / "tiny" / "model.json").write_text(json.dumps({**description, "music": DISTANCES}))
    return tmp_path


def test_each_model_is_shown_below_what_was_written_by_hand(models: Path) -> None:
    page = models / "README.md"
    page.write_text(f"# Ours\n\nBy hand.\n\n{HEADING}\n\nof last year\n")
    assert main(["--page", str(models)]) == 0
    for name in bundle.available([models]):
        assert f"({name}/roll.png)" in page.read_text()
        assert 0 < (models / name / "roll.png").stat().st_size < 40_000
    above, below = page.read_text().split(HEADING)
    assert above == "# Ours\n\nBy hand.\n\n"
    assert "last year" not in below
    assert (
        "Most like real music: how long its notes are (10%, training music 20%); "
        "least: which notes of its key it takes (30%, training music 10%)."
    ) in below
    written = page.read_text()
    write(models)
    assert page.read_text() == written


def test_a_folder_without_models_gets_no_page(tmp_path: Path) -> None:
    with pytest.raises(NeuralMIDIError, match="no models in it"):
        write(tmp_path)
    assert not [*tmp_path.iterdir()]
