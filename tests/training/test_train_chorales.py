import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from neuralmidi import bundle

from training import chorales
from training.fit import read_history
from training.likelihood import Score
from training.scores import score_pieces
from training.train_chorales import main

SMALL = ("--smoke", "--units=8", "--layers=1", "--width=8", "--epochs=1", "--passes=1", "--warmup=2")


def make_chorales(folder: Path) -> Path:
    """Both grids of the same pieces: four voices that walk, each a step now and then."""
    parts = {}
    for split, many in (("train", 8), ("valid", 2), ("test", 1)):
        rng = np.random.default_rng(many)
        walks = rng.choice([-2, 0, 0, 0, 2], (many, 64, 4)).cumsum(1) + np.array([45, 55, 62, 69])
        parts[split] = np.sort(walks, axis=2)
    folder.mkdir()
    for grid, name in chorales.FILES.items():
        pieces = {split: part[:, :: 4 // grid].tolist() for split, part in parts.items()}
        (folder / name).write_text(json.dumps(pieces))
    return folder


def train(folder: Path, *arguments: object) -> int:
    common = ("--dataset", folder / "jsb", "--out_models", folder / "models", "--runs", folder / "runs")
    return main([*map(str, (*common, *SMALL, *arguments))])


def test_two_networks_become_one_benchmark_and_the_base_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_chorales(tmp_path / "jsb")
    assert train(tmp_path, "--members", 2, "--keys", 3, "--slots", 9) == 0
    assert "train 8 pieces" in capsys.readouterr().out
    for member in ("m0", "m1"):
        assert len(read_history(tmp_path / "runs" / "benchmark_jsb16" / member)) == 1
    model = bundle.load(tmp_path / "models" / "benchmark_jsb16")
    told = model.description
    assert told["benchmark"] is True
    assert (model.steps_per_beat, [each["seed"] for each in told["training"]["members"]]) == (4, [1, 2])
    assert {word.split()[0] for word in model.tokenizer.vocabulary} == {"<start>", "wait", "off", "on"}
    assert [each["licence"] for each in told["sources"]] == ["none named; a benchmark only"]
    assert told["sources"][0]["files"] == [{"file": f"jsb/{chorales.FILES[4]}"}]
    assert "--out_models tflite_models --members 2" in told["training"]["command"]
    valid = [each for each in chorales.read(data / chorales.FILES[4], 4) if each.split == "valid"]
    score = sum(score_pieces(model, valid), Score())
    assert (score.pieces, score.steps) == (2, 2 * 64)
    assert score.nats_per_step == pytest.approx(told["scores"][0]["nats_per_step"], abs=1e-4)

    base = tmp_path / "runs" / "benchmark_jsb16" / "m0"
    assert train(tmp_path, "--steps_per_beat", 1, "--base", base) == 0
    assert "train 8 pieces" in capsys.readouterr().out
    model = bundle.load(tmp_path / "models" / "benchmark_jsb4")
    assert model.steps_per_beat == 1
    assert (model.description["training"]["base"], model.description["training"]["seed"]) == (
        "benchmark_jsb16/m0",
        1,
    )
    assert " --base runs/benchmark_jsb16/m0 " in model.description["training"]["command"]
    assert model.description["scores"][0]["steps"] == 2 * 16
    assert model.description["training"]["hparams"]["slots"] == 9

    assert train(tmp_path, "--members", 2, "--keys", 3, "--slots", 9) == 0
    assert capsys.readouterr().out.count("already trained") == 2


def test_other_music_is_heard_besides_and_runs_decide_together(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_chorales(tmp_path / "jsb")
    other = tmp_path / "quartet" / "Nobody"
    other.mkdir(parents=True)
    shutil.copy(data / "round_in_two_voices.mid", other)
    table = tmp_path / "sources.json"
    table.write_text(json.dumps({"quartet": {"name": "Rounds", "licence": "CC0", "attribution": "none"}}))
    beside = ("--beside", other.parent, "--sources", table)
    assert train(tmp_path, *beside) == 0, capsys.readouterr().err
    assert "train 9 pieces" in capsys.readouterr().out

    run = tmp_path / "runs" / "benchmark_jsb16" / "m0"
    assert train(tmp_path, *beside, "--ensemble", run, run) == 0, capsys.readouterr().err
    told = bundle.load(tmp_path / "models" / "benchmark_jsb16").description
    assert [each["licence"] for each in told["sources"]] == ["none named; a benchmark only", "CC0"]
    assert {state["name"][:3] for state in told["states"]} == {"m0_", "m1_"}
    assert "--ensemble runs/benchmark_jsb16/m0 runs/benchmark_jsb16/m0" in told["training"]["command"]
    assert " --beside dataset/quartet " in told["training"]["members"][0]["command"]

    assert train(tmp_path, "--ensemble", run, "--steps_per_beat", 1) == 2
    assert "its tokens or its composers are not those of benchmark_jsb4" in capsys.readouterr().err
    (run / "training.json").unlink()
    assert train(tmp_path, "--ensemble", run) == 2
    assert "nothing tells how it was trained / give the command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--dataset", "nowhere"], "nowhere: no chorales in it / get jsb-chorales-16th.json"),
        (["--members", 0], "--members: 0 is not from 1 to 16"),
        (["--steps_per_beat", 12], "has steps of"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(
    tmp_path: Path, arguments: list[object], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_chorales(tmp_path / "jsb")
    assert train(tmp_path, *arguments) == 2
    assert what in capsys.readouterr().err
