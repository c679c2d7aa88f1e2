import json
import math
from pathlib import Path

import pytest
from midi import midi_file, song
from neuralmidi import bundle

from training.compare import COLUMNS, main
from training.scores import thinned
from training.settings import settings_from
from training.trial import EPOCHS, spend

SMALL = ("--batch=4", "--seq_len=32", "--width=8", "--tokens=2000", "--vocabulary=40", "--seconds=0.03")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    for number, name in enumerate(("Ann", "Bob")):
        for seed in range(4):
            notes = [(start, end, int(pitch)) for start, end, pitch, _ in song(8, 4 * number + seed).notes]
            midi_file(folder / "dataset" / name / f"{seed}.mid", notes)
    return folder


def compare(folder: Path, *arguments: str) -> int:
    return main([*SMALL, "--dataset", str(folder / "dataset"), "--runs", str(folder / "runs"), *arguments])


@pytest.mark.slow
def test_variants_side_by_side_and_the_second_time_without_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("lstm-1x8@4", "chords-gru-1x8@4")
    assert compare(folder, *names, "--markdown") == 0
    first = capsys.readouterr()
    assert first.err.count("epoch ") >= 2 * EPOCHS
    head, table = first.out.strip().split("\n\n")
    for word in ("ann, bob", "2,000 tokens", "trained by", "LiteRT", "load average before"):
        assert word in head
    heading, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert heading == [*COLUMNS]
    assert [row[0] for row in rows] == list(names)
    for row in rows:
        figures = dict(
            zip(heading[1:], (float(cell.strip("%").replace(",", "")) for cell in row[1:]), strict=True)
        )
        assert all(map(math.isfinite, figures.values()))
        assert figures["nats/beat"] == pytest.approx(4 * figures["nats/step"], abs=0.003)
        assert figures["moved"] > 0  # thirds of a beat
    assert compare(folder, names[0]) == 0
    second = capsys.readouterr()
    assert "already trained" in second.err
    assert "epoch " not in second.err
    scored = json.loads((folder / "runs" / names[0] / "trial.json").read_text())["scores"]["float32"]
    assert f"{scored['nats_per_note']:.3f}" in second.out


def test_what_was_scored_can_be_played_and_is_no_composer(folder: Path) -> None:
    if not (folder / "runs").exists():
        compare(folder, "lstm-1x8@4")
    run = folder / "runs" / "lstm-1x8@4"
    loaded = bundle.load(run / "int8")
    assert loaded.condition_names == ("others",)
    assert loaded.steps_per_beat == 4
    assert bundle.available([run]) == []


@pytest.mark.parametrize(
    ("tokens", "batch", "seq_len"), [(2_000_000, 64, 256), (2_000_000, 32, 64), (5000, 8, 64)]
)
def test_every_variant_hears_as_many_tokens(tokens: int, batch: int, seq_len: int) -> None:
    heard = 123_456
    settings = spend(settings_from({"batch": batch, "seq_len": seq_len}), tokens, heard)
    updates = settings.epochs * round(settings.passes * heard / (batch * seq_len))  # as a concert has them
    assert updates * batch * seq_len == pytest.approx(tokens, rel=0.06)
    assert settings.patience == settings.epochs
    assert settings.warmup < updates / 5
    assert settings.average**updates < 0.01  # nothing is left of the untrained weights


def test_the_same_pieces_are_scored_on_every_grid() -> None:
    pieces = [song(bars, bars) for bars in (4, 8, 16, 8, 4)]
    assert thinned(pieces, 1 << 30) == pieces
    assert [len(piece.notes) for piece in thinned(pieces, 500)] == [
        len(pieces[0].notes),
        len(pieces[2].notes),
        len(pieces[4].notes),
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["lstm-9"], "not of the form"),
        (["lstm-1x8", "--composers", "nobody"], "not enough music"),
        (["lstm-1x8", "--batch", "0"], "--batch: 0 is not from 1"),
    ],
)
def test_what_cannot_be_compared_is_said(
    folder: Path, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(folder, *arguments) == 2
    assert why in capsys.readouterr().err
