"""The transport without Pd: whole performances as timelines, and the same answers as the real C gives."""

import ctypes
import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import test_later
from bridge_in_c import library
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from neuralmidi.transport import (
    COMPLAINT,
    LOOK_AHEAD,
    NOTES,
    PATIENCE,
    STATUS,
    STEPS,
    UNDERRUN,
    Later,
    Line,
    Message,
    Step,
    Transport,
    Waiting,
)

Event = list[Any]
Action = tuple[float, str, tuple[Any, ...]]

FOREVER = 10**6


def on(pitch: int, velocity: int = 100, channel: int = 1) -> Message:
    return NOTES, "list", (pitch, velocity, channel)


def off(pitch: int, channel: int = 1) -> Message:
    return NOTES, "list", (pitch, 0, channel)


def told(message: Message) -> list[Any]:
    outlet, selector, atoms = message
    if outlet != NOTES:
        return [selector, *atoms]
    pitch, velocity, _ = atoms
    return ["on" if velocity else "off", pitch]


class Performance:
    """A transport on a clock that nobody has to wait for."""

    def __init__(self) -> None:
        self.silences = 0
        self.transport = Transport(self._count)
        self.now = 0.0
        self.events: list[Event] = []
        self._number = 0

    def _count(self) -> None:
        self.silences += 1

    def until(self, time: float) -> "Performance":
        while (due := self.transport.next_due()) is not None and due <= time:
            self.now = max(self.now, due)
            self.hear(self.transport.advance(self.now))
        self.now = time
        return self

    def hear(self, messages: list[Message]) -> None:
        self.events += [[round(self.now, 3), *told(message)] for message in messages]

    def prepare(self, *steps: list[Message | tuple[Message, float]], per_beat: float = 4) -> "Performance":
        """Hand over steps, one behind the other."""
        for messages in steps:
            self._number += 1
            laid_out = tuple(m if len(m) == 2 else (m, 0.0) for m in messages)
            self.hear(
                self.transport.accept(
                    self.now, Step(self._number, self._number - 1, per_beat, messages=laid_out)
                )
            )
        return self

    def do(self, what: str, *arguments: Any) -> "Performance":
        self.hear(getattr(self.transport, what)(self.now, *arguments))
        return self


def test_steps_sound_in_time() -> None:
    performance = Performance().prepare([on(60)], [off(60), on(62)], [off(62)])
    performance.do("play", True).until(250)
    assert performance.events == [[0, "on", 60], [125, "off", 60], [125, "on", 62], [250, "off", 62]]


def test_it_begins_when_its_first_step_is_ready() -> None:
    performance = Performance().do("play", True).until(1000)
    assert performance.transport.next_due() is None
    assert performance.prepare([on(60)], [off(60)]).until(1200).events == [
        [1000, "on", 60],
        [1125, "off", 60],
    ]


def test_a_step_is_as_long_as_its_head_says() -> None:
    performance = Performance().prepare([on(60)], per_beat=12).prepare([off(60)], [on(62)], per_beat=3)
    performance.do("play", True).until(300)
    assert performance.events == [[0, "on", 60], [41.667, "off", 60], [208.333, "on", 62]]


def test_chosen_steps_count_until_a_step_forgets_them() -> None:
    transport = Transport()
    transport.play(0, True)
    transport.accept(0, Step(1, 0))
    transport.steps(0, 2)
    transport.accept(0, Step(2, 1))
    transport.accept(0, Step(3, 2, forgets=1))
    assert transport.next_due() == 250
    transport.advance(250)
    assert transport.next_due() == 500
    transport.advance(500)
    assert transport.next_due() == 625
    transport.steps(500, 2)  # another choice is not forgotten
    transport.accept(500, Step(4, 3, forgets=1))
    transport.advance(750)
    assert transport.next_due() == 1000


@pytest.mark.parametrize(
    ("bpm", "second", "third"), [(240, 93.75, 156.25), (60, 187.5, 437.5), (120, 125, 250)]
)
def test_a_tempo_bends_the_running_step(bpm: float, second: float, third: float) -> None:
    performance = Performance().prepare([on(60)], [off(60)], [on(62)]).do("play", True).until(62.5)
    performance.do("tempo", bpm).until(1000)
    assert performance.events[:3] == [[0, "on", 60], [second, "off", 60], [third, "on", 62]]


