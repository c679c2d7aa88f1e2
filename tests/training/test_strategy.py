import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from midi import midi_file, song
from neuralmidi.errors import NeuralMIDIError
from studio import SMALL, Studio

from training import strategy
from training.fit import rehearsals
from training.settings import settings_from

ROOT = Path(__file__).parents[2]
SIZES = {**SMALL, "batch": 8, "epochs": 2, "dropout": 0}


def train(folder: Path, runs: str, how: str, config: object = None) -> subprocess.Popen[str]:
    """Begin a training as a user would."""
    arguments = [*(f"--{name}={value}" for name, value in SIZES.items()), f"--strategy={how}", "--threads=1"]
    command = [sys.executable, "-m", "training.train_composer_models", "--dataset=dataset", *arguments]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'externals'}", "PATH": "/usr/bin:/bin"}
    if config:
        environment["TF_CONFIG"] = json.dumps(config)
    return subprocess.Popen(
        [*command, f"--runs={runs}", f"--out_models={runs}/models"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_ports(many: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(many)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def losses(run: Path) -> np.ndarray:
    with (run / "history.csv").open(newline="") as file:
        return np.array([(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(file)])


@pytest.mark.slow
def test_two_machines_train_the_model_that_one_would(tmp_path: Path) -> None:
    for seed in range(6):
        notes = [(start, end, int(pitch)) for start, end, pitch, _ in song(16, seed).notes.tolist()]
        midi_file(tmp_path / "dataset" / "Nobody" / f"{seed}.mid", notes, velocities=(50, 90))
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    workers = [train(tmp_path, "two", "multiworker", task) for task in tasks]
    try:
        said = [worker.communicate(timeout=240) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], said
    first, second = (out for out, _ in said)
    assert "epoch 2/2" in first
    assert second == ""
    out, error = train(tmp_path, "one", "none").communicate(timeout=240)
    assert "epoch 2/2" in out, error
    assert losses(tmp_path / "two" / "nobody") == pytest.approx(losses(tmp_path / "one" / "nobody"), abs=0.02)
    assert (tmp_path / "two" / "models" / "nobody" / "model.tflite").is_file()


def test_one_machine_with_its_devices_trains_the_same_model(tmp_path: Path) -> None:
    settings = settings_from({**SMALL, "epochs": 1, "passes": 0.5, "dropout": 0.0})
    alone, mirrored = Studio(tmp_path / "alone", settings), Studio(tmp_path / "mirrored", settings)
    one = alone.fit()
    with strategy.workers("mirrored") as team:
        assert mirrored.fit(team=team).nats == pytest.approx(one.nats, abs=0.02)


def test_tensorflow_streams_the_concert_as_it_is(tmp_path: Path) -> None:
    concert = Studio(tmp_path).concert
    streams = strategy.stream(concert, 1).take(2), rehearsals(concert, 1)
    for streamed, wanted in zip(*streams, strict=False):
        for one, other in zip(keras.tree.flatten(streamed), keras.tree.flatten(wanted), strict=True):
            assert np.array_equal(one, other)


def test_a_cluster_that_is_not_told_says_what_is_missing() -> None:
    assert "TF_CONFIG" not in os.environ
    with pytest.raises(NeuralMIDIError, match="no TF_CONFIG"), strategy.workers("multiworker"):
        pass
