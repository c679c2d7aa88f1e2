"""Messages with a delay, in the real Pd: when they leave, in which order, and when they never do."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from pd_runner import Patch, Run, RunPd, sounding_after

STEP = 125.0
"""ms: a step of [late], unless somebody says otherwise."""

Told = tuple[Any, ...]
Heard = list[tuple[float, str]]


def a_late(*steps: Told) -> tuple[Patch, int]:
    """A patch with a [late] that has been told its steps, and an [ear] at its outlets."""
    patch = Patch()
    box, ear = patch.obj("late"), patch.obj("ear")
    patch.connect((box, 0, ear, 0), (box, 1, ear, 0))
    for told in steps:
        patch.at(0, " ".join(map(str, ("step", *told))), box)
    return patch, box


def bangs(patch: Patch, box: int, *times: float) -> None:
    for ms in times:
        patch.at(ms, "bang", box)


def heard(run: Run) -> Heard:
    """What [ear] has printed, its times counted from the first."""
    lines = [line.split(" ", 2) for line in run.output.splitlines() if line.startswith("ear: ")]
    begin = float(lines[0][1]) if lines else 0.0
    return [(float(ms) - begin, rest) for _, ms, rest in lines]


def notes(run: Run) -> list[tuple[float, int, int]]:
    """The notes that [ear] has heard: ms, pitch, velocity; that they start and end in turn."""
    lists = [
        (ms, [int(word) for word in rest.split()[1:]]) for ms, rest in heard(run) if rest.startswith("list ")
    ]
    assert sounding_after((round(ms), *note) for ms, note in lists) == set()  # type: ignore[misc]
    return [(ms, pitch, velocity) for ms, (pitch, velocity, _) in lists]


def near(*expected: tuple[float, int, int]) -> list[Any]:
    return [(pytest.approx(ms, rel=0, abs=1e-6), pitch, velocity) for ms, pitch, velocity in expected]


def same(found: Heard, expected: Sequence[tuple[float, str]]) -> bool:
    """In this order, and at these times: to a nanosecond, and Pd's own clocks are not exacter by much."""
    assert [what for _, what in found] == [what for _, what in expected]
    assert [ms for ms, _ in found] == pytest.approx([ms for ms, _ in expected], rel=0, abs=1e-6)
    return True


DELAYS = (0.75, 0, 0.0625, 0.328125, 0.75, 1.5, 2.25, 0)
"""Pd's own numbers are short: these are exact in them."""


def test_each_leaves_at_a_time_of_its_own_by_the_objects_own_clock(run_copy: RunPd) -> None:
    told = [sum((("word", 10 * n + i, d) for i, d in enumerate(DELAYS)), ()) for n in range(3)]
    patch, box = a_late(*told)
    patch.at(10, "play 1", box)
    patch.quit_at(1000)
    run = run_copy(patch)
    assert run.errors == []
    expected = [((n + d) * STEP, n, i) for n in range(3) for i, d in enumerate(DELAYS)]
    expected.sort(key=lambda e: (e[0], e[1]))
    assert same(heard(run), [(ms, f"word {10 * n + i}") for ms, n, i in expected])


@pytest.mark.parametrize(("pause", "silence"), [(12_000, False), (3_000, True)])
def test_bangs_tell_by_their_distance_how_long_a_step_is(
    run_copy: RunPd, pause: float, silence: bool
) -> None:
    times = (10, 90, 290, 320, 320 + pause, 400 + pause)
    lengths = (STEP, 80, 200, 30, 30, 80)  # the first one tells nothing, nor does a pause
    patch, box = a_late(*(("now", n, 0, "then", n, 0.375) for n in range(6)))
    bangs(patch, box, *times)
    if silence:
        patch.at(400, "panic", box)
    patch.quit_at(13_000)
    expected: Heard = [(ms - 10, f"now {n}") for n, ms in enumerate(times)]
    expected += [(ms - 10 + 0.375 * lengths[n], f"then {n}") for n, ms in enumerate(times)]
    assert same(heard(run_copy(patch)), sorted(expected))


