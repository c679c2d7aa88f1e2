"""Training: excerpts in, best weights out; interrupted, it goes on where it was."""

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import keras
import numpy as np
from neuralmidi.errors import NeuralMIDIError

from training.concert import Batch, Concert
from training.dataset import Report
from training.hands import FORBIDDEN
from training.network import CONDITION, TOKEN
from training.settings import Settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BEST: Final = "best.weights.h5"
LATEST: Final = "latest.weights.h5"
HISTORY: Final = "history.csv"
HPARAMS: Final = "hparams.json"
LOGS: Final = "logs"
MACHINE: Final = "machine"
VALID_BATCH: Final = 16
WIDTH: Final = 30
"""Characters of a progress bar."""
NATS: Final = "nats"
"""The metric beside a loss that is smoothed."""
PAUSE: Final = 0.5
"""Seconds before it is drawn anew."""

Build = Callable[[], keras.Model]


class DivergedError(Exception):
    """The loss became NaN: nothing that can be kept came out."""


@dataclass(frozen=True)
class Fitted:
    """What a run did: ``epochs`` done, the ``best`` of them (from 1), its ``nats`` per token, ``minutes``."""

    epochs: int
    best: int
    nats: float
    minutes: float


def rehearsals(concert: Concert, epoch: int) -> Iterator[tuple[Any, ...]]:
    """Give the batches of a concert from an epoch on, as Keras takes them on any backend."""
    for number in range(epoch, concert.settings.epochs):
        for index in range(concert.batches):
            yield arguments(concert.batch(number, index))


@dataclass(frozen=True)
class Team:
    """Who trains a model together, see `training.strategy`; by default this process, alone.

    Attributes:
        scope: in which the network must be made and trained.
        feed: what gives Keras its batches, from an epoch on.
        chief: whether this process writes and speaks; of several only the first does.
        meet: waits until all of them are here.
        adapt: makes a compiled network fit for it.
    """

    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    feed: Callable[[Concert, int], Any] = rehearsals
    chief: bool = True
    meet: Callable[[], object] = lambda: None
    adapt: Callable[[keras.Model], object] = lambda model: None


def arguments(batch: Batch) -> tuple[dict[str, Any], Any, Any]:
    """Return a batch as Keras takes it: inputs by name, targets, weights."""
    inputs: dict[str, Any] = {TOKEN: batch.tokens}
    if batch.condition.shape[1]:
        inputs[CONDITION] = batch.condition
    return inputs, batch.targets, batch.weights


def fit(
    build: Build,
    concert: Concert,
    valid: Batch,
    run: Path,
    facts: Mapping[str, Any] | None = None,
    team: Team | None = None,
    report: Report = print,
) -> Fitted:
    """Train until the validation score stops getting better; the best weights are then in ``run / BEST``.

    Args:
        build: makes the network, weights and all: a base model's, if there is one.
        concert: what to hear.
        valid: what to be validated on.
        run: the folder that holds all that is needed to go on after an interruption. A run with other
            settings or facts that lies there is moved aside; a finished one is taken as it is.
        facts: what besides the settings decides what comes out: the music, the vocabulary, the base.
        team: who trains it; None: this process, alone.
        report: takes a line per event.

    Raises:
        DivergedError: the loss became NaN.
        NeuralMIDIError: another process is at this run.
    """
    settings = concert.settings
    team = team or Team()
    with _alone(run) if team.chief else nullcontext():
        if team.chief:
            _prepare(run, {"settings": asdict(settings), **(facts or {})}, report)
        team.meet()  # the others must not see what the first has not prepared yet
        if _finished(read_history(run), settings):
            report(f"{run}: already trained; remove it to train again")
        else:
            with team.scope(), _policy(precision()):
                _fit(build(), concert, valid, run, team, report)
        team.meet()
    return fitted(run)


def fitted(run: Path) -> Fitted:
    """Return what a run that is finished did."""
    history = read_history(run)
    scores = [float(row["val_loss"]) for row in history]
    minutes = sum(float(row["seconds"]) for row in history) / 60
    return Fitted(len(history), int(np.argmin(scores)) + 1, min(scores), minutes)


def precision() -> str:
    """Return how to compute: products in bfloat16 where the processor has them, 1.6 times as fast."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    return "mixed_bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "float32"


def _compiled() -> str | bool:
    """Return whether XLA compiles: not TensorFlow on a CPU, where it made attention 2.4 times as slow."""
    on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return False if on_cpu else "auto"


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Let layers made in here compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Keep other processes away from a run; the system lets go of it when this one ends, however it does."""
    run.parent.mkdir(parents=True, exist_ok=True)
    with (run.parent / f".{run.name}.lock").open("w") as lock:
        try:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            why = "another process is training it"
            raise NeuralMIDIError(
                f"run {run}", why, "wait for it, or give another folder as --runs"
            ) from error
        yield


