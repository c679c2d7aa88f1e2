from itertools import combinations
from math import exp

import pytest

from training.spelling import Spelling

PIECE = [(60, 64), (60, 64), (60, 67), (), (60, 64)]


@pytest.mark.parametrize("pieces", [[], [PIECE]])
@pytest.mark.parametrize("before", [(), (60, 64)])
def test_the_probabilities_of_all_chords_add_up_to_one(
    pieces: list[list[tuple[int, ...]]], before: tuple[int, ...]
) -> None:
    spelling = Spelling(pieces)
    pitches = (55, 60, 64, 67)
    chords = [chord for size in range(len(pitches) + 1) for chord in combinations(pitches, size)]
    p = sum(exp(spelling.log_p(before, chord)) for chord in chords)
    others = 1.0
    for pitch in set(range(128)) - set(pitches):
        alone = spelling.log_p((), (pitch,)) - spelling.log_p((), ())
        others /= 1 + exp(alone)
    assert p == pytest.approx(others)


def test_what_was_counted_is_likelier() -> None:
    guess, counted = Spelling(), Spelling([PIECE] * 10)
    assert counted.log_p((60, 64), (60, 67)) > guess.log_p((60, 64), (60, 67))
    assert counted.log_p((60, 64), (61, 65)) < guess.log_p((60, 64), (61, 65))
