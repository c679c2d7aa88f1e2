from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.life_cycle import SMALLEST_SWELL, advance, ended
from neuralmidi.notes import NoteEvent

notes = st.dictionaries(st.integers(0, 127), st.integers(1, 127), max_size=12)


def test_common_notes_hold_and_the_others_change() -> None:
    events, sounding = advance({60: 80, 64: 80}, {64: 80, 67: 90}, 2)
    assert events == (NoteEvent("off", 60, 0, 2), NoteEvent("on", 67, 90, 2))
    assert sounding == {64: 80, 67: 90}


def test_offs_come_first_then_ons_then_swells() -> None:
    events, _ = advance({60: 80, 64: 80}, {60: 100, 50: 70}, 1)
    assert [(event.kind, event.pitch) for event in events] == [("off", 64), ("on", 50), ("vel", 60)]


def test_a_change_too_small_to_hear_is_kept_for_later() -> None:
    sounding = {60: 80}
    events, sounding = advance(sounding, {60: 80 + SMALLEST_SWELL - 1}, 1)
    assert (events, sounding) == ((), {60: 80})
    events, sounding = advance(sounding, {60: 80 + SMALLEST_SWELL}, 1)
    assert events == (NoteEvent("vel", 60, 84, 1),)
    assert sounding == {60: 84}


def test_a_note_struck_again_ends_first() -> None:
    events, sounding = advance({60: 80, 64: 80}, {60: 90, 64: 80, 67: 70}, 1, {60, 67})
    assert [(event.kind, event.pitch) for event in events] == [("off", 60), ("on", 60), ("on", 67)]
    assert sounding == {60: 90, 64: 80, 67: 70}


def test_nothing_wanted_ends_all_and_nothing_more() -> None:
    assert advance({67: 1, 60: 1}, {}, 16) == (ended((60, 67), 16), {})
    assert advance({}, {}, 1) == ((), {})


@given(notes, notes, st.integers(1, 16), st.sets(st.integers(0, 127)))
def test_the_events_lead_from_what_sounds_to_what_is_wanted(
    sounding: dict[int, int], targets: dict[int, int], channel: int, struck: set[int]
) -> None:
    before = dict(sounding)
    events, after = advance(sounding, targets, channel, struck)
    assert sounding == before
    played = dict(sounding)
    for event in events:
        assert event.channel == channel
        if event.kind == "off":
            assert event.velocity == 0
            del played[event.pitch]
        else:
            assert (event.pitch in played) == (event.kind == "vel")
            played[event.pitch] = event.velocity
    assert played == after
    assert after.keys() == targets.keys()
    assert list(after) == sorted(after)
    assert all(abs(after[pitch] - targets[pitch]) < SMALLEST_SWELL for pitch in targets)
    assert {event.pitch for event in events if event.kind == "on"} >= struck & targets.keys()
    kinds = [event.kind for event in events]
    assert kinds == sorted(kinds, key=["off", "on", "vel"].index)
