"""What the hands that play some tokens are doing: which keys are down, and for how long nothing changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hands:
    """Where a sequence of tokens has led to. Nothing in it is ever written to.

    Attributes:
        sounding: MIDI pitch to velocity of every key that is down; 0: nobody says how loud.
        attacked: the keys that were said to go down in this slot, though they may have been down before.
        wait: for how many slots the last token holds; 0: the slot is open, more tokens belong to it.
        velocity: of the notes that begin next, as far as tokens have said; 0: they have not.
        bar: length of the bar in slots; 0: no token has said it.
        late: of drums, how far behind their slot those are hit of which tokens have said it, in slots.
    """

    sounding: Mapping[int, int] = field(default_factory=dict)
    attacked: frozenset[int] = frozenset()
    wait: int = 0
    velocity: int = 0
    bar: int = 0
    late: Mapping[int, float] = field(default_factory=dict)
