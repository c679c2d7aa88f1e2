"""How likely a model finds some music: exact, in nats, each piece from its first step on.

The player's own file is asked, one token at a time, as it is asked while it plays. A piece of music has one
spelling only, so the nats of its tokens are the nats of the music.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from math import exp, inf, log
from typing import Any, Final, Protocol

import numpy as np
from neuralmidi.grid import on_grid, slot_of
from neuralmidi.network import State
from neuralmidi.step_model import StepModel
from neuralmidi.tokenizer import ChordTokenizer, PolyTokenizer, Tokenizer
from numpy.typing import NDArray

from training.dataset import Piece
from training.spelling import Spelling

LogP = NDArray[np.float64]
Logits = NDArray[Any]


class Model(Protocol):
    """What is scored: a step model, or a counting model that is asked in the same way."""

    def initial_state(self) -> Any:
        """The state before the first token."""

    def step(self, state: Any, token: int) -> tuple[Logits, Any]:
        """Logits ``[V]`` of what follows ``token``, and the state after it."""


@dataclass(frozen=True)
class Conditioned:
    """A step model that plays under one condition, asked like one that has none."""

    model: StepModel
    condition: NDArray[np.float32] | None

    def initial_state(self) -> State:
        """The state before any token."""
        return self.model.initial_state()

    def step(self, state: State, token: int) -> tuple[NDArray[np.float32], State]:
        """Logits of what follows ``token``, and the state after it."""
        return self.model.step(state, token, self.condition)


@dataclass(frozen=True)
class Score:
    """How well a model predicts some music. Scores add up: ``score + score`` is that of both pieces.

    Attributes:
        pitches: nats of which notes begin: whether one more does, and which.
        hold: nats of which notes end and how long nothing changes: attack told from hold, rests, rhythm.
        velocity: nats of how loud they begin.
        timing: nats of how late, where the model's tokens tell it.
        steps: slots of the grid.
        right: steps in which what happened was at every decision the likeliest thing to happen.
        notes: notes that begin, as the model's tokens tell them.
        beats: quarter notes.
        pieces: how many there are.
    """

    pitches: float = 0.0
    hold: float = 0.0
    velocity: float = 0.0
    timing: float = 0.0
    steps: int = 0
    right: int = 0
    notes: int = 0
    beats: float = 0.0
    pieces: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))

    @property
    def nats(self) -> float:
        """``-ln`` of the probability of all of it."""
        return self.pitches + self.hold + self.velocity + self.timing

    @property
    def nats_per_step(self) -> float:
        """Nats of a slot of the grid; comparable on one grid only."""
        return self.nats / self.steps if self.steps else 0.0

    @property
    def nats_per_note(self) -> float:
        """Nats of a note that begins, with all that is said between it and the next."""
        return self.nats / self.notes if self.notes else 0.0

    @property
    def nats_per_beat(self) -> float:
        """Nats of a quarter note, comparable between grids that lose nothing of the music."""
        return self.nats / self.beats if self.beats else 0.0

    @property
    def accuracy(self) -> float:
        """Share of steps that were right, 0 to 1."""
        return self.right / self.steps if self.steps else 0.0

    @property
    def perplexity(self) -> float:
        """``exp(nats_per_step)``: among how many equally likely steps it chooses, so to speak."""
        return exp(min(self.nats_per_step, 700.0))

    def figures(self) -> dict[str, float]:
        """Return all of it, rounded, ready for JSON: totals, and nats by kind per step, note and beat."""
        figures: dict[str, float] = {
            "nats_per_step": self.nats_per_step,
            "nats_per_note": self.nats_per_note,
            "nats_per_beat": self.nats_per_beat,
            "accuracy": self.accuracy,
            "perplexity": self.perplexity,
        }
        for kind in KINDS if self.timing else KINDS[:-1]:
            for unit, size in (("step", self.steps), ("note", self.notes), ("beat", self.beats)):
                figures[f"{kind}_nats_per_{unit}"] = getattr(self, kind) / size if size else 0.0
        figures = {name: round(value, 5) for name, value in figures.items()}
        return figures | {
            "steps": self.steps,
            "notes": self.notes,
            "beats": round(self.beats, 3),
            "pieces": self.pieces,
        }


KINDS: Final = ("pitches", "hold", "velocity", "timing")
"""Of nats, see `Score`."""
GIVEN: Final = ("start", "bar")
"""Kinds of tokens that are told and never asked for: they cost nothing."""
EVENTS: Final = ("off", "velocity", "on")
ASKED: Final = (*EVENTS, "wait")
LOG_HALF: Final = log(0.5)
SPELLED: Final = 1 / 8
"""A guess at the share of chords that 8,192 words lack: of Bach's test pieces 5 %, of the others 30 %."""


