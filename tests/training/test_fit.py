import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from networks import logits
from neuralmidi.errors import NeuralMIDIError
from studio import SMALL, Studio

from training import fit as fitting
from training.fit import BEST, HPARAMS, LATEST, DivergedError, Fitted, read_history, read_machine
from training.network import Network
from training.settings import settings_from

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, Fitted]:
    """A training that is through; whoever changes anything takes a `copy`."""
    studio = Studio(tmp_path_factory.mktemp("trained"))
    return studio, studio.fit()


@pytest.fixture
def copy(trained: tuple[Studio, Fitted], tmp_path: Path) -> Studio:
    shutil.copytree(trained[0].run, tmp_path / "run")
    return Studio(tmp_path)


def test_it_learns_says_so_and_keeps_the_best(trained: tuple[Studio, Fitted], copy: Studio) -> None:
    studio, done = trained
    assert (done.epochs, done.best, len(studio.said)) == (3, 3, 3)
    assert "left" in studio.said[0]
    assert done.nats < 4 < np.log(len(studio.representation.tokenizer.vocabulary))
    assert [*(studio.run / "logs").rglob("events*")]
    assert "Keras" in read_machine(studio.run)
    assert copy.fit() == done
    assert copy.said == [f"{copy.run}: already trained; remove it to train again"]


def test_the_kept_weights_are_the_averaged_ones_and_score_as_it_was_said(
    trained: tuple[Studio, Fitted],
) -> None:
    studio, done = trained
    network = studio.network()
    network.load_weights(studio.run / BEST)
    network.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none"))
    inputs, targets, weights = fitting.arguments(studio.valid)
    log_p = keras.ops.log_softmax(logits(network, inputs))
    said = np.take_along_axis(keras.ops.convert_to_numpy(log_p), targets[..., None], -1)[..., 0]
    assert -(said * weights).sum() / weights.sum() == pytest.approx(
        done.nats, abs=0.02
    )  # it may be in bfloat16
    latest = studio.network()
    latest.load_weights(studio.run / LATEST)
    pairs = zip(latest.get_weights(), studio.weights(), strict=True)
    assert all(not np.array_equal(*pair) for pair in pairs)


def test_after_ctrl_c_it_goes_on_as_if_nothing_had_happened(
    trained: tuple[Studio, Fitted], tmp_path: Path
) -> None:
    (whole, through), broken = trained, Studio(tmp_path)

    class Interruption(fitting.Keeper):
        """Ctrl-C in the middle of the second epoch."""

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            super().on_train_batch_end(batch, logs)
            if self.epoch == 1 and batch == 2:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "Keeper", Interruption)
        with pytest.raises(KeyboardInterrupt):
            broken.fit()
    assert len(read_history(broken.run)) == 1
    broken.said.clear()
    resumed = broken.fit()
    assert [line.split(":")[0] for line in broken.said] == ["epoch 2/3", "epoch 3/3"]
    assert (resumed.epochs, resumed.best, resumed.nats) == (through.epochs, through.best, through.nats)
    for one, other in zip(whole.weights(), broken.weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_run_with_other_settings_or_music_is_moved_aside(copy: Studio, tmp_path: Path) -> None:
    kept = (copy.run / BEST).read_bytes()
    copy.fit(music="another")
    assert "held a run with other settings, moved to run.1" in copy.said[0]
    assert (tmp_path / "run.1" / BEST).read_bytes() == kept
    assert json.loads((copy.run / HPARAMS).read_text())["music"] == "another"


def test_a_setting_that_is_new_since_then_does_not_move_a_run(copy: Studio) -> None:
    hparams = json.loads((copy.run / HPARAMS).read_text())
    del hparams["settings"]["segue"]
    (copy.run / HPARAMS).write_text(json.dumps(hparams))
    copy.fit()
    assert copy.said == [f"{copy.run}: already trained; remove it to train again"]


def test_a_run_tells_where_it_was_trained_not_where_it_was_looked_at(copy: Studio) -> None:
    hparams = json.loads((copy.run / HPARAMS).read_text())
    (copy.run / HPARAMS).write_text(json.dumps({**hparams, "machine": "a GPU box"}))
    copy.fit()
    assert read_machine(copy.run) == "a GPU box"


def test_a_run_that_another_process_is_at_is_left_alone(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    hold = (
        "import sys, time; from pathlib import Path; from training.fit import _alone\n"
        "with _alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'externals'}", "PATH": "/usr/bin:/bin"}
    environment = {**paths, "KERAS_BACKEND": "numpy"}  # it is there sooner than TensorFlow
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(studio.run)], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(NeuralMIDIError, match=r"another process is training it / .*--runs"):
            studio.fit()
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    time.sleep(0.1)
    assert not studio.run.exists()
    with fitting._alone(studio.run):  # the system has let go of it
        pass


def test_it_stops_when_it_gets_no_better(tmp_path: Path) -> None:
    settings = settings_from({**SMALL, "epochs": 30, "passes": 0.1, "patience": 2, "learning_rate": 0.0})
    studio = Studio(tmp_path, settings)
    done = studio.fit()
    assert done.epochs == done.best + 2 < 30


def test_a_training_that_diverges_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    studio = Studio(tmp_path, settings_from({**SMALL, "epochs": 1}))

    def broken() -> Network:
        network = studio.network()
        network.set_weights([weight * np.nan for weight in network.get_weights()])
        return network

    with pytest.raises(DivergedError, match="learning_rate"):
        studio.fit(broken)
    assert not (studio.run / BEST).exists()
    assert read_history(studio.run) == []


def test_a_terminal_shows_a_bar_with_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(fitting, "PAUSE", 0.0)
    Studio(tmp_path, settings_from({**SMALL, "epochs": 1})).fit()
    shown = capsys.readouterr().out
    assert "\repoch 1/1 [#" in shown
    assert "left in this epoch, at most" in shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3, "3 s"), (119, "2 min"), (600, "10 min"), (6000, "1 h 40 min"), (7200, "2 h 0 min")],
)
def test_time_is_told_as_people_tell_it(seconds: float, told: str) -> None:
    assert fitting._span(seconds) == told
