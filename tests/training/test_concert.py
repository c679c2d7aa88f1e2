from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from midi import song
from neuralmidi.tokenizer import PolyTokenizer

from training import shards
from training.concert import CONTEXT, WINDOW, Batch, Concert, windows
from training.dataset import Piece
from training.hands import Hands
from training.settings import Settings, settings_from
from training.shards import Corpus
from training.tokens import OWN_KEY, Representation, representation

PIECES = [
    song(bars, seed, composer) for seed, (bars, composer) in enumerate([(60, "a"), (20, "a"), (9, "b")])
]
SETTINGS = settings_from({"seq_len": 200, "batch": 6})


TWO = np.eye(2, dtype=np.float32)
"""Two composers, told apart."""


def corpus(folder: Path, pieces: Sequence[Piece], made: Representation, size: int = 1 << 24) -> Corpus:
    shards.write(folder, ((each.name, "ab".index(each.composer), made.encode(each)) for each in pieces), size)
    return Corpus(folder)


def concert(folder: Path, settings: Settings = SETTINGS, composers: int = 2, size: int = 1 << 24) -> Concert:
    made = representation(settings, lambda: PIECES)
    return Concert(corpus(folder, PIECES, made, size), made, np.eye(composers, dtype=np.float32), settings)


def same(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(array, vars(other)[name]) for name, array in vars(one).items())


def illegal(batch: Batch, made: Representation) -> int:
    """Count the targets that count and yet cannot follow."""
    tokenizer = made.tokenizer
    assert isinstance(tokenizer, PolyTokenizer)
    hands = Hands([(kind, value) for kind, value in tokenizer.actions], tokenizer.steps_per_beat)
    watch = keras.layers.RNN(hands, return_sequences=True)
    watch.build((None, None, 1))
    # Compiled: by itself Keras takes the steps one after the other, in seconds.
    seen = np.asarray(tf.function(watch, autograph=False)(batch.tokens[..., None].astype(np.float32)))
    legal = seen[..., hands.features :]
    may_follow = np.take_along_axis(legal, batch.targets[..., None], -1)[..., 0]
    return int(((may_follow < 0.5) & (batch.weights > 0)).sum())


def test_pieces_come_back_from_shards_of_any_size(tmp_path: Path) -> None:
    made = representation(SETTINGS, lambda: PIECES)
    whole, small = (corpus(tmp_path / str(size), PIECES, made, size) for size in (1 << 24, 100))
    assert len([*(tmp_path / "100").glob("ids-*.npy")]) == 3
    for each in (whole, small):
        assert each.names == ["a-0", "a-1", "b-2"]
        for number, line in enumerate(map(made.encode, PIECES)):
            assert np.array_equal(each.ids(number), line.ids)
            assert np.array_equal(each.ids(number, 5, 9), line.ids[5:9])
            assert np.array_equal(each.coda(number), line.coda)
            assert np.array_equal(each.entries(number), line.entries)
            for entry in line.entries:
                assert np.array_equal(each.prelude(number, entry), line.preludes[entry[1] : entry[2]])


def test_shards_stay_on_disk(tmp_path: Path) -> None:
    made = corpus(tmp_path, PIECES, representation(SETTINGS, lambda: PIECES))
    assert all(isinstance(shard, np.memmap) for shard in (*made._ids, *made._entries))


def test_a_concert_is_the_same_for_the_same_seed_wherever_one_comes_in(tmp_path: Path) -> None:
    one, other = concert(tmp_path / "one"), concert(tmp_path / "other", size=100)
    assert same(one.batch(2, 3), other.batch(2, 3))
    assert not same(one.batch(2, 3), one.batch(2, 4))
    assert not same(one.batch(2, 3), one.batch(1, 3))
    seeded = concert(tmp_path / "seeded", settings_from({"seq_len": 200, "batch": 6, "seed": 2}))
    assert not same(one.batch(2, 3), seeded.batch(2, 3))


def test_everything_in_a_concert_can_follow_what_was_before(tmp_path: Path) -> None:
    settings = settings_from({"seq_len": 500, "batch": 16, "segue": 0.5})
    made = concert(tmp_path, settings)
    batch = made.batch(0, 0)
    assert illegal(batch, made.representation) == 0
    assert 0.9 < (batch.weights > 0).mean() < 1
    assert batch.weights.mean() == pytest.approx(1)
    assert np.array_equal(batch.tokens[:, 1:], batch.targets[:, :-1])
    assert not (batch.weights > 0)[batch.targets < made.representation.given].any()


