"""Training: excerpts in, best weights out; interrupted, it goes on where it was."""

import csv
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from neuralmidi.tokenizer import SPECIALS, START, UNKNOWN

from training.dataset import Report
from training.tokens import Tokens, stream

BEST: Final = "best.weights.h5"
HISTORY: Final = "history.csv"
HPARAMS: Final = "hparams.json"
CONTEXT: Final = 256
"""Steps of music before the first scored step of a validation window."""
UNHEARD: Final = 0.02
"""Share of the tokens heard in training that become ``<unknown>``: a player's chord may be any."""
SCORED: Final = 256
"""Steps scored per validation window; the windows together score every step once."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a training run gives, with the reason for each default.

    Attributes:
        vocabulary: words, the specials included; 8192 cover 91 % of the training steps of Bach's 106 pieces.
        units: of each LSTM layer.
        layers: of LSTM; 2 x 256 is far below 0.35 ms a token.
        width: length of a chord's vector.
        dropout: share of values dropped while training; in twelve keys even few pieces are hard to learn.
        seq_len: steps per excerpt; gradients reach that far.
        batch: excerpts per update.
        epochs: most passes; an epoch hears ``passes`` times as many steps as there are, in random keys.
        learning_rate: reached after ``warmup`` updates, then down to a fiftieth along a cosine.
        weight_decay: of AdamW.
        patience: epochs without a better validation score before it stops.
        seed: of weights, dropout and excerpts.
    """

    vocabulary: int = 8192
    units: int = 256
    layers: int = 2
    width: int = 128
    dropout: float = 0.1
    seq_len: int = 64
    batch: int = 32
    epochs: int = 20
    passes: int = 8
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.01
    patience: int = 4
    seed: int = 1


@dataclass(frozen=True)
class Fitted:
    """What a run did: ``epochs`` done, the ``best`` of them (from 1) and its ``nats``, ``minutes``."""

    epochs: int
    best: int
    nats: float
    minutes: float


class Concert(keras.utils.PyDataset):
    """Batches of excerpts, new ones every epoch; the same ones for the same seed and epoch."""

    def __init__(self, pieces: Sequence[Sequence[Tokens]], settings: Settings, epoch: int = 0) -> None:
        super().__init__()
        self.pieces = pieces
        self.settings = settings
        self.epoch = epoch
        steps = sum(len(keys[0]) for keys in pieces)
        self.batches = max(1, settings.passes * steps // (settings.batch * settings.seq_len))

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[Tokens, Tokens]:
        rng = np.random.default_rng((self.settings.seed, self.epoch, index))
        length = self.settings.seq_len + 1
        tokens = np.stack([stream(self.pieces, length, rng) for _ in range(self.settings.batch)])
        inputs, targets = tokens[:, :-1].copy(), tokens[:, 1:]
        inputs[rng.random(inputs.shape) < UNHEARD] = SPECIALS.index(UNKNOWN)
        return inputs, targets

    def on_epoch_end(self) -> None:
        """Go on to other excerpts."""
        self.epoch += 1


def windows(pieces: Sequence[Tokens]) -> tuple[Tokens, Tokens, np.ndarray]:
    """Cut pieces into windows of equal length that score every step once, each with the music before it.

    Returns:
        Inputs and targets ``[windows, CONTEXT + SCORED]``, and the weight, 0 or 1, of each target.
    """
    size = CONTEXT + SCORED
    rows = []
    for piece in pieces:
        tokens = np.concatenate([[SPECIALS.index(START)], piece]).astype(np.int32)
        for first in range(0, max(1, len(piece) - CONTEXT), SCORED):
            row = tokens[first : first + size + 1]
            weight = np.ones(len(row) - 1, np.float32)
            weight[: CONTEXT if first else 0] = 0
            room = (0, size - len(weight))
            rows.append((np.pad(row[:-1], room), np.pad(row[1:], room), np.pad(weight, room)))
    inputs, targets, weights = (np.stack(column) for column in zip(*rows, strict=True))
    return inputs, targets, weights


def fit(
    model: keras.Model,
    train: Sequence[Sequence[Tokens]],
    valid: Sequence[Tokens],
    settings: Settings,
    run: Path,
    report: Report = print,
) -> Fitted:
    """Train until the validation score stops getting better, then load the best weights into the model.

    Args:
        model: takes ``[batch, steps]`` tokens, gives logits of the next ones.
        train: per piece its tokens in every key.
        valid: the tokens of each validation piece.
        settings: what to do.
        run: the folder that holds all that is needed to go on after an interruption. A run with other
            settings that lies there is thrown away; a finished one is taken as it is.
        report: takes a line per event.
    """
    hparams = json.dumps(asdict(settings), indent=1)
    if (run / HPARAMS).exists() and (run / HPARAMS).read_text() != hparams:
        report(f"{run}: held a run with other settings, begun anew")
        shutil.rmtree(run)
    run.mkdir(parents=True, exist_ok=True)
    (run / HPARAMS).write_text(hparams)
    if _history(run) and not (run / "backup").exists():
        report(f"{run}: already trained; remove it to train again")
    else:
        _fit(model, train, valid, settings, run, report)
    model.load_weights(run / BEST)
    history = _history(run)
    scores = [float(row["val_loss"]) for row in history]
    minutes = sum(float(row["seconds"]) for row in history) / 60
    return Fitted(len(history), int(np.argmin(scores)) + 1, min(scores), minutes)


def _fit(
    model: keras.Model,
    train: Sequence[Sequence[Tokens]],
    valid: Sequence[Tokens],
    settings: Settings,
    run: Path,
    report: Report,
) -> None:
    done = _history(run)
    concert = Concert(train, settings, epoch=len(done))
    cosine = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup,
        decay_steps=max(1, len(concert) * settings.epochs - settings.warmup),
        alpha=0.02,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(cosine, weight_decay=settings.weight_decay, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
    )
    inputs, targets, weights = windows(valid)
    best = min((float(row["val_loss"]) for row in done), default=None)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        Logbook(run, settings.epochs, report),
        keras.callbacks.ModelCheckpoint(
            run / BEST,
            monitor="val_loss",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
        ),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=settings.patience, baseline=best),
        keras.callbacks.BackupAndRestore(run / "backup"),  # last: it marks an epoch as done, all else written
    ]
    model.fit(
        concert,
        epochs=settings.epochs,
        validation_data=(inputs, targets, weights),
        validation_batch_size=8,
        callbacks=callbacks,
        shuffle=False,  # the concert is random as it is; another shuffle would differ after an interruption
        verbose=0,
    )


class Logbook(keras.callbacks.Callback):
    """Writes a row per epoch into the history, says how it goes and how long it may still take."""

    def __init__(self, run: Path, epochs: int, report: Report) -> None:
        super().__init__()
        self.file = run / HISTORY
        self.epochs = epochs
        self.report = report
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the watch."""
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop it, write the row and say the line."""
        self.seconds.append(time.monotonic() - self.begun)
        row = {"epoch": epoch + 1, "seconds": self.seconds[-1], **(logs or {})}
        new = not self.file.exists()
        with self.file.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        left = (self.epochs - epoch - 1) * np.mean(self.seconds) / 60
        scores = f"train {row['loss']:.3f}, valid {row['val_loss']:.3f} nats per step"
        self.report(f"epoch {epoch + 1}/{self.epochs}: {scores}, at most {left:.0f} min left")


def _history(run: Path) -> list[dict[str, str]]:
    """Return one row per finished epoch."""
    try:
        with (run / HISTORY).open(newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
