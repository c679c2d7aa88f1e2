import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.wishes import ADDRESSES, NUMBERS, checked

COMPOSERS = ("bach", "drums")
ANYTHING = st.lists(st.floats() | st.integers() | st.text(max_size=8), max_size=20)


@pytest.mark.parametrize(
    ("path", "arguments", "wish"),
    [
        ("/temperature", [0.5], ("temperature", (0.5,))),
        ("/tempo", [90], ("tempo", (90.0,))),
        ("/composer", ["bach"], ("composer", ("bach",))),
        ("/density", ["hat", 0.5], ("density", ("hat", 0.5))),
        ("/note", [60, 0], ("note", (60.0, 0.0))),
        ("/blend", ["bach", 0.7, "chopin", 0.3], ("blend", ("bach", 0.7, "chopin", 0.3))),
        ("/fill", [], ("fill", ())),
        ("/panic", [1], ("panic", ())),  # a button sends its value along
    ],
)
def test_a_legal_message_is_one_for_the_composer(
    path: str, arguments: list[float | str], wish: tuple[str, tuple[float | str, ...]]
) -> None:
    assert checked(path, arguments, COMPOSERS) == wish


@pytest.mark.parametrize(
    ("path", "arguments", "text"),
    [
        ("/temperature", [9], "temperature: 9 is outside 0.1 to 2.0 / send a number from 0.1 to 2.0"),
        ("/temperature", [math.nan], "temperature: nan is outside 0.1 to 2.0 / send a number"),
        ("/temperature", ["hot"], "temperature: hot is not a number / send a number"),
        ("/temperature", [], "temperature: the number is missing / send a number"),
        ("/temperature", [1, 1], "temperature: 2 values came with it / send 1"),
        ("/density", ["bell", 0.5], "density: 2 values came with it"),
        ("/play", [0.5], "play: 0.5 is not a whole number"),
        ("/seed", [2**24], "seed: 16777216 is outside 0 to 16777215"),
        ("/composer", [], "composer: its name is missing / choose among bach, drums"),
        ("/composer", [1], "composer: 1 is none of them / choose among bach, drums"),
        ("/composer", ["../bach"], "composer: ../bach is none of them"),
        ("/note", [60], "note velocity: the number is missing"),
        ("/blend", ["a"] * 17, "blend: 17 words came with it / send at most 16"),
        ("/primer", ["song.mid"], "/primer: there is no such address / use one of composer, temperature"),
        ("/a/temperature", [1], "/a/temperature: there is no such address"),
        ("temperature", [1], "temperature: there is no such address"),
        ("/", [], "/: there is no such address"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(path: str, arguments: list[float | str], text: str) -> None:
    with pytest.raises(NeuralMIDIError) as error:
        checked(path, arguments, COMPOSERS)
    assert str(error.value).startswith(text)


def test_an_error_stays_short_whatever_is_sent() -> None:
    for path, arguments in (("/composer", ["x" * 4000]), ("/" + "y" * 4000, []), ("/tempo", ["z" * 4000])):
        with pytest.raises(NeuralMIDIError) as error:
            checked(path, arguments, COMPOSERS)
        assert len(str(error.value)) < 300


@given(st.sampled_from([f"/{wish}" for wish in ADDRESSES]) | st.text(max_size=12), ANYTHING)
def test_anything_is_either_a_wish_or_an_error(path: str, arguments: list[float | str]) -> None:
    try:
        wish, atoms = checked(path, arguments, COMPOSERS)
    except NeuralMIDIError:
        return
    assert wish in ADDRESSES
    if wish in NUMBERS and not isinstance(atoms[0], str):
        assert NUMBERS[wish].low <= atoms[0] <= NUMBERS[wish].high
