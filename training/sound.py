"""How a MIDI file sounds: FluidSynth plays it with the instruments of General MIDI.

Debian's packages: ``fluidsynth``, and ``fluid-soundfont-gm`` for the instruments.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pretty_midi
from neuralmidi.errors import NeuralMIDIError
from numpy.typing import NDArray

RATE: Final = 44100
"""Samples per second."""
FONTS: Final = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM2-2.sf2"),
)
"""Where Debian, Fedora and Arch Linux put the instruments."""
INSTALL: Final = "install them: sudo apt-get install fluidsynth fluid-soundfont-gm"


def render(piece: pretty_midi.PrettyMIDI) -> NDArray[np.float64]:
    """Return how a piece sounds, ``[samples]``, -1 to 1, the loudest of them at 1; empty without a note.

    Raises:
        NeuralMIDIError: FluidSynth, its Python package or the instruments are not there.
    """
    font = next((font for font in FONTS if font.is_file()), None)
    if font is None:
        raise NeuralMIDIError("fluid-soundfont-gm", "the sounds of General MIDI are not there", INSTALL)
    try:
        import fluidsynth  # noqa: F401  pretty_midi goes on without it, and its own error is no help
    except ImportError as error:
        if error.name == "fluidsynth":
            remedy = "install it: .venv-training/bin/pip install pyfluidsynth"
            raise NeuralMIDIError("pyfluidsynth", "not there", remedy) from error
        raise NeuralMIDIError("fluidsynth", "not there", INSTALL) from error
    played: NDArray[np.float64] = piece.fluidsynth(RATE, str(font))
    return played
