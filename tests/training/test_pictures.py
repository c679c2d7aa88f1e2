from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from neuralmidi.grid import on_grid
from neuralmidi.notes import Note

from training.bars import STEPS, Bar, Hit
from training.pictures import blend, curves, drum_grid, roll
from training.statistics import Music

SMALL = 60_000
"""Bytes of a picture on a page."""


def music(count: int, bar: float = 4) -> Music:
    draw = np.random.default_rng(count).integers
    notes = [
        Note(start, start + 1 + draw(0, 3) / 4, int(pitch), int(draw(0, 128)))
        for start, pitch in zip(np.sort(draw(0, 128, count)) / 4, draw(30, 90, count), strict=True)
    ]
    return Music(on_grid(notes, 12), 12 * 32, 12, bar)


@pytest.mark.parametrize("notes", [0, 1, 600])
def test_a_roll_is_a_small_picture_whatever_is_played(tmp_path: Path, notes: int) -> None:
    roll(tmp_path / "roll.png", {"real: one": music(notes), "generated": music(300, bar=3)})
    assert (tmp_path / "roll.png").stat().st_size < SMALL
    assert imread(tmp_path / "roll.png").shape[1] == 900


def test_louder_notes_are_darker(tmp_path: Path) -> None:
    darkness = []
    for velocity in (20, 60, 110):
        one = Music(on_grid([Note(0, 32, 65, velocity)], 4), 128, 4)
        roll(tmp_path / "roll.png", {"one": one})
        darkness.append(imread(tmp_path / "roll.png")[25:-50, 300:340, :3].sum(axis=2).min())
    assert darkness[0] > darkness[1] > darkness[2]


def test_curves_and_a_blend_are_small_pictures(tmp_path: Path) -> None:
    falling = [3 / epoch + 1 for epoch in range(1, 30)]
    curves(tmp_path / "curves.png", {"training": falling, "validation": falling[::-1]}, "nats", {"6-gram": 2})
    curves(tmp_path / "one.png", {"validation": [2.0]}, "nats")
    blend(tmp_path / "blend.png", [0, 0.5, 1], np.array([[2.0, 3], [0, 1], [-2, -1]]), ["bach", "chopin"])
    for name in ("curves", "one", "blend"):
        assert 0 < (tmp_path / f"{name}.png").stat().st_size < SMALL


def pads(path: Path, bars: list[Bar]) -> np.ndarray:
    """Where pads are lit, a number for each pixel: how blue."""
    drum_grid(path, bars)
    picture = imread(path)
    return np.asarray(picture[..., 2] - picture[..., 0])


def test_a_drum_grid_has_a_pad_for_each_hit_where_it_is_hit(tmp_path: Path) -> None:
    def one(step: int, place: int, velocity: int = 100, late: float = 0.0) -> Bar:
        return Bar(tuple((Hit(place, velocity, late),) if each == step else () for each in range(STEPS)))

    def place(bar: Bar) -> tuple[float, float]:
        rows, columns = np.nonzero(pads(tmp_path / "grid.png", [bar]) > 0.2)
        return float(rows.mean()), float(columns.mean())

    kick, ride, later, late = place(one(3, 0)), place(one(3, 8)), place(one(4, 0)), place(one(3, 0, late=0.5))
    assert kick[0] > ride[0] + 100
    assert kick[1] == pytest.approx(ride[1], abs=0.5)
    assert late[1] == pytest.approx((kick[1] + later[1]) / 2, abs=1)
    shades = [darkest(tmp_path, one(3, 0, velocity)) for velocity in (20, 60, 110)]
    assert shades[0] > shades[1] > shades[2]
    assert (pads(tmp_path / "grid.png", [Bar(((),) * STEPS)]) > 0.2).sum() == 0


def darkest(folder: Path, bar: Bar) -> float:
    blue = pads(folder / "grid.png", [bar]) > 0.2
    return float(imread(folder / "grid.png")[blue][:, :3].sum(axis=1).min())


@pytest.mark.parametrize(("bars", "rows"), [(1, 1), (2, 1), (3, 2), (30, 4)])
def test_a_drum_grid_has_two_bars_in_a_row(tmp_path: Path, bars: int, rows: int) -> None:
    full = Bar(tuple(tuple(Hit(place, 90, 0.5) for place in range(9)) for _ in range(STEPS)), "rock")
    drum_grid(tmp_path / "grid.png", [full] * bars)
    assert imread(tmp_path / "grid.png").shape[:2] == (int(100 * (0.3 + 1.95 * rows)), 900)
    assert (tmp_path / "grid.png").stat().st_size < 250_000
