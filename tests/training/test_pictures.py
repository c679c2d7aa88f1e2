from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from neuralmidi.grid import on_grid
from neuralmidi.notes import Note

from training.pictures import blend, curves, roll
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
