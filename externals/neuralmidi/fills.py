"""When a drummer plays a fill instead of the beat."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .controls import EVERY
from .errors import NeuralMIDIError

FILL = "fill"
"""The name of fills among a model's styles."""
WEIGHT, STYLE = 2.0, 0.5
"""How much the model is told of fills in one, and of the style. It was taught with 1 and 1, on fills by
themselves: so told it lets the groove go on, with 10 % of the hits on toms where drummers have 29 %."""
_REMEDY = "send fill (the next bar), fill now, fill every 4, or fill off"


@dataclass(frozen=True, slots=True)
class Fills:
    """The bars that are fills, counted from 0. Nothing in it is ever written to.

    Attributes:
        once: one bar; -1: none.
        every: the last of each so many bars; 0: none.
    """

    once: int = -1
    every: int = 0

    def has(self, bar: int) -> bool:
        """Whether a bar is a fill."""
        return bar == self.once or bool(self.every and bar % self.every == self.every - 1)

    def condition(self, shares: NDArray[np.float32], place: int) -> NDArray[np.float32]:
        """Return what the model is told in a fill instead of the shares of styles, ``[N]``.

        Args:
            shares: of each style, ``[N]``.
            place: of the fill among them.
        """
        told = STYLE * shares
        told[place] = WEIGHT
        return told

    def asked(self, words: Sequence[object], bar: int) -> "Fills":
        """Return the fills after a player's ``fill``, ``fill now``, ``fill every N`` or ``fill off``.

        Args:
            words: what stands behind ``fill``; a number alone is taken as ``every`` so many bars.
            bar: the bar that is being played.

        Raises:
            NeuralMIDIError: none of these.
        """
        match list(words):
            case [] | ["next"]:
                return replace(self, once=bar + 1)
            case ["now"]:
                return replace(self, once=bar)
            case ["off"]:
                return Fills()
            case ["every", number] | [int() | float() as number]:
                return replace(self, every=int(EVERY.check(number)))
        told = " ".join(map(str, words))[:40]
        raise NeuralMIDIError("fill", f"{told} is not a time for a fill", _REMEDY)
