"""Command lines that speak alike: what is wrong is one error, and a number tells its range."""

import argparse
from typing import Any, NoReturn

from .controls import Control
from .errors import NeuralMIDIError


class Options(argparse.ArgumentParser):
    """A parser whose texts keep their lines, and which takes no option by half its name.

    Args:
        prog: the command, as a player types it.
        description: what it does.
        epilog: examples.
    """

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            NeuralMIDIError: always.
        """
        raise NeuralMIDIError("command line", message, f"{self.prog} --help shows what there is")

    def add_control(self, control: Control, **options: Any) -> None:
        """Add ``--NAME`` for a number; whoever reads the options checks it."""
        self.add_argument(
            f"--{control.name.replace('_', '-')}",
            metavar="N" if control.whole else "X",
            help=f"{control.meaning}; {control.low} to {control.high}, default {control.default}",
            **options,
        )

    def add_wishes(self) -> None:
        """Add the options whose words the composer checks; None where one is not given."""
        self.add_argument("--blend", metavar="WORDS", help="between composers: NAME WEIGHT NAME WEIGHT ...")
        self.add_argument("--style", metavar="WORDS", help="of drums: NAME, or NAME WEIGHT NAME WEIGHT ...")
        self.add_argument("--fill", metavar="N", type=number, help="of drums: a fill every N bars")


def number(text: str) -> float | str:
    """A number; any other text goes on as it is, for the control to say what is wrong with it."""
    try:
        return float(text)
    except ValueError:
        return text