def test_a_change_of_tempo_leaves_what_waits_where_it_is(run_copy: RunPd) -> None:
    patch, box = a_late(("now", 0, 0, "then", 0, 0.5), ("now", 1, 0, "then", 1, 0.5))
    patch.at(10, "play 1", box)
    patch.at(35, "tempo 60", box)  # a fifth of the step has gone
    patch.quit_at(1000)
    run = run_copy(patch)
    assert same(heard(run), [(0, "now 0"), (62.5, "then 0"), (225, "now 1"), (350, "then 1")])


@pytest.mark.parametrize("drive", ["tempo 97, steps 7, play 1", "metro"])
def test_what_is_due_when_a_step_is_released_leaves_before_it(run_copy: RunPd, drive: str) -> None:
    count = 150
    patch, box = a_late(*(("two", n, 2, "now", n, 0, "one", n, 1, "uno", n, 1) for n in range(count)))
    if drive == "metro":
        metro = patch.obj("metro 1 97 permin")
        patch.connect((metro, 0, box, 0))
        patch.at(10, "1", metro)
    else:
        patch.at(10, drive, box)
    patch.quit_at(count * 1000)
    words = [what for _, what in heard(run_copy(patch))]
    begin = (
        words.index("now 3") if drive == "metro" else 0
    )  # until then a length is not the distance of two bangs
    left = words[begin:]
    expected = [
        f"{word} {n - ago}"
        for n in range(3 if drive == "metro" else 0, count + 2)
        for word, ago in (("two", 2), ("one", 1), ("uno", 1), ("now", 0))
        if 0 <= n - ago < count
    ]
    expected = expected[expected.index("now 3") if drive == "metro" else 0 :]
    assert left == expected


WAITING = (60, 90, 0, 61, 90, 0.5, "word", 1, 0.6, 60, 0, 0.75, 61, 0, 3.5, 62, 90, 3)


@pytest.mark.parametrize("message", ["panic", "play 0"])
def test_silence_drops_what_waits(run_copy: RunPd, message: str) -> None:
    patch, box = a_late(WAITING, (), (63, 90, 1, 63, 0, 1.5))
    patch.at(10, "play 1", box)
    patch.at(80, message, box)  # two notes sound, the ends of both and another note wait
    patch.quit_at(2000)
    run = run_copy(patch)
    found = notes(run)
    assert found[:4] == near((0, 60, 90), (62.5, 61, 90), (70, 60, 0), (70, 61, 0))
    rest = near((3 * STEP, 63, 90), (3.5 * STEP, 63, 0)) if message == "panic" else []
    assert found[4:] == rest, "what comes after a panic is played"
    assert "word 1" not in [what for _, what in heard(run)]


def test_a_failure_drops_what_waits(run_copy: RunPd) -> None:
    patch, box = a_late(WAITING, ("fail",))
    patch.at(10, "play 1", box)
    patch.quit_at(2000)
    run = run_copy(patch)
    assert len(run.errors) == 1
    assert run.errors[0].startswith("late: the step failed: ZeroDivisionError: as told ")
    assert [(pitch, velocity) for _, pitch, velocity in notes(run)] == [(60, 90), (61, 90), (60, 0), (61, 0)]
    assert max(ms for ms, *_ in notes(run)) == pytest.approx(STEP)


@pytest.mark.parametrize("delay", ["-0.001", "nan", "inf"])
def test_a_delay_that_is_none_is_refused(run_copy: RunPd, delay: str) -> None:
    patch, box = a_late((60, 90, delay))
    patch.at(10, "bang", box)
    patch.quit_at(1000)
    run = run_copy(patch)
    assert heard(run) == []
    assert "late: the step failed: ValueError: a delay is 0 steps or more, and it ends" in run.errors[0]


def in_a_sub_patch(*steps: Told) -> Patch:
    """A [late] that [pd sub] has made of messages, so that messages can delete it."""
    patch = Patch()
    patch.lines += ["#N canvas 0 0 450 300 sub 0;", "#X restore 10 10 pd sub;"]
    patch.count += 1
    ear = patch.obj("ear")
    patch.connect((patch.obj("r notes"), 0, ear, 0))
    boxes = "obj 10 10 r ctl, obj 10 40 late, obj 10 70 s notes"
    patch.at(0, f"; pd-sub {boxes}, connect 0 0 1 0, connect 1 0 2 0")
    for told in steps:
        patch.at(1, " ".join(map(str, ("; ctl step", *told))))
    return patch


