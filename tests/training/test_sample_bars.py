"""Bars sampled from an untrained drummer, in LiteRT as it plays live."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from networks import DRUMS, write_drummer
from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import KIT

from training.bars import STEPS, Bar, read
from training.sample_bars import load, main, sample_bars


@pytest.fixture(scope="module")
def drummer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drummer(tmp_path_factory.mktemp("models") / "drummer")


@pytest.fixture(scope="module")
def model(drummer: Path) -> Bundle:
    return load(str(drummer))


def played(model: Bundle, style: Sequence[object] = (), count: int = 4, **options: float) -> list[Bar]:
    return list(islice(sample_bars(model, style, **options), count))  # type: ignore[arg-type]


def tokens(bars: Sequence[Bar]) -> list[int]:
    return [DRUMS.vocabulary.index(word) for bar in bars for word in bar.tokens]


def test_the_command_writes_a_bar_per_line(tmp_path: Path, drummer: Path) -> None:
    out = tmp_path / "bars.jsonl"
    asked = ["--num_bars", "32", "--temperature", "0.9", "--top_k", "10", "--style", "rock"]
    assert main(["--model", str(drummer), *asked, "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["bar"] for line in lines] == list(range(32))
    assert {(line["model"], line["style"]) for line in lines} == {("drummer", "rock")}
    assert [path.name for path in tmp_path.iterdir()] == ["bars.jsonl"]
    assert len(read(out)) == 32


def test_without_a_file_it_prints_them(
    drummer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["--model", str(drummer), "--num_bars", "2", "--style", "funk", "0.5", "rock", "1.5"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert main([*asked, "--out", "-"]) == 0
    assert capsys.readouterr().out == said
    (tmp_path / "bars.jsonl").write_text(said)
    assert [bar.style for bar in read(tmp_path / "bars.jsonl")] == ["funk 0.5 rock 1.5"] * 2


def test_the_hits_are_what_the_tokens_say(model: Bundle) -> None:
    bars = played(model, count=8)
    said = tokens(bars)
    assert not {*said} & {*DRUMS.unmusical}
    notes, _ = DRUMS.decode_piece([DRUMS.start, *said])
    told = [
        (max(16 * number + step + hit.late, 0) / 4, KIT[hit.place].pitch, hit.velocity)
        for number, bar in enumerate(bars)
        for step in range(STEPS)
        for hit in bar.steps[step]
    ]
    assert len(told) > 100
    assert sorted(told) == sorted((note.start, note.pitch, note.velocity) for note in notes)


def test_a_bar_follows_from_those_before_it(model: Bundle) -> None:
    """Where the likeliest is taken, it is what the model says to all that it has played since the start."""
    bars = played(model, ["funk"], 3, top_k=1)
    condition = np.array([0, 1, 0], np.float32)
    state, last = model.model.initial_state(), DRUMS.start
    for token in tokens(bars):
        logits, state = model.model.step(state, last, condition)
        logits[list(DRUMS.unmusical)] = -np.inf
        assert token == logits.argmax()
        last = token


def test_the_same_seed_gives_the_same_bars(model: Bundle) -> None:
    assert played(model, ["rock"], seed=1) == played(model, ["rock"], seed=1)
    assert tokens(played(model, ["rock"], seed=1)) != tokens(played(model, ["rock"], seed=2))
    first = played(model, top_k=1, seed=1)
    assert first == played(model, top_k=1, seed=2)  # the likeliest is left to no chance
    assert tokens(first) != tokens(played(model, top_k=0, seed=1))
    assert first == played(model, top_p=0.05, temperature=0.1)


def test_the_style_is_heard(model: Bundle) -> None:
    greedy = {
        " ".join(map(str, style)): tokens(played(model, style, top_k=1))
        for style in ([], ["rock"], ["funk"], ["funk", 1.0, "rock", 1.0])
    }
    assert len({*map(tuple, greedy.values())}) == 4
    rock = greedy["rock"]
    assert rock == tokens(played(model, ["rock", 3.0], top_k=1))
    assert rock == tokens(played(model, ["rock", 1.0, "funk", 0.0], top_k=1))


def test_a_step_ends_whatever_the_model_wants(model: Bundle) -> None:
    """Even if it says nothing of what can follow."""

    class Babble:
        def initial_state(self) -> None:
            return None

        def step(self, state: None, token: int, condition: object = None) -> tuple[object, None]:
            return np.zeros(len(DRUMS.vocabulary), np.float32), None

    babbling = replace(model, model=Babble())  # type: ignore[arg-type]
    for bar in played(babbling, count=20, temperature=2.0):
        assert len(bar.steps) == STEPS
        assert len(bar.tokens) == STEPS + 2 * sum(map(len, bar.steps))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--style", "polka"], "polka is not a style that this model knows / choose among funk, rock"),
        (["--style", "fill"], "fill is not a style that this model knows / choose among funk, rock"),
        (["--style", "rock", "0", "funk", "0"], "all weights are 0"),
        (["--style", "rock", "-1"], "-1 is outside 0 to 1000"),
        (["--style", "rock", "nan"], "nan is outside 0 to 1000"),
        (["--style", "0.5", "rock"], "0.5 is not a style"),
        (["--style", "rock", "rock"], "rock occurs twice"),
        (["--num_bars", "0"], "num_bars: 0 is outside 1 to 10000"),
        (["--num_bars", "1.5"], "num_bars: 1.5 is not a whole number"),
        (["--temperature", "0"], "temperature: 0 is outside 0.1 to 2.0"),
        (["--top_k", "-1"], "top_k: -1 is outside"),
        (["--top_p", "2"], "top_p: 2 is outside"),
        (["--seed", "x"], "seed: x is not a number"),
        (["--out", "nowhere/bars.jsonl"], "nowhere/bars.jsonl: cannot be written"),
        (["--model", "nobody"], "model 'nobody': not found; there are: "),
        (["--beat"], "unrecognized arguments: --beat"),
    ],
)
def test_what_is_wrong_is_one_line(
    drummer: Path, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    assert main(["--model", str(drummer), "--num_bars", "1", *options]) == 2
    said, error = capsys.readouterr()
    assert not said
    assert error.startswith("sample_bars: ")
    assert why in error
    assert error.count("\n") == 1


def test_a_pianist_plays_no_drums(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(data / "tiny_poly")]) == 2
    assert "tiny_poly: plays no drums: its tokens are of the kind poly / choose" in capsys.readouterr().err


def test_another_grid_has_no_bar_of_16_steps(drummer: Path, tmp_path: Path) -> None:
    description = json.loads((drummer / bundle.DESCRIPTION).read_text())
    description["grid"]["steps_per_beat"] = 12
    bundle.write(tmp_path / "fine", (drummer / bundle.WEIGHTS).read_bytes(), description)
    with pytest.raises(NeuralMIDIError, match="has 48 steps in a bar, not 16 / train it"):
        played(load(str(tmp_path / "fine")))


def test_a_drummer_of_no_style_takes_none(tmp_path: Path) -> None:
    model = load(str(write_drummer(tmp_path / "one", styles=())))
    assert len(played(model)) == 4
    with pytest.raises(NeuralMIDIError, match="style: this model is of one style"):
        played(model, ["rock"])
