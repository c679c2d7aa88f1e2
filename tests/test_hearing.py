from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.hearing import Ear

CHORDS = ((), (60,), (62,), (60, 64), (60, 64, 67), (62, 65, 69), (60, 64, 67, 72), (0,), (0, 127))
EAR = Ear(CHORDS)


def heard(*pitches: int) -> tuple[int, ...] | None:
    place = EAR.nearest(pitches)
    return None if place is None else CHORDS[place]


def test_a_known_chord_is_itself() -> None:
    assert heard(67, 60, 64) == (60, 64, 67)


def test_an_unknown_chord_is_the_nearest() -> None:
    assert heard(60, 64, 67, 70) == (60, 64, 67)
    assert heard(62, 65) == (62, 65, 69)
    assert heard(69) == (62, 65, 69)


def test_of_two_equally_near_it_is_the_earlier() -> None:
    assert heard(60, 62) == (60,)


def test_a_chord_that_shares_nothing_is_none() -> None:
    assert heard(30, 31) is None


def test_a_chord_with_less_that_was_not_played_is_nearer() -> None:
    ear = Ear(((60, 64, 67, 72), (60, 64, 67)))
    assert ear.nearest((60, 64)) == 1
    assert ear.nearest((60, 64, 67, 71, 72)) == 0


@given(st.sets(st.sampled_from((0, 1, 48, 60, 61, 62, 64, 65, 67, 69, 72, 127)), min_size=1))
def test_whatever_is_played_is_the_known_chord_that_shares_most(pitches: set[int]) -> None:
    def nearness(chord: tuple[int, ...]) -> float:
        return len(pitches.intersection(chord)) / len(pitches.union(chord))

    best = max(map(nearness, CHORDS))
    place = EAR.nearest(pitches)
    assert (place is None) == (best == 0)
    assert place is None or abs(nearness(CHORDS[place]) - best) < 1e-6
