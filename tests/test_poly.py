from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.hands import Hands
from neuralmidi.notes import Metre, Note
from neuralmidi.tokenizer import KEYS, PolyTokenizer, poly_vocabulary

DATA = Path(__file__).parent / "data"
BARS = ("4/4", "3/4", "6/8")
TOKENIZER = PolyTokenizer(poly_vocabulary(4, BARS), 4, ("<start>", "bar 4/4"))


def told(*notes: Note, metres: Sequence[Metre] = (), end: float | None = None) -> str:
    """The words of a piece, without `<start>`."""
    tokens = TOKENIZER.encode_piece(notes, metres, end)
    assert tokens[0] == TOKENIZER.start
    return ", ".join(TOKENIZER.vocabulary[token] for token in tokens[1:])


def piece(file: Path) -> list[Note]:
    """The notes of a MIDI file, read with nothing but mido."""
    midi = mido.MidiFile(file)
    notes, down, beats = [], dict[tuple[int, int], tuple[float, int]](), 0.0
    for message in mido.merge_tracks(midi.tracks):
        beats += message.time / midi.ticks_per_beat
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        if key in down:
            start, velocity = down.pop(key)
            notes.append(Note(start, beats, message.note, velocity))
        if message.type == "note_on" and message.velocity:
            down[key] = beats, message.velocity
    return notes


# The words of a piece


def test_what_changes_is_told_and_then_how_long_nothing_does() -> None:
    assert told(Note(0, 1, 60), Note(0.5, 1, 64)) == "on 60, wait 2, on 64, wait 2"
    assert told(Note(1, 1.25, 60)) == "wait 4, on 60, wait 1"
    assert told() == ""


def test_in_a_slot_the_ends_come_first_each_ascending() -> None:
    notes = (Note(0, 1, 64), Note(0, 1, 60), Note(1, 2, 62), Note(1, 2, 48))
    assert told(*notes) == "on 60, on 64, wait 4, off 60, off 64, on 48, on 62, wait 4"


def test_a_key_struck_again_goes_up_first() -> None:
    assert told(Note(0, 1, 60), Note(1, 2, 60)) == "on 60, wait 4, off 60, on 60, wait 4"


def test_long_waits_are_the_longest_ones_first() -> None:
    assert told(Note(0, 5, 60)) == "on 60, wait 8, wait 8, wait 4"
    assert told(Note(0, 4, 60)) == "on 60, wait 8, wait 8"


def test_a_level_is_told_where_it_changes() -> None:
    notes = (Note(0, 1, 60, 15), Note(0, 1, 64, 1), Note(0, 1, 67, 127), Note(1, 2, 60, 112))
    assert told(*notes) == (
        "velocity 1, on 60, on 64, velocity 8, on 67, wait 4, off 60, off 64, off 67, on 60, wait 4"
    )


def test_notes_without_velocity_say_nothing_of_it() -> None:
    assert told(Note(0, 1, 60, 90), Note(1, 2, 62), Note(2, 3, 64, 90)) == (
        "velocity 6, on 60, wait 4, off 60, on 62, wait 4, off 62, on 64, wait 4"
    )


def test_bars_are_told_where_they_change() -> None:
    metres = (Metre(0, 4, 4), Metre(4, 3, 4), Metre(7, 3, 4))
    assert told(Note(0, 8, 60), metres=metres) == "bar 4/4, on 60, wait 8, wait 8, bar 3/4, wait 8, wait 8"
    assert told(Note(0, 1, 60), metres=(Metre(4, 3, 4),)) == "on 60, wait 4"


def test_an_unknown_bar_is_told_as_one_of_its_length_or_not_at_all() -> None:
    assert told(metres=(Metre(0, 2, 2),), end=1) == "bar 4/4, wait 4"
    assert told(metres=(Metre(0, 6, 8),), end=1) == "bar 6/8, wait 4"
    assert told(metres=(Metre(0, 4, 4), Metre(4, 5, 4), Metre(9, 4, 4)), end=10) == (
        "bar 4/4, " + "wait 8, " * 4 + "wait 8"
    )


def test_what_lies_behind_the_end_is_left_out() -> None:
    assert told(Note(0, 2, 60), Note(1, 2, 62), end=1) == "on 60, wait 4"
    assert told(Note(0, 1, 60), end=2) == "on 60, wait 4, off 60, wait 4"


def test_beyond_the_piano_it_is_the_nearest_octave() -> None:
    assert told(Note(0, 1, 20), Note(0, 1, 0), Note(0, 1, 109), Note(0, 1, 127)) == (
        "on 24, on 32, on 97, on 103, wait 4"
    )
    assert told(Note(0, 1, 21), Note(0, 1, 108)) == "on 21, on 108, wait 4"


# And back

GRIDS = st.sampled_from((1, 3, 4, 12, 24))


