"""The bridge in the real Pd: any Python class, and what happens when things go wrong."""

import os
import shutil
from pathlib import Path

import pytest
from pd_runner import EXTERNALS, Patch, Run, RunPd, run_pd, sounding_after


def a_faulty() -> tuple[Patch, int]:
    """A patch with [faulty] on a metro, and a clock that shows that Pd goes on."""
    patch = Patch()
    box = patch.obj("faulty")
    patch.log(box, 0, "note")
    patch.log(box, 1, "status")
    start, metro = patch.obj("loadbang"), patch.obj("metro 100")
    patch.connect((start, 0, metro, 0), (metro, 0, box, 0))
    patch.log(metro, 0, "tick")
    return patch, box


def silent_after(run: Run, ms: float) -> None:
    """Everything that started has ended, and nothing started after ``ms``."""
    notes = run.notes()
    assert any(velocity for _, _, velocity, _ in notes), "something has sounded"
    assert sounding_after(notes) == set()
    assert max(sample for sample, _, velocity, _ in notes if velocity) <= ms * 44.1


def test_a_python_class_is_a_pd_class(run_copy: RunPd) -> None:
    patch = Patch()
    box = patch.obj("twin")
    patch.log(box, 0, "out")
    patch.log(box, 1, "out")
    patch.at(0, "1 2 three", box)
    right = patch.msg("4 5")
    patch.connect((patch.obj("loadbang"), 0, right, 0), (right, 0, box, 1))
    patch.at(1, "nonsense", box)
    patch.quit_at(10)
    run = run_copy(patch)
    assert [atoms for _, atoms in run.logged("out")] == [["right", "4", "5"], ["left", "1", "2", "three"]]
    assert run.errors == [
        "twin: nonsense: there is no such message / use one of count, list, long, memory, policy"
    ]


def test_an_exception_in_a_step_ends_the_notes_and_says_why(run_copy: RunPd) -> None:
    patch, box = a_faulty()
    patch.at(1050, "accident stumble", box)
    patch.at(2050, "repair", box)
    patch.at(2550, "panic", box)
    patch.quit_at(2600)
    run = run_copy(patch, batch=False)
    broken = [e for e in run.errors if "underrun" not in e]
    assert len(broken) == 1, "once, not with every step"
    assert broken[0].startswith(
        "faulty: the step failed: ZeroDivisionError: the score is empty (faulty.py, line "
    )
    ends = [sample for sample, _, velocity, _ in run.notes() if not velocity]
    assert 1050 * 44.1 <= min(ends) <= 1150 * 44.1
    assert any(v and s > 2050 * 44.1 for s, _, v, _ in run.notes()), "it plays again when it is repaired"
    assert sounding_after(run.notes()) == set()
    assert len(run.logged("tick")) == 26


@pytest.mark.parametrize(
    ("accident", "reason"),
    [("leave", "GeneratorExit"), ("kill", "the Python thread has ended")],
)
@pytest.mark.parametrize("message", ["now", "accident"])
def test_a_dead_python_thread_leaves_no_note_behind(
    run_copy: RunPd,
    accident: str,
    reason: str,
    message: str,
) -> None:
    patch, box = a_faulty()
    patch.at(1050, f"{message} {accident}", box)
    patch.at(1500, "accident stumble", box)
    patch.quit_at(2050)
    run = run_copy(patch, batch=False)
    silent_after(run, 1101)
    remedy = "/ send `repair`, which starts it again"
    for begin in ("faulty: Python has stopped: ", "faulty: accident: Python is not running: "):
        assert [e for e in run.errors if e.startswith(begin) and reason in e and e.endswith(remedy)], begin
    assert len(run.logged("tick")) == 21, "Pd goes on"
    assert run.returncode == 0


@pytest.mark.clock
@pytest.mark.parametrize("accident", ["spin", "sleep"])
def test_a_stuck_python_thread_costs_two_steps_and_no_note(run_copy: RunPd, accident: str) -> None:
    patch, box = a_faulty()
    patch.at(1050, f"accident {accident}", box)
    patch.quit_at(2550)
    run = run_copy(patch, batch=False)
    silent_after(run, 1050 + 4 * 100)  # four steps were prepared
    ends = max(sample for sample, _, velocity, _ in run.notes() if not velocity)
    assert ends <= (1050 + 6 * 100) * 44.1
    assert any(error.startswith("faulty: underrun: no step was ready") for error in run.errors)
    assert [atoms for _, atoms in run.logged("status")][:2] == [["underrun", "1"], ["underrun", "2"]]
    assert len(run.logged("tick")) == 26, "Pd goes on"
    assert run.returncode == 0


