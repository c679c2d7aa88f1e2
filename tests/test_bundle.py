import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuralmidi import bundle
from neuralmidi.errors import NeuralMIDIError

DATA = Path(__file__).parent / "data"
SHIPPED = bundle.default_directories()[0]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(DATA / "tiny", tmp_path / "tiny"))


def edit(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change model.json, and let its checksum be right whatever else is wrong."""
    description = json.loads((directory / "model.json").read_text())
    description["sha256"] = hashlib.sha256((directory / "model.tflite").read_bytes()).hexdigest()
    change(description)
    (directory / "model.json").write_text(json.dumps(description))


def refused(directory: Path) -> NeuralMIDIError:
    with pytest.raises(NeuralMIDIError) as caught:
        bundle.load(directory)
    error = caught.value
    assert error.what.startswith(str(directory))  # the file, the reason and the remedy, all three
    assert error.why
    assert error.remedy
    return error


def test_a_sound_model_loads() -> None:
    loaded = bundle.load(DATA / "tiny")
    assert (loaded.name, loaded.title, loaded.steps_per_beat) == ("tiny", "Tiny (for tests)", 4)
    assert loaded.model.vocabulary_size == len(loaded.tokenizer.vocabulary) == 10
    assert loaded.description["training"]["command"]


@pytest.mark.parametrize("name", ["tiny", "tiny_cache"])
def test_the_tiny_model_walks_its_ring(name: str) -> None:
    loaded = bundle.load(DATA / name)
    state, token, words = loaded.model.initial_state(), loaded.tokenizer.start, []
    for _ in range(9):
        logits, state = loaded.model.step(state, token)
        token = int(logits.argmax())
        words.append(loaded.tokenizer.vocabulary[token])
    assert words == [*loaded.tokenizer.vocabulary[3:], "<rest>", "48,60,64,67"]


def test_a_model_of_events_has_its_grid_and_its_beginning() -> None:
    loaded = bundle.load(DATA / "tiny_poly")
    assert (loaded.steps_per_beat, loaded.tokenizer.steps_per_beat) == (12, 12)
    assert [loaded.tokenizer.vocabulary[token] for token in loaded.tokenizer.beginning] == [
        "<start>",
        "bar 4/4",
    ]


def test_a_model_of_the_first_format_still_loads(tiny: Path) -> None:
    edit(tiny, lambda description: description.update(format=1))
    loaded = bundle.load(tiny)
    assert (loaded.tokenizer.kind, loaded.condition_names, loaded.condition) == ("chords", (), None)


# Conditions and shared weights


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A model that shares the weights of its neighbour ``all``."""
    shutil.copytree(DATA / "tiny_blend", tmp_path / "all")
    tflite = (tmp_path / "all" / "model.tflite").read_bytes()
    weights = {"of": "all", "condition": {"high": 1}}
    bundle.write(tmp_path / "high", tflite, {"name": "high", "title": "High", "weights": weights})
    return tmp_path / "high"


def describe(directory: Path, **changes: object) -> None:
    """Change model.json and nothing else."""
    description = json.loads((directory / "model.json").read_text())
    (directory / "model.json").write_text(json.dumps({**description, **changes}))


def test_a_free_condition_has_names() -> None:
    loaded = bundle.load(DATA / "tiny_blend")
    assert (loaded.condition_names, loaded.condition) == (("low", "high"), None)
    assert loaded.model.condition_size == 2


def test_shared_weights_are_not_written_twice_and_play_as_one_of_them(shared: Path) -> None:
    assert [path.name for path in shared.iterdir()] == ["model.json"]
    high, all_of_them = bundle.load(shared), bundle.load(shared.parent / "all")
    assert (high.name, high.condition_names) == ("high", ())
    assert high.condition is not None
    assert high.condition.tolist() == [0, 1]
    assert high.tokenizer.vocabulary == all_of_them.tokenizer.vocabulary
    wanted, _ = all_of_them.model.step(all_of_them.model.initial_state(), 0, np.array([0, 1], np.float32))
    assert np.array_equal(high.model.step(high.model.initial_state(), 0)[0], wanted)


def test_what_a_shared_model_says_itself_comes_first(shared: Path) -> None:
    describe(shared, grid={"steps_per_beat": 3})
    assert bundle.load(shared).steps_per_beat == 3
    assert bundle.load(shared.parent / "all").steps_per_beat == 4


def test_a_shared_model_is_found_through_a_link(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").symlink_to(shared)
    assert bundle.load(tmp_path / "elsewhere" / "mine").name == "high"


@pytest.mark.parametrize(
    "of",
    [
        "",
        ".",
        "..",
        "/",
        "all/",
        "./all",
        "../all",
        "/etc",
        "a/../all",
        "all\0",
        7,
        None,
        ["all"],
        "x" * 5000,
    ],
)
def test_weights_are_never_looked_for_anywhere_but_next_door(shared: Path, of: object) -> None:
    describe(shared, weights={"of": of, "condition": {"high": 1}})
    refused(shared)


@pytest.mark.parametrize("weights", [None, {}, [], "all", {"condition": {"high": 1}}])
def test_weights_that_are_nobodys(shared: Path, weights: object) -> None:
    describe(shared, weights=weights)
    assert refused(shared).why == "'weights.of' is not a text"


@pytest.mark.parametrize(
    "condition",
    [
        None,
        1,
        [],
        ["high"],
        {"nobody": 1},
        {"high": "1"},
        {"high": True},
        {"high": 2},
        {"high": -1},
        {"high": None},
    ],
)
def test_a_fixed_condition_that_makes_no_sense(shared: Path, condition: object) -> None:
    describe(shared, weights={"of": "all", "condition": condition})
    assert refused(shared).why == "'weights.condition' is not a number from 0 to 1 for some of: low, high"


def test_weights_cannot_be_borrowed_in_a_circle(shared: Path) -> None:
    for name in ("high", "all"):
        describe(shared, weights={"of": name, "condition": {}})
        describe(shared.parent / "all", weights={"of": "high", "condition": {}})
        error = refused(shared)
        assert error.what.endswith(f"{shared.parent / name}: model.json")
        assert error.why == "has no weights of its own to share"


@pytest.mark.parametrize("file", ["model.json", "model.tflite"])
def test_a_neighbour_that_is_not_whole_is_named(shared: Path, file: str) -> None:
    (shared.parent / "all" / file).unlink()
    error = refused(shared)
    assert (error.what, error.why) == (f"{shared}: {shared.parent / 'all'}: {file}", "missing")


def test_a_neighbour_that_was_trained_again(shared: Path) -> None:
    shutil.copy(DATA / "tiny" / "model.tflite", shared.parent / "all")
    assert "sha256 differs" in refused(shared).why


@pytest.mark.parametrize(
    "condition",
    [None, {}, {"names": []}, {"names": "low"}, {"names": ["low", ""]}, {"names": ["low", "low"]}],
)
def test_a_condition_without_proper_names(tmp_path: Path, condition: object) -> None:
    blend = Path(shutil.copytree(DATA / "tiny_blend", tmp_path / "blend"))
    edit(blend, lambda description: description.update(condition=condition))
    assert refused(blend).why == "'condition.names' is not a list of names, each once"


def test_names_that_are_not_as_many_as_the_models(tmp_path: Path) -> None:
    blend = Path(shutil.copytree(DATA / "tiny_blend", tmp_path / "blend"))
    edit(blend, lambda description: description.update(condition={"names": ["low", "mid", "high"]}))
    assert "'condition' is float32 [1, 2]" in refused(blend).why
    edit(blend, lambda description: description.pop("condition"))
    assert "takes ['condition', 'state_memory', 'token']" in refused(blend).why


@pytest.mark.parametrize("shape", [[1, 8], [1, 9, 10], [8, 10], [1, 10**12, 10]])
def test_a_cache_of_another_shape(tmp_path: Path, shape: list[int]) -> None:
    cache = Path(shutil.copytree(DATA / "tiny_cache", tmp_path / "cache"))
    edit(cache, lambda description: description["states"][1].update(shape=shape))
    assert "shapes of its states" in refused(cache).why


# Every way in which a model on disk can be bad


def test_a_missing_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere").why == "no such folder"


@pytest.mark.parametrize("file", ["model.json", "model.tflite"])
def test_a_missing_file(tiny: Path, file: str) -> None:
    (tiny / file).unlink()
    error = refused(tiny)
    assert (error.what, error.why) == (f"{tiny}: {file}", "missing")


@pytest.mark.parametrize("file", ["model.json", "model.tflite"])
def test_a_folder_or_a_pipe_in_place_of_a_file(tiny: Path, file: str) -> None:
    (tiny / file).unlink()
    os.mkfifo(tiny / file)
    assert refused(tiny).why == "missing"
    (tiny / file).unlink()
    (tiny / file).mkdir()
    assert refused(tiny).why == "missing"


@pytest.mark.parametrize("file", ["model.json", "model.tflite"])
def test_a_huge_file_is_not_read(tiny: Path, file: str) -> None:
    with (tiny / file).open("r+b") as huge:
        huge.truncate(1 << 40)  # sparse: takes no room
    assert "larger than" in refused(tiny).why


def test_a_truncated_model(tiny: Path) -> None:
    whole = (tiny / "model.tflite").read_bytes()
    (tiny / "model.tflite").write_bytes(whole[:-100])
    assert "sha256" in refused(tiny).why
    edit(tiny, lambda _: None)
    assert "model.tflite" in refused(tiny).what


def test_a_wrong_checksum(tiny: Path) -> None:
    edit(tiny, lambda description: description.update(sha256="0" * 64))
    assert "sha256 differs" in refused(tiny).why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"format": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"[]", "does not describe a model"),
        (b"null", "does not describe a model"),
        (b"{}", "no format version"),
        (b'{"format": true}', "no format version"),
        (b'{"format": "1"}', "no format version"),
        (b'{"format": 0}', "no format version"),
        (b'{"format": NaN}', "no format version"),
    ],
)
def test_a_description_that_is_none(tiny: Path, content: bytes, why: str) -> None:
    (tiny / "model.json").write_bytes(content)
    error = refused(tiny)
    assert why in error.why
    assert len(str(error)) < 1000


