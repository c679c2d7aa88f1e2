"""Music, a small network for it, and a folder: all that a training needs."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from midi import song

from training import shards
from training.concert import Batch, Concert, windows
from training.fit import BEST, Fitted, Team, fit
from training.model import build
from training.network import Network
from training.settings import Settings, settings_from
from training.shards import Corpus
from training.tokens import representation

PIECES = [song(16, seed, "ab"[seed % 2]) for seed in range(4)]
SMALL = {"units": 8, "layers": 1, "width": 8, "batch": 4, "seq_len": 32, "warmup": 5, "learning_rate": 0.02}
SETTINGS = settings_from({**SMALL, "epochs": 3, "passes": 0.5, "average": 0.8})


class Studio:
    """Music, a small network for it, and a folder."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS) -> None:
        self.run = folder / "run"
        self.representation = representation(settings, lambda: PIECES)
        lines = [(each.name, "ab".index(each.composer), self.representation.encode(each)) for each in PIECES]
        shards.write(folder / "train", lines[:3])
        shards.write(folder / "valid", lines[3:])
        train, valid = Corpus(folder / "train"), Corpus(folder / "valid")
        self.concert = Concert(train, self.representation, np.eye(2, dtype=np.float32), settings)
        self.valid: Batch = windows(valid, self.representation, np.eye(2, dtype=np.float32))
        self.said: list[str] = []

    def network(self) -> Network:
        keras.utils.set_random_seed(1)
        return build(self.concert.settings, self.representation.tokenizer, 2)

    def fit(
        self, make: Callable[[], keras.Model] | None = None, team: Team | None = None, **facts: object
    ) -> Fitted:
        make = make or self.network
        return fit(make, self.concert, self.valid, self.run, facts, team, self.said.append)

    def weights(self) -> list[np.ndarray]:
        network = self.network()
        network.load_weights(self.run / BEST)
        return list(network.get_weights())
