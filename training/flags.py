"""Flags for numbers, spelt as those of the trainings are: ``--num_bars``."""

from typing import Any

from neuralmidi.controls import Control
from neuralmidi.options import Options, number


def add_numbers(parser: Options, *controls: Control) -> None:
    """Add ``--NAME`` for each; whoever reads the options checks them, see `checked`."""
    for control in controls:
        parser.add_argument(
            f"--{control.name}",
            metavar="N" if control.whole else "X",
            help=f"{control.meaning}; {control.low} to {control.high}, default {control.default}",
            type=number,
            default=control.default,
        )


def checked(options: Any, control: Control) -> float:
    """Return what was given for a number.

    Raises:
        NeuralMIDIError: it is not a legal one; the text names the range.
    """
    return control.check(getattr(options, control.name))
