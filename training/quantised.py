"""Both files that a network can become: whole weights, and weights of 8 bits."""

from collections.abc import Sequence
from typing import Final

from training.export import export
from training.network import Network

KINDS: Final = ("float32", "int8")
"""What the weights in a file are."""


def exports(networks: Sequence[Network]) -> dict[str, bytes]:
    """Return the .tflite of each kind of a network, or of several that decide together.

    Raises:
        ExportError: they cannot be exported.
    """
    return {kind: export(networks, int8=kind == "int8") for kind in KINDS}
