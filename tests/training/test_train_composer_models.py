import csv
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from midi import midi_file, song
from networks import logits
from neuralmidi import bundle
from neuralmidi.composer import Composer

from training import statistics
from training.fit import BEST
from training.network import TOKEN, Network
from training.table import FOOTNOTE
from training.train_composer_models import main

ROOT = Path(__file__).parents[2]
WHERE = ("--dataset=dataset", "--out_models=models")
SMALL = ("--units=16", "--layers=1", "--width=16", "--batch=8", "--seq_len=64", "--warmup=3")


@dataclass(frozen=True)
class Told:
    """What a run of the trainer said, and how it ended."""

    code: int
    out: str
    error: str


def run(folder: Path, *arguments: object) -> Told:
    """Run the trainer in a folder of its own, as a user would."""
    command = [sys.executable, "-m", "training.train_composer_models", *map(str, arguments)]
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'externals'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=path)
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run the trainer in a folder of its own, but in this process: TensorFlow is there already."""

    def train(folder: Path, *arguments: object) -> Told:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(statistics, "EXCERPTS", 1)
        capsys.readouterr()
        try:
            code = main([str(word) for word in (*WHERE, *arguments)])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Told(code, *capsys.readouterr())

    return train


def make_dataset(folder: Path, composers: int = 1) -> None:
    for number in range(composers):
        name = ("Ann", "BobC")[number]
        for seed in range(6):
            notes = [
                (start, end, int(pitch))
                for start, end, pitch, _ in song(16, 9 * number + seed).notes.tolist()
            ]
            midi_file(folder / "dataset" / name / f"{seed}.mid", notes, velocities=(50, 90))
        (folder / "dataset" / name / "broken.mid").write_bytes(b"MThd")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """Two composers, each from MIDI files to a model."""
    folder = tmp_path_factory.mktemp("training")
    make_dataset(folder, composers=2)
    return folder, run(folder, *WHERE, "--threads=1", *SMALL, "--epochs=2", "--passes=2")


def test_one_command_makes_models_that_play(trained: tuple[Path, Told]) -> None:
    folder, told = trained
    assert told.code == 0, told.out + told.error
    assert "dataset/Ann/broken.mid: left out, not readable as MIDI" in told.out
    assert "4 pieces with 512 notes are little" in told.out
    assert told.out.count("epoch 2/2") == 2
    for name, title in (("ann", "Ann"), ("bob", "Bob")):
        loaded = bundle.load(folder / "models" / name)
        assert (loaded.name, loaded.title, loaded.steps_per_beat) == (name, title, 12)
        composer = Composer(loaded, seed=1)
        assert any(composer.step(125.0).pitches for _ in range(200))


def test_the_table_at_the_end_compares_with_counting(trained: tuple[Path, Told]) -> None:
    table, _ = trained[1].out.split(FOOTNOTE)
    *_, head, ann, bob = table.splitlines()
    assert head.split("  ")[0].strip() == "model"
    for name in ("nats/note", "chord 6-gram", "event 6-gram", "parameters", "MB", "ms/token"):
        assert name in head
    assert (ann.split()[0], bob.split()[0]) == ("ann", "bob")
    assert all(float(cell.replace(",", "")) > 0 for cell in ann.split()[1:8])


def test_the_description_tells_how_good_it_is_and_how_it_came_about(trained: tuple[Path, Told]) -> None:
    folder, _ = trained
    description = json.loads((folder / "models" / "ann" / "model.json").read_text())
    models = [each["model"] for each in description["scores"]]
    assert models == ["this model", "chord 6-gram", "event 6-gram"]
    assert all(each["nats_per_note"] > 0 and each["split"] == "valid" for each in description["scores"])
    command = description["training"]["command"]
    assert "--dataset dataset/dataset --out_models tflite_models --units 16" in command
    assert description["training"]["hparams"]["units"] == 16
    assert "CPU cores" in description["training"]["where"]
    assert description["quantisation"]["float32_equals_keras_within"] <= 1e-4
    assert description["music"]["polyphony"]["real"] > 1
    assert [len(each["files"]) for each in description["sources"]] == [5]  # all but one, and the broken one
    assert str(folder) not in json.dumps(description)


def test_pictures_logs_and_the_whole_network_lie_in_the_run(trained: tuple[Path, Told]) -> None:
    run = trained[0] / "runs" / "bob"
    for picture in ("curves.png", "roll.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    assert [*(run / "logs").rglob("events*")]
    with (run / "history.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    importlib.import_module("training.model")  # tells Keras of the classes that a file may hold
    network = keras.models.load_model(run / "model.keras")
    assert isinstance(network, Network)
    tokens = {TOKEN: np.arange(20, dtype=np.int32)[None]}
    again = Network.from_config(network.get_config())
    again.build()
    again.load_weights(run / BEST)
    assert np.array_equal(logits(network, tokens), logits(again, tokens))


def test_the_same_command_again_only_exports(trained: tuple[Path, Told], train: Callable[..., Told]) -> None:
    folder, _ = trained
    model = folder / "models" / "ann" / "model.tflite"
    before = model.read_bytes()
    model.unlink()
    told = train(folder, *SMALL, "--epochs=2", "--passes=2", "--composers", "Ann")
    assert "already trained" in told.out, told.error
    assert model.read_bytes() == before


def test_one_model_of_many_composers_is_a_base_for_each(
    trained: tuple[Path, Told], train: Callable[..., Told]
) -> None:
    folder, _ = trained
    together = train(folder, *SMALL, "--epochs=1", "--together=all", "--least_notes=10", "--slots=9")
    assert together.code == 0, together.out + together.error
    assert "2 composers" in together.out
    assert bundle.load(folder / "models" / "all").condition_names == ("ann", "bob")
    elsewhere = ("--composers=bob", "--out_models=fine", "--runs=runs/fine")
    fine = train(folder, *elsewhere, "--base=runs/all", "--epochs=1")
    assert fine.code == 0, fine.out + fine.error
    loaded = bundle.load(folder / "fine" / "bob")
    assert loaded.condition_names == ()
    told = bundle.load(folder / "models" / "all").description["training"]
    assert (loaded.description["training"]["base"], loaded.description["training"]["before"]) == ("all", told)
    assert [loaded.description["training"]["hparams"][name] for name in ("units", "slots")] == [16, 9]


def test_chords_can_be_trained_as_in_the_first_version(tmp_path: Path, train: Callable[..., Told]) -> None:
    make_dataset(tmp_path)
    told = train(tmp_path, *SMALL, "--tokenizer=chords", "--vocabulary=200", "--epochs=1", "--passes=2")
    assert told.code == 0, told.out + told.error
    loaded = bundle.load(tmp_path / "models" / "ann")
    assert (loaded.tokenizer.kind, loaded.steps_per_beat) == ("chords", 4)
    composer = Composer(loaded, seed=1)
    assert any(composer.step(125.0).pitches for _ in range(64))


@pytest.mark.slow
def test_a_smoke_test_goes_all_the_way(tmp_path: Path) -> None:
    make_dataset(tmp_path, composers=2)
    told = run(tmp_path, "--dataset", "dataset", "--out_models", "models", "--composers", "Ann", "--smoke")
    assert told.code == 0, told.out + told.error
    assert bundle.load(tmp_path / "models" / "ann").description["training"]["command"].endswith("--smoke")


@pytest.mark.parametrize(
    ("content", "code", "what"), [(None, 2, "no folder with MIDI"), (b"MThd", 1, "add MIDI files")]
)
def test_no_usable_file_ends_with_what_to_do(
    tmp_path: Path, train: Callable[..., Told], content: bytes | None, code: int, what: str
) -> None:
    (tmp_path / "dataset" / "Nobody").mkdir(parents=True)
    if content:
        for number in range(3):
            (tmp_path / "dataset" / "Nobody" / f"{number}.mid").write_bytes(content)
    told = train(tmp_path)
    assert told.code == code
    assert what in told.out + told.error
    assert "Traceback" not in told.error


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--base", "runs/none"], "name the folder of a training run"),
        (["--strategy", "multiworker"], "no TF_CONFIG"),
        (["--split", "none.csv"], "no such file"),
        (["--composers", "Zoe"], "no MIDI files of these composers"),
        (["--tokenizer", "drums"], "invalid choice: 'drums'"),
        (["--units", "many"], "--help shows what there is"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_a_line(
    tmp_path: Path, train: Callable[..., Told], arguments: list[str], what: str
) -> None:
    make_dataset(tmp_path)
    told = train(tmp_path, *arguments)
    assert told.code == 2
    assert what in told.error
    assert "Traceback" not in told.error


def test_help_shows_an_example(tmp_path: Path, train: Callable[..., Told]) -> None:
    told = train(tmp_path, "--help")
    assert told.code == 0
    assert "python -m training.train_composer_models --dataset dataset --out_models" in told.out
