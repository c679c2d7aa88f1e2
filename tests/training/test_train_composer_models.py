import json
import subprocess
import sys
from pathlib import Path

import mido
import pytest
from neuralmidi import bundle
from neuralmidi.composer import Composer

ROOT = Path(__file__).parents[2]


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the trainer in a folder of its own, as a user would."""
    command = [sys.executable, "-m", "training.train_composer_models", *map(str, arguments)]
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'externals'}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One tiny training from MIDI files to a model, shared by the tests."""
    folder = tmp_path_factory.mktemp("training")
    for number in range(6):
        midi = mido.MidiFile(
            ROOT / "tests" / "data" / ("waltz.mid" if number % 2 else "round_in_two_voices.mid")
        )
        (folder / "dataset" / "Nobody").mkdir(parents=True, exist_ok=True)
        for track in midi.tracks:
            for place, message in enumerate(track):
                if message.type in ("note_on", "note_off"):
                    track[place] = message.copy(note=message.note + number)
        midi.save(folder / "dataset" / "Nobody" / f"{number}.mid")
    (folder / "dataset" / "Nobody" / "broken.mid").write_bytes(b"MThd")
    small = (
        "--epochs",
        2,
        "--seq_len",
        32,
        "--batch",
        4,
        "--units",
        16,
        "--width",
        8,
        "--vocabulary",
        200,
        "--threads",
        1,
    )
    done = run("--dataset", "dataset", "--out_models", "models", *small, folder=folder)
    return folder, done


def test_one_command_makes_a_model_that_plays(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = trained
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nobody/broken.mid: left out, not readable as MIDI" in done.stdout
    assert "epoch 2/2" in done.stdout
    loaded = bundle.load(folder / "models" / "nobody")
    assert (loaded.name, loaded.title) == ("nobody", "Nobody")
    composer = Composer(loaded, seed=1)
    assert any(composer.step(125.0).pitches for _ in range(64))


def test_the_description_tells_how_good_it_is_and_how_it_came_about(
    trained: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = trained
    description = json.loads((folder / "models" / "nobody" / "model.json").read_text())
    scores = {(each["split"], each["model"], each["metric"]): each["value"] for each in description["scores"]}
    assert len(scores) == 8
    assert all(value >= 0 for value in scores.values())
    assert "--epochs 2" in description["training"]["command"]
    assert description["training"]["hparams"]["units"] == 16
    assert description["quantisation"]["float32_equals_keras_within"] <= 1e-4
    assert description["music"]["real, validation pieces"]["polyphony"] > 1
    assert str(folder) not in json.dumps(description)


@pytest.mark.parametrize(("content", "what"), [(None, "no folder with MIDI files"), (b"MThd", "not trained")])
def test_no_usable_file_ends_with_what_to_do(tmp_path: Path, content: bytes | None, what: str) -> None:
    (tmp_path / "dataset" / "Nobody").mkdir(parents=True)
    if content:
        (tmp_path / "dataset" / "Nobody" / "broken.mid").write_bytes(content)
    done = run("--dataset", "dataset", "--out_models", "models", folder=tmp_path)
    assert done.returncode == 1
    assert what in done.stdout
    assert "Traceback" not in done.stderr


def test_help_shows_an_example() -> None:
    done = run("--help", folder=ROOT)
    assert done.returncode == 0
    assert "python -m training.train_composer_models --dataset dataset --out_models" in done.stdout
