"""What is known of a player of the patch while its life is drawn: enough to know what it must refuse."""

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from neuralmidi import bundle

from tests.pd_runner import DATA

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
    def bridged(self) -> float:
        """Ms for which the steps that are kept ready last."""
        step = self.interval if self.driven else 60_000 / self.tempo / self.steps
        return step * (self.ahead or max(self.steps, 4))

    def become(self, other: "Player") -> None:
        """Be as another is."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


def steps_of(model: str) -> int:
    """To a beat, by a model's own grid."""
    return _loaded(model).steps_per_beat


def names_of(model: str) -> tuple[str, ...]:
    """Whom a model lets a player blend."""
    return _loaded(model).condition_names


def drums(model: str) -> bool:
    """Whether a model plays drums."""
    return _loaded(model).tokenizer.percussive


@cache
def _loaded(model: str) -> bundle.Bundle:
    places: list[Path] = [DATA, *bundle.default_directories()]
    return bundle.load(bundle.find(model, places))
