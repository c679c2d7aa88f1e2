"""What is known of a player of the patch while its life is drawn: enough to know what it must refuse."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from tests.pd_runner import DATA, ROOT

SMALL = ("tiny", "tiny2", "tiny_poly", "tiny_drums", "tiny_cache", "tiny_blend")
"""One of the tests' models of each kind, and a second one of chords."""
SHIPPED = ("bach", "drums", "all")
"""Of those that musicians play."""
MODELS = {**dict.fromkeys(SMALL, 6), **dict.fromkeys(SHIPPED, 1)}
"""How often each is asked for: one of ours costs as much to load as a minute of the tests' own."""


@dataclass
class Player:
    """A [composer] in its subpatch.

    Attributes:
        number: of the player, from 1.
        exists: it has been made and not deleted.
        model: that it plays; empty: none yet.
        playing: by its own clock.
        driven: by bangs of a metro.
        keys: that are down.
        tempo: beats a minute.
        interval: ms from bang to bang.
        ahead: steps that are kept ready, as it was told; 0: it was not.
        chosen: steps to a beat, as it was told; 0: as its model has them.
    """

    number: int
    exists: bool = False
    model: str = ""
    playing: bool = False
    driven: bool = False
    keys: list[int] = field(default_factory=list)
    tempo: float = 120
    interval: float = 125
    ahead: int = 0
    chosen: int = 0

    @property
    def still(self) -> bool:
        """Nothing makes it sound."""
        return not (self.playing or self.driven)

    @property
    def steps(self) -> int:
        """To a beat."""
        return self.chosen or (steps_of(self.model) if self.model else 4)

    @property
    def step_ms(self) -> float:
        """Length of a step."""
        return self.interval if self.driven else 60_000 / self.tempo / self.steps

    @property
    def kept(self) -> int:
        """Steps that are kept ready: without a wish, a beat, but 4 at least."""
        return self.ahead or max(self.steps, 4)

    def become(self, other: "Player") -> None:
        """Be as another is."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


def steps_of(model: str) -> int:
    """To a beat, by a model's own grid."""
    return int(_network(model)["grid"]["steps_per_beat"])


def names_of(model: str) -> Sequence[str]:
    """Whom a model lets a player blend; nobody if it shares its weights with others, as one of them."""
    return () if "weights" in _description(model) else _network(model).get("condition", {}).get("names", ())


def drums(model: str) -> bool:
    """Whether a model plays drums."""
    return bool(_network(model)["tokenizer"]["kind"] == "drums")


def _network(model: str) -> Mapping[str, Any]:
    return _description(_description(model).get("weights", {}).get("of", model))


@cache
def _description(model: str) -> Mapping[str, Any]:
    folder = DATA if model in SMALL else ROOT / "tflite_models"
    found: Mapping[str, Any] = json.loads((folder / model / "model.json").read_text())
    return found
