from collections.abc import Set as AbstractSet

from hand_models import tokenizer
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.hearing import Ear

EAR = Ear(tokenizer())
WORDS = tokenizer().vocabulary


def heard(*pitches: int) -> str:
    return WORDS[EAR.token(pitches)]


def test_a_known_chord_is_itself() -> None:
    assert heard(67, 60, 64) == "60,64,67"
    assert heard() == "<rest>"


def test_an_unknown_chord_is_the_nearest() -> None:
    assert heard(60, 64, 67, 70) == "60,64,67"
    assert heard(62, 65) == "62,65,69"
    assert heard(69) == "62,65,69"


def test_of_two_equally_near_it_is_the_earlier_word() -> None:
    assert heard(60, 62) == "60"


def test_a_chord_that_shares_nothing_is_unknown() -> None:
    assert heard(30, 31) == "<unknown>"


def test_a_chord_with_less_that_was_not_played_is_nearer() -> None:
    ear = Ear(tokenizer(("60,64,67,72", "60,64,67")))
    assert ear.token((60, 64)) == 4
    assert ear.token((60, 64, 67, 71, 72)) == 3


@given(st.sets(st.sampled_from((0, 1, 48, 60, 61, 62, 64, 65, 67, 69, 72, 127))))
def test_whatever_is_played_is_the_known_chord_that_shares_most(pitches: AbstractSet[int]) -> None:
    decode = tokenizer().decode
    token = EAR.token(pitches)

    def nearness(chord: AbstractSet[int]) -> float:
        return len(chord & pitches) / len(chord | pitches) if chord | pitches else 1

    best = max(nearness(set(decode(other))) for other in range(2, len(WORDS)))
    assert token != 0
    assert (token == 1) == (best == 0)
    assert abs(nearness(set(decode(token))) - best) < 1e-6
