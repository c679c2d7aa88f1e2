"""A bundle scored by whole pieces, each as the music of its composer."""

from collections.abc import Sequence

from neuralmidi.bundle import Bundle
from neuralmidi.tokenizer import ChordTokenizer

from training.dataset import Piece
from training.likelihood import Conditioned, Score, score, sounding
from training.pool import condition
from training.progress import progress
from training.spelling import Spelling


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
    spelling = Spelling()
    if isinstance(model.tokenizer, ChordTokenizer):
        spelling = Spelling(sounding(piece, model.steps_per_beat) for piece in train)
    return [
        score(like(model, piece.composer), model.tokenizer, piece, spelling)
        for piece in progress("scoring", pieces)
    ]
