"""The file of bars: what is written is read, and what is wrong in one is said with its line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import KIT

from training import bars as bars_module
from training.bars import LONGEST_LINE, STEPS, Bar, Hit, line_of, read, text, write_whole

FULL = Bar(
    tuple(tuple(Hit(place, 127, -0.4375) for place in range(9)) for _ in range(STEPS)), "rock", "drums"
)
BEAT = Bar(
    ((Hit(0, 100, 0.0), Hit(2, 60, 0.0625)), *[()] * 7, (Hit(1, 1, -0.5),), *[()] * 7),
    "funk 0.7 latin 0.3",
    "drums",
    ("kick+hat", "velocity 13", "late 0"),
)
EMPTY = Bar(((),) * STEPS)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bars.jsonl"
    write_whole(file, text([BEAT, EMPTY, FULL]).encode())
    assert read(file) == [BEAT, EMPTY, FULL]
    assert file.read_text().count("\n") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["bars.jsonl"]


def test_a_line_is_what_a_person_reads() -> None:
    told = json.loads(line_of(5, BEAT))
    assert list(told) == ["bar", "style", "model", "tokens", "instruments", "velocities", "late"]
    assert told["bar"] == 5
    assert told["instruments"] == [["kick", "hat"], *[[]] * 7, ["snare"], *[[]] * 7]
    assert told["velocities"][0] == [100, 60]
    assert told["late"][8] == [-0.5]


def test_the_longest_line_there_can_be_is_read(tmp_path: Path) -> None:
    word = "+".join(each.name for each in KIT)
    tokens = (word, *["velocity 16", "late -8"] * 9) * STEPS
    line = line_of(0, Bar(FULL.steps, "x" * 200, "y" * 200, tokens))
    assert len(line) < LONGEST_LINE / 4
    (tmp_path / "bars.jsonl").write_text(line)
    assert read(tmp_path / "bars.jsonl")[0].tokens == tokens


def test_a_line_needs_no_more_than_its_hits_and_empty_lines_are_none(tmp_path: Path) -> None:
    told = json.loads(line_of(0, BEAT))
    few = {key: told[key] for key in ("instruments", "velocities", "late")}
    (tmp_path / "bars.jsonl").write_text(f"\n{json.dumps(few)}\r\n\n")
    assert read(tmp_path / "bars.jsonl") == [Bar(BEAT.steps)]


def changed(key: str, change: Callable[[Any], Any]) -> str:
    told = json.loads(line_of(0, BEAT))
    told[key] = change(told[key])
    return json.dumps(told)


def first(value: Any) -> Callable[[Any], Any]:
    return lambda steps: [value, *steps[1:]]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rock", "not JSON: "),
        ("[1, 2]", "not a bar: it has no 'instruments'"),
        ("{}", "not a bar: it has no 'instruments'"),
        ("[" * 60_000, "nested too deep"),
        ("9" * 5000, "not JSON: "),
        ('{"instruments": [' + "[], " * 20_000, "longer than 64 kB"),
        (changed("instruments", lambda steps: steps[:15]), "'instruments' has 15 steps, not 16"),
        (changed("late", lambda steps: [*steps, []]), "'late' has 17 steps, not 16"),
        (changed("velocities", lambda steps: 3), "'velocities' is not a list of 16 lists"),
        (changed("velocities", first([100])), "step 1 has 2 instruments, and 1 'velocities'"),
        (changed("instruments", first(["kick", "cowbell"])), "no instrument 'cowbell', but kick, snare, hat"),
        (changed("instruments", first(["kick", 36])), "there is no instrument 36"),
        (changed("instruments", first(["kick", ["kick"]])), "there is no instrument ['kick']"),
        (changed("instruments", first(["kick", "kick"])), "step 1 has an instrument twice"),
        (changed("velocities", first([100, 0])), "the velocity 0 is not a whole number, 1 to 127"),
        (changed("velocities", first([100, 128])), "the velocity 128 is not a whole number, 1 to 127"),
        (changed("velocities", first([100, 60.5])), "the velocity 60.5 is not"),
        (changed("velocities", first([100, True])), "the velocity True is not"),
        (changed("late", first([0.0, 0.51])), "0.51 late is not a number from -0.5 to 0.5"),
        (changed("late", first([0.0, float("nan")])), "nan late is not"),
        (changed("late", first([0.0, None])), "None late is not"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "bars.jsonl"
    file.write_text(f"{line_of(0, BEAT)}\n{line}\n")
    with pytest.raises(NeuralMIDIError) as error:
        read(file)
    assert error.value.what == f"{file}, line 2"
    assert why in error.value.why
    assert error.value.remedy
    assert len(str(error.value)) < 500


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "bars.jsonl").write_bytes(b"MThd\x00\xff\xfe\n")
    with pytest.raises(NeuralMIDIError, match="line 1: not UTF-8 text"):
        read(tmp_path / "bars.jsonl")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "bars.jsonl").write_text(content)
    with pytest.raises(NeuralMIDIError, match="there is no bar in it / write it with training"):
        read(tmp_path / "bars.jsonl")


def test_a_file_that_is_not_there_or_a_folder_is_said_to_be(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "null"),
    ):
        with pytest.raises(NeuralMIDIError, match=f"cannot be read: .*{why}"):
            read(path)


def test_too_many_bars_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_module, "MOST_BARS", 2)
    (tmp_path / "bars.jsonl").write_text(text([EMPTY] * 3))
    with pytest.raises(NeuralMIDIError, match="has more than 2 bars"):
        read(tmp_path / "bars.jsonl")


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(NeuralMIDIError, match="cannot be written: No such file"):
        write_whole(tmp_path / "nowhere" / "bars.jsonl", b"")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(NeuralMIDIError, match="cannot be written: there is something that is not a file"):
            write_whole(tmp_path / name, b"bars")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]
