import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.controls import CONTROLS, Control, Glide, check
from neuralmidi.errors import NeuralMIDIError


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("temperature", 3.0, "temperature: 3 is outside 0.1 to 2.0 / send a number from 0.1 to 2.0"),
        ("temperature", math.nan, "temperature: nan is outside 0.1 to 2.0 / send a number from 0.1 to 2.0"),
        ("temperature", -math.inf, "temperature: -inf is outside 0.1 to 2.0 / send a number from 0.1 to 2.0"),
        ("density", "loud", "density: loud is not a number / send a number from 0 to 1"),
        ("density", True, "density: True is not a number / send a number from 0 to 1"),
        ("intensity", None, "intensity: the number is missing / send a number from 0 to 1"),
        ("smooth", -1, "smooth: -1 is outside 0 to 10000 / send a number from 0 to 10000"),
        ("top_k", 2.5, "top_k: 2.5 is not a whole number / send a whole number from 0 to 1000"),
        ("repeats", -1, "repeats: -1 is outside 0 to 100 / send a whole number from 0 to 100"),
        ("channel", 0, "channel: 0 is outside 1 to 16 / send a whole number from 1 to 16"),
        ("channel", 10**400, f"channel: {10**400} is outside 1 to 16 / send a whole number from 1 to 16"),
    ],
)
def test_an_error_names_the_message_the_value_and_the_range(name: str, value: object, text: str) -> None:
    with pytest.raises(NeuralMIDIError) as error:
        check(name, value)
    assert str(error.value) == text


def test_an_unknown_control_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NeuralMIDIError, match=r"temprature: .* temperature, density, intensity, smooth"):
        check("temprature", 1)


@pytest.mark.parametrize("control", CONTROLS.values(), ids=lambda control: control.name)
def test_both_ends_of_the_range_and_the_default_are_legal(control: Control) -> None:
    for value in (control.low, control.default, control.high):
        assert control.check(value) == value


def test_a_glide_is_a_straight_line_that_stops_at_its_target() -> None:
    glide = Glide.at(1.0).toward(0.0, 200)
    values = []
    for _ in range(5):
        glide = glide.after(50)
        values.append(glide.value)
    assert values == pytest.approx([0.75, 0.5, 0.25, 0, 0])


def test_a_glide_of_no_time_is_there_at_once() -> None:
    assert Glide.at(1.0).toward(0.5, 0) == Glide.at(0.5)


def test_a_new_target_starts_from_where_the_glide_is() -> None:
    halfway = Glide.at(0.0).toward(1.0, 100).after(50)
    assert halfway.toward(0.0, 100).after(50).value == pytest.approx(0.25)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 10000), st.lists(st.floats(1, 500), max_size=30))
def test_a_glide_never_leaves_its_way_nor_turns_back(
    start: float, target: float, ms: float, steps: list[float]
) -> None:
    glide = Glide.at(start).toward(target, ms)
    distance = abs(target - start)
    for step in steps:
        glide = glide.after(step)
        assert min(start, target) - 1e-9 <= glide.value <= max(start, target) + 1e-9
        assert abs(target - glide.value) <= distance + 1e-9
        distance = abs(target - glide.value)
    if sum(steps) > ms + 1e-6:
        assert glide.value == target