def test_a_tempo_before_the_music_is_its_tempo() -> None:
    performance = Performance().do("tempo", 60).until(5000).prepare([on(60)], [off(60)]).do("play", True)
    assert performance.until(5250).events == [[5000, "on", 60], [5250, "off", 60]]


def test_what_is_late_leaves_later() -> None:
    performance = Performance().prepare([(on(60), 0.2), on(62), (on(64), 1.5)], [off(62), off(60)])
    performance.do("play", True).until(200)
    assert performance.events == [
        [0, "on", 62],
        [25, "on", 60],
        [125, "off", 62],
        [125, "off", 60],
        [187.5, "on", 64],
    ]


def test_the_end_of_a_note_never_overtakes_its_start() -> None:
    performance = Performance().prepare([(on(60), 2.0)], [off(60)], []).do("play", True).until(374)
    assert performance.events == [[125, "on", 60], [125, "off", 60]]


def test_what_is_due_with_a_step_leaves_before_it() -> None:
    performance = Performance().prepare([(on(60), 1.0), (on(61), 1.0)], [off(60)]).do("play", True).until(125)
    assert performance.events == [[125, "on", 60], [125, "on", 61], [125, "off", 60]]


def test_a_step_does_not_hurry_its_own_messages() -> None:
    performance = Performance().prepare([(on(60), 0.5), (off(60), 0.2)], []).do("play", True).until(100)
    assert performance.events == [[62.5, "on", 60]]


def test_what_is_due_leaves_before_a_missed_step_ends_it() -> None:
    performance = Performance().prepare([(on(60), 2.0)]).do("play", True).until(250)
    notes = [event for event in performance.events if event[1] in ("on", "off")]
    assert notes == [[250, "on", 60], [250, "off", 60]]


def test_a_tempo_leaves_what_waits_where_it_is() -> None:
    performance = Performance().prepare([(on(60), 0.5)], []).do("play", True).do("tempo", 30).until(100)
    assert performance.events == [[62.5, "on", 60]]


@pytest.mark.parametrize("what", [("play", False), ("panic",), ("fail", "composer: broken")])
def test_silence_ends_notes_and_drops_what_waits(what: tuple[Any, ...]) -> None:
    performance = Performance().prepare([on(60), on(64), (on(67), 0.5)], [on(70)]).do("play", True).until(20)
    performance.do(*what)
    assert performance.events[2:4] == [[20, "off", 60], [20, "off", 64]]
    assert performance.transport.sounding == []
    assert performance.silences == 1
    assert ["on", 67] not in [event[1:] for event in performance.until(124).events]


def test_play_0_stops_the_clock_and_play_1_goes_on_with_what_is_ready() -> None:
    performance = Performance().prepare([on(60)], [on(62)]).do("play", True).until(50).do("play", False)
    assert performance.until(FOREVER).events == [[0, "on", 60], [50, "off", 60]]
    assert performance.do("play", False).silences == 1
    performance.events.clear()
    assert performance.do("play", True).do("play", True).events == [[FOREVER, "on", 62]]


def test_two_steps_missed_in_a_row_end_the_notes() -> None:
    performance = Performance().prepare([on(60)]).do("play", True).until(375)
    assert performance.events == [
        [0, "on", 60],
        [125, "underrun", 1],
        [125, "error", UNDERRUN],
        [250, "off", 60],
        [250, "underrun", 2],
        [375, "underrun", 3],
    ]
    assert performance.silences == 1
    assert performance.transport.underruns == 3


def test_one_missed_step_is_a_longer_note() -> None:
    performance = Performance().prepare([on(60)]).do("play", True).until(130).prepare([off(60)]).until(300)
    assert [event for event in performance.events if event[1] in ("on", "off")] == [
        [0, "on", 60],
        [250, "off", 60],
    ]


def test_underruns_are_explained_once_a_second() -> None:
    performance = Performance().prepare([]).do("play", True).until(3000)
    complaints = [time for time, what, *_ in performance.events if what == "error"]
    assert len(complaints) == 3
    assert min(b - a for a, b in pairwise(complaints)) >= COMPLAINT


def test_after_a_failure_nothing_prepared_sounds_until_there_is_more() -> None:
    performance = Performance().prepare([on(60)], [on(62)]).do("play", True).do("fail", "why").until(300)
    assert performance.events[1:] == [
        [0, "off", 60],
        [0, "error", "why"],
        [125, "underrun", 1],
        [250, "underrun", 2],
    ]
    performance.events.clear()
    performance._number = performance.transport.line.released
    assert performance.prepare([on(64)]).until(400).events == [[375, "on", 64]]
    assert [500, "error", UNDERRUN] in performance.until(500).events


