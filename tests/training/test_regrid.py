import keras
import numpy as np
import pytest
from midi import piece
from networks import CHORDS, logits, network
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.tokenizer import START, PolyTokenizer, poly_vocabulary
from numpy.typing import NDArray

from training.model import build
from training.network import TOKEN, Network
from training.regrid import regridded
from training.settings import settings_from

SMALL = {"units": 32, "layers": 2, "width": 16, "slots": 40}
FINE = PolyTokenizer(poly_vocabulary(12, ["4/4"], 8, 24), 12, (START, "bar 4/4"))


def known(architecture: str) -> Network:
    """A network of the fine grid, every weight of it away from zero."""
    keras.utils.set_random_seed(1)
    made = build(settings_from({**SMALL, "architecture": architecture}), FINE)
    rng = np.random.default_rng(1)
    made.set_weights([weight + rng.normal(0, 0.15, weight.shape) for weight in made.get_weights()])
    return made


def plain(grid: int) -> PolyTokenizer:
    return PolyTokenizer(poly_vocabulary(grid, [], 0, 4 * grid), grid)


def said(network: Network, tokens: NDArray[np.integer]) -> NDArray[np.float64]:
    """Natural logarithms of probabilities."""
    whole = logits(network, {TOKEN: np.asarray(tokens, np.int32)[None]})
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.log_softmax(whole))[0], np.float64)


@pytest.mark.parametrize("architecture", ["lstm", "attention"])
@pytest.mark.parametrize("grid", [4, 1])
def test_what_was_known_of_music_is_known_on_a_coarser_grid(architecture: str, grid: int) -> None:
    coarse = plain(grid)
    settings = settings_from(
        {**SMALL, "architecture": architecture, "steps_per_beat": grid, "longest_wait": 4 * grid}
    )
    before = known(architecture)
    after = regridded(before, settings, FINE, coarse)
    rng = np.random.default_rng(2)
    starts = np.arange(12) / grid  # no wait is the longest on the fine grid: after that one more might follow
    notes = [
        (start, start + length / grid, int(rng.integers(50, 80))) for start in starts for length in (1, 3)
    ]
    music = piece(notes, (), end=15 / grid)
    tokens = coarse.encode_piece(music.notes, music.metres, music.end)
    fine = FINE.encode_piece(music.notes, music.metres, music.end)
    words = [
        FINE.vocabulary.index(f"wait {min(24, action.value * 12 // grid)}" if action.kind == "wait" else word)
        for word, action in zip(coarse.vocabulary, coarse.actions, strict=True)
    ]
    assert [words[token] for token in tokens] == fine.tolist()
    wanted = np.exp(said(before, fine)[:, words])
    wanted /= [words.count(word) for word in words]
    wanted /= wanted.sum(1, keepdims=True)
    assert np.abs(np.exp(said(after, tokens)) - wanted).max() < 1e-5


def test_another_grid_must_fit_and_have_no_new_words() -> None:
    before = known("lstm")
    settings = settings_from({**SMALL, "steps_per_beat": 8})
    with pytest.raises(NeuralMIDIError, match="12 steps a beat are no whole number for each of 8"):
        regridded(before, settings, FINE, plain(8))
    other = PolyTokenizer(poly_vocabulary(4, ["3/4"]), 4, (START, "bar 3/4"))
    with pytest.raises(NeuralMIDIError, match="it does not know 'bar 3/4'"):
        regridded(before, settings, FINE, other)
    with pytest.raises(NeuralMIDIError, match="only a model of the tokenizer poly"):
        regridded(network("chords", "lstm"), settings, CHORDS, plain(4))
