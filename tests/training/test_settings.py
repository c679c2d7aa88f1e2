import pytest

from training.settings import FINE, NAMES, SMOKE, USUAL, Settings, settings_from


def test_what_is_asked_for_comes_before_what_is_usual() -> None:
    assert settings_from({}) == Settings()
    assert settings_from({"units": None}).units == Settings.units
    assert settings_from({"units": 7}).units == 7
    assert settings_from({"tokenizer": "chords"}).seq_len == 64
    assert settings_from({"tokenizer": "chords", "seq_len": 32}).seq_len == 32
    assert settings_from({}, smoke=True).units == SMOKE["units"]
    assert settings_from({"units": 7}, smoke=True).units == 7


@pytest.mark.parametrize("table", [FINE, SMOKE, *USUAL.values()])
def test_the_tables_name_settings_only(table: dict[str, object]) -> None:
    assert set(table) <= set(NAMES)
    for name, value in table.items():
        assert type(value) is type(getattr(Settings, name))
