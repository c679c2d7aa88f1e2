from pathlib import Path

import numpy as np
from neuralmidi.tokenizer import SPECIALS, ChordTokenizer

from training.dataset import Piece, read_steps
from training.tokens import build_tokenizer, chord_features, coverage, encode, stream, transpositions


def test_real_midi_comes_back_from_its_tokens(data: Path) -> None:
    for path in sorted(data.glob("*.mid")):
        steps, _ = read_steps(path)
        tokenizer = build_tokenizer([Piece(path.name, "train", steps)], 4096)
        assert tuple(tokenizer.decode(int(token)) for token in encode(tokenizer, steps)) == steps
        assert coverage(tokenizer, [Piece(path.name, "train", steps)]) == 1


def test_transpositions_stay_on_the_piano_and_hold_the_own_key() -> None:
    middle = ((60, 64), (), (67,))
    keys = transpositions(middle)
    assert len(keys) == 12
    assert middle in keys
    assert keys[0] == ((54, 58), (), (61,))
    wide = ((23,), (104,))
    assert transpositions(wide) == [((23 + k,), (104 + k,)) for k in range(-2, 5)]
    assert transpositions(((20,), (110,))) == [((20,), (110,))]


def test_the_vocabulary_is_the_most_frequent_chords_of_all_keys() -> None:
    piece = Piece("", "train", ((21,), (21,), (108,), ()))  # cannot be transposed
    assert build_tokenizer([piece], 5).vocabulary == (*SPECIALS, "21", "108")
    assert build_tokenizer([piece], 4).vocabulary == (*SPECIALS, "21")
    assert coverage(build_tokenizer([piece], 4), [piece]) == 0.75


def test_a_chord_out_of_the_vocabulary_is_thinned_out_until_it_is_in_it() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, "60", "64,67", "60,64", "60,67", "60,64,67"))
    chords = ((60, 64, 67), (60, 64, 67, 71), (60, 65, 67), (60, 64, 69), (60, 61), (90,), ())
    words = [tokenizer.vocabulary[token] for token in encode(tokenizer, chords)]
    assert words == ["60,64,67", "60,64,67", "60,67", "60,64", "60", "<unknown>", "<rest>"]


def test_the_features_tell_all_words_apart() -> None:
    vocabulary = (*SPECIALS, "60", "72", "60,64", "60,64,67", "0,127", "48,60,64,67,72,76,79,84,88")
    features = chord_features(vocabulary)
    assert len(np.unique(features, axis=0)) == len(vocabulary)
    assert set(np.unique(features)) == {0, 1}


def test_an_excerpt_goes_from_piece_to_piece_at_bar_lines() -> None:
    pieces = [[np.full(20, 3, np.int32)], [np.full(16, 4, np.int32)]]
    excerpt = stream(pieces, 200, np.random.default_rng(0), at_start=1)
    assert excerpt[0] == SPECIALS.index("<start>")
    assert len(excerpt) == 200
    assert set(excerpt) == {0, 2, 3, 4}
    again = stream(pieces, 200, np.random.default_rng(0), at_start=1)
    assert np.array_equal(excerpt, again)
    assert 0 not in stream(pieces, 200, np.random.default_rng(0), at_start=0)


def test_an_excerpt_hears_every_key() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, "60", "61"))
    keys = [encode(tokenizer, ((60,),) * 16), encode(tokenizer, ((61,),) * 16)]
    assert {3, 4} <= set(stream([keys], 400, np.random.default_rng(0)))