@pytest.mark.clock
def test_a_slow_step_is_an_underrun_and_time_goes_on(run_copy: RunPd) -> None:
    patch, box = a_faulty()
    patch.at(550, "accident doze", box)
    patch.at(2050, "repair", box)
    patch.at(3050, "panic", box)
    patch.quit_at(3060)
    run = run_copy(patch, batch=False)
    assert "underrun" in run.output
    assert any(v and s > 2600 * 44.1 for s, _, v, _ in run.notes()), "it has caught up"
    assert sounding_after(run.notes()) == set()


@pytest.mark.clock
def test_a_wish_for_sync_starts_what_waits_for_its_first_step(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer tiny")
    patch.log(box, 0, "note")
    patch.at(0, "sync 0, play 1, sync 1", box)
    patch.quit_at(1000)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors == []
    assert run.notes()


@pytest.mark.clock
def test_play_tries_again_what_has_failed(run_copy: RunPd) -> None:
    patch = Patch()
    box = patch.obj("faulty")
    patch.log(box, 0, "note")
    patch.at(0, "tempo 300, play 1", box)
    patch.at(500, "accident stumble", box)
    patch.at(800, "now repair_quietly", box)
    patch.at(1000, "play 0", box)
    patch.at(1500, "play 1", box)
    patch.at(2000, "play 0", box)
    patch.quit_at(2010)
    run = run_copy(patch, batch=False)
    assert len(run.errors) == 1, "no underrun is complained of when the reason has been said"
    assert not [1 for sample, _, velocity, _ in run.notes() if velocity and 800 * 44.1 < sample < 1500 * 44.1]
    assert [1 for sample, _, velocity, _ in run.notes() if velocity and sample >= 1500 * 44.1]
    assert sounding_after(run.notes()) == set()


@pytest.mark.clock
def test_one_object_that_goes_wrong_leaves_the_others_alone(copied_externals: Path, run_copy: RunPd) -> None:
    (copied_externals / "neuralmidi" / "objects" / "unborn.py").write_text(UNBORN)
    patch = Patch()
    patch.lines += ["#N canvas 0 0 450 300 sub 0;", "#X restore 10 10 pd sub;"]
    patch.count += 1
    box = patch.obj("composer tiny")
    patch.log(box, 0, "note")
    patch.obj("unborn")
    patch.at(0, "play 1", box)
    patch.at(
        300, "; pd-sub obj 10 10 r ctl, obj 10 40 faulty, connect 0 0 1 0; ctl accident doze_and_stumble"
    )
    patch.at(400, "; pd-sub clear")  # while its step is under way
    patch.at(2000, "play 0", box)
    patch.quit_at(2010)
    run = run_copy(patch, batch=False)
    assert len(run.errors) == 1
    assert run.errors[0].startswith("unborn: ZeroDivisionError: never ")
    assert [1 for sample, _, velocity, _ in run.notes() if velocity and sample > 1500 * 44.1]


UNBORN = """
from neuralmidi.pd import Object

class Unborn(Object):
    name = "unborn"

    def __init__(self, *arguments):
        raise ZeroDivisionError("never")
"""


@pytest.mark.parametrize("name", ["composer tiny", "twin"])
def test_a_feedback_cord_is_pds_stack_overflow_and_no_crash(run_copy: RunPd, name: str) -> None:
    patch = Patch()
    box = patch.obj(name)
    again = patch.msg("bang" if "composer" in name else "1 2 3")
    patch.connect((box, 1 if "composer" in name else 0, again, 0), (again, 0, box, 0))
    patch.at(0, "bang", again)
    patch.quit_at(20)
    run = run_copy(patch)
    assert run.returncode == 0
    assert "stack overflow" in run.output


@pytest.mark.clock
def test_a_burst_is_taken_in_whole_without_any_stepped_object(run_copy: RunPd) -> None:
    patch = Patch()
    twin = patch.obj("twin")
    patch.log(twin, 0, "out")
    start, wait, burst, many, text = (
        patch.obj(o) for o in ("loadbang", "del 300", "t f", "until", "list append 1 2 3")
    )
    number = patch.msg("5000")
    patch.connect((start, 0, wait, 0), (wait, 0, number, 0), (number, 0, burst, 0))
    patch.connect((burst, 0, many, 0), (many, 0, text, 0), (text, 0, twin, 0))
    patch.quit_at(1500)
    run = run_copy(patch, batch=False)
    assert len(run.logged("out")) == 5000
    assert run.errors == []


def test_ten_thousand_messages_at_one_moment_are_counted(run_copy: RunPd) -> None:
    patch, box = a_faulty()
    twin = patch.obj("twin")
    patch.log(twin, 0, "out")
    start, wait, many, text = (patch.obj(o) for o in ("loadbang", "del 500", "until", "list append 1 2 3"))
    burst = patch.msg("10000")
    patch.connect(
        (start, 0, wait, 0), (wait, 0, burst, 0), (burst, 0, many, 0), (many, 0, text, 0), (text, 0, twin, 0)
    )
    patch.at(2000, "panic", box)
    patch.quit_at(2100)
    run = run_copy(patch, batch=False)
    answered = len(run.logged("out"))
    dropped = sum(int(e.split()[1]) for e in run.errors if "messages dropped" in e)
    assert answered + dropped == 10_000
    assert answered > 5_000
    assert len(run.logged("tick")) == 21


def test_a_list_longer_than_the_ring_is_refused_both_ways(run_copy: RunPd) -> None:
    patch = Patch()
    twin = patch.obj("twin")
    patch.log(twin, 0, "out")
    patch.at(0, "count " + " ".join(["0"] * 4000), twin)
    patch.at(1, "count " + " ".join(["0"] * 5000), twin)
    patch.at(2, "long 5000", twin)
    patch.at(3, "count 1", twin)
    patch.quit_at(50)
    run = run_copy(patch)
    assert [atoms for _, atoms in run.logged("out")] == [["count", "4000"], ["count", "1"]]
    assert len(run.errors) == 2
    assert "1 messages dropped" in "".join(run.errors)
    assert "do not fit the ring" in "".join(run.errors)


def sub_patch(cycles: int, name: str = "composer tiny", life: float = 20, pause: float = 5) -> Patch:
    """A patch that makes a playing composer in a sub-patch and deletes it, again and again."""
    patch = Patch()
    patch.lines += ["#N canvas 0 0 450 300 sub 0;", "#X restore 10 10 pd sub;"]
    patch.count += 1
    start, metro = patch.obj("loadbang"), patch.obj(f"metro {life + pause}")
    patch.connect((start, 0, metro, 0))
    boxes = f"obj 10 10 r ctl, obj 10 40 {name}, obj 10 70 s notes, obj 90 70 s status, connect 0 0 1 0"
    boxes += ", connect 1 0 2 0, connect 1 2 3 0"
    make, later, clear = (
        patch.msg(f"; pd-sub {boxes}; ctl seed 1; ctl play 1"),
        patch.obj(f"del {life}"),
        patch.msg("; pd-sub clear"),
    )
    patch.connect((metro, 0, make, 0), (metro, 0, later, 0), (later, 0, clear, 0))
    patch.log(patch.obj("r notes"), 0, "note")
    patch.connect((patch.obj("r status"), 0, patch.obj("print status"), 0))
    patch.quit_at(cycles * (life + pause) - 1)
    return patch


def test_two_hundred_composers_come_and_go(run_copy: RunPd) -> None:
    patch = sub_patch(200)
    twin = patch.obj("twin")
    patch.log(twin, 0, "out")
    for ms in (50 * 25, 200 * 25 - 2):
        patch.at(ms, "memory", twin)
    run = run_copy(patch)
    assert run.errors == []
    assert run.returncode == 0
    assert len([1 for _, _, v, _ in run.notes() if v]) >= 200 * 3
    assert sounding_after(run.notes()) == set(), "a deleted composer ends its notes"
    early, late = (float(atoms[1]) for _, atoms in run.logged("out"))
    assert late - early < 2048, "memory in KiB, 150 composers later"


@pytest.mark.clock
def test_a_composer_may_go_while_its_model_loads(tmp_path: Path) -> None:
    run = run_pd(sub_patch(40, life=2, pause=50), tmp_path, batch=False)
    assert run.errors == []
    assert run.returncode == 0
    assert len({sample for sample, _, v, _ in run.notes() if v}) < 40, (
        "some went before their model was there"
    )
    assert sounding_after(run.notes()) == set()


def test_a_closing_patch_ends_its_notes_whatever_is_deleted_first(tmp_path: Path) -> None:
    inner = Patch()
    send, box = inner.obj("s notes"), inner.obj("composer tiny")  # [s notes] is older: it is deleted first
    inner.connect((box, 0, send, 0))
    inner.at(0, "play 1", box)
    (tmp_path / "inner.pd").write_text(inner.text())
    patch = Patch()
    patch.at(0, f"; pd open inner.pd {tmp_path}")
    patch.log(patch.obj("r notes"), 0, "note")
    patch.at(1000, "; pd-inner.pd menuclose 1")
    patch.quit_at(1500)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    silent_after(run, 1000)


def test_a_python_external_that_cannot_be_imported_is_left_out(
    copied_externals: Path, run_copy: RunPd
) -> None:
    (copied_externals / "neuralmidi" / "objects" / "broken.py").write_text("import nothing_of_that_name\n")
    patch = Patch()
    patch.obj("composer tiny")
    patch.quit_at(10)
    run = run_copy(patch)
    assert len(run.errors) == 1
    assert run.errors[0].startswith(
        "neuralmidi: objects/broken.py is left out: No module named 'nothing_of_that_name'"
    )


def without_a_library(run: Run) -> str:
    """The reason in the console; Pd itself goes on."""
    assert run.returncode == 0
    assert len(run.logged("tick")) == 5
    assert any("couldn't create" in error for error in run.errors)
    reasons = [error for error in run.errors if error.startswith("neuralmidi: ")]
    assert reasons
    return reasons[0]


@pytest.fixture
def ticking() -> Patch:
    patch = Patch()
    patch.obj("composer tiny")
    start, metro = patch.obj("loadbang"), patch.obj("metro 10")
    patch.connect((start, 0, metro, 0))
    patch.log(metro, 0, "tick")
    patch.quit_at(45)
    return patch


def test_a_package_that_cannot_be_imported_is_said(
    copied_externals: Path, run_copy: RunPd, ticking: Patch
) -> None:
    (copied_externals / "neuralmidi" / "pd.py").write_text("import nothing_of_that_name\n")
    reason = without_a_library(run_copy(ticking))
    assert "No module named 'nothing_of_that_name' / run pd_patches/play" in reason


def test_a_python_without_the_packages_is_said(
    tmp_path: Path, copied_externals: Path, ticking: Patch
) -> None:
    bare = {key: value for key, value in os.environ.items() if not key.startswith("NEURALMIDI")}
    run = run_pd(ticking, tmp_path, externals=copied_externals, environment=bare)
    assert run.returncode == 0
    assert len(run.logged("tick")) == 5
    assert any("No module named '" in error for error in run.errors)
    assert all(error.endswith("run pd_patches/play, which installs what is missing") for error in run.errors)


@pytest.mark.parametrize("python", ["nowhere/bin/python", "old/bin/python"])
def test_the_wrong_python_is_said(
    tmp_path: Path, copied_externals: Path, ticking: Patch, python: str
) -> None:
    old = tmp_path / "old"
    (old / "bin").mkdir(parents=True)
    (old / "lib" / "python3.9").mkdir(parents=True)
    shutil.copy("/bin/true", old / "bin" / "python")
    wrong = {**os.environ, "NEURALMIDI_PYTHON": str(tmp_path / python)}
    reason = without_a_library(run_pd(ticking, tmp_path, externals=copied_externals, environment=wrong))
    assert f"{tmp_path / python} is not the Python" in reason
    assert "run pd_patches/play, or set NEURALMIDI_PYTHON" in reason


@pytest.mark.clock
def test_with_real_time_priority_python_does_not_inherit_it(run_copy: RunPd) -> None:
    patch = Patch()
    faulty, composer, twin = patch.obj("faulty"), patch.obj("composer tiny"), patch.obj("twin")
    for box, outlet, tag in ((composer, 0, "note"), (composer, 2, "status"), (twin, 0, "out")):
        patch.log(box, outlet, tag)
    patch.at(50, "tempo 300, play 1", composer)
    patch.at(900, "policy", twin)
    patch.at(1000, "now kill", faulty)
    patch.at(1050, "composer tiny2", composer)
    patch.at(1900, "policy", twin)
    patch.at(1950, "play 0", composer)
    patch.quit_at(2000)
    run = run_copy(patch, batch=False, flags=["-rt"])
    assert [atoms for _, atoms in run.logged("out")] == [["policy", str(os.SCHED_BATCH)]] * 2
    late = [at / 44.1 for at, atoms in run.logged("status") if atoms[0] == "underrun"]
    assert [ms for ms in late if not 1000 <= ms < 1300] == []
    assert [1 for at, _, velocity, _ in run.notes() if velocity and at > 1500 * 44.1]
    assert sounding_after(run.notes()) == set()


def test_it_finds_its_environment_without_any_variable(tmp_path: Path) -> None:
    patch = Patch()
    patch.obj("composer tiny")
    patch.quit_at(10)
    empty = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}  # as from a desktop's menu
    run = run_pd(patch, tmp_path, environment=empty)
    assert run.errors == []
    assert f"package in {EXTERNALS / 'neuralmidi'}" in run.output
