"""Between composers: how much of each is in the music of a model that knows several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .controls import WEIGHT, Glide
from .errors import NeuralMIDIError

WISHES: Final = {"blend": ("composer", "all"), "style": ("style", "drums")}
"""The messages that choose: what the names in them are of, and a model that knows several."""


@dataclass(frozen=True, slots=True)
class Blend:
    """The share of each composer, on its way. Nothing in it is ever written to.

    Attributes:
        shares: by name, in the order of the model's condition; all 0: no one in particular.
    """

    shares: Mapping[str, Glide] = field(default_factory=dict)

    def among(self, names: Sequence[str]) -> "Blend":
        """The blend for another model: those whom it knows, too, keep their shares."""
        return Blend({name: self.shares.get(name, Glide.at(0.0)) for name in names})

    def toward(self, words: Sequence[object], ms: float, wish: str = "blend") -> "Blend":
        """Leave for other shares, to be there in ``ms``.

        Args:
            words: names, each with its weight, 0 or more, behind it; a name alone weighs 1. The weights are
                divided by their sum. No words: no one in particular.
            ms: how long it takes.
            wish: the player's message, one of `WISHES`.

        Raises:
            NeuralMIDIError: a name is not known, or a weight not legal, or all of them are 0.
        """
        if not self.shares:
            what, model = WISHES[wish]
            remedy = f"load one that knows several: {model}"
            raise NeuralMIDIError(wish, f"this model is of one {what}", remedy)
        weights = self._weights(words, wish)
        total = sum(weights.values())
        if words and not total:
            raise NeuralMIDIError(wish, "all weights are 0", f"give one of them more, or send {wish} alone")
        return Blend(
            {
                name: glide.toward(weights.get(name, 0.0) / (total or 1.0), ms)
                for name, glide in self.shares.items()
            }
        )

    def after(self, ms: float) -> "Blend":
        """The blend ``ms`` later."""
        return Blend({name: glide.after(ms) for name, glide in self.shares.items()})

    @property
    def condition(self) -> NDArray[np.float32] | None:
        """What the model is told, ``[N]``: the shares; None if it is of one composer."""
        if not self.shares:
            return None
        return np.array([glide.value for glide in self.shares.values()], np.float32)

    def __str__(self) -> str:
        """As a player would send it: ``bach 0.7 chopin 0.3``."""
        targets = {name: glide.target for name, glide in self.shares.items() if glide.target}
        return " ".join(f"{name} {share:.3g}" for name, share in targets.items()) or "none"

    def _weights(self, words: Sequence[object], wish: str) -> dict[str, float]:
        """Read the names and their weights."""
        weights: dict[str, float] = {}
        rest = list(words)
        while rest:
            name = rest.pop(0)
            if not isinstance(name, str) or name not in self.shares:
                why = f"{str(name)[:40]} is not a {WISHES[wish][0]} that this model knows"
                raise NeuralMIDIError(wish, why, f"choose among {', '.join(self.shares)}")
            if name in weights:
                raise NeuralMIDIError(wish, f"{name} occurs twice", f"name each {WISHES[wish][0]} once")
            weights[name] = WEIGHT.check(rest.pop(0)) if rest and not isinstance(rest[0], str) else 1.0
        return weights
