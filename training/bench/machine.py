"""What was measured on, and with."""

import os
from importlib import import_module

import keras

from tests.bench.table import computer
from training.fit import precision


def machine() -> dict[str, str]:
    """Return the computer and the versions; the load is that of now."""
    backend = keras.backend.backend()
    versions = f"{keras.__version__} on {backend} {import_module(backend).__version__}"
    return {**computer(), "Keras": versions, "training in": precision()}


def load() -> str:
    """Return the load of the last 1, 5 and 15 minutes."""
    return "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg())
