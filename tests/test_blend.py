import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.blend import Blend
from neuralmidi.errors import NeuralMIDIError

NAMES = ("bach", "chopin", "joplin")
NOBODY = Blend().among(NAMES)


def shares(blend: Blend) -> list[float]:
    assert blend.condition is not None
    return [round(float(share), 6) for share in blend.condition]


def test_at_first_it_is_no_one_in_particular() -> None:
    assert shares(NOBODY) == [0, 0, 0]
    assert str(NOBODY) == "none"


def test_weights_are_shares_of_their_sum() -> None:
    blend = NOBODY.toward(("bach", 3, "chopin", 1.0), 0).after(1)
    assert shares(blend) == [0.75, 0.25, 0]
    assert str(blend) == "bach 0.75 chopin 0.25"


def test_a_name_alone_weighs_one() -> None:
    assert shares(NOBODY.toward(("joplin",), 0).after(1)) == [0, 0, 1]
    assert shares(NOBODY.toward(("joplin", "bach", 3), 0).after(1)) == [0.75, 0, 0.25]


def test_no_words_are_no_one_again() -> None:
    bach = NOBODY.toward(("bach",), 0).after(1)
    assert shares(bach.toward((), 0).after(1)) == [0, 0, 0]


def test_it_glides_and_stays_a_whole_meanwhile() -> None:
    blend = NOBODY.toward(("bach",), 0).after(1).toward(("chopin",), 100)
    assert shares(blend) == [1, 0, 0]
    assert shares(blend.after(25)) == [0.75, 0.25, 0]
    assert shares(blend.after(25).after(75)) == [0, 1, 0]
    assert str(blend) == "chopin 1"


def test_another_model_keeps_the_shares_of_those_whom_it_knows() -> None:
    blend = NOBODY.toward(("bach", 1, "joplin", 3), 0).after(1)
    assert shares(blend.among(("joplin", "satie"))) == [0.75, 0]
    assert blend.among(()).condition is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("haydn", 1),
            "blend: haydn is not a composer that this model knows / choose among bach, chopin, joplin",
        ),
        ((0.5, "bach"), "blend: 0.5 is not a composer that this model knows"),
        (("bach", 1, 2), "blend: 2 is not a composer that this model knows"),
        (("bach", -1), "blend weight: -1 is outside 0 to 1000"),
        (("bach", float("nan")), "blend weight: nan is outside 0 to 1000"),
        (("bach", 0, "chopin", 0), "blend: all weights are 0"),
        (("bach", 1, "bach", 2), "blend: bach occurs twice"),
    ],
)
def test_what_is_not_legal_is_refused(words: tuple[object, ...], text: str) -> None:
    with pytest.raises(NeuralMIDIError) as error:
        NOBODY.toward(words, 0)
    assert text in str(error.value)


def test_a_model_of_one_composer_has_no_blend() -> None:
    assert Blend().condition is None
    with pytest.raises(NeuralMIDIError, match="blend: this model is of one composer / load one that knows"):
        Blend().toward(("bach",), 0)


@given(st.lists(st.floats(0, 1000), min_size=3, max_size=3), st.floats(0, 200))
def test_the_shares_are_never_more_than_a_whole(weights: list[float], ms: float) -> None:
    words = [word for pair in zip(NAMES, weights, strict=True) for word in pair]
    if sum(weights):
        blend = NOBODY.toward(words, 100)
        condition = blend.after(ms).condition
        assert condition is not None
        assert condition.dtype == np.float32
        assert condition.sum() == pytest.approx(min(ms / 100, 1), abs=1e-6)
