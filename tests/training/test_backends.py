"""Weights move between Keras's backends as a .keras file, and say the same there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import ARCHITECTURES, logits, network, tokens

ELSEWHERE = """
import sys
import jax, keras, numpy as np
import training.fronts, training.trunks, training.network
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
folder = sys.argv[1]
for file in sys.argv[2:]:
    model = keras.saving.load_model(f"{folder}/{file}.keras")
    inputs = dict(np.load(f"{folder}/{file}.npz"))
    np.save(f"{folder}/{file}.npy", np.asarray(jax.jit(model)(inputs)))
"""


@pytest.fixture(scope="module")
def said_by_jax(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """Every architecture's logits under TensorFlow, and the folder that has those under JAX."""
    folder = tmp_path_factory.mktemp("backends")
    said = {}
    for kind, trunk, composers in ARCHITECTURES:
        name = f"{kind}-{trunk}-{composers}"
        made = network(kind, trunk, composers)
        inputs: dict[str, Any] = {"token": tokens(kind)[None, :64]}
        if composers:
            inputs["condition"] = np.array([[0.2, 0.8, 0.0]], np.float32)
        made.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", **inputs)
        said[name] = logits(made, inputs)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", ELSEWHERE, folder, *said], check=True, env=environment, timeout=300)
    return folder, said


@pytest.mark.parametrize("name", ["-".join(map(str, each)) for each in ARCHITECTURES])
def test_jax_says_what_tensorflow_says(said_by_jax: tuple[Path, dict[str, np.ndarray]], name: str) -> None:
    folder, said = said_by_jax
    assert np.allclose(np.load(folder / f"{name}.npy"), said[name], atol=1e-4)
