from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.hands import Hands
from neuralmidi.notes import Note
from neuralmidi.tokenizer import REST, SPECIALS, START, UNKNOWN, ChordTokenizer, spell

CHORDS = ("60,64,67", "0,127", "62")
DATA = Path(__file__).parent / "data"


def sounding_sets(file: Path) -> list[frozenset[int]]:
    """What sounds after each moment of a MIDI file, read with nothing but mido."""
    on: set[int] = set()
    sets = []
    for message in mido.merge_tracks(mido.MidiFile(file).tracks):
        if message.time:
            sets.append(frozenset(on))
        if message.type == "note_on" and message.velocity:
            on.add(message.note)
        elif message.type in ("note_on", "note_off"):
            on.discard(message.note)
    return sets


def test_tokens_are_places_in_the_vocabulary() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, *CHORDS))
    assert [tokenizer.encode(pitches) for pitches in ([], {67, 60, 64}, [127, 0], (62,))] == [2, 3, 4, 5]
    assert [tokenizer.decode(token) for token in range(6)] == [(), (), (), (60, 64, 67), (0, 127), (62,)]
    assert (tokenizer.start, tokenizer.unmusical, tokenizer.kind) == (0, (0, 1), "chords")


def test_a_set_out_of_the_vocabulary_is_unknown() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, *CHORDS))
    assert tokenizer.vocabulary[tokenizer.encode({60, 64})] == UNKNOWN
    assert tokenizer.decode(tokenizer.encode({60, 64})) == ()


@given(st.sets(st.frozensets(st.integers(0, 127), max_size=10), min_size=1))
def test_every_set_comes_back(sets: set[frozenset[int]]) -> None:
    tokenizer = ChordTokenizer((*SPECIALS, *sorted({spell(pitches) for pitches in sets} - {REST})))
    for pitches in sets:
        assert tokenizer.decode(tokenizer.encode(pitches)) == tuple(sorted(pitches))


@pytest.mark.parametrize("file", sorted(DATA.glob("*.mid")), ids=lambda path: path.stem)
def test_a_midi_file_comes_back(file: Path) -> None:
    sets = sounding_sets(file)
    assert sets
    tokenizer = ChordTokenizer((*SPECIALS, *sorted({spell(pitches) for pitches in sets} - {REST})))
    tokens = [tokenizer.encode(pitches) for pitches in sets]
    assert [frozenset(tokenizer.decode(token)) for token in tokens] == sets


@pytest.mark.parametrize(
    ("vocabulary", "why"),
    [
        ((), "does not begin with <start> <unknown> <rest>"),
        ((START, REST, UNKNOWN, "60"), "does not begin with"),
        ("<start><unknown><rest>", "does not begin with"),
        ((*SPECIALS, "60", "62", "60"), "twice"),
        ((*SPECIALS, REST), "'<rest>' is not a chord"),
        ((*SPECIALS, "64,60"), "'64,60' is not a chord"),
        ((*SPECIALS, "60,60"), "not a chord"),
        ((*SPECIALS, "128"), "not a chord"),
        ((*SPECIALS, "-1"), "not a chord"),
        ((*SPECIALS, "060"), "not a chord"),
        ((*SPECIALS, " 60"), "not a chord"),
        ((*SPECIALS, ""), "not a chord"),
        ((*SPECIALS, "C4"), "not a chord"),
        ((*SPECIALS, 60), "not a chord"),
    ],
)
def test_a_malformed_vocabulary_is_refused(vocabulary: tuple[str, ...], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        ChordTokenizer(vocabulary)


@pytest.mark.parametrize("token", [-1, 6])
def test_there_is_no_token_beyond_the_vocabulary(token: int) -> None:
    with pytest.raises(NeuralMIDIError, match="outside 0 to 5"):
        ChordTokenizer((*SPECIALS, *CHORDS)).decode(token)


# What a composer and a trainer do with it


def test_the_hands_hold_a_chord_for_a_slot() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, "60", "60,64"))
    first = tokenizer.read(Hands(), 3)
    second = tokenizer.read(first, 4)
    assert first == Hands({60: 0}, wait=1)
    assert second == Hands({60: 0, 64: 0}, wait=1)
    assert tokenizer.read(second, tokenizer.start) == Hands()


def test_every_slot_is_written_as_one_token() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, "60", "60,64"))
    for sounding, word in ({}, REST), ({60: 90}, "60"), ({60: 90, 64: 1, 67: 1}, "60,64"), ({30: 1}, UNKNOWN):
        (token,) = tokenizer.write(Hands(), sounding)
        assert tokenizer.vocabulary[token] == word
    assert tokenizer.passing(3) == tokenizer.release((60,)) == ()


def test_a_piece_comes_back_with_its_held_notes_in_one() -> None:
    tokenizer = ChordTokenizer((*SPECIALS, "60", "60,64"), 2)
    notes = [Note(0.5, 1.5, 60), Note(1, 1.5, 64), Note(2, 2.5, 60)]
    words = [tokenizer.vocabulary[token] for token in tokenizer.encode_piece(notes, end=3)]
    assert words == [START, REST, "60", "60,64", REST, "60", REST]
    assert tokenizer.decode_piece(tokenizer.encode_piece(notes, end=3)) == (notes, [])
