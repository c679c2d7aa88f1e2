from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.grid import on_grid
from neuralmidi.history import MEMORY, OVERHANG, History
from neuralmidi.notes import Metre, Note

FOUR, THREE = Metre(0, 4, 4), Metre(0, 3, 4)
Slot = tuple[Mapping[int, int], frozenset[int]]


def remembered(*slots: Slot, beats: float = 0.25) -> History:
    history = History()
    for sounding, struck in slots:
        history = history.after(sounding, struck, beats)
    return history


def slot(*pitches: int, struck: tuple[int, ...] = ()) -> Slot:
    return dict.fromkeys(pitches, 64), frozenset(struck)


def test_slots_become_notes() -> None:
    history = remembered(slot(60), slot(60, 64), slot(64), slot(), slot(67))
    assert history.last(1.25) == [Note(0, 0.5, 60, 64), Note(0.25, 0.75, 64, 64), Note(1, 1.25, 67, 64)]


def test_a_note_struck_again_is_another_note() -> None:
    history = remembered(slot(60), slot(60), slot(60, struck=(60,)))
    assert history.last(0.75) == [Note(0, 0.5, 60, 64), Note(0.5, 0.75, 60, 64)]


def test_a_note_that_began_earlier_begins_with_what_is_asked_for() -> None:
    assert remembered(slot(60), slot(60), slot()).last(0.5) == [Note(0, 0.25, 60, 64)]
    assert remembered(slot(60), slot(), slot()).last(0.5) == []


def test_what_ended_too_long_ago_is_forgotten() -> None:
    history = remembered(slot(60), *[slot()] * (4 * MEMORY - 1))
    assert history.notes
    assert not history.is_silent
    history = history.after({}, (), 0.25)
    assert not history.notes
    assert history.is_silent


def test_a_held_note_is_never_forgotten() -> None:
    history = remembered(*[slot(60)] * 1000)
    assert not history.is_silent
    assert history.last(MEMORY) == [Note(0, MEMORY, 60, 64)]


def test_bars_are_counted_back_from_where_the_music_is() -> None:
    history = remembered(*[slot(60)] * 40)
    assert history.beats_since_bar_line(10, 4) == 10
    assert history.beats_since_bar_line(11, 4) == 7
    assert history.beats_since_bar_line(0, 3) == 9
    assert history.beats_since_bar_line(1, 0) == 10
    assert remembered(slot(60)).beats_since_bar_line(3, 4) == 0.25
    assert remembered(*[slot(60)] * 400).beats_since_bar_line(103, 4) == 15


def test_of_a_piece_the_last_bars_are_remembered() -> None:
    notes = [Note(beat, beat + 1, 60 + beat) for beat in range(30)]
    history = History.of(notes, FOUR)
    assert history.now == MEMORY
    assert history.last(MEMORY) == [Note(beat, beat + 1, 76 + beat) for beat in range(14)]
    history = History.of(notes, THREE)
    assert history.now == 15
    assert [note.pitch for note in history.last(15)] == [75 + beat for beat in range(15)]


def test_of_a_short_piece_all_is_remembered() -> None:
    assert History.of([Note(1, 2, 60)], FOUR) == History(4, (Note(1, 2, 60),))


def test_a_piece_ends_at_a_bar_line_though_its_last_note_hangs_over() -> None:
    assert History.of([Note(0, 4 + OVERHANG, 60)], FOUR) == History(4, (Note(0, 4, 60),))
    assert History.of([Note(0, 4.5, 60)], FOUR).now == 8


def test_bars_are_counted_from_the_last_time_signature() -> None:
    history = History.of([Note(0, 1, 60), Note(1, 7, 62)], Metre(1, 3, 4))
    assert (history.now, history.last(history.now)) == (9, [Note(2, 3, 60), Note(3, 9, 62)])


def test_there_is_nothing_to_remember_of_no_notes() -> None:
    with pytest.raises(NeuralMIDIError, match="primer: there is no note in it"):
        History.of([], FOUR)


@given(
    st.lists(st.tuples(st.frozensets(st.integers(60, 64)), st.frozensets(st.integers(60, 64))), max_size=60)
)
def test_the_notes_sound_when_the_slots_did(drawn: list[tuple[frozenset[int], frozenset[int]]]) -> None:
    slots = [slot(*sounding, struck=tuple(struck & sounding)) for sounding, struck in drawn]
    history = remembered(*slots)
    strokes = on_grid(history.last(len(slots) / 4), 4)
    sounding = {(p, t) for p, s, e in zip(*strokes[:3], strict=True) for t in range(s, e)}
    assert sounding == {(pitch, time) for time, (pitches, _) in enumerate(slots) for pitch in pitches}
    began = {
        (pitch, time)
        for time, (pitches, struck) in enumerate(slots)
        for pitch in pitches
        if pitch in struck or not time or pitch not in slots[time - 1][0]
    }
    assert set(zip(strokes.pitch, strokes.start, strict=True)) == began