def pieces(steps_per_beat: int) -> st.SearchStrategy[list[Note]]:
    slots = st.integers(0, 100)
    note = st.tuples(slots, st.integers(1, 60), st.integers(KEYS[0], KEYS[-1]), st.integers(1, 127))
    return st.lists(note, max_size=40).map(
        lambda drawn: [Note(s / steps_per_beat, (s + n) / steps_per_beat, p, v) for s, n, p, v in drawn]
    )


@given(st.data(), GRIDS, st.integers(0, 8), st.integers(1, 20))
def test_every_piece_comes_back(
    data: st.DataObject, steps_per_beat: int, velocities: int, longest_wait: int
) -> None:
    words = poly_vocabulary(steps_per_beat, ("4/4", "3/4"), velocities, longest_wait)
    tokenizer = PolyTokenizer(words, steps_per_beat)
    metres = [Metre(0, 4, 4), Metre(4, 3, 4)]
    tokens = tokenizer.encode_piece(data.draw(pieces(steps_per_beat)), metres)
    notes, bars = tokenizer.decode_piece(tokens)
    assert bars == metres[: len(bars)]
    np.testing.assert_array_equal(tokenizer.encode_piece(notes, bars), tokens)
    assert tokenizer.decode_piece(tokenizer.encode_piece(notes, bars)) == (notes, bars)


