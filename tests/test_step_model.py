import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi import network, step_model
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.network import Network, State
from neuralmidi.step_model import StepModel

DATA = Path(__file__).parent / "data"
TINY = DATA / "tiny" / "model.tflite"


CACHE = DATA / "tiny_cache" / "model.tflite"
CACHES = ["cache_0_k", "cache_0_v"]
BLEND = DATA / "tiny_blend" / "model.tflite"
INTERPRETER = network._interpreter


def tiny() -> StepModel:
    return StepModel(TINY.read_bytes(), ["state_memory"])


def tiny_cache() -> StepModel:
    return StepModel(CACHE.read_bytes(), ["state_position"], CACHES)


def tiny_blend() -> StepModel:
    return StepModel(BLEND.read_bytes(), ["state_memory"], condition=np.zeros(2, np.float32))


@pytest.fixture(params=[tiny, tiny_cache, tiny_blend])
def model(request: pytest.FixtureRequest) -> StepModel:
    made: StepModel = request.param()
    return made


def walk(model: StepModel, tokens: list[int], state: State | None = None) -> tuple[list[np.ndarray], State]:
    state = model.initial_state() if state is None else state
    logits = []
    for token in tokens:
        each, state = model.step(state, token)
        logits.append(each)
    return logits, state


def same(one: State, other: State) -> bool:
    """Whether two states hold the same numbers."""
    pairs = zip(one.slots, other.slots, strict=True)
    return (
        one.fed == other.fed
        and all(map(np.array_equal, one.carried, other.carried))
        and all(
            a is b is None or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
        )
    )


def copied(state: State) -> State:
    """A state that shares no memory with this one."""
    slots = tuple(row if row is None else row.copy() for row in state.slots)
    return replace(state, carried=tuple(part.copy() for part in state.carried), slots=slots)


def test_state_goes_in_and_comes_out(model: StepModel) -> None:
    (first, again, third), state = walk(model, [3, 3, 3])
    assert first.shape == (model.vocabulary_size,)
    assert [part.shape for part in state.carried] == [
        shape for name, shape in model.state_shapes.items() if name.startswith("state")
    ]
    assert state.fed == 3
    assert not np.array_equal(first, again)  # the same token, but the model remembers
    assert not np.array_equal(again, third)


def test_the_same_input_gives_the_same_output(model: StepModel) -> None:
    tokens = [0, 3, 4, 9, 2, 2, 5] * 3
    assert np.array_equal(walk(model, tokens)[0], walk(model, tokens)[0])


@pytest.mark.parametrize("make", [tiny, tiny_cache, tiny_blend])
def test_two_models_of_one_file_are_the_same(make: Callable[[], StepModel]) -> None:
    tokens = [0, 3, 4, 9, 2, 2, 5] * 3
    one, other = make(), make()
    logits, state = walk(one, tokens)
    assert np.array_equal(logits, walk(other, tokens)[0])
    assert np.array_equal(walk(one, [3], state)[0], walk(other, [3], state)[0]), "a state is no interpreter's"


def test_one_model_serves_two_composers_in_turn(model: StepModel) -> None:
    one, two = [0, 3, 4, 5, 6] * 3, [0, 9, 8, 7, 2] * 3
    apart = walk(model, one)[0], walk(model, two)[0]
    states = [model.initial_state(), model.initial_state()]
    together: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in zip(one, two, strict=True):
        for voice, token in enumerate(pair):
            logits, states[voice] = model.step(states[voice], token)
            together[voice].append(logits)
    assert np.array_equal(apart, together)


def test_models_of_one_file_share_its_network_as_long_as_one_is_there() -> None:
    one, other, high = tiny_cache(), tiny_cache(), tiny_blend()
    assert one._network is other._network is not high._network
    fixed = StepModel(BLEND.read_bytes(), ["state_memory"], condition=np.array([0, 1], np.float32))
    assert fixed._network is high._network, "each says its own condition"
    gone = weakref.ref(one._network)
    del one, other
    gc.collect()
    assert gone() is None