def test_nothing_ends_that_does_not_sound_nor_begins_twice() -> None:
    performance = Performance().prepare(
        [off(60), on(60), on(60, 90), off(60), off(60), on(128), on(60, 9, 17)]
    )
    ended_first = [[0, "on", 60], [0, "off", 60], [0, "on", 60], [0, "off", 60]]
    assert performance.do("play", True).events == ended_first


def test_other_outlets_pass() -> None:
    performance = Performance().prepare(
        [(STEPS, "step", (0, 60)), (STEPS, "vel", (60, 9, 1)), (STATUS, "so", ())]
    )
    assert performance.do("play", True).events == [[0, "step", 0, 60], [0, "vel", 60, 9, 1], [0, "so"]]


@pytest.mark.parametrize(("late", "times"), [(PATIENCE, [125, 250]), (2000.0, [2125, 2250])])
def test_a_little_time_is_caught_up_with_and_a_lot_is_lost(late: float, times: list[float]) -> None:
    transport = Transport()
    for number in range(1, 20):
        transport.accept(0, Step(number, number - 1, messages=(((STEPS, "step", (number,)), 0.0),)))
    transport.play(0, True)
    assert len(transport.advance(125 + late)) == 1
    assert transport.next_due() == times[1]


def test_what_waits_is_late_with_the_rest() -> None:
    performance = Performance().prepare([(on(60), 0.4), (on(62), 0.8)], []).do("play", True)
    performance.now = 1050
    performance.hear(performance.transport.advance(1050))
    assert performance.until(1110).events == [[1050, "on", 60], [1100, "on", 62]]


# --- as the real C -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handover_c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return library(tmp_path_factory.mktemp("handover"))


@pytest.fixture(scope="module")
def later_c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return test_later.library(tmp_path_factory.mktemp("later"))


class Lines(RuleBasedStateMachine):
    """`Line` beside `handover.c`."""

    c: ctypes.CDLL

    @initialize()
    def begin(self) -> None:
        self.python, self.pd, self.number = Line(), self.c.test_new(1 << 20), 0
        self.bytes = ctypes.create_string_buffer(self.c.test_step_bytes())

    def teardown(self) -> None:
        self.c.test_free(self.pd)

    @rule(ago=st.integers(0, 6), times=st.sampled_from([1, 1, 3, LOOK_AHEAD + 2]))
    def accept(self, ago: int, times: int) -> None:
        for _ in range(times):
            self.number += 1
            previous = max(0, self.number - 1 - ago)
            payload = struct.pack("<Q", self.number)
            fits = self.c.test_accept(self.pd, self.number, previous, payload, len(payload))
            assert self.python.accept(Step(self.number, previous)) == bool(fits)
            ago = 0

    @rule()
    def release(self) -> None:
        step = self.python.release()
        size = self.c.test_release(self.pd, self.bytes)
        assert (step.number if step else None) == (struct.unpack_from("<Q", self.bytes)[0] if size else None)

    @rule()
    def clear(self) -> None:
        self.python.clear()
        self.c.test_clear(self.pd)

    @invariant()
    def both_know_the_same(self) -> None:
        if not hasattr(self, "python"):
            return
        line = self.python
        assert [line.accepted, line.released, line.stale, len(line)] == [
            getattr(self.c, f"test_{name}")(self.pd) for name in ("accepted", "released", "stale", "ready")
        ]


