from dataclasses import fields

import pytest
from neuralmidi.errors import NeuralMIDIError

from training.settings import CHOICES, CHORALES, FINE, LEGAL, SMOKE, USUAL, Settings, settings_from

NAMES = {each.name for each in fields(Settings)}


def test_what_is_asked_for_comes_before_what_is_usual() -> None:
    assert settings_from({}) == Settings()
    assert settings_from({"units": None}).units == Settings.units
    assert settings_from({"units": 7}).units == 7
    assert settings_from({"tokenizer": "chords"}).seq_len == 64
    assert settings_from({"tokenizer": "chords", "seq_len": 32}).seq_len == 32
    assert settings_from({}, fine=True).learning_rate == FINE["learning_rate"]
    assert settings_from({}, smoke=True).units == SMOKE["units"]
    assert settings_from({"units": 7}, fine=True, smoke=True).units == 7


def test_a_number_has_a_range_and_a_word_a_choice() -> None:
    assert {*LEGAL, *CHOICES} == NAMES
    for made in (settings_from({"tokenizer": tokenizer}) for tokenizer in CHOICES["tokenizer"]):
        assert all(low <= getattr(made, name) <= high for name, (low, high) in LEGAL.items())
    with pytest.raises(NeuralMIDIError, match=r"--dropout: 1.5 is not from 0 to 0.9 / "):
        settings_from({"dropout": 1.5})
    with pytest.raises(NeuralMIDIError, match="--batch: 0 is not from 1"):
        settings_from({"batch": 0})


@pytest.mark.parametrize("table", [FINE, SMOKE, CHORALES, *USUAL.values()])
def test_the_tables_name_settings_only(table: dict[str, object]) -> None:
    assert set(table) <= NAMES
    for name, value in table.items():
        assert type(value) is type(getattr(Settings, name))
