"""The hand-over in the real Pd, where it meets what no simulation of it has."""

import pytest
from pd_runner import Patch, RunPd


@pytest.mark.parametrize("batch", [True, False])
def test_a_failure_is_said_once_even_if_the_notes_that_it_ends_bang_again(
    run_copy: RunPd, batch: bool
) -> None:
    patch = Patch()
    box = patch.obj("faulty")
    velocity, is_off = patch.obj("unpack f f f"), patch.obj("sel 0")
    patch.connect((box, 0, velocity, 0), (velocity, 1, is_off, 0), (is_off, 0, box, 0))
    patch.at(0, "play 1", box)
    patch.at(550, "accident stumble", box)
    patch.quit_at(900)
    run = run_copy(patch, batch=batch)
    assert len([error for error in run.errors if "the step failed" in error]) == 1


@pytest.mark.clock
def test_a_bang_that_waits_takes_its_step_however_much_lies_before_it(run_copy: RunPd) -> None:
    patch = Patch()
    box, other = patch.obj("faulty"), patch.obj("twin")
    patch.log(box, 0, "note")
    flood, until, message = patch.obj("t b b"), patch.obj("until"), patch.msg("list 1 2 3")
    count, stop = patch.obj("f 1"), patch.obj("sel 2000")
    more = patch.obj("+ 1")
    patch.connect((flood, 1, until, 0), (until, 0, count, 0), (count, 0, more, 0), (more, 0, count, 1))
    patch.connect((count, 0, stop, 0), (stop, 0, until, 1), (stop, 1, message, 0), (message, 0, other, 0))
    patch.connect((flood, 0, box, 0))
    patch.at(0, "sync 1", box)
    patch.at(10, "bang", box)  # from now on nothing is prepared ahead
    patch.at(20, "bang", flood)
    patch.quit_at(100)
    run = run_copy(patch, batch=False)
    assert run.errors == []
    assert [pitch for _, pitch, _, _ in run.notes()] == [60, 61]
