"""Offline: from a folder of MIDI files to a model that plays. Run as ``python -m training.NAME``."""

import os
from importlib.util import find_spec
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up notes say nothing to a musician
BACKENDS: Final = ("tensorflow", "jax", "torch")
# Keras reads the environment when it is imported, so this must come before anything that imports it.
os.environ.setdefault("KERAS_BACKEND", next((name for name in BACKENDS if find_spec(name)), BACKENDS[0]))