def test_pieces_follow_one_another_with_a_start_or_without(tmp_path: Path) -> None:
    def starts(segue: float) -> int:
        made = concert(tmp_path / str(segue), settings_from({"seq_len": 2000, "batch": 6, "segue": segue}))
        return int((made.batch(0, 0).targets == 0).sum())

    assert starts(0) > 2 * starts(0.8) > 0
    assert starts(1) == 0


@pytest.mark.parametrize("most", [1, 2, 5])
def test_music_that_is_in_one_key_is_heard_in_no_more_than_asked_for(tmp_path: Path, most: int) -> None:
    made = concert(tmp_path, settings_from({"seq_len": 40, "batch": 64, "keys": most}))
    heard = {key.tobytes() for index in range(4) for key in made.batch(0, index).tokens}
    assert len(heard) > 64  # many an excerpt
    ids = [made.corpus.ids(piece) for piece in range(len(PIECES))]
    pieces = [np.concatenate([key[each] for each in ids]) for key in made.representation.keys]
    found = {
        shift - OWN_KEY
        for shift, piece in enumerate(pieces)
        for row in made.batch(0, 0).tokens
        if row[20:].tobytes() in piece.tobytes()
    }
    assert found == set(range(-(most // 2), (most + 1) // 2))


def test_a_row_is_one_composers_and_says_whose_or_nobodys(tmp_path: Path) -> None:
    settings = settings_from({"seq_len": 30, "batch": 400, "nobody": 0.25, "balance": 0})
    condition = concert(tmp_path, settings).batch(0, 0).condition
    assert set(condition.sum(1)) == {0, 1}
    assert (condition.sum(1) == 0).mean() == pytest.approx(0.25, abs=0.06)
    assert condition[:, 0].mean() == pytest.approx(condition[:, 1].mean(), abs=0.1)


def test_the_balance_goes_from_what_there_is_to_everybody_alike(tmp_path: Path) -> None:
    def share(balance: float) -> float:
        settings = settings_from({"seq_len": 30, "batch": 600, "nobody": 0, "balance": balance})
        return float(concert(tmp_path / str(balance), settings).batch(0, 0).condition[:, 1].mean())

    assert share(1) == pytest.approx(9 / 89, abs=0.04)
    assert share(0) == pytest.approx(0.5, abs=0.06)


def test_a_model_that_is_told_nothing_gets_no_condition(tmp_path: Path) -> None:
    assert concert(tmp_path, composers=0).batch(0, 0).condition.shape == (6, 0)


def test_the_windows_score_every_token_once_with_the_music_before_it(tmp_path: Path) -> None:
    made = representation(SETTINGS, lambda: PIECES)
    pieces = corpus(tmp_path, PIECES, made)
    batch = windows(pieces, made, TWO)
    said = batch.targets[batch.weights > 0]
    wanted = np.concatenate([ids[ids >= made.given] for ids in map(pieces.ids, range(3))])
    assert np.array_equal(said, wanted)
    assert illegal(batch, made) == 0
    assert batch.weights.mean() == pytest.approx(1, abs=1e-4)
    assert batch.tokens.shape[1] == WINDOW
    late = batch.tokens[:, 0] != 0
    assert late.any()
    assert ((batch.weights > 0).argmax(1)[late] >= CONTEXT).all()
    assert batch.condition.sum() == len(batch)


def test_of_many_windows_some_are_enough(tmp_path: Path) -> None:
    made = representation(SETTINGS, lambda: PIECES)
    pieces = corpus(tmp_path, PIECES, made)
    assert 0 < len(windows(pieces, made, TWO, most=1000)) < len(windows(pieces, made, TWO))
    assert windows(pieces, made, TWO, most=1000).weights.mean() == pytest.approx(1, abs=1e-4)


def test_chords_are_heard_in_every_key_and_some_are_not_heard_at_all(tmp_path: Path) -> None:
    settings = settings_from({"tokenizer": "chords", "seq_len": 64, "batch": 32})
    made = concert(tmp_path, settings)
    batch = made.batch(0, 0)
    changed = batch.tokens[:, 1:] != batch.targets[:, :-1]
    assert 0 < changed.mean() < 0.1
    assert set(batch.tokens[:, 1:][changed]) == {1}
    assert 1 not in batch.targets
    scored = windows(made.corpus, made.representation, TWO)
    assert (scored.weights > 0).sum() == sum(len(made.corpus.ids(number)) - 1 for number in range(3))
