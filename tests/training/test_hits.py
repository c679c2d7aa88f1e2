from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from hand_models import DRUMS, Recurrent
from midi import piece
from neuralmidi.notes import Note

from training import hits
from training.baselines import HitCounts, copying
from training.likelihood import Conditioned, Score, log_softmax

KICK, SNARE, HAT = (DRUMS.token(1 << place) for place in range(3))
REST = DRUMS.token(0)
LEVEL = DRUMS.velocity
LATE = DRUMS.late


class Sure:
    """Gives each token the probability that it is told; to all others of its kind the rest, alike."""

    def __init__(self, opinions: list[tuple[int, float]]) -> None:
        self.opinions = opinions

    def initial_state(self) -> int:
        return 0

    def step(self, state: int, token: int) -> tuple[np.ndarray, int]:
        favourite, p = self.opinions[state]
        logits = np.full(len(DRUMS.vocabulary), log((1 - p) / (len(DRUMS.vocabulary) - 1)))
        logits[favourite] = log(p)
        return logits, state + 1


BAR = [0, KICK, LEVEL + 10, LATE - 4, REST, SNARE, LEVEL + 3, LATE + 2, REST]


def test_each_step_is_scored_by_what_is_hit_how_hard_and_how_late() -> None:
    right = [(token, 0.5) for token in BAR[1:]]
    right[3] = (KICK, 0.75)  # in the second slot it expects a kick
    found = hits.listen(Sure([*right, (REST, 0.5)]), DRUMS, BAR)
    assert found.masks.tolist() == [1, 0, 2, 0]
    assert found.guesses.tolist() == [1, 1, 2, 0]
    assert found.velocity.right.tolist() == [76, 20]
    assert found.late.right.tolist() == [-0.25, 0.125]
    rest = (1 - 0.75) / (len(DRUMS.vocabulary) - 1)
    assert found.nats.tolist() == pytest.approx([-log(0.5), -log(rest), -log(0.5), -log(0.5)])
    score = found.score
    assert (score.steps, score.right, score.notes) == (4, 3, 2)
    assert score.nats == pytest.approx(-7 * log(0.5) - log(rest))
    assert score.timing == score.velocity == pytest.approx(-2 * log(0.5))


def test_the_nats_are_those_of_all_its_tokens() -> None:
    model = Recurrent(len(DRUMS.vocabulary), 3)
    state, nats = model.initial_state(), 0.0
    for token, after in pairwise(BAR):
        logits, state = model.step(state, token)
        nats -= log_softmax(logits)[after]
    assert hits.listen(model, DRUMS, BAR).score.nats == pytest.approx(nats)


def figures_of(masks: list[int], guesses: list[int], p: float = 0.5) -> dict[str, object]:
    nothing = hits.Told(*np.zeros((3, 1)))
    each = hits.Hits(
        np.array(masks), np.array(guesses), np.full(len(masks), -log(p)), nothing, nothing, len(masks) // 2
    )
    return hits.figures([each])


def test_figures_of_hits() -> None:
    found = figures_of([1, 3, 0, 2, 0, 2, 3, 1], [1, 1, 0, 2, 0, 2, 3, 1], 0.25)
    assert (found["perplexity"], found["accuracy"], found["exact_bars"]) == (4, 0.875, 0.5)
    f1 = found["f1"]
    assert isinstance(f1, dict)
    assert (f1["kick"], f1["snare"], f1["ride"]) == (1, pytest.approx(6 / 7, abs=1e-4), 0)


def test_what_is_unknown_is_right_if_it_was_expected() -> None:
    assert figures_of([hits.UNKNOWN, 1], [hits.UNKNOWN, 1])["accuracy"] == 1
    assert figures_of([hits.UNKNOWN, 1], [0, 1])["accuracy"] == 0.5


def test_as_published_the_first_step_is_given_and_the_16th_target_repeats_the_15th() -> None:
    nothing = hits.Told(*np.zeros((3, 0)))
    masks = np.arange(16)
    wrong = np.where(masks == 3, 0, masks)
    bar = hits.Hits(masks, wrong, np.full(16, 1.0), nothing, nothing, 16)
    assert hits.published([bar, bar]) == {
        "published_perplexity": pytest.approx(exp(15 / 16), abs=1e-4),
        "published_accuracy": pytest.approx(15 / 16),
    }


def test_counting_learns_what_was_hit_a_bar_ago() -> None:
    rng = np.random.default_rng(1)
    bars = rng.integers(2, 8, (20, 16))
    performances = [np.tile(bar, 6).tolist() for bar in bars]
    counts = HitCounts(performances[:15], 8, 16)
    score = sum((counts.score(each) for each in performances[15:]), Score())
    assert score.steps == 5 * 96
    assert score.accuracy > 0.8
    assert 1 < score.perplexity < 3
    assert copying(performances[0], 16) == pytest.approx(5 / 6)


def test_a_piece_of_a_drummer_is_scored_whole() -> None:
    whole = piece([(0, 0.25, 36, 90), (1, 1.25, 38, 40), (2.02, 2.2, 42, 60)], end=4)
    tokens = DRUMS.encode_piece([Note(*each) for each in whole.notes], end=4).tolist()
    found = hits.listen(Conditioned(Recurrent(len(DRUMS.vocabulary)), None), DRUMS, tokens)  # type: ignore[arg-type]
    assert len(found.masks) == 16
    assert len(found.late.nats) == 3
