import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.step_model import State, StepModel

DATA = Path(__file__).parent / "data"
TINY = DATA / "tiny" / "model.tflite"


@pytest.fixture
def model() -> StepModel:
    return StepModel(TINY.read_bytes(), ["state_memory"])


def walk(model: StepModel, tokens: list[int], state: State | None = None) -> tuple[list[np.ndarray], State]:
    state = model.initial_state() if state is None else state
    logits = []
    for token in tokens:
        each, state = model.step(state, token)
        logits.append(each)
    return logits, state


def test_state_goes_in_and_comes_out(model: StepModel) -> None:
    (first, again), state = walk(model, [3, 3])
    assert first.shape == (model.vocabulary_size,) == (10,)
    assert [part.shape for part in state] == list(model.state_shapes)
    assert not np.array_equal(first, again)  # the same token, but the model remembers


def test_the_same_input_gives_the_same_output(model: StepModel) -> None:
    tokens = [0, 3, 4, 9, 2, 2, 5]
    once, twice = walk(model, tokens)[0], walk(model, tokens)[0]
    other = walk(StepModel(TINY.read_bytes(), ["state_memory"]), tokens)[0]
    assert np.array_equal(once, twice)
    assert np.array_equal(once, other)


def test_one_model_serves_two_composers_in_turn(model: StepModel) -> None:
    one, two = [0, 3, 4, 5, 6], [0, 9, 8, 7, 2]
    apart = walk(model, one)[0], walk(model, two)[0]
    states = [model.initial_state(), model.initial_state()]
    together: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in zip(one, two, strict=True):
        for voice, token in enumerate(pair):
            logits, states[voice] = model.step(states[voice], token)
            together[voice].append(logits)
    assert np.array_equal(apart, together)


def test_a_snapshot_is_a_reference(model: StepModel) -> None:
    _, snapshot = walk(model, [3, 4])
    before = [part.copy() for part in snapshot]
    (first,), _ = walk(model, [5], snapshot)
    walk(model, [6, 7, 8], snapshot)
    assert np.array_equal(before, snapshot)
    assert np.array_equal(first, walk(model, [5], snapshot)[0][0])


def test_results_are_fresh_arrays(model: StepModel) -> None:
    logits, state = model.step(model.initial_state(), 3)
    kept = logits.copy(), state[0].copy()
    logits_after, _ = model.step(state, 4)
    logits_after[:] = -np.inf
    assert np.array_equal(kept[0], logits)
    assert np.array_equal(kept[1], state[0])
    assert np.isfinite(model.step(state, 4)[0]).all()


@pytest.mark.parametrize("token", [-1, 10, 2**40])
def test_a_token_outside_the_vocabulary_is_refused_and_the_model_stays_usable(
    model: StepModel, token: int
) -> None:
    wanted = model.step(model.initial_state(), 3)[0]
    with pytest.raises(NeuralMIDIError, match=f"token {token}: outside the vocabulary, 0 to 9"):
        model.step(model.initial_state(), token)
    assert np.array_equal(wanted, model.step(model.initial_state(), 3)[0])


@pytest.mark.parametrize("state", [(), (np.zeros((1, 8), np.float32),), (np.zeros((2, 10), np.float32),)])
def test_another_models_state_is_refused_and_the_model_stays_usable(model: StepModel, state: State) -> None:
    wanted = model.step(model.initial_state(), 3)[0]
    with pytest.raises(NeuralMIDIError, match="state: is another model's"):
        model.step(state, 3)
    assert np.array_equal(wanted, model.step(model.initial_state(), 3)[0])


def test_output_that_is_not_finite_is_refused() -> None:
    model = StepModel((DATA / "broken" / "not_finite.tflite").read_bytes(), ["state_memory"])
    with pytest.raises(NeuralMIDIError, match="not finite"):
        model.step(model.initial_state(), 0)


@pytest.mark.parametrize(
    ("file", "states", "why"),
    [
        ("broken/flex.tflite", [], "operators that LiteRT has not built in"),
        ("broken/window.tflite", [], r"'token' is int32 \[1, 64\], not a fixed int32 \[1\] or \[1, 1\]"),
        ("tiny/model.tflite", [], "states: "),
        ("tiny/model.tflite", ["memory"], "states: "),
        ("tiny/model.tflite", ["state_memory", "state_memory"], "states: "),
        ("tiny/model.json", ["state_memory"], "not a valid Flatbuffer"),
    ],
)
def test_a_file_that_is_not_a_step_is_refused(file: str, states: list[str], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why) as caught:
        StepModel((DATA / file).read_bytes(), states)
    assert caught.value.why
    assert caught.value.remedy


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(share: float) -> None:
    whole = TINY.read_bytes()
    with pytest.raises(NeuralMIDIError, match=r"model\.tflite: .+ / export"):
        StepModel(whole[: int(share * len(whole))], ["state_memory"])


def test_the_runtime_loads_no_tensorflow() -> None:
    code = f"""
import pkgutil, sys
from pathlib import Path
import neuralmidi
from neuralmidi import bundle
for module in pkgutil.iter_modules(neuralmidi.__path__):
    if module.name not in ("__main__", "objects", "pd"):  # the last two need Pd
        __import__(f"neuralmidi.{{module.name}}")
model = bundle.load(Path({str(TINY.parent)!r})).model
model.step(model.initial_state(), 0)
heavy = sorted({{"tensorflow", "keras", "jax", "torch", "pretty_midi", "training"}} & set(sys.modules))
print(heavy)
"""
    path = str(Path(__file__).parents[1] / "externals")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"PYTHONPATH": path}
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_importing_the_package_does_not_load_litert() -> None:
    code = "import sys, neuralmidi.bundle; print('ai_edge_litert' in sys.modules)"
    path = str(Path(__file__).parents[1] / "externals")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert done.stdout == "False\n"
