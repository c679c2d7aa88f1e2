import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.sampling import sample
from numpy.typing import NDArray

Logits = NDArray[np.float32]

some_logits = arrays(np.float32, st.integers(1, 50), elements=st.floats(-50, 50, width=32))
uniforms = st.floats(0, 1, exclude_max=True)
temperatures = st.floats(0.1, 2)


def drawn(logits: Logits, draws: int = 4000, **options: float) -> NDArray[np.float64]:
    """The share of each token in evenly spread draws."""
    tokens = [sample(logits, uniform=i / draws, **{"temperature": 1.0, **options}) for i in range(draws)]  # type: ignore[arg-type]
    return np.bincount(tokens, minlength=len(logits)) / draws


def test_tokens_come_as_often_as_their_probability() -> None:
    wanted = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(drawn(np.log(wanted).astype(np.float32)), wanted, atol=5e-4)


def test_temperature_divides_the_logits() -> None:
    logits = np.log(np.array([0.2, 0.8])).astype(np.float32)
    np.testing.assert_allclose(drawn(logits, temperature=0.5), [0.04 / 0.68, 0.64 / 0.68], atol=5e-4)


def test_top_k_keeps_the_likeliest_and_their_proportions() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4])).astype(np.float32)
    np.testing.assert_allclose(drawn(logits, top_k=2), [0, 0, 3 / 7, 4 / 7], atol=5e-4)


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4])).astype(np.float32)
    np.testing.assert_allclose(drawn(logits, top_p=0.65), [0, 0, 3 / 7, 4 / 7], atol=5e-4)
    np.testing.assert_allclose(drawn(logits, top_p=0.75), [0, 2 / 9, 3 / 9, 4 / 9], atol=5e-4)


def test_ties_at_the_edge_of_top_k_are_all_kept() -> None:
    np.testing.assert_allclose(drawn(np.zeros(4, np.float32), top_k=2), [0.25] * 4)


@given(some_logits, uniforms, temperatures, st.integers(0, 60), st.floats(0.05, 1), st.data())
def test_a_forbidden_token_is_never_drawn(
    logits: Logits, uniform: float, temperature: float, top_k: int, top_p: float, data: st.DataObject
) -> None:
    allowed = data.draw(st.integers(0, len(logits) - 1))
    forbidden = data.draw(st.sets(st.integers(0, len(logits) - 1)).map(lambda tokens: tokens - {allowed}))
    logits[list(forbidden)] = -np.inf
    token = sample(logits, temperature=temperature, top_k=top_k, top_p=top_p, uniform=uniform)
    assert 0 <= token < len(logits)
    assert token not in forbidden


@given(some_logits, uniforms, temperatures)
def test_top_k_of_one_is_the_likeliest(logits: Logits, uniform: float, temperature: float) -> None:
    token = sample(logits, temperature=temperature, top_k=1, uniform=uniform)
    # Two logits closer than float32 can tell apart after the division are equally likely.
    assert logits[token] >= logits.max() - 1e-4


@given(some_logits, uniforms, temperatures, st.integers(0, 60), st.floats(0.05, 1))
def test_the_logits_are_left_as_they_were(
    logits: Logits, uniform: float, temperature: float, top_k: int, top_p: float
) -> None:
    before = logits.copy()
    sample(logits, temperature=temperature, top_k=top_k, top_p=top_p, uniform=uniform)
    np.testing.assert_array_equal(logits, before)


def test_the_last_draw_below_one_is_still_a_token() -> None:
    logits = np.array([0, -200, -np.inf], np.float32)
    assert sample(logits, temperature=1, uniform=np.nextafter(1, 0)) == 0


def test_a_model_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(NeuralMIDIError, match="no token"):
        sample(np.full(3, -np.inf, np.float32), temperature=1, uniform=0)
