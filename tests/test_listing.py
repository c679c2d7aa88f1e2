from hand_models import poly, script
from neuralmidi.composer import Composer
from neuralmidi.listing import lines
from neuralmidi.notes import NoteEvent, Step, note_name


def listed(*chords: str, steps: int, steps_per_beat: int = 4) -> list[str]:
    vocabulary = [chord for chord in dict.fromkeys(chords) if chord]
    composer = Composer(script(*chords, vocabulary=vocabulary, steps_per_beat=steps_per_beat))
    bar = composer.state.steps_per_bar
    return list(lines([composer.step(125) for _ in range(steps)], steps_per_beat, bar))


def test_middle_c_is_c4() -> None:
    assert [note_name(pitch) for pitch in (0, 60, 69, 73, 127)] == ["C-1", "C4", "A4", "C#5", "G9"]


def test_a_line_says_where_and_what_and_a_tie_marks_what_goes_on() -> None:
    assert listed("60,64,67", "60,64,67", "60,64,69", "", steps=4) == [
        "   1.1.1   C4   E4   G4                   60 64 67",
        "   1.1.3  ~C4  ~E4   A4                   60 64 69",
        "   1.1.4   rest",
    ]


def test_bars_are_counted_and_stand_apart() -> None:
    assert [line.split()[:1] for line in listed("60", "62", steps=6, steps_per_beat=1)] == [
        ["1.1.1"],
        ["1.2.1"],
        ["1.3.1"],
        ["1.4.1"],
        [],
        ["2.1.1"],
        ["2.2.1"],
    ]


def test_a_chord_held_over_bars_is_one_line() -> None:
    assert len(listed("60", steps=40)) == 1


def test_a_fuller_chord_pushes_its_numbers_on() -> None:
    (line,) = listed("36,48,52,55,60,64,67,72", steps=1)
    assert line.endswith("C5   36 48 52 55 60 64 67 72")


def test_a_piece_that_begins_with_a_rest_says_so() -> None:
    silent, sounding = Step(0, (), ()), Step(1, (60,), (NoteEvent("on", 60, 90, 1),))  # as with density 0
    assert next(lines([silent, sounding], 4, 16)) == "   1.1.1   rest"


def test_bars_are_as_long_as_the_metre_says() -> None:
    composer = Composer(poly("on 60", "wait 1", "off 60", "wait 2", steps_per_beat=1, bar="3/4"))
    steps = [composer.step(125) for _ in range(7)]
    places = [line.split()[0] for line in lines(steps, 1, composer.state.steps_per_bar) if line]
    assert places == ["1.1.1", "1.2.1", "2.1.1", "2.2.1", "3.1.1"]
