import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from neuralmidi import bundle

NAMES = ("tiny", "tiny2", "tiny_cache", "tiny_blend", "tiny_poly")


@pytest.fixture
def make_tiny(data: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tiny", data / "make_tiny.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_tiny_models_of_the_tests_can_be_made_again(
    make_tiny: ModuleType, name: str, data: Path, tmp_path: Path
) -> None:
    made = make_tiny.tiny(name) if name in make_tiny.RINGS else getattr(make_tiny, name)()
    bundle.write(tmp_path, *made)
    again, kept = bundle.load(tmp_path), bundle.load(data / name)
    assert again.tokenizer.vocabulary == kept.tokenizer.vocabulary
    states = [each.model.initial_state() for each in (again, kept)]
    for token in range(kept.model.vocabulary_size):
        steps = [each.model.step(s, token) for each, s in zip((again, kept), states, strict=True)]
        assert (steps[0][0] == steps[1][0]).all()
        states = [state for _, state in steps]