class Choice:
    """What may come next in a model's opinion, by what it would mean; natural logs of probabilities.

    Attributes:
        log_p: of each token.
        kinds: of any token of a kind.
        attack: of one more note, its velocity said anew or not.
        go_on: of anything but one more end of a note.
        event: of the likeliest token that is not a wait.
        at_least: of a wait of 1, 2, ... slots or longer.
    """

    def __init__(self, logits: Logits, kinds: Mapping[str, NDArray[np.intp]]) -> None:
        self.log_p = log_softmax(logits)
        parts = {kind: self.log_p[tokens] for kind, tokens in kinds.items()}
        self.at_least = np.logaddexp.accumulate(parts["wait"][::-1])[::-1]
        self.kinds = {kind: float(np.logaddexp.reduce(part)) for kind, part in parts.items()}
        self.attack = float(np.logaddexp(self.kinds["velocity"], self.kinds["on"]))
        self.go_on = float(np.logaddexp(self.attack, self.kinds["wait"]))
        self.event = max(float(parts[kind].max(initial=-inf)) for kind in EVENTS)


@dataclass
class _Sheet:
    """The score of a piece while it is read; ``likeliest``: all decisions of this step so far were."""

    hold: float = 0.0
    pitches: float = 0.0
    velocity: float = 0.0
    steps: int = 0
    right: int = 0
    notes: int = 0
    likeliest: bool = True

    def end(self, choice: Choice, token: int) -> None:
        """One more note ends, and which."""
        self.hold -= float(choice.log_p[token])
        self._happens(choice, token)

    def begin(self, choice: Choice, token: int, kind: str) -> None:
        """No more notes end, one more begins; its velocity is said (this is it) or goes on; which note."""
        which = float(choice.log_p[token]) - choice.kinds[kind]
        self.hold -= choice.go_on
        self.pitches -= choice.attack - choice.go_on
        self.velocity -= choice.kinds[kind] - choice.attack
        if kind == "velocity":
            self.velocity -= which
        else:
            self.pitches -= which
            self.notes += 1
        self._happens(choice, token)

    def wait(self, choice: Choice, token: int, slots: int, *, cut: bool) -> None:
        """No more notes end or begin, and nothing happens for so many slots (``cut``: or for longer)."""
        wait, at_least = choice.kinds["wait"], choice.at_least
        self.hold -= choice.go_on
        self.pitches -= wait - choice.go_on
        self.hold -= float(at_least[slots - 1] if cut else choice.log_p[token]) - wait
        goes_on = np.diff(at_least) >= LOG_HALF
        self.steps += slots
        self.right += int(self.likeliest and wait >= choice.event) + int(goes_on[: slots - 1].sum())
        self.likeliest = bool(cut or slots == len(at_least) or not goes_on[slots - 1])

    def _happens(self, choice: Choice, token: int) -> None:
        self.likeliest &= bool(choice.log_p[token] >= max(choice.event, choice.kinds["wait"]))


def score_events(model: Model, tokenizer: PolyTokenizer, tokens: Sequence[int]) -> Score:
    """Score a piece that is told as events, token after token (tokenizer ``poly``).

    Every token is a chain of decisions: does one more note end (hold)? If not, does one more begin
    (pitches)? If so, is its velocity said anew (velocity)? Which note (hold if it ends, pitches if it
    begins), which velocity, how long a wait (hold)? Their nats add up to ``-ln p(token)``.

    A wait of n says of the step it is said in that no more happens, of the n - 1 steps after it that nothing
    does, and of the one after these that something does: so every step has decisions of its own. A step is
    right if each of them was the likeliest given all that came before the step, in a wait by
    ``P(wait > k | wait >= k)``. A wait that lasts until the piece ends or its time signature changes, which
    is told, is scored as the probability to wait so long or longer.

    Args:
        model: asked one token at a time.
        tokenizer: what its tokens mean.
        tokens: the piece; the first of them is told.
    """
    actions = tokenizer.actions
    kinds = {
        kind: np.array([t for t, each in enumerate(actions) if each.kind == kind], int) for kind in ASKED
    }
    sheet = _Sheet()
    state, logits = model.initial_state(), np.zeros(len(actions))
    for token, following in zip(tokens, (*tokens[1:], None), strict=True):
        kind, value = actions[token]
        if kind not in GIVEN:
            choice = Choice(logits, kinds)
            if kind == "wait":
                cut = following is None or actions[following].kind in GIVEN
                sheet.wait(choice, token, value, cut=cut)
            elif kind == "off":
                sheet.end(choice, token)
            else:
                sheet.begin(choice, token, kind)
        logits, state = model.step(state, token)
    return Score(
        pitches=sheet.pitches,
        hold=sheet.hold,
        velocity=sheet.velocity,
        steps=sheet.steps,
        right=sheet.right,
        notes=sheet.notes,
        beats=sheet.steps / tokenizer.steps_per_beat,
        pieces=1,
    )