def test_a_deleted_object_sends_nothing_any_more(run_copy: RunPd) -> None:
    patch = in_a_sub_patch(WAITING)
    patch.at(10, "; ctl bang")
    patch.at(80, "; pd-sub clear")
    patch.quit_at(2000)
    run = run_copy(patch)
    assert run.errors == []
    assert run.returncode == 0
    assert notes(run) == near((0, 60, 90), (62.5, 61, 90), (70, 60, 0), (70, 61, 0))


@pytest.mark.parametrize("message", ["panic", "play 0"])
@pytest.mark.parametrize("delay", [0, 0.5])
def test_what_leads_to_silence_is_the_last_of_what_is_sent(
    run_copy: RunPd, message: str, delay: float
) -> None:
    patch, box = a_late((60, 90, delay, "cut", 0, delay, 61, 90, delay, 62, 90, 0.75))
    cut, silence = patch.obj("route cut"), patch.msg(message)
    patch.connect((box, 1, cut, 0), (cut, 0, silence, 0), (silence, 0, box, 0))
    patch.at(10, "play 1", box)
    patch.quit_at(1000)
    assert [(pitch, velocity) for _, pitch, velocity in notes(run_copy(patch))] == [(60, 90), (60, 0)]


def test_what_is_due_at_a_step_comes_before_it_with_all_that_it_leads_to(run_copy: RunPd) -> None:
    patch, box = a_late(("go", 0, 1), ("now", 1, 0), ("now", 2, 0, "stop", 0, 1), ("now", 3, 0))
    words, bang, stop = patch.obj("route go stop"), patch.obj("t b"), patch.msg("play 0")
    patch.connect((box, 1, words, 0), (words, 0, bang, 0), (words, 1, stop, 0))
    patch.connect((bang, 0, box, 0), (stop, 0, box, 0))
    patch.at(10, "play 1", box)
    patch.quit_at(1000)
    expected: Heard = [(0, "go 0"), (0, "now 1"), (0, "now 2"), (STEP, "stop 0")]
    assert same(heard(run_copy(patch)), expected)


def test_the_end_of_a_note_may_bang_and_silence_stays_silence(run_copy: RunPd) -> None:
    patch, box = a_late((60, 90, 0, "cut", 0, 0.5, 59, 90, 0.5), ("now", 1, 0, 58, 90, 0.5))
    cut, silence = patch.obj("route cut"), patch.msg("panic")
    patch.connect((box, 1, cut, 0), (cut, 0, silence, 0), (silence, 0, box, 0))
    velocity, is_off = patch.obj("unpack f f f"), patch.obj("sel 0")
    patch.connect((box, 0, velocity, 0), (velocity, 1, is_off, 0), (is_off, 0, box, 0))
    bangs(patch, box, 10)
    patch.quit_at(1000)
    expected: Heard = [(0, "list 60 90 1"), (62.5, "cut 0"), (62.5, "list 60 0 1"), (62.5, "now 1")]
    assert same(heard(run_copy(patch)), expected)


def test_what_is_due_may_bang_the_next_step(run_copy: RunPd) -> None:
    steps = [("now", n, 0, "next", n, 1, "late", n, 1) for n in range(20)]
    patch, box = a_late(*steps)
    onward, bang = patch.obj("route next"), patch.obj("t b")
    patch.connect((box, 1, onward, 0), (onward, 0, bang, 0), (bang, 0, box, 0))
    bangs(patch, box, 10)
    patch.quit_at(5000)
    run = run_copy(patch)
    assert run.errors == []
    expected: Heard = [(0, "now 0")]
    for n in range(1, 21):  # cords are followed in the order of their making: the ear hears of it first
        now = [(n * STEP, f"now {n}")] if n < 20 else []
        expected += [(n * STEP, f"next {n - 1}"), (n * STEP, f"late {n - 1}"), *now]
    assert same(heard(run), expected)


