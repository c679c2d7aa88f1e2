from pathlib import Path

import numpy as np
import pytest
from neuralmidi import bundle

from training.proof import CountingModel, describe, describe_all, generate, score

CHORD, OTHER = (60, 64), (62,)


def test_the_counting_model_gives_probabilities() -> None:
    model = CountingModel([np.array([3, 4, 3, 4, 3, 5])], size=6, order=3)
    for heard in ((), (3,), (4, 3), (5, 5), (3, 4, 3, 4)):
        assert model._probabilities(heard).sum() == pytest.approx(1)
    after_3 = model._probabilities((4, 3))
    assert after_3.argmax() == 4
    assert after_3[5] > after_3[0]


def test_the_counting_model_is_right_by_hand() -> None:
    model = CountingModel([np.array([0, 0, 1])], size=2, order=1)
    # two kinds, seen 2 and 1 times; the two share as much again: (2 + 2 / 2) / (3 + 2), (1 + 2 / 2) / (3 + 2)
    assert model._probabilities(()) == pytest.approx([3 / 5, 2 / 5])
    scored = model.score([np.array([0, 1]), np.array([1])])
    assert scored.nats_per_step == pytest.approx(-np.log([3 / 5, 2 / 5, 2 / 5]).mean())
    assert scored.accuracy == pytest.approx(1 / 3)
    assert scored.steps == 3


def test_a_score_is_the_mean_of_what_the_model_says(data: Path) -> None:
    tiny = bundle.load(data / "tiny")
    ring = np.arange(3, 10, dtype=np.int32)
    scored = score(tiny.model, tiny.tokenizer.start, [ring, ring])
    assert scored.accuracy == 1
    assert scored.steps == 14
    assert scored.nats_per_step == pytest.approx(-np.log(np.exp(3) / (np.exp(3) + np.exp(1.5) + 8)), abs=0.02)


def test_music_is_described() -> None:
    music = describe((CHORD,) * 8 + (OTHER,) * 4 + ((),) * 4)
    assert music.rests == 0.25
    assert music.polyphony == pytest.approx(20 / 12)
    assert music.notes_per_bar == 3
    assert music.longest_held == 8
    assert music.chords == pytest.approx(3 / 16 * 100)
    assert describe(((),) * 4).longest_held == 0
    assert describe((CHORD, OTHER) * 2).longest_held == 1
    assert describe_all([(CHORD,) * 8, (OTHER,) * 16])["longest_held"] == 16


def test_generated_music_is_playable_and_follows_the_seed(data: Path) -> None:
    tiny = bundle.load(data / "tiny")
    once, again, other = (generate(tiny.model, tiny.tokenizer, 64, 1.0, seed) for seed in (1, 1, 2))
    assert once == again != other
    calm = generate(tiny.model, tiny.tokenizer, 16, 0.1, 1)
    assert calm[:8] == calm[8:] == (*map(tiny.tokenizer.decode, range(3, 10)), ())