def score_chords(
    model: Model, tokenizer: ChordTokenizer, chords: Sequence[Collection[int]], spelling: Spelling
) -> Score:
    """Score a piece that is told as one sounding set per step (tokenizer ``chords``).

    A vocabulary of chords never has all that occur, and its model was never asked about others. So that no
    step is impossible, `SPELLED` of the probability goes to a chord spelled pitch by pitch, the rest to the
    model's words in proportion: a likelihood over all sets of pitches, comparable with that of any other
    model of the same steps. The model hears an unknown chord as the nearest that it knows.

    All nats are those of pitches, a step is right if the likeliest word is its chord, and a note is a pitch
    that did not sound before: a struck note is not told from a held one.

    Args:
        model: asked one token at a time.
        tokenizer: what its tokens mean.
        chords: the sounding pitches of each step.
        spelling: of what is not in the vocabulary.
    """
    nats, right = 0.0, 0
    state, heard = model.initial_state(), tokenizer.start
    for last, chord in pairwise(((), *chords)):
        logits, state = model.step(state, heard)
        logits[list(tokenizer.unmusical)] = -inf
        log_p = log_softmax(logits)
        token = tokenizer.encode(chord)
        spelled = log(SPELLED) + spelling.log_p(last, chord)
        nats -= float(np.logaddexp(log(1 - SPELLED) + log_p[token], spelled))
        right += int(log_p.argmax()) == token
        heard = tokenizer.hear(chord)
    return Score(
        pitches=nats,
        steps=len(chords),
        right=right,
        notes=begun(chords),
        beats=len(chords) / tokenizer.steps_per_beat,
        pieces=1,
    )


def score(model: Model, tokenizer: Tokenizer, piece: Piece, spelling: Spelling) -> Score:
    """Score a piece from its first step on, in the way of the tokenizer's kind.

    Args:
        model: asked one token at a time.
        tokenizer: what its tokens mean.
        piece: what it is asked about.
        spelling: of what is in no vocabulary.
    """
    return SCORERS[tokenizer.kind](model, tokenizer, piece, spelling)


SCORERS: Final[Mapping[str, Callable[[Model, Any, Piece, Spelling], Score]]] = {
    ChordTokenizer.kind: lambda model, tokenizer, piece, spelling: score_chords(
        model, tokenizer, sounding(piece, tokenizer.steps_per_beat), spelling
    ),
    PolyTokenizer.kind: lambda model, tokenizer, piece, _: score_events(
        model, tokenizer, encoded(tokenizer, piece)
    ),
}
"""How each kind of tokenizer tells a piece, and is scored."""


def encoded(tokenizer: Tokenizer, piece: Piece) -> list[int]:
    """Return the tokens of a piece."""
    tokens: list[int] = tokenizer.encode_piece(piece.notes, piece.metres, piece.end).tolist()
    return tokens


def sounding(piece: Piece, steps_per_beat: int) -> list[tuple[int, ...]]:
    """Return the sounding pitches of each step of a piece, ascending."""
    strokes = on_grid(piece.notes, steps_per_beat)
    chords: list[list[int]] = [[] for _ in range(slot_of(piece.end, steps_per_beat))]
    for pitch, first, after in zip(strokes.pitch.tolist(), strokes.start, strokes.end, strict=True):
        for chord in chords[first:after]:
            chord.append(pitch)
    return [tuple(chord) for chord in chords]


def begun(chords: Sequence[Collection[int]]) -> int:
    """Return how many notes begin in a sequence of sounding sets, one per step."""
    return sum(len(set(after) - set(before)) for before, after in pairwise(((), *chords)))


def log_softmax(logits: Logits) -> LogP:
    """Return natural logs of probabilities, in float64."""
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
