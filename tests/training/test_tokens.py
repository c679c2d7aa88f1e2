from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from midi import piece, song
from neuralmidi.grid import columns, on_grid
from neuralmidi.hands import Hands
from neuralmidi.notes import Metre
from neuralmidi.tokenizer import SPECIALS, ChordTokenizer, PolyTokenizer

from training.dataset import Piece, find, read_all
from training.settings import settings_from
from training.tokens import OWN_KEY, SEMITONES, Chords, Line, Poly, chord_features, known, representation

SONG = song(12, seed=1)


def poly(*pieces: Piece, **settings: object) -> Poly:
    made = representation(settings_from(settings), lambda: pieces)
    assert isinstance(made, Poly)
    return made


def words(made: Poly | Chords, tokens: Sequence[int] | np.ndarray) -> list[str]:
    return [made.tokenizer.vocabulary[token] for token in tokens]


def preludes(line: Line) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is read before an entry, and what comes after it."""
    return [(line.preludes[begin:end], line.ids[place:]) for place, begin, end in line.entries]


def test_the_vocabulary_has_the_bars_and_the_loudness_of_the_music() -> None:
    waltz = piece([(0, 3, 60)], [Metre(0, 3, 4)], end=3)
    assert poly(waltz).tokenizer.vocabulary[:3] == ("<start>", "bar 3/4", "wait 1")
    made = poly(waltz, SONG, SONG)
    assert made.tokenizer.vocabulary[:4] == ("<start>", "bar 4/4", "bar 3/4", "velocity 1")
    assert [made.tokenizer.vocabulary[token] for token in made.tokenizer.beginning] == ["<start>", "bar 4/4"]
    assert made.given == 3


def test_real_midi_comes_back_from_its_tokens(data: Path) -> None:
    for each in read_all(find([data.parent], {path.resolve(): "train" for path in data.glob("*.mid")})):
        made = poly(each)
        notes, metres = made.tokenizer.decode_piece(made.encode(each).ids)
        for one, other in zip(on_grid(columns(notes), 12), on_grid(each.notes, 12), strict=True):
            assert np.array_equal(one, other)
        assert tuple(metres) == each.metres


def test_one_comes_in_at_a_bar_line_with_what_is_held() -> None:
    held = piece([(0, 6, 60), (2, 4, 64), (4, 5, 67), (7, 8, 62)])
    line = poly(held).encode(held)
    ((before, after),) = preludes(line)
    assert words(poly(held), before) == ["bar 4/4", "on 60", "on 67", "wait 12"]
    assert words(poly(held), after) == ["off 67", "wait 12", "off 60", "wait 12", "on 62", "wait 12"]
    assert words(poly(held), line.coda) == ["off 62"]


def test_a_wait_over_the_bar_line_is_cut_there_and_as_long_as_it_can_be() -> None:
    far = piece([(0, 1, 60), (11, 12, 62)], end=12)
    line = poly(far).encode(far)
    (first, after), (second, same) = preludes(line)
    assert words(poly(far), first) == ["bar 4/4", "wait 24", "wait 24", "wait 24", "wait 12"]
    assert words(poly(far), second) == ["bar 4/4", "wait 24", "wait 12"]
    assert np.array_equal(after, same)
    assert words(poly(far), after) == ["on 62", "wait 12"]


def test_a_new_time_signature_and_the_loudness_are_told_to_who_comes_in() -> None:
    two = piece([(0, 4, 60, 100), (4, 10, 62, 20)], [Metre(0, 4, 4), Metre(4, 3, 4)], end=10)
    (first, _), (second, _) = preludes(poly(two).encode(two))
    assert words(poly(two), first) == ["bar 3/4", "velocity 2", "on 62", "wait 24", "wait 24", "wait 24"]
    assert words(poly(two), second) == ["bar 3/4", "velocity 2", "on 62", "wait 24", "wait 12"]


@pytest.mark.parametrize("steps_per_beat", [4, 12, 24])
def test_what_one_hears_from_an_entry_on_is_what_is_heard_from_the_start(steps_per_beat: int) -> None:
    made = poly(SONG, steps_per_beat=steps_per_beat)
    line = made.encode(SONG)
    tokenizer = made.tokenizer
    assert len(line.entries) == 11
    for number, (before, after) in enumerate(preludes(line), start=1):
        ends = []
        for music in (line.ids, np.concatenate([before, after])):
            hands, sounding = Hands(), []
            for token in music.tolist():
                hands = tokenizer.read(hands, token)
                sounding += [sorted(hands.sounding)] * hands.wait
            ends.append(sounding[-(12 - number) * 4 * steps_per_beat :])
        assert ends[0] == ends[1]
        assert len(ends[0]) == (12 - number) * 4 * steps_per_beat


def test_in_another_key_everything_is_as_far_away() -> None:
    made = poly(SONG)
    line = made.encode(SONG)
    for key in range(line.keys[0], line.keys[1] + 1):
        notes = made.tokenizer.decode_piece(made.keys[key][line.ids])[0]
        moved = [(*note[:2], note.pitch - SEMITONES[key], note.velocity) for note in notes]
        assert sorted(moved) == sorted(made.tokenizer.decode_piece(line.ids)[0])
    assert np.array_equal(made.keys[OWN_KEY], np.arange(len(made.tokenizer.vocabulary)))


def test_a_piece_keeps_to_the_keys_in_which_it_stays_on_the_piano() -> None:
    def keys(low: int, high: int) -> list[int]:
        wide = piece([(0, 4, low), (4, 8, high)])
        first, last = poly(wide).encode(wide).keys
        return [*SEMITONES[first : last + 1]]

    assert keys(60, 67) == [*SEMITONES]
    assert keys(23, 104) == [*range(-2, 5)]
    assert keys(21, 108) == [0]


def test_the_vocabulary_of_chords_is_the_most_frequent_of_all_keys() -> None:
    def vocabulary(size: int) -> tuple[str, ...]:
        both = piece([(0, 6, 21), (6, 7, 108)])  # cannot be transposed
        made = representation(settings_from({"tokenizer": "chords", "vocabulary": size}), lambda: [both])
        return made.tokenizer.vocabulary

    assert vocabulary(5) == (*SPECIALS, "21", "108")
    assert vocabulary(4) == (*SPECIALS, "21")
    assert len(vocabulary(3)) == 3


def test_chords_are_told_step_by_step_up_to_the_end_of_the_bar_in_any_key() -> None:
    made = Chords(ChordTokenizer((*SPECIALS, "60", "61", "60,64", "61,65")))
    line = made.encode(piece([(0, 1, 60), (0.5, 1, 64), (1, 1.25, 72)], end=4))
    assert words(made, line.ids) == ["<start>", "60", "60", "60,64", "60,64", "<unknown>"] + ["<rest>"] * 11
    assert words(made, made.keys[SEMITONES.index(1)][line.ids[:5]]) == [
        "<start>",
        "61",
        "61",
        "61,65",
        "61,65",
    ]
    assert line.entries[:, 0].tolist() == [1, 5, 9, 13]


def test_a_tokenizer_that_is_there_is_taken_as_it_is() -> None:
    assert isinstance(known(poly(SONG).tokenizer), Poly)
    assert isinstance(known(ChordTokenizer(SPECIALS)), Chords)
    assert isinstance(poly(SONG).tokenizer, PolyTokenizer)


def test_the_features_tell_all_words_apart() -> None:
    vocabulary = (*SPECIALS, "60", "72", "60,64", "60,64,67", "0,127", "48,60,64,67,72,76,79,84,88")
    features = chord_features(vocabulary)
    assert len(np.unique(features, axis=0)) == len(vocabulary)
    assert set(np.unique(features)) == {0, 1}