def test_a_future_format(tiny: Path) -> None:
    edit(tiny, lambda description: description.update(format=bundle.FORMAT + 1))
    error = refused(tiny)
    assert (error.why, error.remedy) == (
        "format 3 is newer than the 2 this version knows",
        "update neuralmidi",
    )


def test_a_vocabulary_that_does_not_match_the_logits(tiny: Path) -> None:
    edit(tiny, lambda description: description["tokenizer"]["vocabulary"].append("1,2,3"))
    assert refused(tiny).why == "its vocabulary has 11 words for a model of 10 tokens"


def test_a_malformed_vocabulary(tiny: Path) -> None:
    edit(tiny, lambda description: description["tokenizer"]["vocabulary"].reverse())
    assert "does not begin with" in refused(tiny).why


@pytest.mark.parametrize("beginning", ["<start>", [], [0], ["60"], ["<start>", "bar 4/4"]])
def test_a_beginning_that_is_none(tiny: Path, beginning: object) -> None:
    edit(tiny, lambda description: description["tokenizer"].update(beginning=beginning))
    refused(tiny)


def test_an_unknown_tokenizer(tiny: Path) -> None:
    edit(tiny, lambda description: description["tokenizer"].update(kind="telepathy"))
    error = refused(tiny)
    assert "telepathy" in error.what
    assert "chords" in error.why