def test_who_is_stuck_in_a_step_makes_nobody_wait_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_model, "PATIENCE", 0.01)
    one, other = tiny_cache(), tiny_cache()
    one._network.lock.acquire()  # for ever
    for model in (one, other, one):
        with pytest.raises(NeuralMIDIError, match="a step of it has not come to an end / send `composer`"):
            model.step(model.initial_state(), 3)
        monkeypatch.setattr(step_model, "PATIENCE", None)  # no number of seconds: nobody may ask for it
    monkeypatch.undo()
    anew = tiny_cache()
    assert np.isfinite(anew.step(anew.initial_state(), 3)[0]).all()
    assert tiny_cache()._network is anew._network


def test_a_snapshot_is_a_reference(model: StepModel) -> None:
    _, snapshot = walk(model, [3, 4])
    before = copied(snapshot)
    (first,), _ = walk(model, [5], snapshot)
    walk(model, [6, 7, 8] * 5, snapshot)
    assert same(before, snapshot)
    assert np.array_equal(first, walk(model, [5], snapshot)[0][0])


def test_results_are_fresh_arrays(model: StepModel) -> None:
    logits, state = model.step(model.initial_state(), 3)
    kept = logits.copy(), copied(state)
    logits_after, _ = model.step(state, 4)
    logits_after[:] = -np.inf
    assert np.array_equal(kept[0], logits)
    assert same(kept[1], state)
    assert np.isfinite(model.step(state, 4)[0]).all()


# Caches


def attended(tokens: list[int]) -> np.ndarray:
    """The logits of tiny_cache after these tokens, by its recipe in tests/data/make_tiny.py."""
    words = json.loads((DATA / "tiny_cache" / "model.json").read_text())["tokenizer"]["vocabulary"]
    walk = np.zeros((len(words), len(words)), np.float32)
    ring = [*range(3, len(words)), 2]
    for token in range(len(words)):
        place = ring.index(token) if token in ring else -1
        walk[token, ring[(place + 1) % len(ring)]], walk[token, ring[(place + 2) % len(ring)]] = 3, 1.5
    heard = np.eye(len(words), dtype=np.float32)[tokens]
    memory = np.zeros(len(words), np.float32)
    for fed in range(max(0, len(tokens) - 9), len(tokens) - 1):
        memory += heard[fed] * (1 + fed % 8 / 8) / (1 + fed)
    return np.asarray((heard[-1] + 0.05 * memory) @ walk)


def test_a_row_lies_in_its_slot_until_its_turn_comes_again() -> None:
    tokens = [int(token) for token in np.random.default_rng(0).integers(0, 10, 40)]
    logits, _ = walk(tiny_cache(), tokens)
    for fed, each in enumerate(logits):
        assert np.allclose(each, attended(tokens[: fed + 1]), atol=1e-5), fed


@given(st.data())
def test_any_rewinds_among_any_snapshots_are_exact(data: st.DataObject) -> None:
    model = tiny_cache()
    snapshots: list[tuple[list[int], State]] = [([], model.initial_state())]
    for _ in range(data.draw(st.integers(1, 12))):
        heard, state = snapshots[data.draw(st.integers(0, len(snapshots) - 1))]
        tokens = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=12))
        logits, state = walk(model, tokens, state)
        assert np.array_equal(logits, walk(tiny_cache(), heard + tokens)[0][len(heard) :])
        snapshots.append((heard + tokens, state))


def test_only_rows_that_differ_are_written() -> None:
    model = tiny_cache()
    caches = model._network.caches
    _, state = walk(model, list(range(10)) * 2)
    written = []
    write = caches._write
    caches._write = lambda slot, row: (written.append(slot), write(slot, row))[0]  # type: ignore[method-assign, func-returns-value]
    _, ahead = walk(model, [1, 2, 3], state)
    assert written == [], "a step adds its own"
    walk(model, [1], state)
    assert written == [4, 5, 6], "three to go back"
    written.clear()
    walk(model, [1], ahead)
    assert written == [4, 5, 6]


def test_rows_that_no_state_holds_are_forgotten() -> None:
    model = tiny_cache()
    _, state = walk(model, [3])
    assert state.slots[0] is not None
    row = weakref.ref(state.slots[0])
    _, state = walk(model, [4] * 7, state)
    gc.collect()
    assert row() is not None, "it is still in its slot"
    _, state = walk(model, [4], state)
    gc.collect()
    assert row() is None
    assert len(state.slots) == 8


