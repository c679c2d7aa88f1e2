import pytest
from neuralmidi.errors import NeuralMIDIError

from training.bench.__main__ import VARIANTS
from training.compare import SETS
from training.settings import settings_from
from training.variants import variant

NAMES = {name for names in (VARIANTS, *SETS.values()) for name in names}


@pytest.mark.parametrize(
    ("text", "name", "others"),
    [
        ("lstm-2x256", "lstm-2x256@12", {}),
        ("poly-lstm-2x256@12", "lstm-2x256@12", {}),
        ("gru-1x32@4", "gru-1x32@4", {"units": 32, "layers": 1, "steps_per_beat": 4, "longest_wait": 8}),
        ("attention-3x192-512@24", "attention-3x192-512@24", {"slots": 512, "longest_wait": 48}),
        ("attention-4x256", "attention-4x256-256@12", {"slots": 256}),
        ("chords-lstm-2x256", "chords-lstm-2x256@4", {"steps_per_beat": 4, "seq_len": 64, "batch": 32}),
    ],
)
def test_a_name_says_it_all(text: str, name: str, others: dict[str, object]) -> None:
    made = variant(text)
    assert made.name == variant(name).name == name
    settings = vars(made.settings())
    assert {key: settings[key] for key in others} == others
    assert made.settings() == variant(name).settings()


def test_what_is_not_in_the_name_can_be_given_and_what_is_cannot_be_changed() -> None:
    settings = variant("lstm-2x256").settings(batch=8, units=5, dropout=None)
    assert settings == settings_from({"batch": 8})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lstm", "not of the form"),
        ("lstm-2x0", "not of the form"),
        ("tcn-2x256", "not of the form"),
        ("lstm-2x256-512", "only attention"),
        ("attention-2x100", "heads of 32"),
        ("lstm-2x256@97", "not from 1 to 96"),
    ],
)
def test_what_cannot_be_built_is_refused(text: str, why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        variant(text)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_all_that_is_measured_by_default_can_be_built(name: str) -> None:
    assert variant(name).name.startswith(name)
