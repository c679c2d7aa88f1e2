"""The hands, against a keyboard simulated note by note, and the one spelling that the tokenizer knows."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import ACTIONS, POLY, tokens
from neuralmidi.notes import Note
from neuralmidi.tokenizer import KEYS as PITCHES

from training.hands import BEATS, KEYS, LOWEST, REACH, Hands

GRID = POLY.steps_per_beat


def outputs(hands: Hands, music: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Features, what can follow, and the origin, after each token."""
    token = keras.Input((None, 1))
    model = keras.Model(token, keras.layers.RNN(hands, return_sequences=True)(token))
    for said in model.predict_on_batch(music[None, :, None].astype(np.float32))[0]:
        yield said[: hands.features], said[hands.features : -1], int(said[-1])


def test_they_see_what_a_keyboard_does() -> None:
    music = tokens("poly")
    down: dict[int, int] = {}
    gone: dict[int, int] = {}
    attacked: set[int] = set()
    now = origin = 0
    for token, (seen, _, seen_origin) in zip(music, outputs(Hands(ACTIONS, GRID), music), strict=True):
        kind, value = ACTIONS[token]
        key = value - LOWEST
        if kind == "on":
            down[key], origin = now, key
            gone.pop(key, None)
            attacked.add(key)
        elif kind == "off":
            del down[key]
            gone[key], origin = now, key
        elif kind != "velocity":
            now += value if kind == "wait" else 0
            attacked, origin = set(), min(down, default=0)
        roll = [np.zeros(KEYS) for _ in range(4)]
        for key, since in down.items():
            roll[0][key], roll[2][key] = 1, np.exp(-(now - since + 1) / (2 * GRID))
        roll[1][list(attacked)] = 1
        for key, since in gone.items():
            roll[3][key] = np.exp(-(now - since) / GRID)
        slot = now % (3 * GRID) if kind != "start" else 0  # it begins in 3/4
        place = np.concatenate([np.arange(GRID) == slot % GRID, np.arange(BEATS) == slot // GRID])
        views = [np.pad(roll[which], REACH)[origin : origin + 2 * REACH] for which in (0, 1, 3)]
        length = [1.0 if kind == "start" else 0.75]
        assert np.allclose(seen, np.concatenate([*roll[:3], place, length, *views]), atol=1e-6)
        assert seen_origin == origin


def test_a_long_silence_is_still_a_number() -> None:
    rest = POLY.vocabulary.index(f"wait {POLY.longest_wait}")
    played = [POLY.vocabulary.index(word) for word in ("on 60", "wait 3", "off 60", "on 62")]
    for seen, _, _ in outputs(Hands(ACTIONS, GRID), np.array([*played, *[rest] * 400])):
        assert np.isfinite(seen).all()


def test_everything_the_tokenizer_writes_can_follow() -> None:
    music = tokens("poly")
    legal = [follows for _, follows, _ in outputs(Hands(ACTIONS, GRID), music)]
    given = len(POLY.beginning)
    assert all(bool(legal[place - 1][music[place]]) for place in range(given, len(music)))


@cache
def stepping() -> tuple[Hands, Callable[..., tuple[Any, Any]]]:
    """Hands, and one step of them, compiled."""
    hands = Hands(ACTIONS, GRID)
    return hands, tf.function(hands, autograph=False)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_can_follow_is_the_spelling_the_tokenizer_writes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hands, step = stepping()
    state = hands.get_initial_state(1)
    music = list(POLY.beginning)
    for token in music:
        row, state = step(np.array([[token]], np.float32), state)
    for _ in range(40):
        follows = np.flatnonzero(keras.ops.convert_to_numpy(row)[0, hands.features : -1])
        kinds = sorted({ACTIONS[token][0] for token in follows} - {"velocity"})
        kind = kinds[rng.integers(len(kinds))]
        token = int(rng.choice([token for token in follows if ACTIONS[token][0] == kind]))
        music.append(token)
        row, state = step(np.array([[token]], np.float32), state)
    while ACTIONS[music[-1]][0] != "wait":
        music.append(POLY.vocabulary.index("wait 1"))
    notes, metres = POLY.decode_piece(music)
    assert {note.pitch for note in notes} <= set(PITCHES)
    slots = sum(ACTIONS[token][1] for token in music if ACTIONS[token][0] == "wait")
    again = POLY.encode_piece([Note(*note) for note in notes], metres, end=slots / GRID)
    assert [POLY.vocabulary[token] for token in again] == [POLY.vocabulary[token] for token in music]