def test_a_delay_too_short_for_any_clock_is_none(run_copy: RunPd) -> None:
    patch, box = a_late(*(("next", n, 1e-9) for n in range(5000)))
    onward, bang = patch.obj("route next"), patch.obj("t b")
    patch.connect((box, 1, onward, 0), (onward, 0, bang, 0), (bang, 0, box, 0))
    bangs(patch, box, 10)
    patch.quit_at(1000)
    run = run_copy(patch)
    assert "stack overflow" in run.output, "as with no delay at all; a clock would go round for ever"


def test_an_older_step_never_has_the_last_word_on_a_note(run_copy: RunPd) -> None:
    patch, box = a_late((60, 90, 0.9), (60, 0, 0, 61, 90, 0, 61, 0, 0.95), (61, 80, 0.5), (61, 0, 0))
    bangs(patch, box, 10, 30, 40, 50)
    patch.quit_at(1000)
    expected = near((0, 60, 90), (0, 60, 0), (0, 61, 90), (15, 61, 0), (15, 61, 80), (20, 61, 0))
    assert notes(run_copy(patch)) == expected


def test_more_than_can_wait_leaves_early_and_whole(run_copy: RunPd) -> None:
    def step(n: int) -> Told:
        pitches = [*range(100), *range(128, 228)]
        return sum(((256 * (n % 4) + p, 90 if n < 4 else 0, 20 + p / 1000) for p in pitches), ())

    patch, box = a_late(*(step(n) for n in range(8)))
    patch.at(10, "play 1", box)
    patch.quit_at(20_000)
    run = run_copy(patch)
    assert run.errors == []
    found = notes(run)
    assert len(found) == 8 * 200
    assert [ms for ms, *_ in found] == sorted(ms for ms, *_ in found)


def test_no_note_sticks_whatever_the_bangs_and_the_tempo_do(run_copy: RunPd) -> None:
    draw = random.Random(4)
    pitches = range(60, 64)
    sounding: set[int] = set()
    steps: list[Told] = []
    for _ in range(300):
        told: list[Any] = []
        for pitch in draw.sample(pitches, 2):
            delay = draw.choice([0, 0, 3]) * draw.random()
            if pitch in sounding:
                told += [pitch, 0, delay]
                delay += draw.random()
            if pitch not in sounding or draw.random() < 0.5:
                told += [pitch, 90, delay]
                sounding.add(pitch)
            else:
                sounding.discard(pitch)
        steps.append(tuple(told))
    steps.append(sum(((pitch, 0, 0) for pitch in sounding), ()))
    patch, box = a_late(*steps)
    ms = 10.0
    for _ in range(302):
        patch.at(ms, draw.choice(["bang", "bang", "bang", f"tempo {draw.randint(30, 900)}, bang"]), box)
        ms += draw.choice([1, 20, 100, 500]) * draw.random()
    patch.quit_at(ms + 20_000)
    run = run_copy(patch)
    assert run.errors == []
    assert len(notes(run)) == sum(len(told) // 3 for told in steps), (
        "none is lost, and none sounds in the end"
    )


@pytest.mark.clock
@pytest.mark.parametrize("end", ["play 0", "leave"])
def test_in_real_time_it_is_the_same(run_copy: RunPd, end: str) -> None:
    patch = Patch()
    box, killer = patch.obj("late"), patch.obj("faulty")
    patch.log(box, 0, "note")
    for n in range(40):
        patch.at(0, f"step {60 + n} 90 0.25 {60 + n} 0 1.5", box)
    patch.at(100, "play 1", box)
    patch.at(1700, *("now leave", killer) if end == "leave" else (end, box))
    patch.quit_at(2600)
    run = run_copy(patch, batch=False)
    found = run.notes()
    starts = [sample for sample, _, velocity, _ in found if velocity]
    assert len(starts) > 5
    apart = [(late - early) / 5512.5 for early, late in pairwise(starts)]
    assert apart == pytest.approx([round(steps) for steps in apart], abs=1e-3)  # a busy machine may miss one
    assert sounding_after(found) == set()
    if end == "leave":
        assert "note: " not in run.output.split("late: Python has stopped")[1]
    else:
        assert max(sample for sample, *_ in found) == 1700 * 44.1
