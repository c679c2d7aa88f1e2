"""The tokenizer ``drums``: each 16th is one token for what is hit, then two for how each of these is hit.

All hits on an instrument in one slot are one, the loudest. The words, in the order of the vocabulary:

=========================  ==========================================================================
``<start>``                a piece begins, at a bar line; given, never said
``<unknown>``              hits that the vocabulary has no word for; read, never said
``-``                      nothing is hit in this slot
``kick``, ``kick+hat``...  what is hit, in the order of `KIT`
``velocity 1`` ...         how hard: of 16 levels, level 1 is 1-7, 16 is 120-127
``late -8`` .. ``late 8``  how far behind the slot, in sixteenths of it; below 0 before it
=========================  ==========================================================================

After the word of a slot come ``velocity`` and ``late`` of each instrument in it, in the order of `KIT`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..grid import Slots, columns, slot_of
from ..hands import Hands
from ..kit import KIT, PLACES
from ..notes import Metre, Note
from .words import START, malformed, tokens_of

UNHEARD: Final = "<unknown>"
NOTHING: Final = "-"
LEVELS: Final = 16
"""Of velocity."""
PARTS: Final = 16
"""Of a slot, in which it is told how late a hit is."""
LATEST: Final = PARTS // 2
USUAL_LEVEL: Final = 12
"""How hard a hit is taken to be of which nobody says it: 96 or so."""

_FIRST: Final = 2
"""The token of the first mask."""
_HOW: Final = (
    *(f"velocity {level}" for level in range(1, LEVELS + 1)),
    *(f"late {parts}" for parts in range(-LATEST, LATEST + 1)),
)
"""The last words of every vocabulary."""


def spell_hits(mask: int) -> str:
    """Return the word of what is hit, a bit for each of `KIT`: ``kick+hat``, or ``-`` for nothing."""
    return "+".join(each.name for place, each in enumerate(KIT) if mask >> place & 1) or NOTHING


def drum_vocabulary(masks: Iterable[int]) -> tuple[str, ...]:
    """Return the words of a vocabulary: masks, a bit for each of `KIT`, the empty one among them."""
    return (START, UNHEARD, *map(spell_hits, masks), *_HOW)


class DrumTokenizer:
    """What is hit in each slot and how: see the module's text.

    Args:
        vocabulary: words in the order of `drum_vocabulary`.
        steps_per_beat: slots in a quarter note.
        beginning: the words that stand before the music.

    Attributes:
        masks: what is hit by each of the tokens from 2 on, a bit for each of `KIT`.
        hits: the tokens that say what is hit, as a slice of the vocabulary.
        levels: those of velocity, level 1 first.
        lateness: those of lateness, the earliest first.

    Raises:
        NeuralMIDIError: the vocabulary is not of that form.
    """

    kind: str = "drums"
    percussive: bool = True
    start: int = 0
    unmusical: tuple[int, ...] = (0, 1)

    def __init__(
        self, vocabulary: Sequence[str], steps_per_beat: int = 4, beginning: Sequence[str] = (START,)
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.steps_per_beat = steps_per_beat
        words = self.vocabulary[_FIRST : len(self.vocabulary) - len(_HOW)]
        self.masks = tuple(map(_mask_of, words))
        if self.vocabulary != drum_vocabulary(self.masks):
            raise malformed(f"does not begin with {START} {UNHEARD} and end with {_HOW[0]} ... {_HOW[-1]}")
        if len({*self.masks}) != len(self.masks) or 0 not in self.masks:
            raise malformed(f"a word occurs twice, or {NOTHING!r} not at all")
        self._tokens = {mask: token for token, mask in enumerate(self.masks, _FIRST)}
        self.velocity = _FIRST + len(self.masks) - 1  # less the level
        self.late = self.velocity + LEVELS + 1 + LATEST  # less the parts
        self.hits = slice(_FIRST, self.velocity + 1)
        self.levels = slice(self.hits.stop, self.hits.stop + LEVELS)
        self.lateness = slice(self.levels.stop, len(self.vocabulary))
        self.pauses: tuple[int, ...] = (self._tokens[0],)
        self.beginning = tokens_of(beginning, self.vocabulary)

    @property
    def actions(self) -> tuple[tuple[str, int], ...]:
        """What each token does: ``start``, ``unknown``, ``hit`` mask, ``velocity`` level, ``late`` parts."""
        levels = [("velocity", level) for level in range(1, LEVELS + 1)]
        late = [("late", parts) for parts in range(-LATEST, LATEST + 1)]
        return (("start", 0), ("unknown", 0), *(("hit", mask) for mask in self.masks), *levels, *late)

    def mask(self, token: int) -> int | None:
        """Return what a token hits, a bit for each of `KIT`; None if it is no word of that kind."""
        return self.masks[token - _FIRST] if _FIRST <= token <= self.velocity else None

    def token(self, mask: int) -> int:
        """Return the token of what is hit; ``<unknown>`` if there is none."""
        return self._tokens.get(mask, 1)

    def read(self, hands: Hands, token: int) -> Hands:
        """Return what is hit after one more token; the slot is told when all of it has been."""
        if token == self.start:
            return Hands()
        if token == 1:
            return Hands(wait=1)
        mask = self.mask(token)
        if mask is not None:
            hits = [each.pitch for place, each in enumerate(KIT) if mask >> place & 1]
            return Hands(dict.fromkeys(hits, 0), frozenset(hits), wait=not hits)
        open_hits = [pitch for pitch in hands.sounding if pitch not in hands.late]
        if not open_hits or hands.wait:
            return hands
        pitch = open_hits[0]
        if token < self.late - LATEST:
            loud = loudness(token - self.velocity)
            return replace(hands, sounding={**hands.sounding, pitch: loud})
        late = {**hands.late, pitch: (token - self.late) / PARTS}
        return replace(hands, late=late, wait=int(len(open_hits) == 1))

    def write(
        self, hands: Hands, sounding: Mapping[int, int], struck: Collection[int] = ()
    ) -> tuple[int, ...]:
        """Return the tokens of a slot: of what is struck in it, on time. What goes on sounding is no hit."""
        hits = _loudest((PLACES[pitch], sounding[pitch], 0.0) for pitch in struck if pitch in PLACES)
        known = self._nearest(sum(1 << place for place in hits))
        return self._told(known, {place: hits[place] for place in hits if known >> place & 1})

    def passing(self, slots: int) -> tuple[int, ...]:
        """Return nothing: each slot has a token, whether or not something is hit."""
        return ()

    def release(self, pitches: Collection[int]) -> tuple[int, ...]:
        """Return nothing: a drum is hit, not held."""
        return ()

    def encode_piece(
        self, notes: Iterable[Note], metres: Iterable[Metre] = (), end: float | None = None
    ) -> NDArray[np.int32]:
        """Return the tokens of a whole piece, from ``<start>`` on.

        Args:
            notes: in any order, in beats, each as early or late as it was played; those of no drum are left
                out.
            metres: not told: a bar is four beats.
            end: where it ends, in beats. None: at the bar line after its last hit.
        """
        slots = self._slots(columns(notes))
        bar = 4 * self.steps_per_beat
        last = -(-(max(slots, default=-1) + 1) // bar) * bar
        if end is not None:
            last = slot_of(end, self.steps_per_beat)
        tokens = [self.start]
        for slot in range(last):
            hits = slots.get(slot, {})
            tokens += self._told(sum(1 << place for place in hits), hits)
        return np.array(tokens, np.int32)

    def decode_piece(self, tokens: Iterable[int]) -> tuple[list[Note], list[Metre]]:
        """Return the notes, by start and pitch, a slot long each; and no time signature."""
        notes = []
        hands, slot = Hands(), 0
        for token in tokens:
            hands = self.read(hands, token)
            if not hands.wait:
                continue
            for pitch, loud in hands.sounding.items():
                start = max((slot + hands.late[pitch]) / self.steps_per_beat, 0.0)
                notes.append(Note(start, start + 1 / self.steps_per_beat, pitch, loud))
            slot += 1
            hands = Hands()
        return sorted(notes), []

    def _slots(self, table: NDArray[np.float64]) -> dict[int, dict[int, tuple[int, float]]]:
        """Return by slot what is hit in it, see `_loudest`."""
        found: dict[int, list[tuple[int, int, float]]] = {}
        places = table[:, 0] * self.steps_per_beat
        slots: Slots = np.floor(places + 0.5).astype(np.int64)
        rest = table[:, 2:].astype(int).tolist()
        for place, slot, (pitch, loud) in zip(places, slots.tolist(), rest, strict=True):
            if pitch in PLACES:
                found.setdefault(slot, []).append((PLACES[pitch], loud, place - slot))
        return {slot: _loudest(hits) for slot, hits in found.items()}

    def _told(self, mask: int, hits: Mapping[int, tuple[int, float]]) -> tuple[int, ...]:
        """Return the tokens of a slot: what is hit, and each hit's velocity and lateness, in their order."""
        token = self.token(mask)
        if token == 1:
            return (token,)
        told = [token]
        for place in sorted(hits):
            loud, late = hits[place]
            told += [self.velocity + _level(loud), self.late + round(late * PARTS)]
        return tuple(told)

    def _nearest(self, mask: int) -> int:
        """Return what the vocabulary has that differs in the fewest instruments: rather fewer than more."""
        if mask in self._tokens:
            return mask
        return min(self.masks, key=lambda known: ((known ^ mask).bit_count(), (known & ~mask).bit_count()))


def _loudest(hits: Iterable[tuple[int, int, float]]) -> dict[int, tuple[int, float]]:
    """Return for each place in `KIT` the velocity and the lateness of its loudest hit."""
    found: dict[int, tuple[int, float]] = {}
    for place, loud, late in hits:
        if place not in found or found[place][0] < loud:
            found[place] = loud, late
    return found


def _level(velocity: int) -> int:
    """Return the level of a MIDI velocity, from 1."""
    return velocity * LEVELS // 128 + 1 if velocity else USUAL_LEVEL


def loudness(level: int) -> int:
    """Return the MIDI velocity in the middle of a level."""
    return (2 * level - 1) * 64 // LEVELS


def _mask_of(word: str) -> int:
    """Return what a word hits; only the one spelling that `spell_hits` gives is accepted."""
    names = [] if word == NOTHING else str(word).split("+")
    mask = sum(1 << place for place, each in enumerate(KIT) if each.name in names)
    if spell_hits(mask) != word:
        raise malformed(f"{str(word)[:40]!r} is not a word of the tokenizer drums")
    return mask
