"""The drum kit: nine instruments, and the MIDI pitches that are taken for each.

Source of the pitches: Roland's TD-11, on which the Groove MIDI Dataset was played (Gillick et al., "Learning
to Groove with Inverse Sequence Transformations", ICML 2019), and General MIDI's percussion key map.
"""

from typing import Final, NamedTuple


class Instrument(NamedTuple):
    """One of the kit.

    Attributes:
        name: as a player calls it, one word.
        pitch: General MIDI's, with which it is played.
        heard: the MIDI pitches that are taken for it.
    """

    name: str
    pitch: int
    heard: tuple[int, ...]


KIT: Final = (
    Instrument("kick", 36, (35, 36, 41)),
    Instrument("snare", 38, (37, 38, 40)),
    Instrument("hat", 42, (22, 42, 44)),
    Instrument("openhat", 46, (26, 46)),
    Instrument("lowtom", 43, (43, 58)),
    Instrument("midtom", 47, (45, 47)),
    Instrument("hightom", 50, (48, 50)),
    Instrument("crash", 49, (49, 52, 55, 57)),
    Instrument("ride", 51, (51, 53, 59)),
)
"""The instruments, in the order of the bits of a mask."""

NAMES: Final = tuple(each.name for each in KIT)
"""What the instruments are called."""

CHANNEL: Final = 10
"""The MIDI channel of drums."""

PLACES: Final = {pitch: place for place, each in enumerate(KIT) for pitch in each.heard}
"""The instrument that a MIDI pitch is taken for, as an index into `KIT`."""
