"""A bundle scored by whole pieces, each as the music of its composer."""

from collections.abc import Sequence
from typing import Final, cast

from neuralmidi.bundle import Bundle
from neuralmidi.tokenizer import ChordTokenizer, DrumTokenizer

from training import hits
from training.dataset import Piece
from training.likelihood import Conditioned, Score, encoded, score, sounding
from training.pool import condition
from training.progress import progress
from training.spelling import Spelling

TRIED: Final = 20_000
"""Tokens on which what takes long is compared."""
SCORED: Final = 150_000
"""Tokens of validation pieces that are scored, and five times as many of training pieces that are counted:
with more of them every so manieth piece is taken."""


def like(model: Bundle, composer: str) -> Conditioned:
    """Return a model that plays like one of its composers, or whom it takes them for, see `condition`."""
    if not model.condition_names:
        return Conditioned(model.model, None)
    return Conditioned(model.model, condition(composer, model.condition_names))


def score_pieces(model: Bundle, pieces: Sequence[Piece], train: Sequence[Piece] = ()) -> list[Score]:
    """Score pieces, each from its first step on and as its composer's, see `like`.

    Args:
        model: what is scored.
        pieces: what it is scored by.
        train: the music to learn from how a chord beyond a vocabulary is spelled; else a guess must do.
    """
    if isinstance(model.tokenizer, DrumTokenizer):
        return [each.score for each in foreseen(model, pieces)]
    spelling = Spelling()
    if isinstance(model.tokenizer, ChordTokenizer):
        spelling = Spelling(sounding(piece, model.steps_per_beat) for piece in train)
    return [
        score(like(model, piece.composer), model.tokenizer, piece, spelling)
        for piece in progress("scoring", pieces)
    ]


def foreseen(model: Bundle, pieces: Sequence[Piece]) -> list[hits.Hits]:
    """Return what a model thought of performances while they went on, each in its style."""
    tokenizer = cast("DrumTokenizer", model.tokenizer)
    return [
        hits.listen(like(model, piece.composer), tokenizer, encoded(tokenizer, piece))
        for piece in progress("scoring", pieces)
    ]


def thinned(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """Return every so manieth piece, so that all together have about so many tokens at most.

    It counts notes, not tokens, so that it takes the same pieces on every grid.
    """
    tokens = 3 * sum(len(piece.notes) for piece in pieces)  # an attack, an end and a wait
    return [*pieces[:: max(1, -(-tokens // most))]]
