"""The sticks, against a drum kit simulated slot by slot, and the one spelling that the tokenizer knows."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import DRUMS, tokens
from neuralmidi.tokenizer.drums import LATEST, LEVELS

from training.sticks import AROUND, BARS, INSTRUMENTS, ROW, Sticks

SLOTS = 4 * DRUMS.steps_per_beat


def outputs(sticks: Sticks, music: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Features, what can follow, and whether a slot begins, after each token."""
    token = keras.Input((None, 1))
    model = keras.Model(token, keras.layers.RNN(sticks, return_sequences=True)(token))
    for said in model.predict_on_batch(music[None, :, None].astype(np.float32))[0]:
        yield said[: sticks.features], said[sticks.features : -1], int(said[-1])


def test_they_see_what_is_hit_on_the_kit() -> None:
    music = tokens("drums")
    assert {DRUMS.actions[token][0] for token in music} == {"start", "unknown", "hit", "velocity", "late"}
    rows: list[np.ndarray] = []  # of the slots since the start, the one that is being told the last
    untold: list[int] = []
    told = False
    for token, (seen, _, begins) in zip(music, outputs(Sticks(DRUMS.actions, 4), music), strict=True):
        kind, value = DRUMS.actions[token]
        if kind == "start":
            rows, untold = [], []
        elif kind in ("hit", "unknown"):
            untold = [place for place in range(INSTRUMENTS) if kind == "hit" and value >> place & 1]
            rows.append(np.zeros((3, INSTRUMENTS)))
            rows[-1][0, untold] = 1
        elif kind == "velocity":
            rows[-1][1, untold[0]] = value / LEVELS
        else:
            rows[-1][2, untold.pop(0)] = value / LATEST
        told = kind == "velocity"
        now = len(rows) - bool(untold)  # the slot that is being told, or else the one that comes

        def row(slot: int, rows: list[np.ndarray] = rows) -> np.ndarray:
            return rows[slot].ravel() if 0 <= slot < len(rows) else np.zeros(ROW)

        expected = [
            np.arange(SLOTS) == now % SLOTS,
            np.isin(np.arange(INSTRUMENTS), untold),
            np.isin(np.arange(INSTRUMENTS), untold[:1]),
            [told],
            row(len(rows) - 1),
            row(len(rows) - 2),
            *(row(now - bars * SLOTS) for bars in BARS),
            *(row(now - min(BARS) * SLOTS - slots) for slots in AROUND),
        ]
        assert np.allclose(seen, np.concatenate(expected), atol=1e-6)
        assert begins == (kind not in ("velocity", "late"))
    assert len(rows) > max(BARS) * SLOTS


def test_everything_the_tokenizer_writes_can_follow_and_nothing_of_another_kind() -> None:
    music = tokens("drums")
    legal = [follows for _, follows, _ in outputs(Sticks(DRUMS.actions, 4), music)]
    beginnings = {"hit", "unknown"}
    for follows, token in zip(legal, music[1:], strict=False):
        kind, _ = DRUMS.actions[token]
        kinds = {DRUMS.actions[each][0] for each in np.flatnonzero(follows)}
        assert follows[token] == 1
        assert kinds == (beginnings if kind in beginnings else {kind})


@pytest.mark.parametrize("seed", range(4))
def test_whatever_can_follow_is_the_spelling_the_tokenizer_writes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sticks = Sticks(DRUMS.actions, 4)
    step: Any = tf.function(sticks, autograph=False)
    state = sticks.get_initial_state(1)
    music = [DRUMS.start]
    for _ in range(300):
        row, state = step(np.array([[music[-1]]], np.float32), state)
        follows = np.flatnonzero(keras.ops.convert_to_numpy(row)[0, sticks.features : -1])
        music.append(int(rng.choice([token for token in follows if token not in DRUMS.unmusical])))
    begins = [place for place, token in enumerate(music) if DRUMS.mask(token) is not None]
    assert len(begins) > SLOTS
    for first, after in pairwise(begins):  # what begins last may not have ended
        told = [DRUMS.actions[token][0] for token in music[first + 1 : after]]
        assert told == ["velocity", "late"] * (DRUMS.mask(music[first]) or 0).bit_count()
