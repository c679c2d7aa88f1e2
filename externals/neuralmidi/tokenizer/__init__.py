"""What a model reads and says: tokens out of a vocabulary that is data, kept in model.json.

One module per kind of tokenizer; a kind is what a token means. `TOKENIZERS` is the list of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import NeuralMIDIError
from ..hands import Hands
from ..notes import Metre, Note
from .chords import REST, SPECIALS, UNKNOWN, ChordTokenizer, spell
from .drums import DrumTokenizer, drum_vocabulary, spell_hits
from .poly import KEYS, Action, PolyTokenizer, poly_vocabulary
from .words import START

__all__ = [
    "KEYS",
    "REST",
    "SPECIALS",
    "START",
    "TOKENIZERS",
    "UNKNOWN",
    "Action",
    "ChordTokenizer",
    "DrumTokenizer",
    "PolyTokenizer",
    "Tokenizer",
    "drum_vocabulary",
    "poly_vocabulary",
    "spell",
    "spell_hits",
    "tokenizer_from",
]


class Tokenizer(Protocol):
    """What a composer needs of every kind. It plays and hears slot after slot of a grid.

    Attributes:
        kind: the name this kind has in model.json.
        percussive: whether what it tells is hit, early or late, and not held.
        vocabulary: the word of each token; a token is an index into it.
        steps_per_beat: slots of the grid in a quarter note.
        start: the token with which every piece begins.
        beginning: the tokens that stand before the music, `start` first.
        unmusical: the tokens that are read but never said, so never to be sampled.
        pauses: the tokens that let time pass and begin no note.
    """

    kind: str
    percussive: bool
    vocabulary: tuple[str, ...]
    steps_per_beat: int
    start: int
    beginning: tuple[int, ...]
    unmusical: tuple[int, ...]
    pauses: tuple[int, ...]

    def read(self, hands: Hands, token: int) -> Hands:
        """Return what the hands do after one more token. A token that cannot follow changes nothing else."""

    def write(
        self, hands: Hands, sounding: Mapping[int, int], struck: Collection[int] = ()
    ) -> tuple[int, ...]:
        """Return the tokens that lead from what the hands did to what sounds in a new slot.

        Args:
            hands: before it.
            sounding: MIDI pitch to velocity (0: nobody says) of what sounds in the slot; what the kind has
                no words for is written as the nearest that it has.
            struck: those of them that begin in it, even if they sounded before.
        """

    def passing(self, slots: int) -> tuple[int, ...]:
        """Return the tokens that let slots pass without a change; none where every token is a slot."""

    def release(self, pitches: Collection[int]) -> tuple[int, ...]:
        """Return the tokens that end sounding pitches in the open slot; none where every token is a slot."""

    def encode_piece(
        self, notes: Iterable[Note], metres: Iterable[Metre] = (), end: float | None = None
    ) -> NDArray[np.int32]:
        """Return the tokens of a whole piece, from `start` on.

        Args:
            notes: in any order, in beats; quicker as an array ``[N, 4]`` of start, end, pitch, velocity.
            metres: the time signatures.
            end: where it ends, in beats; what is still sounding then is not ended. None: where its last note
                ends.
        """

    def decode_piece(self, tokens: Iterable[int]) -> tuple[list[Note], list[Metre]]:
        """Return the notes, by start and pitch, and the time signatures of a piece; in beats, on the grid."""


class _Maker(Protocol):
    def __call__(
        self, vocabulary: Sequence[str], steps_per_beat: int = ..., beginning: Sequence[str] = ...
    ) -> Tokenizer: ...


TOKENIZERS: Final[Mapping[str, _Maker]] = {
    each.kind: each for each in (ChordTokenizer, PolyTokenizer, DrumTokenizer)
}
"""Every kind of tokenizer that model.json may name."""


def tokenizer_from(
    kind: str, vocabulary: Sequence[str], steps_per_beat: int = 4, beginning: Sequence[str] = (START,)
) -> Tokenizer:
    """Return the tokenizer of a kind over a vocabulary.

    Args:
        kind: a key of `TOKENIZERS`.
        vocabulary: the word of each token.
        steps_per_beat: slots of the model's grid in a quarter note.
        beginning: the words that stand before the music.

    Raises:
        NeuralMIDIError: the kind is not known here, or a word is not one of that kind, or stands in the wrong
            place.
    """
    if kind not in TOKENIZERS:
        why = f"unknown; this version has: {', '.join(TOKENIZERS)}"
        raise NeuralMIDIError(f"tokenizer {kind[:40]!r}", why, "update neuralmidi")
    return TOKENIZERS[kind](vocabulary, steps_per_beat, beginning)
