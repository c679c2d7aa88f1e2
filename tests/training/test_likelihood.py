"""The law: over all the music there can be, the probabilities add up to 1."""

from collections.abc import Mapping
from itertools import product
from math import exp, inf, log

import numpy as np
import pytest
from hand_models import Recurrent, tokenizer
from neuralmidi.notes import Metre, Note
from neuralmidi.tokenizer import PolyTokenizer, poly_vocabulary
from numpy.typing import NDArray

from training.baselines import EventCounts, Heard
from training.dataset import Piece
from training.likelihood import SPELLED, Score, encoded, score, score_chords, score_events, sounding
from training.spelling import Spelling

KEYS = (60, 64)
SLOTS = 3
POLY = PolyTokenizer(poly_vocabulary(1, ["2/4", "3/4"], 0, longest_wait=2), 1, ("<start>", "bar 2/4"))
WORDS = {word: token for token, word in enumerate(POLY.vocabulary)}


class TwoKeys:
    """Random probabilities, which depend on all it has heard, for all that may follow on two keys."""

    def __init__(self) -> None:
        self.rules = EventCounts(POLY, [])
        self.taste = Recurrent(len(POLY.vocabulary))
        pitched = [token for token, action in enumerate(POLY.actions) if action.kind in ("off", "on")]
        self.missing = [token for token in pitched if POLY.actions[token].value not in KEYS]

    def initial_state(self) -> tuple[Heard, tuple[NDArray[np.float32], ...]]:
        return self.rules.initial_state(), self.taste.initial_state()

    def step(
        self, state: tuple[Heard, tuple[NDArray[np.float32], ...]], token: int
    ) -> tuple[NDArray[np.float64], tuple[Heard, tuple[NDArray[np.float32], ...]]]:
        rules, hands = self.rules.step(state[0], token)
        tastes, heard = self.taste.step(state[1], token)
        logits = np.where(rules > -1000, tastes, rules)
        logits[self.missing] = -1e4
        return logits, (hands, heard)


class Always:
    """Gives the same probabilities whatever it hears; the words that are not named get none."""

    def __init__(self, probabilities: Mapping[str, float]) -> None:
        self.logits = np.full(len(POLY.vocabulary), -1e4)
        for word, probability in probabilities.items():
            self.logits[WORDS[word]] = log(probability)

    def initial_state(self) -> None:
        return None

    def step(self, state: None, token: int) -> tuple[NDArray[np.float64], None]:
        return self.logits, None


def lives(slots: int) -> list[list[tuple[int, int]]]:
    """All that one key can do: per slot it is up, goes down (again), or stays down."""
    found = []
    for actions in product(("up", "down", "stay"), repeat=slots):
        strokes: list[tuple[int, int]] = []
        for slot, action in enumerate(actions):
            if action == "down":
                strokes.append((slot, slot + 1))
            elif action == "stay":
                if not strokes or strokes[-1][1] != slot:
                    break
                strokes[-1] = strokes[-1][0], slot + 1
        else:
            found.append(strokes)
    return found


@pytest.mark.parametrize("metres", [(Metre(0, 2, 4),), (Metre(0, 2, 4), Metre(2, 3, 4))])
def test_the_probabilities_of_all_music_add_up_to_one(metres: tuple[Metre, ...]) -> None:
    everything = (
        [Note(start, end, key) for key, life in zip(KEYS, pair, strict=True) for start, end in life]
        for pair in product(lives(SLOTS), repeat=len(KEYS))
    )
    pieces = {tuple(POLY.encode_piece(notes, metres, SLOTS).tolist()) for notes in everything}
    assert len(pieces) == 13**2
    scores = [score_events(TwoKeys(), POLY, piece) for piece in pieces]
    assert sum(exp(-each.nats) for each in scores) == pytest.approx(1, abs=1e-9)
    assert {(each.steps, each.beats) for each in scores} == {(SLOTS, SLOTS)}


def test_the_probabilities_of_all_chords_add_up_to_one() -> None:
    words = tokenizer(["60", "60,64"])
    model, spelling = Recurrent(len(words.vocabulary)), Spelling()
    music = product(([], [60], [60, 64]), repeat=2)  # the rest of all there can be is spelled
    known = sum(exp(-score_chords(model, words, chords, spelling).nats) for chords in music)
    assert (1 - SPELLED) ** 2 < known < (1 - SPELLED) ** 2 + 0.01
    strange = score_chords(model, words, [(61, 65, 68)], spelling)
    assert strange.nats == pytest.approx(-log(SPELLED) - spelling.log_p((), (61, 65, 68)))


