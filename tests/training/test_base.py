from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from midi import song
from neuralmidi.errors import NeuralMIDIError

from training import prepare, shards
from training.base import Base, read_base
from training.concert import Concert, windows
from training.fit import fit
from training.model import build
from training.network import CONDITION, TOKEN
from training.settings import settings_from
from training.tokens import representation

PIECES = [song(12, seed, "ab"[seed % 2]) for seed in range(4)]
SMALL = {"units": 8, "layers": 1, "width": 8, "batch": 4, "seq_len": 32, "warmup": 2, "epochs": 1}


@pytest.fixture(scope="module", params=["poly", "chords"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A small model of two composers, trained for an epoch."""
    folder = tmp_path_factory.mktemp("base")
    settings = settings_from({**SMALL, "tokenizer": request.param, "vocabulary": 60, "passes": 1.0})
    made = representation(settings, lambda: PIECES)
    shards.write(folder, [(each.name, "ab".index(each.composer), made.encode(each)) for each in PIECES])
    corpus = shards.Corpus(folder)
    music = prepare.Music([], made, ("a", "b"), folder, folder)
    keras.utils.set_random_seed(1)
    fit(
        lambda: build(settings, made.tokenizer, 2),
        Concert(corpus, made, np.eye(2, dtype=np.float32), settings),
        windows(corpus, made, np.eye(2, dtype=np.float32)),
        folder / "run",
        music.facts(),
        report=lambda _: None,
    )
    return read_base(folder / "run")


def test_a_base_brings_its_structure_and_its_tokenizer(base: Base) -> None:
    settings = base.settings_for(settings_from({"units": 512, "dropout": 0.5, "slots": 40}))
    assert (settings.units, settings.tokenizer, settings.dropout) == (8, base.tokenizer.kind, 0.5)
    assert settings.slots == 40, "no weight depends on it"
    assert base.composers == ("a", "b")
    assert len(base.identity) == 16


def test_a_composer_begins_with_what_the_base_would_play_as_them(base: Base) -> None:
    tokens = np.random.default_rng(0).integers(0, len(base.tokenizer.vocabulary), (1, 50)).astype(np.int32)
    whole = base.network(base.settings, base.tokenizer, all_composers=True)
    for composer, condition in (("b", [0, 1]), ("a", [1, 0]), ("c", [0, 0])):
        one = base.network(base.settings, base.tokenizer, composer)
        assert one.composers == 0
        alone = one({TOKEN: tokens})
        told = whole({TOKEN: tokens, CONDITION: np.array([condition], np.float32)})
        assert np.abs(keras.ops.convert_to_numpy(alone - told)).max() < 1e-5
    styles = whole.style.get_weights()[0]
    assert np.abs(styles).min(axis=1).max() > 0


def test_it_goes_on_with_as_much_dropped_as_one_likes(base: Base) -> None:
    tokens = {TOKEN: np.arange(20, dtype=np.int32)[None]}
    network, blinking = (
        base.network(replace(base.settings, dropout=0.0, unseen=unseen), base.tokenizer, "a")
        for unseen in (0.0, 0.5)
    )
    assert np.array_equal(network(tokens), blinking(tokens))
    assert np.array_equal(network(tokens), network(tokens, training=True))
    assert not np.array_equal(blinking(tokens), blinking(tokens, training=True))


def test_what_is_no_base_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NeuralMIDIError, match=r"no hparams.json and no best.weights.h5 in it / .*runs/all"):
        read_base(tmp_path)
