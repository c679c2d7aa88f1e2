"""The host in place of Pd: the same interface, and the real composer behind it."""

import ast
import importlib
import select
import sys
import threading
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from neuralmidi import bundle, transport
from neuralmidi.composer import Composer
from neuralmidi.host import OBJECT, WISHES, Gone, Host, Obeyed, Over, Said, Wrong
from neuralmidi.transport import STATUS, Step, Transport

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
ALICE, BOB = ("127.0.0.1", 1), ("127.0.0.1", 2)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that the served objects talk to, although they remember the first of the process."""
    host = Host(Transport())
    monkeypatch.setitem(sys.modules, "_neuralmidi", sys.modules.get("_neuralmidi", host))
    for module in ("neuralmidi.pd", "neuralmidi.server"):
        monkeypatch.setattr(importlib.import_module(module), "bridge", host)
    yield host
    assert host.close(10)


def new(host: Host) -> None:
    host.ask(0, "composer", "\x1f", str(DATA), kind=Host.REQUEST_NEW)


def answers(host: Host, last: str) -> list[Any]:
    """What comes until a wish has been obeyed, and all steps that follow."""
    results: list[Any] = []
    while not any(isinstance(each, Obeyed) and each.selector == last for each in results):
        assert host.has_results(10)
        results += host.results()
    while host.has_results(0.3):
        results += host.results()
    return results


def test_it_has_the_interface_of_the_bridge() -> None:
    stub = ast.parse((ROOT / "externals" / "_neuralmidi.pyi").read_text())
    functions = [each for each in stub.body if isinstance(each, ast.FunctionDef)]
    assert len(functions) > 10
    for function in functions:
        mine = list(signature(getattr(Host, function.name)).parameters)
        assert mine == ["self", *(argument.arg for argument in function.args.args)], function.name
    numbers = [
        each.target.id
        for each in stub.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and isinstance(each.annotation, ast.Name)
        and each.annotation.id == "int"
    ]
    assert len(numbers) > 5
    assert len({getattr(Host, name) for name in numbers}) == len(numbers)
    assert [each.name for each in stub.body if isinstance(each, ast.ClassDef)] == ["Gone"]
    assert Host.Gone is Gone


def test_the_outlets_are_those_of_the_composer(host: Host) -> None:
    composer = importlib.import_module("neuralmidi.objects.composer")
    assert (composer.NOTES, composer.STEPS, composer.STATUS) == (transport.NOTES, transport.STEPS, STATUS)


def test_steps_are_those_of_the_composer(host: Host) -> None:
    host.start()
    new(host)
    for selector, *atoms in (("smooth", 0), ("seed", 5), ("temperature", 1.5), ("composer", "tiny")):
        host.ask(0, str(selector), *atoms)
    results = answers(host, "composer")
    assert [each.message for each in results if isinstance(each, Said)] == [
        (STATUS, "ready", ("tiny",)),
        (STATUS, "grid", (4, 16)),
    ]
    steps = [each for each in results if isinstance(each, Step)]
    assert [(step.number, step.previous) for step in steps] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    composer = Composer(bundle.load(DATA / "tiny"), 5)
    composer.set("smooth", 0)
    composer.set("temperature", 1.5)
    expected = [composer.step(125) for _ in steps]
    assert [step.messages[0][0][2] for step in steps] == [(each.number, *each.pitches) for each in expected]


def test_every_error_finds_who_has_led_to_it(host: Host) -> None:
    host.start()
    new(host)
    host.ask(0, "composer", "tiny")
    host.ask(0, "temperature", 0.5, asker=ALICE)
    host.ask(0, "temperature", 9.0, asker=BOB)
    host.ask(0, "blend", "bach", asker=ALICE)
    host.ask(0, "models", asker=BOB)
    host.ask(0, "density", 0.5, asker=ALICE)
    results = [each for each in answers(host, "density") if not isinstance(each, Step)]
    assert Obeyed(ALICE, "temperature", (0.5,)) in results
    wrong = [(each.asker, each.text.split(":")[1]) for each in results if isinstance(each, Wrong)]
    assert wrong == [(BOB, " temperature"), (ALICE, " blend")]
    assert [each.selector for each in results if isinstance(each, Obeyed)] == [
        "composer",
        "composer",
        "temperature",
        "models",
        "density",
    ]
    assert {each.asker for each in results if isinstance(each, Said) and each.message[1] == "model"} == {BOB}


def test_a_change_acts_on_what_is_prepared_anew(host: Host) -> None:
    host.start()
    new(host)
    host.ask(0, "composer", "tiny")
    answers(host, "composer")
    host.ask(0, "tempo", 90.0, 0.0)
    host.ask(0, "seed", 9.0)
    steps = [each for each in answers(host, "seed") if isinstance(each, Step)]
    assert steps[0].previous == 0
    assert len(steps) == 4


def test_a_step_that_fails_says_so_to_all(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Composer, step_ms: float) -> None:
        raise RuntimeError("broken")

    host.start()
    new(host)
    monkeypatch.setattr(Composer, "step", broken)
    host.ask(0, "composer", "tiny", asker=ALICE)
    (wrong,) = (each for each in answers(host, "composer") if isinstance(each, Wrong))
    assert (wrong.asker, wrong.failed) == (None, True)
    assert wrong.text.startswith("composer: the step failed: RuntimeError: broken")


def test_a_flood_is_dropped_and_counted() -> None:
    host = Host(Transport())
    assert [host.ask(0, "seed", 1.0) for _ in range(WISHES + 3)].count(False) == 3
    assert host.counters(OBJECT) == {"underruns": 0, "dropped": 3}
    assert host.ask(0, "", kind=Host.REQUEST_SILENCED)
    assert len(host.wait()) == WISHES + 1
    assert host.poll() == []


def test_what_is_handed_over_is_checked_before_it_is_played() -> None:
    host = Host(Transport())
    host.step(OBJECT, 1, 0, 4, 0, [(0, "list", (60, 100, 1)), (0, "list", [60, 0, 1], 0.5)])
    assert list(host.results()) == [
        Step(1, 0, 4.0, 0.0, (((0, "list", (60, 100, 1)), 0.0), ((0, "list", (60, 0, 1)), 0.5)))
    ]
    for per_beat, message in (
        (0, (0, "list", ())),
        (float("inf"), (0, "list", ())),
        (4, (0, "list", (), -1.0)),
        (4, (0, "list", (), float("nan"))),
        (4, (0, "list", (float("nan"),))),
        (4, (0, "list")),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - the words are for whoever writes an object
            host.step(OBJECT, 2, 1, per_beat, 0, [message])
    assert list(host.results()) == []


def test_the_composer_hears_how_far_the_music_has_come() -> None:
    music = Transport()
    host = Host(music)
    music.accept(0, Step(1, 0))
    music.tempo(0, 60)
    assert host.view(OBJECT) == (1, 0, 1000)
    music.play(0, True)
    assert host.view(OBJECT) == (1, 1, 1000)
    host.wake()
    assert host.wait() == []


def test_a_thread_that_ends_says_why(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(importlib.import_module("neuralmidi.server"), "run", broken)
    host.start()
    assert select.select([host], [], [], 10)[0]
    assert host.reason == "RuntimeError: no memory"


def test_a_thread_that_is_stuck_is_left_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    leave = threading.Event()

    def stuck() -> None:
        leave.wait()
        host.poll()

    monkeypatch.setattr(importlib.import_module("neuralmidi.server"), "run", stuck)
    host.start()
    assert not host.close(0.05)
    leave.set()
    assert host.close(10)
    assert host.reason == ""
    with pytest.raises(Over):
        host.view(OBJECT)
