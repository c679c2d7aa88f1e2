from math import exp, log

import numpy as np
import pytest
from neuralmidi.notes import Note
from neuralmidi.tokenizer import PolyTokenizer, poly_vocabulary

from training.baselines import ChordCounts, Counts, EventCounts, likeliest, probability
from training.likelihood import score_events

POLY = PolyTokenizer(poly_vocabulary(1, ["4/4"], longest_wait=4), 1, ("<start>", "bar 4/4"))
WORDS = {word: token for token, word in enumerate(POLY.vocabulary)}
SCALE = [Note(beat, beat + 1, 60 + beat) for beat in range(12)]


def moved(semitones: int) -> list[int]:
    notes = [note._replace(pitch=note.pitch + semitones) for note in SCALE]
    tokens: list[int] = POLY.encode_piece(notes).tolist()
    return tokens


def test_counts_give_way_as_witten_and_bell_say() -> None:
    counts = Counts(order=2)
    for before, symbol in ((("a",), "b"), (("a",), "b"), (("a",), "c"), (("x",), "b")):
        counts.learn(before, symbol)
    alone = (3 + 2 * 0.1) / (2 + 4)  # b followed anything 3 times of 4; 2 kinds of symbols have
    assert probability(counts.known(("z",)), "b", 0.1) == pytest.approx(alone)
    assert probability(counts.known(("z", "a")), "b", 0.1) == pytest.approx((2 + 2 * alone) / (2 + 3))
    assert probability(counts.known(()), "never", 0.1) == pytest.approx(2 * 0.1 / 6)
    assert probability([], "never", 0.1) == 0.1


def test_the_likeliest_is_found_among_all() -> None:
    counts = Counts(order=3)
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 6, 400).tolist()
    for place, symbol in enumerate(symbols):
        counts.learn(tuple(symbols[max(0, place - 2) : place]), symbol)
    for before in ((), (1,), (1, 2), (9,), (9, 3)):
        known = counts.known(before)
        best = likeliest(known)
        assert probability(known, best, 0) == max(probability(known, each, 0) for each in range(6))
    assert likeliest(Counts().known(())) is None


def test_chords_are_known_in_every_key() -> None:
    piece = [(60, 64, 67)] * 4 + [(65, 69)] * 4
    counted = ChordCounts([piece] * 5)
    higher = [tuple(pitch + 5 for pitch in chord) for chord in piece]
    one, other = (counted.score(each, 4) for each in (piece, higher))
    assert one.steps == other.steps == 8
    assert (one.notes, one.beats) == (5, 2)
    assert one.right == 8
    assert other.right == 7  # only where it begins is a matter of the key
    assert 0 < one.nats < other.nats < ChordCounts([]).score(higher, 4).nats
    assert one.hold == one.velocity == 0


def test_the_probabilities_of_all_chords_add_up_to_one() -> None:
    counted = ChordCounts([[(60, 64), (60,), (62,)]])
    music = ([[one], [one, other]] for one in ((), (60,)) for other in ((), (60,), (62,)))
    seen = {tuple(piece): exp(-counted.score(piece, 4).nats) for both in music for piece in both}
    for first in ((), (60,)):
        ways = sum(p for piece, p in seen.items() if len(piece) == 2 and piece[0] == first)
        assert 0 < ways < seen[(first,)]


def test_events_are_known_in_every_key_and_nothing_impossible_is_expected() -> None:
    model = EventCounts(POLY, [moved(0)])
    home, away, untaught = (
        score_events(each, POLY, moved(key)).nats_per_note
        for each, key in ((model, 0), (model, 5), (EventCounts(POLY, []), 0))
    )
    assert home <= away < untaught / 2
    state = model.initial_state()
    for word in ("<start>", "bar 4/4", "velocity 3", "on 60", "on 64"):
        logits, state = model.step(state, WORDS[word])
    p = np.exp(logits)
    assert p[WORDS["on 60"]] == p[WORDS["on 62"]] == p[WORDS["off 60"]] == p[WORDS["bar 4/4"]] == 0
    assert min(p[WORDS["on 65"]], p[WORDS["wait 1"]], p[WORDS["velocity 3"]]) > 0
    logits, state = model.step(state, WORDS["wait 2"])
    assert np.exp(logits[WORDS["wait 1"]]) == 0  # something must happen now
    assert np.exp(logits[WORDS["off 60"]]) > 0
    logits, _ = model.step(model.step(state, WORDS["off 64"])[1], WORDS["on 70"])
    assert np.exp(logits[WORDS["off 60"]]) == 0


def test_without_any_music_every_event_that_may_follow_is_as_likely() -> None:
    model = EventCounts(POLY, [])
    logits, _ = model.step(model.initial_state(), POLY.start)
    may = logits[logits > -1000]
    assert len(may) == 8 + 4 + 88
    assert np.allclose(may, log(1 / len(POLY.vocabulary)))
