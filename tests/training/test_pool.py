import pytest

from training.pool import OTHERS, place_of, pooled


def test_composers_with_little_music_are_pooled() -> None:
    assert pooled({"bach": 9000, "adam": 100, "wolf": 5000}, 5000) == ("bach", "wolf", OTHERS)
    assert pooled({"bach": 9000}, 5000) == ("bach",)


@pytest.mark.parametrize(
    ("composer", "names", "place"),
    [
        ("wolf", ("bach", "wolf", OTHERS), 1),
        ("adam", ("bach", "wolf", OTHERS), 2),
        ("", ("bach", OTHERS), 1),
        ("adam", ("bach",), -1),
        ("adam", (), -1),
    ],
)
def test_who_has_no_name_is_one_of_the_others_if_there_are_any(
    composer: str, names: tuple[str, ...], place: int
) -> None:
    assert place_of(composer, names) == place
