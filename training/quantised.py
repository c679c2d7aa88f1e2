"""Both files that a network can become: whole weights, and weights of 8 bits."""

from typing import Final

from training.export import export
from training.network import Network

KINDS: Final = ("float32", "int8")
"""What the weights in a file are."""


def exports(network: Network) -> dict[str, bytes]:
    """Return a network's .tflite of each kind.

    Raises:
        ExportError: it cannot be exported.
    """
    return {kind: export([network], int8=kind == "int8") for kind in KINDS}
