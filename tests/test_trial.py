"""What would end this process ends a copy of it; and no file does that ends LiteRT."""

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from neuralmidi import bundle, trial
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError
from pd_runner import DATA, Patch, run_pd

FLOAT32, INT32, BOOL = 0, 2, 6
FILL, WHILE = 94, 119
"""Operators that are built in."""


def refused(work: Callable[[], object]) -> NeuralMIDIError:
    with pytest.raises(NeuralMIDIError) as caught:
        trial.survive("x.tflite", work)
    return caught.value


def test_what_is_done_in_a_trial_is_not_done_here() -> None:
    done: list[int] = []
    trial.survive("x.tflite", lambda: done.append(1))
    assert done == []


def test_its_error_is_the_one_of_the_work() -> None:
    def work() -> None:
        raise NeuralMIDIError("x", "ünlike", "any other")

    error = refused(work)
    assert (error.what, error.why, error.remedy) == ("x", "ünlike", "any other")


def test_any_other_error_is_told_in_words() -> None:
    assert refused(lambda: 1 / 0).why == "ZeroDivisionError: division by zero"


def test_a_crash_is_survived() -> None:
    assert refused(lambda: ctypes.string_at(0)).why == "a trial of it crashes (SIGSEGV)"
    assert refused(os.abort).why == "a trial of it crashes (SIGABRT)"


def test_what_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 1)
    assert refused(lambda: time.sleep(100)).why == "a trial of it is not done after 1 s"


def test_memory_is_bounded() -> None:
    trial.survive("x.tflite", lambda: bytes(100 << 20))
    assert refused(lambda: bytes(1 << 30)).why == "takes more than 300 MB of memory"


def test_nothing_is_left_behind() -> None:
    files = len(os.listdir("/proc/self/fd"))
    for work in (int, os.abort, lambda: 1 / 0) * 3:
        try:
            trial.survive("x.tflite", work)
        except NeuralMIDIError:
            continue
    assert len(os.listdir("/proc/self/fd")) == files
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_program_that_is_told_of_no_child_s_end_knows_all_the_same() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        trial.survive("x.tflite", int)
        assert refused(os.abort).why == "does not survive its trial"
        assert refused(lambda: 1 / 0).why == "ZeroDivisionError: division by zero"
    finally:
        signal.signal(signal.SIGCHLD, before)


# Files that LiteRT does not survive


def tensor(model: Any, shape: list[int], kind: int, data: bytes | None = None) -> int:
    """Add a tensor, with data if it is constant."""
    buffer, added = schema.BufferT(), schema.TensorT()
    buffer.data = None if data is None else np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    added.shape, added.type, added.buffer = shape, kind, len(model.buffers) - 1
    model.subgraphs[0].tensors.append(added)
    return len(model.subgraphs[0].tensors) - 1


def operator(model: Any, code: int, inputs: list[int], outputs: list[int]) -> Any:
    kind, added = schema.OperatorCodeT(), schema.OperatorT()
    kind.builtinCode = kind.deprecatedBuiltinCode = code
    model.operatorCodes.append(kind)
    added.opcodeIndex, added.inputs, added.outputs = len(model.operatorCodes) - 1, inputs, outputs
    model.subgraphs[0].operators.append(added)
    return added


def headless(model: Any) -> None:
    model.subgraphs = None


def filling(size: int, model: Any) -> None:
    """A few bytes that ask for many."""
    dims, value = tensor(model, [1], INT32, np.int32(size).tobytes()), tensor(model, [], FLOAT32, bytes(4))
    operator(model, FILL, [dims, value], [tensor(model, [size], FLOAT32)])


def small(model: Any) -> None:
    filling(1000, model)


def greedy(model: Any) -> None:
    filling(1 << 30, model)


def endless(model: Any) -> None:
    """While something is true, let it be true."""
    for _ in range(2):
        graph, state = schema.SubGraphT(), schema.TensorT()
        state.shape, state.type = [1], BOOL
        graph.tensors, graph.inputs, graph.outputs, graph.operators = [state], [0], [0], []
        model.subgraphs.append(graph)
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    loop = operator(model, WHILE, [tensor(model, [1], BOOL, b"\1")], [tensor(model, [1], BOOL)])
    loop.builtinOptions, loop.builtinOptionsType = options, schema.BuiltinOptions.WhileOptions


def folder(place: Path, change: Callable[[Any], None]) -> Path:
    """The tiny model with its network changed, and all checksums right."""
    shutil.copytree(DATA / "tiny", place)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((place / "model.tflite").read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    tflite = bytes(builder.Output())
    (place / "model.tflite").write_bytes(tflite)
    description = json.loads((place / "model.json").read_text())
    description["sha256"] = hashlib.sha256(tflite).hexdigest()
    (place / "model.json").write_text(json.dumps(description))
    return place


def test_a_network_with_more_in_it_still_plays(tmp_path: Path) -> None:
    composer = Composer(bundle.load(folder(tmp_path / "small", small)))
    assert composer.step(125).number == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (headless, "a trial of it crashes (SIGSEGV)"),
        (greedy, "perhaps it wants too much memory"),
        (endless, "a trial of it is not done after 1 s"),
    ],
)
def test_a_hostile_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], why: str
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 1)
    with pytest.raises(NeuralMIDIError) as caught:
        bundle.load(folder(tmp_path / "hostile", change))
    assert caught.value.what == f"{tmp_path / 'hostile'}: model.tflite"
    assert why in caught.value.why


TRIED = """
import sys
from pathlib import Path
from neuralmidi import bundle, trial
trial.survive = lambda file, work: print("tried")
for folder in sys.argv[1:]:
    print(bundle.load(Path(folder)).name)
"""


def test_a_model_is_tried_once_and_one_that_comes_with_neuralmidi_never() -> None:
    tiny, bach = DATA / "tiny", bundle.default_directories()[0] / "bach"
    command = [sys.executable, "-c", TRIED, str(tiny), str(tiny), str(bach)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["tried", "tiny", "tiny", "bach"]


@pytest.mark.parametrize("name", ["all", "drums", "benchmark_groove", "benchmark_jsb16", "benchmark_jsb4"])
def test_every_network_that_comes_with_neuralmidi_is_known(name: str) -> None:
    tflite = (bundle.default_directories()[0] / name / bundle.WEIGHTS).read_bytes()
    digest = hashlib.sha256(tflite).hexdigest()
    assert digest in bundle._survived, f"has it been trained again? Then put {digest} there"


def test_pd_plays_on_after_a_hostile_network(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj(f"composer {DATA / 'tiny'}")
    patch.log(box, 1, "step")
    patch.at(0, "play 1", box)
    for when, change in ((500, headless), (1000, greedy)):
        patch.at(when, f"composer {folder(tmp_path / change.__name__, change)}", box)
    patch.at(2500, "play 0", box)
    patch.quit_at(2600)
    run = run_pd(patch, tmp_path)
    assert [error.partition(" / ")[0] for error in run.errors] == [
        f"composer: {tmp_path}/headless: model.tflite: a trial of it crashes (SIGSEGV)",
        f"composer: {tmp_path}/greedy: model.tflite: LiteRT refuses it without a reason: "
        "perhaps it wants too much memory",
    ]
    assert len(run.logged("step")) == 20
