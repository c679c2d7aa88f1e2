from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from neuralmidi.tokenizer import SPECIALS

from training import fit as fitting
from training.fit import CONTEXT, SCORED, Concert, Settings, fit, windows
from training.model import ChordLSTM
from training.tokens import chord_features

VOCABULARY = (*SPECIALS, *map(str, range(60, 72)))
RING = np.tile(np.arange(3, 15, dtype=np.int32), 24)
"""A piece that a network can learn at once: up the scale, over and over."""
SETTINGS = Settings(batch=8, seq_len=16, epochs=3, passes=8, warmup=5, learning_rate=0.02, dropout=0.0)


def network() -> ChordLSTM:
    keras.utils.set_random_seed(1)
    model = ChordLSTM(chord_features(VOCABULARY), units=16, layers=1, width=8, dropout=0.0)
    model.build()
    return model


@pytest.mark.parametrize("length", [1, 16, CONTEXT + SCORED, CONTEXT + SCORED + 1, 3000])
def test_the_windows_score_every_step_once(length: int) -> None:
    piece = np.random.default_rng(0).integers(1, 99, length).astype(np.int32)
    inputs, targets, weights = windows([piece, piece])
    assert inputs.shape == targets.shape == weights.shape
    assert np.array_equal(targets[weights == 1], np.tile(piece, 2))
    assert inputs[0, 0] == 0
    for row, shifted in zip(inputs, targets, strict=True):
        assert np.array_equal(row[1:][shifted[1:] > 0], shifted[:-1][shifted[1:] > 0])


def test_the_same_seed_gives_the_same_concert_and_every_epoch_another() -> None:
    one, two = (Concert([[RING]], SETTINGS) for _ in range(2))
    assert np.array_equal(one[3], two[3])
    heard, said = one[3]
    assert np.array_equal(heard[:, 1:][heard[:, 1:] != 1], said[:, :-1][heard[:, 1:] != 1])
    assert 0 < np.mean(np.concatenate([one[place][0] for place in range(len(one))]) == 1) < 0.1  # <unknown>
    assert 1 not in said
    first = one[3]
    one.on_epoch_end()
    assert not np.array_equal(first, one[3])
    assert np.array_equal(one[3], Concert([[RING]], SETTINGS, epoch=1)[3])


def test_it_learns_says_so_and_keeps_the_best(tmp_path: Path) -> None:
    model = network()
    said: list[str] = []
    done = fit(model, [[RING]], [RING], SETTINGS, tmp_path / "run", said.append)
    assert (done.epochs, len(said)) == (3, 3)
    assert "min left" in said[0]
    assert done.nats < 1 < np.log(len(VOCABULARY))
    again = network()
    later: list[str] = []
    assert fit(again, [[RING]], [RING], SETTINGS, tmp_path / "run", later.append) == done
    assert later == [f"{tmp_path / 'run'}: already trained; remove it to train again"]
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    fit(network(), [[RING]], [RING], replace(SETTINGS, epochs=1), tmp_path / "run", lambda _: None)
    said: list[str] = []
    done = fit(network(), [[RING]], [RING], replace(SETTINGS, epochs=2), tmp_path / "run", said.append)
    assert done.epochs == 2
    assert "begun anew" in said[0]


def test_after_an_interruption_it_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interruption(fitting.Logbook):
        """Ctrl-C in the second epoch."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 1:
                raise KeyboardInterrupt

    whole = network()
    through = fit(whole, [[RING]], [RING], SETTINGS, tmp_path / "whole", lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "Logbook", Interruption)
        with pytest.raises(KeyboardInterrupt):
            fit(network(), [[RING]], [RING], SETTINGS, tmp_path / "run", lambda _: None)
    said: list[str] = []
    resumed = network()
    done = fit(resumed, [[RING]], [RING], SETTINGS, tmp_path / "run", said.append)
    assert [line.split(":")[0] for line in said] == ["epoch 2/3", "epoch 3/3"]
    assert (done.epochs, done.best) == (through.epochs, through.best)
    assert done.nats == pytest.approx(through.nats, abs=1e-3)
