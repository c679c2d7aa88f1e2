from dataclasses import replace

import numpy as np
import pytest
from hand_models import DRUMS, drums, hit
from midi import piece
from neuralmidi.composer import Composer

from training import rhythm
from training.rhythm import Rhythm

KICK, SNARE, HAT = range(3)


def bars(*hits: tuple[int, int], count: int = 2) -> Rhythm:
    """Bars with a kick, say, in some of their 16ths: instrument and slot."""
    table = np.zeros((16, 9), bool)
    for instrument, slot in hits:
        table[slot, instrument] = True
    many = int(table.sum()) * count
    return Rhythm(np.tile(table, (count, 1)), np.full(many, 100.0), np.full(many, 0.1))


def test_density_is_hits_in_a_bar() -> None:
    assert rhythm.density([bars((KICK, 0), (HAT, 0), (SNARE, 4))]) == 3


@pytest.mark.parametrize(
    ("hits", "syncopation"),
    [
        ([(KICK, 0), (SNARE, 8)], 0),
        ([(KICK, 0), (SNARE, 4), (KICK, 8), (SNARE, 12)], 0),
        ([(KICK, 0), (SNARE, 7)], 3),  # goes on over the middle of the bar: -4 before -1
        ([(KICK, 14)], 3),  # over the bar line, but for the last of the two bars
        ([(HAT, 7), (HAT, 14)], 0),
    ],
)
def test_syncopation_is_a_rest_on_a_stronger_16th(hits: list[tuple[int, int]], syncopation: float) -> None:
    found = rhythm.syncopation([bars(*hits, count=1000)])
    assert found == pytest.approx(syncopation, abs=0.01)


def test_what_a_composer_plays_is_what_is_counted() -> None:
    composer = Composer(drums(*hit("kick", 12, -3), "-", *hit("snare", 5, 6), "-"))
    composer.set("smooth", 0)
    found = rhythm.heard([composer.step(125) for _ in range(16)])
    assert [tuple(np.flatnonzero(row)) for row in found.hit[:4]] == [(KICK,), (), (SNARE,), ()]
    # the first kick cannot come early, and the next one after the last step has left already
    assert sorted(set(found.late.round(4))) == [-0.1875, 0, 0.375]
    assert found.velocity.mean() == pytest.approx(68, abs=6)


def test_a_performance_is_what_is_counted() -> None:
    notes = [(0.02, 0.1, 36, 90), (1, 1.1, 38, 40), (1, 1.2, 42, 60)]
    found = rhythm.real(piece(notes, end=4), DRUMS)
    assert [tuple(np.flatnonzero(row)) for row in found.hit[[0, 4]]] == [(KICK,), (SNARE, HAT)]
    assert found.late.tolist() == [1 / 16, 0, 0]
    assert found.velocity == pytest.approx([90, 40, 60], abs=4)


def test_music_is_compared_figure_by_figure() -> None:
    real, other = bars((KICK, 0), (HAT, 0)), bars((KICK, 0), (SNARE, 4))
    table = rhythm.compare({"real": [real], "generated": [replace(other, velocity=other.velocity / 2)]})
    assert table["hits_per_bar"] == {"real": 2, "generated": 2}
    assert table["velocity_mean"] == {"real": 100, "generated": 50}
    assert table["empty_steps"] == {"real": 15 / 16, "generated": 14 / 16}
    assert table["instruments_distance"] == {"generated": 0.5}


def test_a_model_plays_in_the_styles_of_the_pieces_and_is_asked_for_no_fill() -> None:
    model = drums(*hit("kick"), "-", names=("fill", "funk"))
    pieces = [piece([(0, 1, 36, 80)], end=4, composer=style) for style in ("funk", "funk+fill", "polka")]
    found = rhythm.excerpts(model, pieces, 2)  # type: ignore[arg-type]
    assert [len(each.hit) for each in found] == [rhythm.BARS * 16] * 2