@given(st.data(), GRIDS)
def test_what_can_be_told_is_told_exactly(data: st.DataObject, steps_per_beat: int) -> None:
    drawn = data.draw(pieces(steps_per_beat))
    keys = {note.pitch: note._replace(velocity=note.velocity // 16 * 16 + 8) for note in drawn}
    notes = sorted(keys.values(), key=lambda note: (note.start, note.pitch))
    tokenizer = PolyTokenizer(poly_vocabulary(steps_per_beat, ()), steps_per_beat)
    assert tokenizer.decode_piece(tokenizer.encode_piece(notes)) == (notes, [])


@given(st.data())
def test_reading_and_writing_slot_by_slot_tells_the_same_piece(data: st.DataObject) -> None:
    notes = data.draw(pieces(4))
    tokens = TOKENIZER.encode_piece(notes)
    hands, passed, again = Hands(), 0, [TOKENIZER.start]
    played, _ = TOKENIZER.decode_piece(tokens)
    for slot in range(int(4 * max((note.end for note in played), default=0))):
        sounding = {note.pitch: note.velocity for note in played if note.start <= slot / 4 < note.end}
        struck = {note.pitch for note in played if note.start == slot / 4}
        changes = TOKENIZER.write(hands, sounding, struck)
        if changes:
            again += [*TOKENIZER.passing(passed), *changes]
            passed = 0
        for token in changes:
            hands = TOKENIZER.read(hands, token)
        assert hands.sounding.keys() == sounding.keys()
        assert hands.attacked >= struck
        hands = TOKENIZER.read(hands, TOKENIZER.pauses[0])
        passed += 1
    assert [*again, *TOKENIZER.passing(passed)] == tokens.tolist()


@pytest.mark.parametrize("steps_per_beat", [4, 12, 24])
@pytest.mark.parametrize("file", sorted(DATA.glob("*.mid")), ids=lambda path: path.stem)
def test_a_midi_file_comes_back(file: Path, steps_per_beat: int) -> None:
    tokenizer = PolyTokenizer(poly_vocabulary(steps_per_beat, BARS), steps_per_beat)
    original = piece(file)
    assert len(original) > 10
    notes, _ = tokenizer.decode_piece(tokenizer.encode_piece(original))
    assert {(round(note.start * steps_per_beat), note.pitch) for note in original} == {
        (round(note.start * steps_per_beat), note.pitch) for note in notes
    }
    np.testing.assert_array_equal(tokenizer.encode_piece(notes), tokenizer.encode_piece(original))


def test_pieces_one_after_another_are_one_longer_piece() -> None:
    first, second = TOKENIZER.encode_piece([Note(0, 1, 60)]), TOKENIZER.encode_piece([Note(0, 2, 60)])
    assert TOKENIZER.decode_piece([*first, *second])[0] == [Note(0, 1, 60), Note(1, 3, 60)]


def test_tokens_that_cannot_follow_do_no_harm() -> None:
    words = ["off 60", "on 60", "wait 2", "on 60", "wait 1"]
    tokens = list(map(TOKENIZER.vocabulary.index, words))
    assert TOKENIZER.decode_piece(tokens)[0] == [Note(0, 0.5, 60), Note(0.5, 0.75, 60)]
    hands = Hands()
    for token in tokens:
        hands = TOKENIZER.read(hands, token)
    assert hands == Hands({60: 0}, wait=1)


@given(st.lists(st.integers(0, len(TOKENIZER.vocabulary) - 1)))
def test_any_tokens_can_be_read(tokens: list[int]) -> None:
    hands = Hands()
    for token in tokens:
        hands = TOKENIZER.read(hands, token)
        assert hands.attacked <= hands.sounding.keys() or not hands.wait
    TOKENIZER.decode_piece(tokens)


# For a composer


def test_the_hands_follow_the_tokens() -> None:
    hands = Hands()
    for word in ("<start>", "bar 3/4", "velocity 8", "on 60", "on 64"):
        hands = TOKENIZER.read(hands, TOKENIZER.vocabulary.index(word))
    assert hands == Hands({60: 120, 64: 120}, frozenset((60, 64)), 0, 120, 12)
    hands = TOKENIZER.read(hands, TOKENIZER.vocabulary.index("wait 3"))
    assert (hands.attacked, hands.wait) == (frozenset(), 3)
    hands = TOKENIZER.read(hands, TOKENIZER.vocabulary.index("off 60"))
    assert (dict(hands.sounding), hands.wait) == ({64: 120}, 0)
    assert TOKENIZER.read(hands, TOKENIZER.start) == Hands()


def test_a_slot_in_which_nothing_changes_needs_no_token() -> None:
    assert TOKENIZER.write(Hands({60: 90}), {60: 20}) == ()


def test_a_player_s_key_beyond_the_piano_is_written_in_the_nearest_octave() -> None:
    tokens = TOKENIZER.write(Hands(), {20: 0, 60: 100}, (20, 60))
    assert [TOKENIZER.vocabulary[token] for token in tokens] == ["on 32", "velocity 7", "on 60"]


def test_keys_are_released_lowest_first() -> None:
    assert [TOKENIZER.vocabulary[token] for token in TOKENIZER.release({64, 60})] == ["off 60", "off 64"]


# For a trainer


def test_every_token_has_an_action() -> None:
    words = dict(zip(TOKENIZER.vocabulary, TOKENIZER.actions, strict=True))
    assert words["<start>"] == ("start", 0)
    assert (words["bar 3/4"], words["bar 6/8"]) == (("bar", 12), ("bar", 12))
    assert (words["velocity 3"], words["wait 8"]) == (("velocity", 3), ("wait", 8))
    assert (words["off 21"], words["on 108"]) == (("off", 21), ("on", 108))
    assert (TOKENIZER.longest_wait, TOKENIZER.velocities) == (8, 8)
    assert [TOKENIZER.vocabulary[token] for token in TOKENIZER.unmusical] == [
        "<start>", "bar 4/4", "bar 3/4", "bar 6/8"
    ]  # fmt: skip
    assert [TOKENIZER.vocabulary[token] for token in TOKENIZER.pauses] == [f"wait {n}" for n in range(1, 9)]


@given(st.data(), st.integers(-12, 12))
def test_a_piece_in_another_key_is_told_in_that_key(data: st.DataObject, semitones: int) -> None:
    notes = data.draw(pieces(4))
    tokens = TOKENIZER.encode_piece(notes)
    low, high = TOKENIZER.span(tokens)
    if notes:
        assert (low, high) == (min(note.pitch for note in notes), max(note.pitch for note in notes))
    if low + semitones in KEYS and high + semitones in KEYS:
        moved = [note._replace(pitch=note.pitch + semitones) for note in notes]
        np.testing.assert_array_equal(TOKENIZER.transpose(tokens, semitones), TOKENIZER.encode_piece(moved))
    else:
        with pytest.raises(ValueError, match="does not fit on a piano"):
            TOKENIZER.transpose(tokens, semitones)


# What is refused

GOOD = list(poly_vocabulary(4, BARS, 2, 3))


@pytest.mark.parametrize(
    ("vocabulary", "why"),
    [
        ([], "its end' stands where '<start>' belongs"),
        ("<start>", "'<' is not a word of the tokenizer poly"),
        (["<start>", "<rest>"], "'<rest>' is not a word of the tokenizer poly"),
        ([*GOOD, "on 109"], "'on 109' stands where 'its end' belongs"),
        (GOOD[:-1], "'its end' stands where 'on 108' belongs"),
        ([*GOOD[1:], "<start>"], "'bar 4/4' stands where '<start>' belongs"),
        ([word for word in GOOD if word != "wait 2"], "'wait 3' stands where 'wait 2' belongs"),
        ([word for word in GOOD if not word.startswith("wait")], "'off 21' stands where 'wait 1' belongs"),
        ([GOOD[0], GOOD[1], *GOOD[1:]], "'bar 4/4' stands where 'bar 3/4' belongs"),
        (["<start>", "bar 4/3"], "'4/3' is not a time signature"),
        (["<start>", "bar 1/32"], "a bar of 1/32 does not fit a grid of 4 steps a beat"),
        (["<start>", "wait 01"], "'wait 01' is not a word"),
        (["<start>", "wait"], "'wait' is not a word"),
        (["<start>", 60], "'60' is not a word"),
    ],
)
def test_a_malformed_vocabulary_is_refused(vocabulary: list[str], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        PolyTokenizer(vocabulary, 4)


def test_a_bar_that_does_not_fit_the_grid_is_refused() -> None:
    with pytest.raises(NeuralMIDIError, match="a bar of 3/8 does not fit a grid of 1 steps a beat"):
        poly_vocabulary(1, ["3/8"])
