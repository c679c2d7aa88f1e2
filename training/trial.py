"""One network on some music, for a comparison: trained on so many tokens, exported, scored, kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.quiet import quiet

from training.concert import Concert, windows
from training.dataset import Source
from training.export import STREAMED, require_same_as_keras, step_model
from training.fidelity import fidelity
from training.fit import BEST, Fitted, fit
from training.likelihood import Score
from training.model import build
from training.network import Network
from training.preflight import Survey
from training.prepare import Music, prepare
from training.progress import say
from training.quantised import KINDS, exports
from training.scores import SCORED, score_pieces, thinned
from training.settings import Settings
from training.ship import interface
from training.variants import Variant

EPOCHS: Final = 8
"""How often at least it is validated on the way; the best of these weights count."""
VALIDATED: Final = 60_000
"""Tokens of each of these validations: more would cost as much as the training."""
RESULT: Final = "trial.json"


@dataclass(frozen=True)
class Budget:
    """What all variants have in common.

    Attributes:
        sources: the files.
        found: what they are like.
        runs: where unfinished work lies.
        tokens: to train on, the same number for all.
        given: settings that the user asked for.
    """

    sources: Sequence[Source]
    found: Survey
    runs: Path
    tokens: int
    given: Mapping[str, Any]


def trial(variant: Variant, budget: Budget) -> dict[str, Any]:
    """Train and score a variant, as far as that has not been done before; returns its figures.

    The files that were scored are in ``runs / NAME / KIND`` and can be played and evaluated like any model.

    Raises:
        DivergedError: it came to nothing.
        ExportError: it cannot be exported.
        NeuralMIDIError: another process is at it.
    """
    settings = variant.settings(**budget.given)
    together = len(budget.found.composers) > 1
    music = prepare(budget.sources, budget.found, settings, budget.runs, together=together)
    run = budget.runs / variant.name
    settings = spend(settings, budget.tokens, int(music.corpus("train").sizes.sum()))
    fitted = _fit(settings, music, run)
    result = run / RESULT
    if result.exists():  # a run with other settings was moved away with it
        return dict(json.loads(result.read_text()))
    network = build(settings, music.representation.tokenizer, len(music.composers))
    network.load_weights(run / BEST)
    figures = {
        "variant": variant.name,
        "minutes": fitted.minutes,
        "parameters": network.count_params(),
        **_scores(_export(network, music, run), music),
    }
    part = result.with_suffix(".part")
    part.write_text(json.dumps(figures, indent=1))
    part.replace(result)
    return figures


def spend(settings: Settings, tokens: int, heard: int) -> Settings:
    """Return settings that train on so many tokens, whatever happens.

    Args:
        settings: the usual.
        tokens: to train on.
        heard: tokens of one hearing of all the music.
    """
    excerpts = settings.batch * settings.seq_len
    updates = max(1, round(tokens / excerpts))
    numbers = range(min(EPOCHS, updates), 2 * EPOCHS)
    epochs = min(numbers, key=lambda number: abs(number * round(updates / number) - updates))
    return replace(
        settings,
        epochs=epochs,
        patience=epochs,
        passes=round(updates / epochs) * excerpts / heard,
        # A short training must not spend itself on warming up, nor its average remember the beginning.
        warmup=min(settings.warmup, max(1, updates // 10)),
        average=min(settings.average, max(0.0, 1 - 20 / updates)),
    )


def players(run: Path) -> dict[str, Bundle]:
    """Return what a run exported, by kind."""
    with quiet():
        return {kind: bundle.load(run / kind) for kind in KINDS}


def _fit(settings: Settings, music: Music, run: Path) -> Fitted:
    train, valid = music.corpus("train"), music.corpus("valid")
    composers = len(music.composers)
    concert = Concert(train, music.representation, music.conditions, settings)
    keras.utils.set_random_seed(settings.seed)
    return fit(
        lambda: build(settings, music.representation.tokenizer, composers),
        concert,
        windows(valid, music.representation, music.conditions, VALIDATED),
        run,
        music.facts(),
        report=say,
    )


def _export(network: Network, music: Music, run: Path) -> dict[str, Bundle]:
    """Write both files, proven; returns them as a player has them."""
    description = {
        "name": run.name,
        "title": run.name,
        "benchmark": True,
        **interface(music, [network]),
    }
    files = exports([network])
    tokens = np.resize(music.corpus("valid").ids(0), STREAMED).astype(np.int32)
    require_same_as_keras([network], step_model(files["float32"], [network]), tokens)
    for kind, tflite in files.items():
        bundle.write(run / kind, tflite, description)
    return players(run)


def _scores(models: Mapping[str, Bundle], music: Music) -> dict[str, Any]:
    """Return the figures of both files on the same validation pieces, whatever the grid."""
    valid = thinned([*music.pieces("valid")], SCORED)
    train = thinned([*music.pieces("train")], 5 * SCORED) if models["int8"].tokenizer.kind == "chords" else []
    scores = {kind: sum(score_pieces(model, valid, train), Score()) for kind, model in models.items()}
    lost = fidelity(valid, models["int8"].steps_per_beat)
    return {
        "scores": {kind: score.figures() for kind, score in scores.items()},
        "megabytes": {
            kind: (model.directory / bundle.WEIGHTS).stat().st_size / 2**20 for kind, model in models.items()
        },
        "moved": lost.moved,
        "lost": lost.lost,
    }
