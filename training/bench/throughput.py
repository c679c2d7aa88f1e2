"""How many targets a second a training learns from: every token of an excerpt, or one a window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from training.bench.windows import WINDOW, LastOnly, Original, Windows, last_target
from training.concert import Batch, Concert, windows
from training.fit import fit, read_history
from training.model import build
from training.prepare import Music
from training.settings import Settings
from training.table import Row

MEASURED: Final = 3
"""Epochs whose median counts; one more goes before, in which Keras compiles."""


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        name: how a table calls it.
        build: makes what is trained.
        concert: what gives its batches.
        seq_len: tokens that are heard of an excerpt.
        targets: of these, those that are learnt from.
        updates: in an epoch.
        valid: makes of a validation batch one of its kind.
    """

    name: str
    build: Callable[[], keras.Model]
    concert: Callable[..., Concert]
    seq_len: int
    targets: int
    updates: int
    valid: Callable[[Batch], Batch]


def ways(settings: Settings, music: Music, updates: int) -> list[Way]:
    """Return ours, and two ways of doing it window by window.

    Args:
        settings: of the network.
        music: what it hears.
        updates: in an epoch of ours; of theirs, which are shorter, so many more.
    """
    tokenizer = music.representation.tokenizer
    more = max(1, updates * settings.seq_len // WINDOW)
    return [
        Way(
            "every token of an excerpt",
            lambda: build(settings, tokenizer),
            Concert,
            settings.seq_len,
            settings.seq_len,
            updates,
            lambda batch: batch,
        ),
        Way(
            f"one of a window of {WINDOW}, same network",
            lambda: LastOnly(build(settings, tokenizer)),
            Windows,
            WINDOW,
            1,
            more,
            last_target,
        ),
        Way(
            f"one of a window of {WINDOW}, plain layers",
            lambda: Original(settings, len(tokenizer.vocabulary)),
            Windows,
            WINDOW,
            1,
            more,
            last_target,
        ),
    ]


def throughput(settings: Settings, music: Music, updates: int, runs: Path) -> Sequence[Row]:
    """Train a little in each way; returns a row each, with how many times as fast the first is.

    It is `training.fit` that trains them all, alike but for what is said in `ways`.
    """
    rows: list[dict[str, Any]] = []
    for number, way in enumerate(ways(settings, music, updates)):
        seconds = _seconds(way, settings, music, runs / f"way-{number}")
        targets = settings.batch * way.targets
        pace = targets / seconds
        row = {"training on": way.name, "targets/update": targets, "ms/update": 1000 * seconds}
        rows.append({**row, "targets/s": pace, "x": (rows[0]["targets/s"] if rows else pace) / pace})
    return rows


def _seconds(way: Way, settings: Settings, music: Music, run: Path) -> float:
    """Return the seconds of an update, with all that belongs to an epoch."""
    corpus = music.corpus("train")
    epochs = 1 + MEASURED
    passes = way.updates * settings.batch * way.seq_len / float(corpus.sizes.sum())
    limited = replace(settings, seq_len=way.seq_len, passes=passes, epochs=epochs, patience=epochs)
    concert = way.concert(corpus, music.representation, music.conditions, limited)
    valid = way.valid(windows(corpus, music.representation, music.conditions))
    fit(way.build, concert, valid, run, report=lambda line: None)
    seconds = [float(row["seconds"]) for row in read_history(run)][1:]
    return float(np.median(seconds)) / concert.batches
