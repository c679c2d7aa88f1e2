"""The benchmark measures what it says, and its tables are whole. What the figures are is no test's matter."""

from pathlib import Path
from time import sleep

import numpy as np
import pytest
from networks import logits, network, tokens

from training.bench import __main__ as bench
from training.bench.music import music
from training.bench.pace import ROUNDS, in_turns
from training.bench.throughput import ways
from training.bench.windows import WINDOW, LastOnly, Original
from training.concert import Batch, windows
from training.fit import arguments
from training.network import TOKEN
from training.settings import USUAL, settings_from

TINY = settings_from({"units": 16, "layers": 2, "width": 8, "batch": 3, "seq_len": 100})


def test_each_has_its_turn() -> None:
    done: list[str] = []

    def act(name: str) -> None:
        done.append(name)
        sleep(0.002)

    times = in_turns({name: lambda name=name: act(name) for name in "ab"}, seconds=0.03)  # type: ignore[misc]
    turns = [name for name, before in zip(done, ["", *done], strict=False) if name != before]
    assert turns == [*"ab"] * ROUNDS
    assert all(each >= 2 for times_of_one in times.values() for each in times_of_one)
    assert len(done) == sum(map(len, times.values())) + 2 * ROUNDS  # the first of each turn is not timed


@pytest.mark.parametrize("trunk", ["lstm", "attention"])
def test_a_network_that_is_asked_for_the_last_token_says_the_same(trunk: str) -> None:
    made = network("poly", trunk)
    window = {TOKEN: tokens("poly")[None, :WINDOW]}
    whole, last = (logits(model, window) for model in (made, LastOnly(made)))
    assert last.shape == (1, 1, whole.shape[-1])
    assert np.allclose(last[:, 0], whole[:, -1], atol=1e-5)


def test_both_ways_learn_from_the_same_music(tmp_path: Path) -> None:
    heard = music(TINY, tmp_path)
    corpus = heard.corpus("train")
    every, same, plain = ways(TINY, heard, updates=1)
    assert (every.targets, same.targets, plain.targets) == (100, 1, 1)
    batch = every.concert(corpus, heard.representation, heard.conditions, TINY).batch(0, 0)
    last = same.concert(corpus, heard.representation, heard.conditions, TINY).batch(0, 0)
    assert np.array_equal(last.tokens, batch.tokens)
    assert np.array_equal(last.targets[:, 0], batch.targets[:, -1])
    whole = windows(corpus, heard.representation, heard.conditions)
    valid = Batch(*(array[:, :9] for array in vars(whole).values()))
    for way in (every, same, plain):
        inputs, targets, weights = arguments(way.valid(valid))
        said = logits(way.build(), inputs)
        assert said.shape == (*targets.shape, len(heard.representation.tokenizer.vocabulary))
        assert weights.shape == targets.shape


def test_the_original_is_as_large_as_it_says() -> None:
    embedding, said = 50 * 8, 16 * 50 + 50
    stack = 4 * 16 * (8 + 16 + 1) + 4 * 16 * (16 + 16 + 1)
    assert Original(TINY, 50).count_params() == embedding + stack + said


@pytest.mark.slow
def test_three_whole_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "QUICK", bench.Length(0.02, 1))
    monkeypatch.setitem(USUAL, "poly", {"batch": 2, "seq_len": WINDOW})
    assert bench.main(["lstm-1x16@4", "--original", "gru-1x16@4", "--quick", "--markdown"]) == 0
    head, *tables = capsys.readouterr().out.strip().split("\n\n")
    for word in ("processor", "cores", "load average before", "LiteRT", "Keras", "load average after"):
        assert word in head
    cells = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for table in tables
    ]
    assert [rows[0] for rows in cells] == [[*bench.TOKENS], [*bench.PREDICT], [*bench.TRAINING]]
    rows, predicted, training = (table[2:] for table in cells)
    assert [row[:2] for row in rows] == [["lstm-1x16@4", "float32"], ["lstm-1x16@4", "int8"]]
    assert [row[0].split(", ")[1] for row in predicted] == ["plain layers", "lstm-1x16@4"]
    assert training[0][-1] == "1.0"
    assert [row[1] for row in training] == ["128", "2", "2"]
    figures = [cell for row in (*rows, *predicted, *training) for cell in row[2:]]
    assert all(float(cell.replace(",", "")) >= 0 for cell in figures)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["lstm"], "not of the form"),
        (["chords-lstm-2x256"], "training.compare"),
        (["lstm-1x16", "--original", "attention-1x32"], "choose one of lstm or gru"),
        (["--slow"], "--help shows"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(arguments) == 2
    assert why in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--help"])
    assert "python -m training.bench --quick" in capsys.readouterr().out
