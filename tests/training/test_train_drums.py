import json
from pathlib import Path

import pytest
from midi import groove
from neuralmidi import bundle
from neuralmidi.composer import Composer

from training import evaluate, exam, rhythm
from training.train_drums import main

SMALL = (
    "--smoke",
    "--units=32",
    "--layers=1",
    "--width=16",
    "--epochs=2",
    "--passes=1",
    "--warmup=2",
    "--batch=4",
)
STYLES = ("fill", "funk", "rock")


def train(folder: Path, *arguments: str) -> int:
    if not (folder / "groove").exists():
        groove(folder / "groove")
    common = ("--dataset", folder / "groove", "--out_models", folder / "models", "--runs", folder / "runs")
    return main([*map(str, (*common, *SMALL, *arguments))])


def test_a_drummer_is_trained_proven_scored_and_plays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "1 performances that are not in 4/4 are left out" in printed
    assert "256 streamed steps through LiteRT equal Keras within" in printed
    model = bundle.load(tmp_path / "models" / "drums")
    told = model.description
    assert model.condition_names == STYLES
    assert (model.tokenizer.kind, model.tokenizer.percussive, model.steps_per_beat) == ("drums", True, 4)
    own, counting, copying = told["scores"]
    assert (own["steps"], own["pieces"]) == (2 * 16 * (8 + 1), 4)
    assert own["perplexity"] > 1 < counting["perplexity"]
    assert 0 <= own["accuracy"] <= 1 >= copying["accuracy"] > 0.5
    assert set(told["music"]["hits_per_bar"]) == {"real", "training", "generated"}
    assert told["training"]["hparams"]["smoothing"] > 0
    assert (tmp_path / "runs" / "drums" / "roll.png").stat().st_size > 10_000
    composer = Composer(model)
    composer.blend("funk", 0.7, "rock", 0.3, wish="style")
    composer.fill("every", 2)
    events = [event for _ in range(64) for event in composer.step(125).events]
    assert events
    assert {event.channel for event in events} == {10}

    monkeypatch.setattr(rhythm, "EXCERPTS", 1)
    monkeypatch.setattr(exam, "FILLED", 1)
    data = str(tmp_path / "groove")
    assert evaluate.main([str(tmp_path / "models" / "drums"), data, "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed.splitlines()[-1])["perplexity"] == pytest.approx(own["perplexity"], abs=1e-3)
    for words in ("F1 of hits: kick", "timing: mean error", "copying the bar before", "20 bars"):
        assert words in printed
    assert train(tmp_path) == 0
    assert "already trained" in capsys.readouterr().out


def test_single_bars_are_a_benchmark_that_is_not_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--bars") == 0
    model = bundle.load(tmp_path / "models" / "benchmark_groove")
    assert model.description["benchmark"] is True
    assert model.condition_names == ()
    assert {"published_perplexity", "published_accuracy"} <= set(model.description["scores"][0])
    assert model.description["training"]["command"].count("--bars") == 1
    assert bundle.available([tmp_path / "models"]) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--base", "runs/all"), "nobody else's model plays drums"),
        (("--dataset", "nowhere"), "neither info.csv"),
    ],
)
def test_what_cannot_be_trained_is_said(
    tmp_path: Path, arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, *arguments) == 2
    assert why in capsys.readouterr().err
