"""Networks whose tokens are timed: each in LiteRT, and in Keras as the first version asked its network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
from neuralmidi.step_model import StepModel

from training.bench.music import music
from training.bench.pace import Act, in_turns, player, token_times
from training.bench.windows import WINDOW
from training.export import step_model
from training.model import build
from training.network import TOKEN, Network
from training.quantised import KINDS, exports
from training.table import Row
from training.variants import Variant

PLAIN: Final = "plain layers"


@dataclass(frozen=True)
class Subject:
    """A network that is timed.

    Attributes:
        name: of its variant.
        network: untrained.
        models: its exports, by kind.
        megabytes: of each.
        tokens: some music.
    """

    name: str
    network: Network
    models: Mapping[str, StepModel]
    megabytes: Mapping[str, float]
    tokens: Sequence[int]


def subject(each: Variant, folder: Path) -> Subject:
    """Build and export a variant; what it hears is kept in a folder."""
    settings = each.settings()
    heard = music(settings, folder)
    keras.utils.set_random_seed(settings.seed)
    network = build(settings, heard.representation.tokenizer)
    files = exports([network])
    return Subject(
        each.name,
        network,
        {kind: step_model(file, [network]) for kind, file in files.items()},
        {kind: len(file) / 2**20 for kind, file in files.items()},
        heard.corpus("train").ids(0).tolist(),
    )


def predict_times(
    asked: Mapping[str, tuple[keras.Model, Sequence[int]]], seconds: float
) -> dict[str, list[float]]:
    """Return what Keras `predict` takes for a window, in ms.

    Args:
        asked: models and the music to take the window from, by name.
        seconds: for each.
    """
    return in_turns({name: _predictor(*each) for name, each in asked.items()}, seconds)


def token_rows(
    subjects: Sequence[Subject], predicted: Mapping[str, Sequence[float]], seconds: float
) -> list[Row]:
    """Time a token of each: a row for each kind of weights, with the ratios to what `predict` takes."""
    players = {
        f"{each.name} {kind}": player(each.models[kind], each.tokens) for each in subjects for kind in KINDS
    }
    times = token_times(players, seconds)
    windows = {name: float(np.median(each)) for name, each in predicted.items()}
    return [
        {
            "network": each.name,
            "weights": kind,
            "parameters": each.network.count_params(),
            "MB": each.megabytes[kind],
            **times[f"{each.name} {kind}"],
            "x predict": windows[PLAIN] / times[f"{each.name} {kind}"]["hot"],
            "x own predict": windows[each.name] / times[f"{each.name} {kind}"]["hot"],
        }
        for each in subjects
        for kind in KINDS
    ]


def _predictor(model: keras.Model, tokens: Sequence[int]) -> Act:
    window = {TOKEN: np.resize(np.array(tokens, np.int32), (1, WINDOW))}

    def predict() -> None:
        model.predict(window, verbose=0)

    return predict