class Laters(RuleBasedStateMachine):
    """`Later` beside `later.c`: times of Pd's, of which 14112 are a ms."""

    c: ctypes.CDLL

    @initialize()
    def begin(self) -> None:
        self.python, self.pd, self.count = Later(), test_later.Later(), 0

    def teardown(self) -> None:
        self.c.later_free(self.pd)

    @rule(due=st.integers(0, 20), hair=st.sampled_from([0, 0, 0.05]), note=st.sampled_from([None, 1, 1, 2]))
    def put(self, due: int, hair: float, note: int | None) -> None:
        self.count += 1
        head = test_later.Head(due + hair, self.count // 2, test_later.NO_NOTE if note is None else note, 8)
        assert self.c.later_put(self.pd, head, struct.pack("<Q", self.count))
        of = None if note is None else (1, note)
        self.python.put(Waiting((due + hair) / 14112, self.count // 2, of, (STATUS, "n", (self.count,))))

    @rule(due=st.integers(0, 20), note=st.sampled_from([1, 2]), ago=st.integers(0, 4))
    def hurry(self, due: int, note: int, ago: int) -> None:
        if (step := self.count // 2 - ago) >= 0:
            self.c.later_hurry(self.pd, test_later.Head(due, step, note, 8))
            self.python.hurry((1, note), step, due / 14112)

    @rule(times=st.sampled_from([1, 2, 30]))
    def take(self, times: int) -> None:
        for _ in range(times):
            waiting = self.python.next()
            assert bool(self.c.later_next(self.pd)) == bool(waiting)
            if not waiting:
                return
            found = ctypes.create_string_buffer(8)
            self.c.later_take(self.pd, found)
            assert self.python.take(waiting)[2] == struct.unpack("<Q", found.raw)

    @rule()
    def clear(self) -> None:
        self.c.later_clear(self.pd)
        self.python.clear()


def run(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=60, deadline=None))


def test_the_line_is_that_of_the_bridge(handover_c: ctypes.CDLL) -> None:
    run(type("Compared", (Lines,), {"c": handover_c}))


def test_what_leaves_later_is_as_in_the_bridge(later_c: ctypes.CDLL) -> None:
    run(type("Compared", (Laters,), {"c": later_c}))


# --- whatever happens --------------------------------------------------------------------------------------


class Anything(RuleBasedStateMachine):
    """Every end has a start, silence is silence, and what is due is done."""

    def __init__(self) -> None:
        super().__init__()
        self.performance = Performance()
        self.heard: set[int] = set()
        self.number = 0

    @property
    def transport(self) -> Transport:
        return self.performance.transport

    def listen(self) -> None:
        for _, what, *atoms in self.performance.events:
            if what == "on":
                self.heard.add(atoms[0])
            elif what == "off":
                assert atoms[0] in self.heard, "a note ends that does not sound"
                self.heard.remove(atoms[0])
        self.performance.events.clear()

    def act(self, action: Callable[[], object]) -> None:
        action()
        self.listen()

    @rule(
        ago=st.integers(0, 3),
        messages=st.lists(
            st.tuples(
                st.integers(60, 63), st.sampled_from([0, 100]), st.sampled_from([0.0, 0.0, 0.3, 1.0, 2.5])
            ),
            max_size=4,
        ),
        per_beat=st.sampled_from([4, 12, 3]),
    )
    def accept(self, ago: int, messages: list[tuple[int, int, float]], per_beat: float) -> None:
        self.number += 1
        laid_out = tuple((on(pitch, velocity), delay) for pitch, velocity, delay in messages)
        step = Step(self.number, max(0, self.number - 1 - ago), per_beat, messages=laid_out)
        self.act(lambda: self.performance.hear(self.transport.accept(self.performance.now, step)))

    @rule(ms=st.sampled_from([1, 10, 125, 700]))
    def wait(self, ms: float) -> None:
        self.act(lambda: self.performance.until(self.performance.now + ms))
        self.nothing_that_is_due_is_left()

    @rule(ms=st.sampled_from([60, 2000]))
    def stand_still(self, ms: float) -> None:
        self.performance.now += ms
        self.act(lambda: self.performance.hear(self.transport.advance(self.performance.now)))
        self.nothing_that_is_due_is_left()

    def nothing_that_is_due_is_left(self) -> None:
        due = self.transport.next_due()
        assert due is None or due > self.performance.now

    @rule(bpm=st.sampled_from([1, 60, 1000]))
    def tempo(self, bpm: float) -> None:
        self.act(lambda: self.performance.do("tempo", bpm))

    @rule(per_beat=st.sampled_from([1, 48]))
    def steps(self, per_beat: float) -> None:
        self.act(lambda: self.performance.do("steps", per_beat))

    @rule(is_on=st.booleans())
    def play(self, is_on: bool) -> None:
        self.act(lambda: self.performance.do("play", is_on))
        assert is_on or not self.heard

    @rule(what=st.sampled_from([("panic",), ("fail", "why")]))
    def silence(self, what: tuple[Any, ...]) -> None:
        self.act(lambda: self.performance.do(*what))
        assert not self.heard

    @invariant()
    def it_knows_what_sounds(self) -> None:
        assert {pitch for _, pitch in self.transport.sounding} == self.heard

    def teardown(self) -> None:
        self.performance.hear(self.transport.bury())
        self.listen()
        assert not self.heard


def test_whatever_happens_ons_and_offs_are_balanced() -> None:
    run(Anything)
