from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.repetition import LONGEST, Repetition


def said(tokens: Sequence[int], slots_each: int = 1) -> Repetition:
    repetition = Repetition()
    for number, token in enumerate(tokens):
        repetition = repetition.after(token, number * slots_each)
    return repetition


def forbidden(tokens: Sequence[int], times: int, bar: int, slots_each: int = 1) -> set[int]:
    return set(said(tokens, slots_each).completing(times, len(tokens) * slots_each, bar))


def in_a_row(tokens: Sequence[int], length: int) -> int:
    """How often the last tokens are the same passage of this length, one after the other."""
    passage = list(tokens[len(tokens) - length :])
    count = 0
    while (
        len(tokens) >= length * (count + 1)
        and list(tokens[len(tokens) - length * (count + 1) :][:length]) == passage
    ):
        count += 1
    return count


def test_the_token_that_completes_the_passage_once_more_is_named() -> None:
    assert forbidden([1, 2, 3, 4] * 3 + [1, 2, 3], 3, 4) == {4}
    assert forbidden([1, 2, 3, 4] * 3 + [1, 2], 3, 4) == set()
    assert forbidden([1, 2, 3, 4] * 2 + [1, 2, 3], 3, 4) == set()


def test_it_does_not_matter_where_the_passage_begins() -> None:
    assert forbidden([9, 3, 4] + [1, 2, 3, 4] * 3 + [1], 3, 4) == {2}


def test_a_shorter_passage_counts_when_it_fills_a_bar() -> None:
    assert forbidden([1, 2] * 6 + [1], 3, 4) == set()
    assert forbidden([1, 2] * 7 + [1], 3, 4) == {2}


def test_a_bar_is_measured_in_slots_and_not_in_tokens() -> None:
    assert forbidden([1, 2, 1], 1, 4, slots_each=2) == {2}
    assert forbidden([1, 2, 1], 1, 5, slots_each=2) == set()


def test_one_time_is_no_repeat_at_all() -> None:
    assert forbidden([1, 2, 3, 4, 1, 2, 3], 1, 4) == {4}


def test_nothing_said_names_nothing() -> None:
    assert forbidden([], 1, 1) == set()


def test_a_passage_longer_than_the_memory_is_not_noticed() -> None:
    assert forbidden([*range(LONGEST), *range(LONGEST - 1)], 1, 4) == {LONGEST - 1}
    assert forbidden([*range(LONGEST + 1), *range(LONGEST)], 1, 4) == set()


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 4), st.integers(1, 8), st.integers(0, 2))
def test_a_token_is_named_if_and_only_if_it_would_be_once_too_often(
    tokens: list[int], times: int, bar: int, token: int
) -> None:
    after = [*tokens, token]
    too_often = any(in_a_row(after, length) > times for length in range(bar, len(after) + 1))
    assert (token in forbidden(tokens, times, bar)) == too_often