def _prepare(run: Path, hparams: Mapping[str, Any], report: Report) -> None:
    """Make the folder of a run; one with other hparams that lies there is moved aside."""
    wanted = json.loads(json.dumps(hparams))
    file = run / HPARAMS
    if file.exists():
        held = json.loads(file.read_text())
        held.pop(MACHINE, None)
        # Of settings that it did not have, what it did is the default.
        held["settings"] = {**asdict(Settings()), **held["settings"]}
        if held == wanted:
            return
        places = (run.with_name(f"{run.name}.{number}") for number in count(1))
        aside = next(path for path in places if not path.exists())
        run.rename(aside)
        report(f"{run}: held a run with other settings, moved to {aside.name}")
    run.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**wanted, MACHINE: _machine()}, indent=1))


def _machine() -> str:
    """Return what the model is trained on, in words."""
    backend = keras.backend.backend()
    gpus = sum(not device.startswith("cpu") for device in keras.distribution.list_devices())
    device = f"{gpus} GPU" if gpus else f"{os.cpu_count()} CPU cores"
    software = f"Keras {keras.__version__} on {backend} {import_module(backend).__version__}"
    return f"{device}, {precision()}, {software}"


def read_machine(run: Path) -> str:
    """Return what the model of a run was trained on, in words."""
    return str(json.loads((run / HPARAMS).read_text())[MACHINE])


def _finished(history: list[dict[str, str]], settings: Settings) -> bool:
    """Whether all epochs are done, or none has been better for long enough."""
    scores = [float(row["val_loss"]) for row in history]
    return bool(scores) and (
        len(scores) >= settings.epochs or len(scores) - 1 - int(np.argmin(scores)) >= settings.patience
    )


def _fit(model: keras.Model, concert: Concert, valid: Batch, run: Path, team: Team, report: Report) -> None:
    settings = concert.settings
    optimizer = keras.optimizers.AdamW(
        settings.learning_rate if settings.plateau else _cosine(concert),
        weight_decay=settings.weight_decay,
        clipnorm=1.0,
        use_ema=True,
        ema_momentum=settings.average,
        ema_overwrite_frequency=None,
    )
    # The weights of a batch sum to its size: so the mean over all is the mean over what counts.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum_over_batch_size")
    smoothed = Smoothed(settings.smoothing) if settings.smoothing else loss
    nats = [keras.metrics.SparseCategoricalCrossentropy(name=NATS, from_logits=True)]
    model.compile(
        optimizer=optimizer,
        loss=smoothed,
        weighted_metrics=nats if settings.smoothing else None,
        jit_compile=_compiled(),
    )
    team.adapt(model)
    optimizer.build(model.trainable_variables)
    begun = 0
    if (run / LATEST).exists():
        model.load_weights(run / LATEST)
        begun = int(optimizer.iterations) // concert.batches
    keeper = Keeper(run, begun, concert, team.chief, report)
    inputs, targets, weights = arguments(valid)
    model.fit(
        team.feed(concert, begun),
        initial_epoch=begun,
        epochs=settings.epochs,
        steps_per_epoch=concert.batches,
        validation_data=(inputs, targets, weights),
        validation_batch_size=VALID_BATCH,
        # The keeper comes first: it keeps the averaged weights before they are swapped back.
        callbacks=[keeper, keras.callbacks.SwapEMAWeights(), *(_board(run, report) if team.chief else [])],
        shuffle=False,  # a concert is random as it is; another shuffle would differ after an interruption
        verbose=0,
    )
    if keeper.diverged:
        raise DivergedError("the loss is not a number any more / lower --learning_rate, or begin anew")


def _cosine(concert: Concert) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of each update, if it is no validation score that decides it."""
    settings = concert.settings
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 20,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup,
        decay_steps=max(1, concert.batches * settings.epochs - settings.warmup),
        alpha=0.02,
    )


def halvings(scores: Sequence[float], plateau: int) -> int:
    """Return how often the learning rate has been halved: each time ``plateau`` epochs brought nothing.

    As Keras's ReduceLROnPlateau, but told from the history, so that a run that was interrupted goes on alike.
    """
    best, wait, count = np.inf, 0, 0
    for score in scores:
        wait = 0 if score < best else wait + 1
        best = min(best, score)
        if wait == plateau:
            wait, count = 0, count + 1
    return count


class Smoothed(keras.losses.Loss):
    """Cross-entropy with label smoothing (Szegedy et al. 2016) over the tokens that can follow.

    Args:
        share: of the probability that goes to all that can follow, alike.
    """

    def __init__(self, share: float) -> None:
        super().__init__(name="smoothed")
        self.share = share

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each target, given logits ``[batch, tokens, V]``."""
        log_p = keras.ops.log_softmax(y_pred, -1)
        legal = keras.ops.cast(y_pred > FORBIDDEN / 2, log_p.dtype)
        spread = keras.ops.sum(legal * log_p, -1) / keras.ops.maximum(keras.ops.sum(legal, -1), 1)
        target = keras.ops.take_along_axis(log_p, keras.ops.cast(y_true, "int32")[..., None], -1)[..., 0]
        return -(1 - self.share) * target - self.share * spread


