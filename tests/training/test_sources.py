import json
from pathlib import Path

import pytest
from midi import SCALE, midi_file

from training.composers import composer_name
from training.dataset import find
from training.sources import NOT_STATED, credited, read_table

ROOT = Path(__file__).parents[2]


def dataset(folder: Path, *files: str) -> Path:
    for file in files:
        midi_file(folder / "Nobody" / file, SCALE)
    return folder


def test_metadata_of_a_file_comes_first_then_what_is_known_of_its_dataset(tmp_path: Path) -> None:
    one = dataset(tmp_path / "one", "a.mid", "b.mid", "c.mid")
    two = dataset(tmp_path / "two", "d.mid")
    (one / "metadata.csv").write_text(
        "file,title,licence_text,maintainer\n"
        "one/Nobody/a.mid,First,Public Domain,Ann\n"
        "one/Nobody/b.mid,Second,Public Domain,Bob\n"
        "one/Nobody/c.mid,Third,CC BY 4.0,Ann\n"
    )
    table = {"one": {"name": "The First"}, "two": {"licence": "CC0 1.0", "attribution": "Zoe"}}
    assert credited(find([one, two], {}), table) == [
        {
            "name": "The First",
            "licence": "Public Domain",
            "attribution": "Ann, Bob",
            "files": [
                {"file": "one/Nobody/a.mid", "title": "First"},
                {"file": "one/Nobody/b.mid", "title": "Second"},
            ],
        },
        {
            "name": "The First",
            "licence": "CC BY 4.0",
            "attribution": "Ann",
            "files": [{"file": "one/Nobody/c.mid", "title": "Third"}],
        },
        {"name": "two", "licence": "CC0 1.0", "attribution": "Zoe", "files": [{"file": "two/Nobody/d.mid"}]},
    ]


def test_what_nobody_says_is_said_not_to_be_stated(tmp_path: Path) -> None:
    (entry,) = credited(find([dataset(tmp_path / "mine", "a.mid")], {}), {})
    assert (entry["licence"], entry["attribution"]) == (NOT_STATED, NOT_STATED)


def test_the_table_of_the_shipped_models_names_licence_and_attribution() -> None:
    table = read_table(ROOT / "training" / "sources.json")
    assert all(set(entry) == {"name", "licence", "attribution"} for entry in table.values())
    assert "Chopin Institute" in table["piano_ccby"]["attribution"]
    assert json.dumps(read_table(None)) == "{}"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Bach", "bach"),
        ("Haydn__Joseph", "haydn"),
        ("Haydn", "haydn"),
        ("VerdiG", "verdi"),
        ("BachCPE", "bach_cpe"),
        ("Rimsky-KorsakovN", "rimsky-korsakov"),
        ("FaureG", "faure"),
        ("Faur__Gabriel", "faure"),
        ("Andre__Elfrida", "andre_elfrida"),
        ("My Band", "my_band"),
        ("ABBA", "abba"),
        ("bach_cpe", "bach_cpe"),
    ],
)
def test_a_person_has_one_name(folder: str, name: str) -> None:
    assert composer_name(folder) == name
    assert composer_name(name) == name
