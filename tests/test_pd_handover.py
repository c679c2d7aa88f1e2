"""The hand-over in the real Pd, where it meets what no simulation of it has."""

from pathlib import Path

import pytest
from pd_runner import Patch, run_pd


@pytest.mark.parametrize("batch", [True, False])
def test_a_failure_is_said_once_even_if_the_notes_that_it_ends_bang_again(
    tmp_path: Path, copied_externals: Path, environment: dict[str, str], batch: bool
) -> None:
    patch = Patch()
    box = patch.obj("faulty")
    velocity, is_off = patch.obj("unpack f f f"), patch.obj("sel 0")
    patch.connect((box, 0, velocity, 0), (velocity, 1, is_off, 0), (is_off, 0, box, 0))
    patch.at(0, "play 1", box)
    patch.at(550, "accident stumble", box)
    patch.quit_at(900)
    run = run_pd(patch, tmp_path, batch=batch, externals=copied_externals, environment=environment)
    assert len([error for error in run.errors if "the step failed" in error]) == 1