@pytest.mark.parametrize(
    ("file", "states", "why"),
    [
        ("flex", [], "operators that LiteRT has not built in"),
        ("window", [], "'token' is int32 [1, 64]"),
        ("not_finite", [{"name": "state_memory", "shape": [1, 10], "kind": "carried"}], "not finite"),
    ],
)
def test_a_network_that_is_not_a_step(tiny: Path, file: str, states: list[dict[str, Any]], why: str) -> None:
    shutil.copy(DATA / "broken" / f"{file}.tflite", tiny / "model.tflite")
    edit(tiny, lambda description: description.update(states=states))
    assert why in refused(tiny).why


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", ["tiny"]),
        ("title", 7),
        ("grid", {}),
        ("grid", 4),
        ("grid", {"steps_per_beat": 0}),
        ("grid", {"steps_per_beat": 4.0}),
        ("grid", {"steps_per_beat": True}),
        ("grid", {"steps_per_beat": 10**9}),
        ("tokenizer", "chords"),
        ("tokenizer", {"kind": "chords", "vocabulary": "60"}),
        ("tokenizer", {"kind": "chords", "vocabulary": [1, 2, 3]}),
        ("tokenizer", {"kind": ["chords"], "vocabulary": []}),
        ("benchmark", "yes"),
        ("benchmark", None),
        ("states", None),
        ("states", {}),
        ("states", ["state_memory"]),
        ("states", [{"name": "state_memory", "shape": [1, -1], "kind": "carried"}]),
        ("states", [{"name": "state_memory", "shape": [1, 10], "kind": "cache"}]),
        ("states", [{"name": "state_memory", "shape": [10], "kind": "carried"}]),
        ("states", [{"name": "state_memory", "shape": [1, 10**12], "kind": "carried"}]),
        ("states", [{"name": "state_memory", "shape": [1, 10], "kind": "carried"}] * 2),
        ("states", [{"name": "token", "shape": [1], "kind": "carried"}]),
        ("states", []),
        ("sha256", None),
        ("sha256", 0),
    ],
)
def test_a_description_with_a_bad_value(tiny: Path, key: str, value: object) -> None:
    edit(tiny, lambda description: description.update({key: value}))
    refused(tiny)