@pytest.mark.parametrize(
    ("caches", "why"),
    [
        ([], "states: "),
        (["cache_0_k"], "states: "),
        ([*CACHES, "state_position"], "states: "),
    ],
)
def test_caches_that_are_not_the_files_are_refused(caches: list[str], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        StepModel(CACHE.read_bytes(), ["state_position"], caches)


def test_a_state_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(
        NeuralMIDIError, match=r"'cache_0_k' is float32 \[1, 1, 10\], not a fixed float32 \[1, 8"
    ):
        StepModel(CACHE.read_bytes(), ["state_position", *CACHES])
    with pytest.raises(NeuralMIDIError, match=r"'state_position' is float32 \[1, 1\], not a fixed"):
        StepModel(CACHE.read_bytes(), [], ["state_position", *CACHES])


# Conditions


def test_a_condition_decides_where_it_goes() -> None:
    model = tiny_blend()
    assert model.condition_size == 2
    low, high, both = (
        int(model.step(model.initial_state(), 0, np.array(condition, np.float32))[0].argmax())
        for condition in ((1, 0), (0, 1), (0.4, 0.6))
    )
    assert (low, high, both) == (3, 10, 10)


def test_without_a_condition_it_is_what_the_model_was_made_with() -> None:
    high = np.array([0, 1], np.float32)
    free, fixed = tiny_blend(), StepModel(BLEND.read_bytes(), ["state_memory"], condition=high)
    given, _ = free.step(free.initial_state(), 4, high)
    assert np.array_equal(given, fixed.step(fixed.initial_state(), 4)[0])
    nobody, _ = free.step(free.initial_state(), 4)
    assert np.array_equal(nobody, free.step(free.initial_state(), 4, np.zeros(2, np.float32))[0])
    assert not np.array_equal(nobody, given)


@pytest.mark.parametrize("make", [tiny, tiny_blend])
def test_a_condition_of_another_length_is_refused(make: Callable[[], StepModel]) -> None:
    model = make()
    wanted = model.step(model.initial_state(), 3)[0]
    with pytest.raises(NeuralMIDIError, match="condition: has 3 numbers, not"):
        model.step(model.initial_state(), 3, np.zeros(3, np.float32))
    assert np.array_equal(wanted, model.step(model.initial_state(), 3)[0])


@pytest.mark.parametrize("condition", [None, np.zeros(3, np.float32)])
def test_a_model_whose_condition_is_another_is_refused(condition: np.ndarray | None) -> None:
    with pytest.raises(NeuralMIDIError, match="condition"):
        StepModel(BLEND.read_bytes(), ["state_memory"], condition=condition)


# What is refused


@pytest.mark.parametrize("token", [-1, 15, 2**40])
def test_a_token_outside_the_vocabulary_is_refused_and_the_model_stays_usable(
    model: StepModel, token: int
) -> None:
    wanted = model.step(model.initial_state(), 3)[0]
    with pytest.raises(NeuralMIDIError, match=f"token {token}: outside the vocabulary, 0 to "):
        model.step(model.initial_state(), token)
    assert np.array_equal(wanted, model.step(model.initial_state(), 3)[0])


@pytest.mark.parametrize("other", [tiny, tiny_cache, tiny_blend])
def test_another_models_state_is_refused_and_the_model_stays_usable(
    model: StepModel, other: Callable[[], StepModel]
) -> None:
    state = walk(other(), [3, 4])[1]
    if state.shapes == model.state_shapes:
        return
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


class Restless:
    """LiteRT, but that its tensors lie elsewhere whenever one asks; no model is known that does this."""

    def __init__(self, tflite: bytes) -> None:
        self._real = INTERPRETER(tflite)
        self._lent: list[np.ndarray] = []

    def tensor(self, index: int) -> Callable[[], np.ndarray]:
        self._lent.append(self._real.tensor(index)().copy())
        return lambda: self._lent[-1]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_a_model_whose_inputs_move_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_interpreter", Restless)
    with pytest.raises(NeuralMIDIError, match="does not keep its inputs in their places"):
        Network(TINY.read_bytes(), ["state_memory"], (), 0)


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
    if module.name not in ("__main__", "objects", "pd", "server"):  # all but the first need Pd
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
