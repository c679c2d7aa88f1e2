"""Python's thread is killed, or stuck: `composer NAME` brings it back, and all objects with it."""

from itertools import pairwise
from pathlib import Path

import pytest
from pd_runner import Patch, Run, RunPd, sounding_after

STARTED = "neuralmidi: Python has been started again: {} on"
CUT_OFF = " never came to an end and was cut off / send a change, or `play 1`, to try again"


def an_orchestra() -> tuple[Patch, int, int]:
    """A patch with [faulty] on a metro, and a [composer] with settings of its own that plays beside it."""
    patch = Patch()
    faulty, composer = patch.obj("faulty"), patch.obj("composer tiny")
    start, metro = patch.obj("loadbang"), patch.obj("metro 100")
    patch.connect((start, 0, metro, 0), (metro, 0, faulty, 0))
    for box, outlet, tag in (
        (faulty, 0, "note"),
        (composer, 0, "music"),
        (composer, 1, "step"),
        (composer, 2, "status"),
    ):
        patch.log(box, outlet, tag)
    patch.log(metro, 0, "tick")
    patch.at(0, "seed 5, temperature 1.25, tempo 150, play 1", composer)
    return patch, faulty, composer


def finish(patch: Patch, faulty: int, composer: int, ms: float) -> None:
    """Ask what is set, end the music and Pd."""
    patch.at(ms - 200, "info", composer)
    patch.at(ms - 60, "panic", faulty)
    patch.at(ms - 60, "play 0", composer)
    patch.quit_at(ms)


def starts(run: Run, tag: str, begin: float, end: float) -> list[int]:
    """The pitches that started between two moments in ms."""
    return [pitch for at, pitch, v, _ in run.notes(tag) if v and begin * 44.1 <= at < end * 44.1]


def all_go_on(run: Run, restarts: int, ms: float, objects: str = "2 objects go") -> None:
    """Pd has lived on, and nothing has got lost or come twice."""
    assert run.returncode == 0
    assert run.output.count(STARTED.format(objects)) == restarts
    assert len(run.logged("tick")) == ms / 100, "Pd goes on"
    for tag in ("note", "music"):
        assert sounding_after(run.notes(tag)) == set()
    pitches = starts(run, "note", 0, ms)
    assert pitches == list(range(60, 60 + len(pitches))), "each step follows the one that sounded before"
    steps = [int(float(atoms[1])) for _, atoms in run.logged("step") if atoms[0] == "step"]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    facts = {atoms[1]: atoms[2:] for _, atoms in run.logged("status") if atoms[0] == "info"}
    expected = {"seed": ["5"], "temperature": ["1.25"], "tempo": ["150"], "playing": ["1"]}
    assert {key: facts.get(key) for key in expected} == expected


@pytest.mark.clock
@pytest.mark.parametrize("accident", ["now kill", "accident kill_elsewhere", "accident leave"])
def test_a_killed_thread_is_started_again(run_copy: RunPd, accident: str) -> None:
    patch, faulty, composer = an_orchestra()
    patch.at(550, accident, faulty)
    patch.at(950, "composer tiny2", composer)
    patch.at(1350, "repair", faulty)
    finish(patch, faulty, composer, 2000)
    run = run_copy(patch, batch=False)
    all_go_on(run, 1, 2000)
    what = "`now`" if accident.startswith("now") else "the step"
    assert f"faulty: {what}{CUT_OFF}" in run.errors
    stopped = next(e for e in run.errors if e.startswith("composer: Python has stopped: "))
    assert stopped.endswith("/ send `composer NAME`, which starts it again")
    for tag in ("note", "music"):
        assert starts(run, tag, 0, 650)
        assert not starts(run, tag, 650, 950), "silence at once"
        assert starts(run, tag, 1450, 2000), "it plays again"
    assert not starts(run, "note", 950, 1350), "what went wrong is not tried again unasked"
    assert ["composer", "tiny2"] in [atoms for _, atoms in run.logged("status")]


@pytest.mark.clock
@pytest.mark.parametrize("accident", ["accident spin", "now spin", "accident insist"])
def test_a_stuck_thread_is_given_up_for_another(tmp_path: Path, run_copy: RunPd, accident: str) -> None:
    patch, faulty, composer = an_orchestra()
    patch.at(550, accident, faulty)
    patch.at(3050, "composer tiny2", composer)
    patch.at(3450, "repair", faulty)
    finish(patch, faulty, composer, 5000)
    run = run_copy(patch, batch=False)
    all_go_on(run, 1, 5000)
    assert f"faulty: {'`now`' if accident == 'now spin' else 'the step'}{CUT_OFF}" in run.errors
    assert (tmp_path / "ended").exists(), "no thread is left behind"
    assert "if Python is stuck, send `composer NAME`, which starts it again" in run.output
    for tag in ("note", "music"):
        assert starts(run, tag, 0, 550)
        assert not starts(run, tag, 1200, 3050), "what was prepared, then silence"
        assert starts(run, tag, 3550, 4050), "it plays again"
        assert starts(run, tag, 4200, 5000), "and goes on when the sleeper has come back"
    assert not starts(run, "note", 3050, 3450)


@pytest.mark.clock
def test_a_player_who_asks_too_early_gets_it_when_ten_seconds_are_over(run_copy: RunPd) -> None:
    patch, faulty, composer = an_orchestra()
    patch.at(550, "accident nap", faulty)
    patch.at(1050, "temperature 1.25, composer tiny2", composer)
    finish(patch, faulty, composer, 12_000)
    run = run_copy(patch, batch=False)
    all_go_on(run, 1, 12_000)
    assert not starts(run, "music", 1200, 10_000)
    assert starts(run, "music", 11_100, 12_000), "also when the sleeper has come back"


