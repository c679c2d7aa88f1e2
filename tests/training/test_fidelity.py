import pytest
from midi import piece

from training.fidelity import Fidelity, fidelity

TRIPLETS = piece([(beat / 3, (beat + 1) / 3, 60 + beat) for beat in range(12)])
TREMOLO = piece([(beat / 8, (beat + 1) / 8, 60) for beat in range(16)])
UNISON = piece([(0, 1, 60), (0, 2, 60), (2, 3, 60), (2.01, 3, 72)])


@pytest.mark.parametrize(
    ("music", "grid", "expected"),
    [
        (TRIPLETS, 4, Fidelity(moved=2 / 3, lost=0)),
        (TRIPLETS, 12, Fidelity(0, 0)),
        (TREMOLO, 4, Fidelity(moved=1 / 2, lost=7 / 16)),  # the last one is heard later, on a beat of its own
        (TREMOLO, 24, Fidelity(0, 0)),
        (UNISON, 4, Fidelity(0, 0)),  # a hundredth of a beat is not heard, nor is a note in unison lost
    ],
)
def test_what_a_grid_moves_and_loses(music: object, grid: int, expected: Fidelity) -> None:
    found = fidelity([music], grid)  # type: ignore[list-item]
    assert (found.moved, found.lost) == pytest.approx((expected.moved, expected.lost))


def test_pieces_add_up_and_nothing_loses_nothing() -> None:
    assert fidelity([TRIPLETS, TREMOLO], 4).moved == pytest.approx((8 + 8) / 28)
    assert fidelity([], 4) == Fidelity(0, 0)
