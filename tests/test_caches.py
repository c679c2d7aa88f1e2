"""What an attention network has heard: rows, some of which lie in its memory."""

import numpy as np
import pytest
from neuralmidi.caches import FEW, Caches, Row, Slots

SLOTS, WIDTHS = 40, (3, 5)


def places() -> list[np.ndarray]:
    return [np.zeros((SLOTS, width), np.float32) for width in WIDTHS]


def filled(seed: int) -> Slots:
    draw = np.random.default_rng(seed).normal
    return tuple(draw(size=sum(WIDTHS)).astype(np.float32) for _ in range(SLOTS))


def expect(memory: list[np.ndarray], slots: Slots) -> None:
    empty: Row = np.zeros(sum(WIDTHS), np.float32)
    assert np.array_equal(np.hstack(memory), [empty if row is None else row for row in slots])


@pytest.mark.parametrize("many", [0, 1, FEW, FEW + 1, SLOTS])
def test_it_holds_what_it_is_given(many: int) -> None:
    memory = places()
    caches = Caches(memory)
    before = (*filled(1)[: SLOTS - 5], *(None,) * 5)
    caches.hold(before)
    expect(memory, before)
    after = (*filled(2)[:many], *before[many:])
    caches.hold(after)
    expect(memory, after)
    caches.hold((None,) * SLOTS)
    expect(memory, (None,) * SLOTS)


def test_a_row_that_is_added_is_held() -> None:
    memory = places()
    caches = Caches(memory)
    before = filled(1)
    caches.hold(before)
    parts = [np.full(width, width, np.float32) for width in WIDTHS]
    caches.add(7, parts)
    expect(memory, caches.held)
    assert [slot for slot in range(SLOTS) if caches.held[slot] is not before[slot]] == [7]
    caches.hold(before)
    expect(memory, before)


@pytest.mark.parametrize("many", [2, SLOTS])
def test_who_is_cut_off_while_he_writes_leaves_nothing_that_is_believed(many: int) -> None:
    memory = places()
    caches = Caches(memory)
    before, after = filled(1), (*filled(2)[:many], *filled(1)[many:])
    caches.hold(before)
    half = list(after)
    half[many - 1] = np.zeros(2, np.float32)  # does not fit
    with pytest.raises(ValueError, match=r"shape|broadcast"):
        caches.hold(tuple(half))
    caches.hold(before)
    expect(memory, before)


def test_without_caches_there_is_nothing_to_hold() -> None:
    caches = Caches([])
    caches.hold(())
    assert caches.held == ()