UNFIT = ("\ud800", "a\nb", "\x1b[2J", "\u202e", "x" * 201)
"""Half a character, control characters, one that turns the line round, too long."""


@pytest.mark.parametrize("text", UNFIT)
@pytest.mark.parametrize("key", ["name", "title"])
def test_a_name_that_cannot_be_shown(tiny: Path, key: str, text: str) -> None:
    edit(tiny, lambda description: description.update({key: text}))
    assert refused(tiny).why == f"'{key}' is not a text of up to 200 characters that can be shown"


@pytest.mark.parametrize("text", UNFIT)
def test_a_name_to_blend_that_cannot_be_shown(tmp_path: Path, text: str) -> None:
    blend = Path(shutil.copytree(DATA / "tiny_blend", tmp_path / "blend"))
    edit(blend, lambda description: description.update(condition={"names": ["low", text]}))
    assert refused(blend).why == "'condition.names' is not a list of names, each once"


def test_a_reason_is_short_and_can_be_shown_whatever_stands_in_the_file(tiny: Path) -> None:
    state = {"name": "\x1b" * 100_000, "shape": [1, 10], "kind": "carried"}
    edit(tiny, lambda description: description.update(states=[state]))
    error = refused(tiny)
    assert error.why.startswith("takes ['state_memory', 'token']")
    assert len(str(error)) < 1000
    assert str(error).isprintable()


def test_a_vocabulary_is_not_without_end(tiny: Path) -> None:
    edit(tiny, lambda description: description["tokenizer"]["vocabulary"].extend(["60"] * (1 << 16)))
    assert refused(tiny).why == "'tokenizer.vocabulary' is not a list of up to 65536 texts"