def test_a_step_tells_ends_beginnings_and_velocities_apart() -> None:
    poly = PolyTokenizer(poly_vocabulary(1, [], longest_wait=2), 1)
    model = Recurrent(len(poly.vocabulary))
    notes = [Note(0, 1, 60, 10), Note(0, 2, 64, 20), Note(1, 2, 60, 20)]
    tokens = poly.encode_piece(notes, (), 2).tolist()
    words = [poly.vocabulary[token] for token in tokens]
    begin = ["<start>", "velocity 1", "on 60", "velocity 2", "on 64"]
    assert words == [*begin, "wait 1", "off 60", "on 60", "wait 1"]
    state, log_p = model.initial_state(), []
    for token in tokens:
        logits, state = model.step(state, token)
        log_p.append(logits - np.log(np.exp(logits, dtype=np.float64).sum()))

    def p(place: int, *kinds: str) -> float:
        of = [token for token, word in enumerate(poly.vocabulary) if word.split()[0] in kinds]
        return float(np.exp(log_p[place - 1][of]).sum())

    def word(place: int) -> float:
        return float(np.exp(log_p[place - 1][tokens[place]]))

    attack, going_on = ("velocity", "on"), ("velocity", "on", "wait")
    pitches = velocity = hold = 1.0
    for place in (1, 2, 3, 4, 7):
        said = words[place].split()[0]
        hold *= p(place, *going_on)
        pitches *= p(place, *attack) / p(place, *going_on)
        velocity *= p(place, said) / p(place, *attack)
        if said == "velocity":
            velocity *= word(place) / p(place, said)
        else:
            pitches *= word(place) / p(place, said)
    hold *= word(6)
    for place, last in ((5, word(5)), (8, p(8, "wait"))):  # the last wait is not over with the piece
        pitches *= p(place, "wait") / p(place, *going_on)
        hold *= p(place, *going_on) * last / p(place, "wait")
    scored = score_events(model, poly, tokens)
    assert (scored.notes, scored.steps, scored.pieces) == (3, 2, 1)
    assert scored.pitches == pytest.approx(-log(pitches))
    assert scored.velocity == pytest.approx(-log(velocity))
    assert scored.hold == pytest.approx(-log(hold))


@pytest.mark.parametrize(
    ("probabilities", "right"),
    [
        ({"on 60": 0.3, "on 64": 0.2, "wait 1": 0.3, "wait 2": 0.2}, 0),  # to wait is likelier: 0.5
        ({"on 60": 0.6, "wait 1": 0.4}, 0),  # on 60, then not another time
        ({"on 60": 0.2, "wait 1": 0.2, "wait 2": 0.6}, 1),  # slot 1: nothing happens, right
        ({"on 60": 0.2, "wait 1": 0.6, "wait 2": 0.2}, 0),
    ],
)
def test_a_step_is_right_if_every_decision_was_the_likeliest(
    probabilities: dict[str, float], right: int
) -> None:
    tokens = [WORDS[word] for word in ("<start>", "bar 2/4", "on 60", "wait 2")]
    assert score_events(Always(probabilities), POLY, tokens).right == right


def test_what_happens_after_a_wait_is_a_decision_of_its_step() -> None:
    tokens = [WORDS[word] for word in ("<start>", "wait 1", "on 60", "wait 1")]
    early = score_events(Always({"wait 1": 0.6, "wait 2": 0.1, "on 60": 0.3}), POLY, tokens)
    late = score_events(Always({"wait 1": 0.1, "wait 2": 0.6, "on 60": 0.3}), POLY, tokens)
    sure = score_events(Always({"wait 1": 0.2, "wait 2": 0.1, "on 60": 0.7}), POLY, tokens)
    assert (early.right, late.right, sure.right) == (1, 1, 0)
    assert early.nats == pytest.approx(-log(0.6 * 0.3 * 0.7))  # the last wait: so long or longer


def test_what_cannot_be_is_still_a_number() -> None:
    scored = score_events(Always({"on 60": 1.0}), POLY, [WORDS["<start>"], WORDS["on 64"], WORDS["wait 1"]])
    assert 1e4 < scored.nats < inf
    assert scored.perplexity < inf


def test_scores_add_up_and_a_score_of_nothing_is_zero() -> None:
    one = Score(pitches=2, hold=1, velocity=1, steps=4, right=3, notes=2, beats=1, pieces=1)
    both = one + one
    assert (both.nats, both.steps, both.pieces) == (8, 8, 2)
    assert (both.nats_per_step, both.nats_per_note, both.nats_per_beat, both.accuracy) == (1, 2, 4, 0.75)
    assert both.perplexity == pytest.approx(exp(1))
    assert both.figures()["hold_nats_per_note"] == 0.5
    assert Score().figures()["nats_per_step"] == 0


def test_a_piece_is_scored_in_the_way_of_its_tokenizer() -> None:
    notes = np.array([[0, 1, 60, 0], [0, 2, 64, 0], [1, 2, 60, 0]], np.float64)
    piece = Piece("piece", "nobody", "valid", notes, (Metre(0, 3, 4),), 3)
    assert sounding(piece, 1) == [(60, 64), (60, 64), ()]
    assert encoded(POLY, piece) == POLY.encode_piece(notes, piece.metres, 3).tolist()
    events = score(Recurrent(len(POLY.vocabulary)), POLY, piece, Spelling())
    assert (events.steps, events.notes, events.beats) == (3, 3, 3)
    words = tokenizer()
    chords = score(Recurrent(len(words.vocabulary)), words, piece, Spelling())
    assert (chords.steps, chords.notes, chords.beats) == (12, 2, 3)
    assert chords.hold == chords.velocity == 0
