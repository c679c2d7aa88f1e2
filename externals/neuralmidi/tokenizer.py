"""What a step of music is to a model: one token out of a vocabulary that is data, kept in model.json."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from .errors import NeuralMIDIError
from .notes import PITCHES

START: Final = "<start>"
UNKNOWN: Final = "<unknown>"
REST: Final = "<rest>"
SPECIALS: Final = (START, UNKNOWN, REST)
"""The first three words of every vocabulary: before the music, out of the vocabulary, nothing sounds."""

_RETRAIN: Final = "copy the model's folder again, or train and export it again"


class Tokenizer(Protocol):
    """Turns the sounding pitches of a step into a token and back.

    Attributes:
        kind: the name this tokenizer has in model.json.
        vocabulary: the word of each token; a token is an index into it.
        start: the token that stands before the first step.
        unmusical: the tokens that are read but never played, so never to be sampled.
    """

    kind: str
    vocabulary: tuple[str, ...]
    start: int
    unmusical: tuple[int, ...]

    def encode(self, pitches: Collection[int]) -> int:
        """Return the token of a set of MIDI pitches, in any order."""

    def decode(self, token: int) -> tuple[int, ...]:
        """Return the MIDI pitches of a token, ascending."""


def spell(pitches: Collection[int]) -> str:
    """Return the word of a sounding set: its pitches ascending, ``60,64,67``, or ``<rest>`` for none."""
    return ",".join(map(str, sorted(set(pitches)))) or REST


class ChordTokenizer:
    """One token per step: the whole set of sounding pitches.

    Args:
        vocabulary: ``<start>``, ``<unknown>``, ``<rest>``, then chords spelled as `spell` does, each once.

    Raises:
        NeuralMIDIError: the vocabulary is not of that form.
    """

    kind: str = "chords"
    start: int = SPECIALS.index(START)
    unmusical: tuple[int, ...] = (SPECIALS.index(START), SPECIALS.index(UNKNOWN))

    def __init__(self, vocabulary: Sequence[str]) -> None:
        if isinstance(vocabulary, str) or tuple(vocabulary[: len(SPECIALS)]) != SPECIALS:
            raise NeuralMIDIError("vocabulary", f"does not begin with {' '.join(SPECIALS)}", _RETRAIN)
        self.vocabulary = tuple(vocabulary)
        self._pitches = ((),) * len(SPECIALS) + tuple(map(_pitches_of, self.vocabulary[len(SPECIALS) :]))
        self._tokens = {word: token for token, word in enumerate(self.vocabulary)}
        if len(self._tokens) != len(self.vocabulary):
            raise NeuralMIDIError("vocabulary", "a word occurs twice", _RETRAIN)

    def encode(self, pitches: Collection[int]) -> int:
        """Return the token of a set of MIDI pitches; a set out of the vocabulary is ``<unknown>``."""
        return self._tokens.get(spell(pitches), SPECIALS.index(UNKNOWN))

    def decode(self, token: int) -> tuple[int, ...]:
        """Return the MIDI pitches of a token, ascending; none for the three specials.

        Raises:
            NeuralMIDIError: there is no such token.
        """
        if not 0 <= token < len(self._pitches):
            legal = f"outside 0 to {len(self._pitches) - 1}"
            raise NeuralMIDIError(f"token {token}", legal, "choose a token of the model's vocabulary")
        return self._pitches[token]


def _pitches_of(word: str) -> tuple[int, ...]:
    """Return the pitches of a chord's word; only the one spelling that `spell` gives is accepted."""
    try:
        pitches = tuple(map(int, word.split(",")))
    except (AttributeError, ValueError):
        pitches = ()
    if not pitches or spell(pitches) != word or not all(pitch in PITCHES for pitch in pitches):
        why = "is not a chord (MIDI pitches 0 to 127, ascending, separated by commas)"
        raise NeuralMIDIError("vocabulary", f"{str(word)[:40]!r} {why}", _RETRAIN)
    return pitches


TOKENIZERS: Final[Mapping[str, Callable[[Sequence[str]], Tokenizer]]] = {ChordTokenizer.kind: ChordTokenizer}
"""Every kind of tokenizer that model.json may name."""


def tokenizer_from(kind: str, vocabulary: Sequence[str]) -> Tokenizer:
    """Return the tokenizer of a kind over a vocabulary.

    Raises:
        NeuralMIDIError: the kind is not known here, or the vocabulary is not one of that kind.
    """
    if kind not in TOKENIZERS:
        why = f"unknown; this version has: {', '.join(TOKENIZERS)}"
        raise NeuralMIDIError(f"tokenizer {kind[:40]!r}", why, "update neuralmidi")
    return TOKENIZERS[kind](vocabulary)
