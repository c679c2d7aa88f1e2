"""Small networks of every architecture, with random weights, for the tests of what becomes of networks."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from neuralmidi import bundle
from neuralmidi.kit import KIT
from neuralmidi.notes import Metre, Note
from neuralmidi.tokenizer import (
    SPECIALS,
    ChordTokenizer,
    DrumTokenizer,
    PolyTokenizer,
    drum_vocabulary,
    poly_vocabulary,
)
from numpy.typing import NDArray

from training.export import described, export
from training.fronts import ChordFront, DrumFront, PolyFront
from training.network import Network
from training.tokens import chord_features
from training.trunks import Attention, Recurrent

UNITS, WIDTH, SLOTS = 32, 16, 40
CHORDS = ChordTokenizer((*SPECIALS, *(f"{low},{low + third}" for low in range(30, 100) for third in (3, 4))))
POLY = PolyTokenizer(poly_vocabulary(12, ["4/4", "3/4"]), 12, ("<start>", "bar 3/4"))
DRUMS = DrumTokenizer(drum_vocabulary(mask for mask in range(512) if mask.bit_count() in (0, 1, 2, 9)))
ACTIONS = [(action.kind, action.value) for action in POLY.actions]
TRUNKS = {
    "lstm": partial(Recurrent, "lstm", UNITS, 2, 0.1),
    "gru": partial(Recurrent, "gru", UNITS, 2, 0.1),
    "attention": partial(Attention, UNITS, 2, 0.1, slots=SLOTS),
}


def _chord_front() -> ChordFront:
    return ChordFront(chord_features(CHORDS.vocabulary), WIDTH, UNITS)


def _poly_front() -> PolyFront:
    return PolyFront(ACTIONS, POLY.steps_per_beat, WIDTH, UNITS)


def _drum_front() -> DrumFront:
    return DrumFront(DRUMS.actions, DRUMS.steps_per_beat, WIDTH, UNITS)


FRONTS: dict[str, Callable[[], keras.layers.Layer]] = {
    "chords": _chord_front,
    "poly": _poly_front,
    "drums": _drum_front,
}
ARCHITECTURES: Sequence[tuple[str, str, int]] = [
    ("chords", "lstm", 0),
    ("poly", "lstm", 3),
    ("poly", "gru", 0),
    ("poly", "attention", 3),
    ("drums", "lstm", 3),
]
"""Tokenizer, trunk, composers known apart."""


def network(kind: str, trunk: str, composers: int = 0, seed: int = 0) -> Network:
    """An untrained network, every weight of it away from zero."""
    keras.utils.set_random_seed(seed)
    made = Network(FRONTS[kind](), TRUNKS[trunk](), composers)
    made.build()
    rng = np.random.default_rng(seed)
    made.set_weights([weight + rng.normal(0, 0.15, weight.shape) for weight in made.get_weights()])
    return made


def logits(made: Callable[..., Any], inputs: Mapping[str, Any], **options: bool) -> NDArray[np.float32]:
    """What a network says to a window, compiled: else each step of it is taken by itself, which is slow."""
    return np.asarray(tf.function(made, autograph=False)(dict(inputs), **options))


def tokens(kind: str, least: int = 300) -> NDArray[np.int32]:
    """Something to hear: any chords, bars of any drums, or a piece of repeated notes and long waits."""
    rng = np.random.default_rng(1)
    if kind == "chords":
        return rng.integers(0, len(CHORDS.vocabulary), least).astype(np.int32)
    if kind == "drums":
        return _any_drums(rng, least)
    starts = np.sort(rng.integers(0, 40 * 12, 200)) / 12
    lengths = rng.choice([1, 3, 4, 6, 12, 60], len(starts)) / 12
    pitches, velocities = rng.integers(40, 80, len(starts)), rng.integers(1, 128, len(starts))
    columns = zip(starts, starts + lengths, pitches, velocities, strict=True)
    notes = [Note(float(start), float(end), int(p), int(v)) for start, end, p, v in columns]
    music = POLY.encode_piece(notes, [Metre(0, 3, 4)])
    assert len(music) >= least
    return music


def _any_drums(rng: np.random.Generator, hits: int) -> NDArray[np.int32]:
    starts = (rng.integers(0, hits, hits) / DRUMS.steps_per_beat + rng.uniform(-0.1, 0.1, hits)).clip(0)
    pitches, velocities = rng.choice([each.pitch for each in KIT], hits), rng.integers(1, 128, hits)
    columns = zip(starts, pitches, velocities, strict=True)
    return DRUMS.encode_piece([Note(float(start), float(start), int(p), int(v)) for start, p, v in columns])


def write_drummer(folder: Path, styles: Sequence[str] = ("fill", "funk", "rock")) -> Path:
    """Write an untrained drummer as the runtime loads it; return its folder."""
    made = network("drums", "lstm", len(styles))
    description = {
        "name": folder.name,
        "title": "Nobody's drums",
        "tokenizer": {"kind": "drums", "vocabulary": list(DRUMS.vocabulary)},
        "grid": {"steps_per_beat": DRUMS.steps_per_beat},
        "states": described([made]),
        **({"condition": {"names": list(styles)}} if styles else {}),
    }
    bundle.write(folder, export([made], int8=False), description)
    return folder
