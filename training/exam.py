"""What a trained model is held against before it ships: its scores, and its own music beside the real one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

from neuralmidi.bundle import Bundle
from neuralmidi.fills import FILL
from neuralmidi.tokenizer import DrumTokenizer, PolyTokenizer

from training import hits, rhythm, statistics
from training.baselines import ChordCounts, EventCounts, HitCounts, copying
from training.dataset import Piece
from training.likelihood import Score, encoded, score_events, sounding
from training.pictures import drum_grid, roll
from training.pool import AND
from training.progress import progress
from training.sample_bars import sample_bars
from training.scores import SCORED, TRIED, foreseen, score_pieces, thinned
from training.table import Row

GRID_OF_CHORDS: Final = 4
"""Steps a beat on which chords are counted, if the model's grid has as many."""
ITSELF: Final = "this model"
FILLED: Final = 10
"""Excerpts in which every fourth bar is a fill."""
DRAWN: Final = 8
"""Bars of drums in a picture."""


@dataclass(frozen=True)
class Report:
    """What came out.

    Attributes:
        row: for the table that a command prints.
        scores: as model.json lists them: this model's, then those of the baselines.
        music: by figure, its value by name of the music.
        draw: writes a picture of its music.
    """

    row: Row
    scores: list[dict[str, Any]]
    music: dict[str, dict[str, float]]
    draw: Callable[[Path], None]


def examine(model: Bundle, valid: Sequence[Piece], train: Sequence[Piece], *, smoke: bool = False) -> Report:
    """Hold a model against music.

    Args:
        model: as the player has it.
        valid: the music that it is scored by.
        train: what it and the baselines learnt from.
        smoke: it is only to be shown that all is in place: it plays one excerpt.
    """
    exam = _drums if isinstance(model.tokenizer, DrumTokenizer) else _notes
    return exam(model, valid, train, smoke=smoke)


def _notes(model: Bundle, valid: Sequence[Piece], train: Sequence[Piece], *, smoke: bool) -> Report:
    valid, train = thinned(valid, SCORED), thinned(train, 5 * SCORED)
    scores = _scores(model, valid, train)
    learnt, heard = (
        [statistics.real(piece, model.steps_per_beat) for piece in part] for part in (train, valid)
    )
    excerpts = range(1 if smoke else statistics.EXCERPTS)
    played = [statistics.generate(model, seed) for seed in progress("composing", excerpts)]
    own = scores[ITSELF]
    row = {"nats/step": own.nats_per_step, "nats/note": own.nats_per_note}
    row |= {name: each.nats_per_note for name, each in scores.items() if name != ITSELF}
    music = {f"{model.name}: unheard real music": heard[0], f"{model.name}: generated": played[0]}
    return Report(
        {**row, "accuracy": own.accuracy},
        [{"model": name, **each.figures()} for name, each in scores.items()],
        statistics.compare(heard, played, learnt),
        partial(roll, music=music),
    )


def _scores(model: Bundle, valid: Sequence[Piece], train: Sequence[Piece]) -> dict[str, Score]:
    """Return the scores of the model and of what counting achieves on the same pieces."""
    scores = {ITSELF: sum(score_pieces(model, valid, train), Score())}
    grid = min(GRID_OF_CHORDS, model.steps_per_beat)
    chords = ChordCounts([sounding(piece, grid) for piece in train])
    counted = (chords.score(sounding(piece, grid), grid) for piece in valid)
    scores["chord 6-gram"] = sum(counted, Score())
    if isinstance(model.tokenizer, PolyTokenizer):
        tokenizer = model.tokenizer
        events = EventCounts(tokenizer, [encoded(tokenizer, piece) for piece in train])
        some = thinned(valid, TRIED)
        pieces = (encoded(tokenizer, piece) for piece in progress("counting", some))
        scores["event 6-gram"] = sum((score_events(events, tokenizer, each) for each in pieces), Score())
    return scores


def _drums(model: Bundle, valid: Sequence[Piece], train: Sequence[Piece], *, smoke: bool) -> Report:
    tokenizer = cast("DrumTokenizer", model.tokenizer)
    performances = foreseen(model, valid)
    own = hits.figures(performances)
    single = max(piece.end for piece in valid) <= rhythm.BAR / tokenizer.steps_per_beat
    if single:
        own |= hits.published(performances)
    total: Score = sum((each.score for each in performances), Score())
    real = {"real": valid, "training": train}
    music = {name: [rhythm.real(piece, tokenizer) for piece in part] for name, part in real.items() if part}
    if not single:  # else it would go on where it never did before
        music["generated"] = rhythm.excerpts(model, valid, 1 if smoke else rhythm.EXCERPTS)
    compared = rhythm.compare(music)
    if FILL in model.condition_names:
        compared["toms_in_fills"] = _fills(model, valid, 1 if smoke else FILLED)
    return Report(
        {key: own[key.replace(" ", "_")] for key in ("perplexity", "accuracy", "exact bars")},
        [
            {"model": ITSELF, **total.figures(), **own},
            *_baselines(tokenizer, valid, train, performances[0].bar),
        ],
        compared,
        partial(drum_grid, bars=[*islice(sample_bars(model), DRAWN)]),
    )


def _baselines(
    tokenizer: DrumTokenizer, valid: Sequence[Piece], train: Sequence[Piece], bar: int
) -> list[dict[str, Any]]:
    """Return what counting, and what copying the bar before achieves on the same performances."""
    learnt, heard = ([_words(tokenizer, piece) for piece in part] for part in (train, valid))
    counts = HitCounts(learnt, len(tokenizer.masks) + 1, bar)
    counted: Score = sum((counts.score(each) for each in heard), Score())
    same = sum(copying(each, bar) * len(each) for each in heard) / sum(map(len, heard))
    figures = {"perplexity": round(counted.perplexity, 4), "accuracy": round(counted.accuracy, 4)}
    return [
        *([{"model": "counting", **figures}] if learnt else []),
        *([{"model": "copying the bar before", "accuracy": round(same, 4)}] if same else []),
    ]


def _fills(model: Bundle, valid: Sequence[Piece], count: int) -> dict[str, float]:
    """Return the share of hits on toms in drummers' fills, and in those that the model plays when asked."""
    asked = [piece for piece in valid if FILL in piece.composer.split(AND)]
    tokenizer = cast("DrumTokenizer", model.tokenizer)
    bars = {"generated": rhythm.fills(model, valid, count)}
    if asked:
        bars["real"] = [rhythm.real(piece, tokenizer) for piece in asked]
    return {name: round(rhythm.toms(each), 4) for name, each in bars.items()}


def _words(tokenizer: DrumTokenizer, piece: Piece) -> list[int]:
    """Return the word of each slot."""
    return [token for token in encoded(tokenizer, piece) if tokenizer.start < token <= tokenizer.velocity]
