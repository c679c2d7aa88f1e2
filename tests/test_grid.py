from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.grid import columns, on_grid, slot_of
from neuralmidi.notes import Note

Stroke = tuple[int, int, int, int]


def strokes(*notes: Note, steps_per_beat: int = 4) -> list[Stroke]:
    """Pitch, start, end and velocity of each stroke."""
    played = on_grid(notes, steps_per_beat)
    return [tuple(map(int, stroke)) for stroke in zip(*played, strict=True)]  # type: ignore[misc]


def test_a_note_moves_to_the_nearest_slots() -> None:
    assert strokes(Note(0.12, 0.38, 60, 90)) == [(60, 0, 2, 90)]
    assert strokes(Note(0.125, 0.3, 60)) == [(60, 1, 2, 0)]
    assert [slot_of(beats, 4) for beats in (0, 0.12, 0.125, 0.374, 2)] == [0, 0, 1, 1, 8]


def test_a_note_too_short_for_the_grid_lasts_a_slot() -> None:
    assert strokes(Note(1, 1.01, 60), Note(2, 2, 62)) == [(60, 4, 5, 0), (62, 8, 9, 0)]


def test_two_notes_on_a_key_are_two_strokes_of_it() -> None:
    assert strokes(Note(0, 1, 60), Note(1, 2, 60)) == [(60, 0, 4, 0), (60, 4, 8, 0)]
    assert strokes(Note(0, 2, 60, 80), Note(1, 1.5, 60, 90)) == [(60, 0, 4, 80), (60, 4, 8, 90)]


def test_two_notes_at_once_on_a_key_are_one_stroke() -> None:
    assert strokes(Note(0, 1, 60, 100), Note(0, 2, 60, 60)) == [(60, 0, 8, 100)]


def test_a_long_note_does_not_lengthen_those_of_the_next_key() -> None:
    assert strokes(Note(0, 9, 60), Note(0, 1, 61)) == [(60, 0, 36, 0), (61, 0, 4, 0)]


def test_no_notes_are_no_strokes() -> None:
    assert strokes() == []


@given(st.data(), st.integers(1, 24))
def test_a_key_is_down_when_a_note_is_and_goes_down_when_a_note_begins(
    data: st.DataObject, steps_per_beat: int
) -> None:
    slots = st.integers(0, 40)
    drawn = data.draw(
        st.lists(st.tuples(slots, st.integers(1, 12), st.integers(60, 62), st.integers(0, 127)))
    )
    notes = [Note(s / steps_per_beat, (s + n) / steps_per_beat, p, v) for s, n, p, v in drawn]
    played = strokes(*notes, steps_per_beat=steps_per_beat)
    assert played == sorted(played)
    assert [stroke[:2] for stroke in played] == sorted({(p, s) for s, _, p, _ in drawn})
    down = {(p, slot) for s, n, p, _ in drawn for slot in range(s, s + n)}
    covered = [(pitch, slot) for pitch, start, end, _ in played for slot in range(start, end)]
    assert sorted(covered) == sorted(down)
    table = columns(notes)
    assert [tuple(map(int, each)) for each in zip(*on_grid(table, steps_per_beat), strict=True)] == played
