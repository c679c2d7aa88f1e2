"""What the vocabularies of all kinds have in common."""

from collections.abc import Sequence
from typing import Final

from ..errors import NeuralMIDIError

START: Final = "<start>"
"""The first word of every vocabulary: here a piece begins."""


def malformed(why: str) -> NeuralMIDIError:
    """The error for a vocabulary that is not one of its kind."""
    return NeuralMIDIError("vocabulary", why, "copy the model's folder again, or train and export it again")


def tokens_of(words: Sequence[str], vocabulary: Sequence[str]) -> tuple[int, ...]:
    """Return the tokens of the words that stand before the music.

    Raises:
        NeuralMIDIError: the first is not `START`, or one is not in the vocabulary.
    """
    if isinstance(words, str) or tuple(words[:1]) != (START,):
        raise malformed(f"the beginning does not begin with {START}")
    for word in words:
        if word not in vocabulary:
            raise malformed(f"{str(word)[:40]!r} of the beginning is not in it")
    return tuple(map(vocabulary.index, words))