def _board(run: Path, report: Report) -> list[keras.callbacks.Callback]:
    """Return what writes TensorBoard's logs, where there is a TensorFlow to do it."""
    missing = [name for name in ("tensorflow", "tensorboard") if not find_spec(name)]
    if missing:
        report(f"no TensorBoard logs: they need {' and '.join(missing)}")
        return []
    return [keras.callbacks.TensorBoard(run / LOGS, write_graph=False)]


class Keeper(keras.callbacks.Callback):
    """Keeps what a run needs to go on, says how it goes, and ends it when it gets no better.

    Args:
        run: its folder.
        begun: epochs done before.
        concert: what is heard.
        chief: whether to write and speak.
        report: takes a line per epoch; a terminal shows a bar in between.
    """

    def __init__(self, run: Path, begun: int, concert: Concert, chief: bool, report: Report) -> None:
        super().__init__()
        self.run = run
        self.chief = chief
        self.report = report
        self.concert = concert
        self.settings = concert.settings
        self.history = read_history(run)[:begun]
        self.diverged = False
        self.seconds: list[float] = []
        self.bar = chief and sys.stdout.isatty()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the watch, and dropout's draws of this epoch: no file keeps where these were."""
        self.begun = self.said = time.monotonic()
        self.epoch = epoch
        if self.settings.plateau:
            scores = [float(row["val_loss"]) for row in self.history]
            halved = halvings(scores, self.settings.plateau)
            self.model.optimizer.learning_rate.assign(self.settings.learning_rate / 2**halved)
        draws = [each for each in self.model.variables if each.name == "seed_generator_state"]
        for place, state in enumerate(draws):
            rng = np.random.default_rng((self.settings.seed, epoch, place))
            state.assign(rng.integers(1 << 31, size=state.shape).astype(state.dtype))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar, twice a second."""
        now = time.monotonic()
        if self.bar and now - self.said > PAUSE:
            self.said = now
            done = (batch + 1) / self.concert.batches
            left = (now - self.begun) * (1 / done - 1)
            bar = "#" * int(WIDTH * done)
            loss = float(_nats(logs or {"loss": np.nan}))
            print(
                f"\repoch {self.epoch + 1}/{self.settings.epochs} [{bar:.<{WIDTH}}] train {loss:.3f}, "
                f"{_span(left)} left in this epoch, at most {_span(self._left(self.begun, done))} in all ",
                end="",
                flush=True,
            )

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Keep the averaged weights if they are the best so far."""
        best = min((float(row["val_loss"]) for row in self.history), default=np.inf)
        if _nats(logs or {}) < best:
            self._save(BEST)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write down the epoch, keep all that is needed to go on, say the line."""
        logs = logs or {}
        seconds = time.monotonic() - self.begun
        self.seconds.append(seconds)
        row = {
            "epoch": epoch + 1,
            "seconds": round(seconds, 2),
            "loss": _nats(logs),
            "val_loss": _nats(logs, "val_"),
        }
        self.history.append({name: str(value) for name, value in row.items()})
        if not np.isfinite([row["loss"], row["val_loss"]]).all():
            self.diverged = self.model.stop_training = True
            return
        if _finished(self.history, self.settings):
            self.model.stop_training = True
        self._save(LATEST)
        if not self.chief:
            return
        self._write_history()
        pace = self.concert.batches * self.settings.batch * self.settings.seq_len / seconds
        scores = f"train {row['loss']:.4f}, valid {row['val_loss']:.4f} nats per token"
        left = f"at most {_span(self._left(self.begun, 1.0))} left"
        clear = "\r" + " " * 110 + "\r" if self.bar else ""
        self.report(
            f"{clear}epoch {epoch + 1}/{self.settings.epochs}: {scores}, {pace:,.0f} tokens/s, {left}"
        )

    def _left(self, begun: float, done: float) -> float:
        """Return how many seconds all the epochs may still take, this one being done to a share."""
        pace = self.seconds[-1] if self.seconds else (time.monotonic() - begun) / done
        return pace * (self.settings.epochs - self.epoch - done)

    def _save(self, name: str) -> None:
        """Write the weights so that an interruption leaves the old file or the new one.

        Of several processes all read them, which takes them all, and only the first writes them.
        """
        with TemporaryDirectory(dir=self.run if self.chief else None, prefix="part.") as folder:
            part = Path(folder) / name
            self.model.save_weights(part)
            if self.chief:
                part.replace(self.run / name)

    def _write_history(self) -> None:
        part = self.run / f"part.{HISTORY}"
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.history[0]))
            writer.writeheader()
            writer.writerows(self.history)
        part.replace(self.run / HISTORY)


def _nats(logs: Mapping[str, Any], part: str = "") -> float:
    """Return the cross-entropy without smoothing: the loss itself, if there is no other."""
    return float(logs.get(part + NATS, logs[f"{part}loss"]))


def _span(seconds: float) -> str:
    """Return a time to wait: ``40 s``, ``12 min``, ``1 h 40 min``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def read_history(run: Path) -> list[dict[str, str]]:
    """Return one row per finished epoch."""
    try:
        with (run / HISTORY).open(newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