@pytest.mark.clock
def test_a_healthy_python_is_not_cut_off(run_copy: RunPd) -> None:
    patch, faulty, composer = an_orchestra()
    patch.at(550, "now load", faulty)
    patch.at(650, "composer tiny2", composer)
    finish(patch, faulty, composer, 2500)
    run = run_copy(patch, batch=False)
    all_go_on(run, 0, 2500)
    assert starts(run, "music", 2000, 2500)


@pytest.mark.parametrize("accident", ["now kill", "now kill_elsewhere", "now leave"])
def test_twenty_restarts_in_a_row(run_copy: RunPd, accident: str) -> None:
    patch, faulty, composer = an_orchestra()
    for n in range(20):
        patch.at(150 + 100 * n, accident, faulty)
        patch.at(160 + 100 * n, "repair" if n % 2 else "composer tiny", faulty if n % 2 else composer)
        patch.at(170 + 100 * n, "repair", faulty)
    finish(patch, faulty, composer, 2600)
    run = run_copy(patch)
    all_go_on(run, 20, 2600)
    assert len(starts(run, "note", 0, 2600)) == 26, "a step for each bang"
    assert len([e for e in run.errors if CUT_OFF in e]) == 20


def test_what_comes_and_goes_while_python_is_dead(run_copy: RunPd) -> None:
    patch, faulty, composer = an_orchestra()
    for name in ("sub", "other"):
        patch.lines += [f"#N canvas 0 0 450 300 {name} 0;", f"#X restore 10 10 pd {name};"]
        patch.count += 1
    patch.log(patch.obj("r out"), 0, "out")
    patch.at(50, "; pd-other obj 10 10 twin")
    patch.at(550, "now kill", faulty)
    patch.at(
        600,
        "; pd-sub obj 10 10 r in, obj 10 40 twin, obj 10 70 s out, connect 0 0 1 0, connect 1 0 2 0; in 1 2",
    )
    patch.at(610, "; pd-other clear")
    patch.at(620, "steps 8", composer)
    patch.at(700, "repair", faulty)
    patch.at(800, "; in 3 4")
    patch.at(900, "now kill", faulty)
    patch.at(905, "repair", faulty)
    finish(patch, faulty, composer, 2000)
    run = run_copy(patch)
    all_go_on(run, 2, 2000, "3 objects go")  # the deleted one among them, then the new one
    remedy = "/ send `composer NAME` to a composer, which starts it again"
    assert [e for e in run.errors if e.startswith("twin: Python has stopped: ") and e.endswith(remedy)]
    assert [
        e for e in run.errors if e.startswith("twin: list: Python is not running: ") and e.endswith(remedy)
    ]
    assert [atoms for _, atoms in run.logged("out")] == [["left", "3", "4"]]
    late = [at for at, atoms in run.logged("step") if atoms[0] == "step" and at > 905 * 44.1]
    assert {round((b - a) / 44.1) for a, b in pairwise(late)} == {50}, "it is still 8 steps a beat"
    assert ["info", "step_ms", "50"] in [atoms for _, atoms in run.logged("status")], "Python has heard of it"


@pytest.mark.clock
def test_what_was_ready_when_python_died_is_composed_again(run_copy: RunPd) -> None:
    patch = Patch()
    faulty, composer = patch.obj("faulty"), patch.obj("composer tiny")
    patch.log(composer, 1, "step")
    patch.at(400, "bang", composer)
    patch.at(450, "now kill", faulty)
    patch.at(500, "repair", faulty)
    patch.at(1000, "bang", composer)
    patch.quit_at(1100)
    run = run_copy(patch, batch=False)
    assert "underrun" not in run.output
    assert [atoms[1] for _, atoms in run.logged("step") if atoms[0] == "step"] == ["0", "1"]


@pytest.mark.clock
def test_what_comes_while_python_is_stuck(run_copy: RunPd) -> None:
    patch, faulty, composer = an_orchestra()
    patch.lines += ["#N canvas 0 0 450 300 sub 0;", "#X restore 10 10 pd sub;"]
    patch.count += 1
    patch.log(patch.obj("r out"), 0, "out")
    patch.at(550, "now spin", faulty)
    patch.at(
        600,
        "; pd-sub obj 10 10 r in, obj 10 40 twin, obj 10 70 s out, connect 0 0 1 0, connect 1 0 2 0; in 1 2",
    )
    patch.at(3050, "repair", faulty)
    finish(patch, faulty, composer, 3900)
    run = run_copy(patch, batch=False)
    all_go_on(run, 1, 3900, "2 objects go")
    assert [atoms for _, atoms in run.logged("out")] == [["left", "1", "2"]]


@pytest.mark.parametrize("accident", ["now exit", "accident exit"])
def test_an_object_that_wants_to_leave_stays_and_python_with_it(run_copy: RunPd, accident: str) -> None:
    patch, faulty, composer = an_orchestra()
    patch.at(550, accident, faulty)
    patch.at(1050, "repair", faulty)
    finish(patch, faulty, composer, 1500)
    run = run_copy(patch)
    all_go_on(run, 0, 1500)
    assert [e for e in run.errors if e.startswith("faulty: ") and "SystemExit" in e]
    assert starts(run, "note", 1050, 1500)