# Finding and writing


def test_a_model_is_found_by_name_in_the_first_directory_that_has_it(tiny: Path) -> None:
    assert bundle.find("tiny", [tiny.parent, DATA]) == tiny
    assert bundle.find("tiny2", [tiny.parent, DATA]) == DATA / "tiny2"


def test_a_model_is_found_by_path(tiny: Path) -> None:
    assert bundle.find(str(tiny), []) == tiny
    assert bundle.find("data/tiny2", [tiny.parent, DATA.parent]) == DATA / "tiny2"


@pytest.mark.parametrize(
    "name", ["none", "", ".", "a\0b", "x" * 5000, "~nobody-is-called-this/x", "/", "tiny/model.json"]
)
def test_a_model_that_is_not_there_is_answered_with_those_that_are(name: str) -> None:
    with pytest.raises(
        NeuralMIDIError,
        match="not found; there are: tiny, tiny2, tiny_blend, tiny_cache, tiny_drums, tiny_poly",
    ):
        bundle.find(name, [DATA, Path("/nowhere")])


def test_a_benchmark_plays_but_is_not_offered(tiny: Path) -> None:
    describe(tiny, benchmark=True)
    assert bundle.available([tiny.parent]) == []
    assert bundle.load(bundle.find("tiny", [tiny.parent])).name == "tiny"
    describe(tiny, benchmark=False)
    assert bundle.available([tiny.parent]) == ["tiny"]


def test_a_damaged_model_is_offered_and_says_so_when_it_is_loaded(tiny: Path) -> None:
    (tiny / "model.json").write_text("{")
    assert bundle.available([tiny.parent]) == ["tiny"]


def test_the_names_of_all_models(tiny: Path) -> None:
    all_of_them = ["tiny", "tiny2", "tiny_blend", "tiny_cache", "tiny_drums", "tiny_poly"]
    assert bundle.available([tiny.parent, DATA, Path("/nowhere")]) == all_of_them
    assert bundle.available([]) == []


def test_what_is_written_is_what_is_loaded(tiny: Path, tmp_path: Path) -> None:
    description = json.loads((tiny / "model.json").read_text())
    description["title"] = "Winzig für Tests"
    bundle.write(tmp_path / "new" / "folder", (tiny / "model.tflite").read_bytes(), description)
    loaded = bundle.load(tmp_path / "new" / "folder")
    assert loaded.description == description
    assert sorted(path.name for path in loaded.directory.iterdir()) == ["model.json", "model.tflite"]


COMPOSERS = ("all", "bach", "beethoven", "chopin", "handel", "haydn", "joplin", "mozart", "schubert")
LICENCES = ("Public Domain", "CC0", "CC BY 4.0", "Creative Commons Attribution ", "BSD")
"""Nothing share-alike, nothing non-commercial."""


@pytest.mark.parametrize("name", COMPOSERS)
def test_every_shipped_model_loads_and_says_where_it_comes_from(name: str) -> None:
    loaded = bundle.load(bundle.find(name, [SHIPPED]))
    description = loaded.description
    assert loaded.name == name
    weights = description.get("weights", {}).get("of", name)
    assert (SHIPPED / weights / "model.tflite").stat().st_size <= 10 << 20
    assert (loaded.directory / "model.tflite").exists() == (weights == name)
    assert description["training"]["command"].startswith("python -m training.train_composer_models")
    assert "valid" in {score["split"] for score in description["scores"]}
    for source in description["sources"]:
        assert source["licence"].startswith(LICENCES)
        assert not any(word in source["licence"] for word in ("Share", "SA", "NonCommercial", "NC"))
    assert all(source["licence"] and source["attribution"] for source in description["sources"])
    assert '"/' not in json.dumps(description), "no path of the machine that trained it"
