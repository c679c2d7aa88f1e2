"""``neuralmidi remote``: drives an instrument with the keys of a terminal."""

from argparse import Namespace
from collections.abc import Sequence

from .options import Options, number
from .osc import LOOPBACK, PORT, UDP_PORT, resolved

DESCRIPTION = """\
Drives an instrument that is playing, from any terminal: pd_patches/audio_engine.pd, or neuralmidi stream.
The keys are on the screen; several remotes may drive one instrument."""

EXAMPLES = """\
examples:
  neuralmidi remote                          the instrument on this computer
  neuralmidi remote --port 56121             the one that neuralmidi stream is
  neuralmidi remote --host studio.local      one that listens to other computers, too
"""


def main(arguments: Sequence[str]) -> int:
    """Run ``neuralmidi remote``.

    Returns:
        The exit status.

    Raises:
        NeuralMIDIError: an option is not legal, the host is not known, or this is no terminal.
    """
    options = parse(arguments)
    address = resolved(options.host, options.port)
    from . import terminal  # here, so that nobody else waits for what draws the screen

    return terminal.run(address, "remote")


def parse(arguments: Sequence[str]) -> Namespace:
    """The options, checked.

    Raises:
        NeuralMIDIError: one is not legal.
    """
    parser = Options("neuralmidi remote", DESCRIPTION, EXAMPLES)
    parser.add_argument("--host", default=LOOPBACK, help=f"name or IPv4 address; default {LOOPBACK}")
    parser.add_control(UDP_PORT, default=PORT, type=number)
    options = parser.parse_args(arguments)
    options.port = int(UDP_PORT.check(options.port))
    return options
