from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.hands import Hands
from neuralmidi.kit import KIT, PLACES
from neuralmidi.notes import Note
from neuralmidi.tokenizer import DrumTokenizer, drum_vocabulary, spell_hits, tokenizer_from

BEAT = DrumTokenizer(drum_vocabulary([0, 0b1, 0b10, 0b100, 0b101, 0b110]))
EVERYTHING = DrumTokenizer(drum_vocabulary(range(512)))


def words(tokens: Iterable[int]) -> list[str]:
    return [BEAT.vocabulary[token] for token in tokens]


def hit(beat: float, pitch: int, velocity: int = 100) -> Note:
    return Note(beat, beat + 0.1, pitch, velocity)


def test_a_word_names_what_is_hit() -> None:
    assert [spell_hits(mask) for mask in (0, 1, 0b100000101)] == ["-", "kick", "kick+hat+ride"]


def test_a_slot_is_what_is_hit_and_then_how() -> None:
    tokens = BEAT.encode_piece([hit(0, 36, 127), hit(0, 42, 7), hit(0.51, 38, 64), hit(0.24, 44, 8)], end=1)
    assert words(tokens) == [
        "<start>",
        *("kick+hat", "velocity 16", "late 0", "velocity 1", "late 0"),
        *("hat", "velocity 2", "late -1"),
        *("snare", "velocity 9", "late 1"),
        "-",
    ]


def test_every_pitch_of_the_datasets_drums_is_an_instrument() -> None:
    heard = "35 36 41 37 38 40 22 42 44 26 46 43 58 45 47 48 50 49 52 55 57 51 53 59"
    assert sorted(PLACES) == sorted(map(int, heard.split()))
    assert all(PLACES[each.pitch] == place for place, each in enumerate(KIT))


def test_of_hits_on_one_instrument_in_a_slot_the_loudest_counts() -> None:
    tokens = BEAT.encode_piece([hit(0, 36, 30), hit(0.05, 35, 90), hit(0.1, 41, 60)], end=0.25)
    assert words(tokens)[1:] == ["kick", "velocity 12", "late 3"]


def test_what_the_vocabulary_lacks_is_unknown_when_read_and_the_nearest_when_heard() -> None:
    assert words(BEAT.encode_piece([hit(0, 36), hit(0, 49)], end=0.25)) == ["<start>", "<unknown>"]
    assert words(BEAT.write(Hands(), {36: 100, 49: 100}, {36, 49})) == ["kick", "velocity 13", "late 0"]


def test_without_an_end_it_lasts_until_the_bar_line() -> None:
    assert len(BEAT.encode_piece([hit(3.74, 36)])) == 1 + 15 + 3
    assert len(BEAT.encode_piece([])) == 1


def test_what_only_goes_on_sounding_is_not_hit() -> None:
    assert words(BEAT.write(Hands(), {36: 100, 60: 90}, {60})) == ["-"]


def test_a_slot_is_over_when_all_of_it_is_told() -> None:
    hands = Hands()
    waits = []
    for word in ("kick+hat", "velocity 16", "late 0", "velocity 1", "late -8", "-", "<unknown>"):
        hands = BEAT.read(hands, BEAT.vocabulary.index(word))
        waits.append(hands.wait)
    assert waits == [0, 0, 0, 0, 1, 1, 1]


def test_a_token_that_cannot_follow_changes_nothing() -> None:
    done = BEAT.read(Hands(), BEAT.vocabulary.index("-"))
    assert BEAT.read(done, BEAT.vocabulary.index("late 3")) == done


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 63), st.sampled_from([each.pitch for each in KIT])),
        st.tuples(st.integers(0, 15), st.integers(-7, 7)),
        max_size=60,
    )
)
def test_there_and_back(hits: dict[tuple[int, int], tuple[int, int]]) -> None:
    notes = [
        Note((slot + late / 16) / 4, (slot + late / 16 + 1) / 4, pitch, 8 * level + 4)
        for (slot, pitch), (level, late) in hits.items()
        if slot or late >= 0
    ]
    again, metres = EVERYTHING.decode_piece(EVERYTHING.encode_piece(notes, end=16).tolist())
    assert again == sorted(notes)
    assert metres == []


@pytest.mark.parametrize(
    "vocabulary",
    [(), BEAT.vocabulary[1:], (*BEAT.vocabulary[:5], "kick", *BEAT.vocabulary[5:]), BEAT.vocabulary[:-1]],
)
def test_a_vocabulary_of_another_form_is_refused(vocabulary: Sequence[str]) -> None:
    with pytest.raises(NeuralMIDIError, match="vocabulary"):
        tokenizer_from("drums", vocabulary)


@pytest.mark.parametrize("word", ["hat+kick", "cowbell", "kick+", ""])
def test_a_word_that_is_not_spelled_so_is_refused(word: str) -> None:
    vocabulary = [word if each == "snare" else each for each in BEAT.vocabulary]
    with pytest.raises(NeuralMIDIError, match="not a word of the tokenizer drums"):
        tokenizer_from("drums", vocabulary)
