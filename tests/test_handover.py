"""The hand-over: the real C and the real Python, in every order in which two threads reach what they share.

The laws are those of `externals/bridge/HANDOVER.md`; each check names the letter of its law.
"""

import ctypes
import functools
import itertools
import random
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bridge_in_c import Patch, library
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from neuralmidi.handover import Handover

FAILURE = -1
"""In the ring, in place of a step's number: what Python says when a step has failed."""

STEP = "."
FIRST_COMMAND = 0x100
"""A history is a text: a dot for a step, and for each command a letter of its own, from this one on."""

Library = ctypes.CDLL
Saved = tuple[Any, ...]


class Violation(AssertionError):  # noqa: N818 (a law's, not an error of the test)
    """A law is broken."""


def law(holds: bool, which: str) -> None:
    if not holds:
        raise Violation(which)


class Stumble(Exception):  # noqa: N818
    """What a step or a command may raise."""


@dataclass
class Historian:
    """A performer that does nothing but remember: its state is all that it has done."""

    state: str = ""
    stumbles: bool = False

    def step(self, step_ms: float) -> str:
        self.state += STEP
        if self.stumbles:
            raise Stumble
        return self.state

    def obey(self, command: int) -> None:
        self.state += chr(FIRST_COMMAND + command)

    def stumble(self) -> None:
        self.state += "?"
        raise Stumble


def commands_in(history: str) -> list[int]:
    return [ord(letter) - FIRST_COMMAND for letter in history if letter != STEP]


def go_on() -> None:
    """Pd does nothing in between."""


class World:
    """Python's thread and Pd's, one step of either at a time, and the laws.

    Attributes:
        meanwhile: what Pd does between two of Python's accesses to what they share.
        heard: the history of the last step released.
        issued: how many commands there were.
        has_failed: a step has failed and no command has come since, so that Python prepares nothing.
    """

    def __init__(
        self, c: Library, handover: Callable[..., Any] = Handover, look_ahead: int = 1, performer: Any = None
    ) -> None:
        self.c = c
        self.pd = c.test_new(1 << 20)
        self.performer = performer or Historian()
        self.python = handover(self.performer, self._view, self._send, look_ahead)
        self.meanwhile: Callable[[], None] = go_on
        self.heard, self.issued, self.has_failed = "", 0, False
        self._last_sent = 0
        self._deepest = look_ahead
        self._bytes = ctypes.create_string_buffer(c.test_step_bytes())
        self._words = ctypes.create_string_buffer(1 << 16)

    def close(self) -> None:
        self.c.test_free(self.pd)

    # --- what Pd does

    @property
    def can_drain(self) -> bool:
        return not self.c.test_is_empty(self.pd)

    @property
    def can_release(self) -> bool:
        return bool(self.c.test_ready(self.pd))

    def drain(self) -> None:
        self.c.test_drain(self.pd)
        law(self.c.test_ready(self.pd) <= self._deepest, "d: too many steps are ready")

    def drain_all(self) -> None:
        while self.can_drain:
            self.drain()

    def release_text(self) -> str:
        """The next step, without any law."""
        size = self.c.test_release(self.pd, self._bytes)
        return self._bytes.raw[16:size].decode()

    def release(self) -> None:
        before = self.c.test_released(self.pd)
        size = self.c.test_release(self.pd, self._bytes)
        if not size:
            return
        number, previous = struct.unpack_from("<QQ", self._bytes)
        history = self._bytes.raw[16:size].decode()
        law(number == self.c.test_released(self.pd), "a: a step is not what was prepared under its number")
        law(previous == before, "a: a step follows one that it was not prepared behind")
        law(history.startswith(self.heard), "a: a step does not go on from what was heard")
        news = history[len(self.heard) :]
        law(news.endswith(STEP) and news.count(STEP) == 1, "a: a step is lost or doubled")
        count = len(commands_in(self.heard))
        expected = range(count + 1, count + len(news))
        law(commands_in(news[:-1]) == list(expected), "c: a command is lost, doubled, or out of order")
        self.heard = history

    # --- what Python does

    def command(self) -> None:
        self.issued += 1
        self.python.command(functools.partial(self.performer.obey, self.issued))
        self.has_failed = False

    def bad_command(self) -> None:
        with pytest.raises(Stumble):
            self.python.command(self.performer.stumble)
        law("?" not in self.performer.state, "h: a command that failed has left something behind")

    def prepare(self) -> bool:
        return not self.has_failed and self.python.prepare()

    def fail(self) -> None:
        """A step fails: as in `neuralmidi.pd`, Python rewinds and tells Pd."""
        self.performer.stumbles = True
        try:
            self.python.prepare()
        except Stumble:
            self.python.rewind()
            self.has_failed = True
            self.meanwhile()
            self.c.test_send(self.pd, 0, 0, b"", 0)
        self.performer.stumbles = False

    def change_look_ahead(self, look_ahead: int) -> None:
        self.python.look_ahead = look_ahead
        self._deepest = max(self._deepest, look_ahead)

    def bang_and_wait(self) -> None:
        """`sync`: Pd waits for the very next step, takes it in and releases it."""
        self.python.prepare_next()
        self.drain_all()
        self.release()
        law(self.c.test_released(self.pd) == self._last_sent, "f: it is another step than Pd waited for")
        law(len(commands_in(self.heard)) == self.issued, "f: a command is not in the step that Pd waited for")

    def settle(self) -> None:
        """Python has one turn, Pd takes in all: all is ready, nothing is kept for long, all will be heard."""
        if self.has_failed:
            self.drain_all()
            law(not self.can_release, "g: something that was prepared before a failure can still sound")
            self.python.rewind()
            self.has_failed = False
        while self.prepare():
            pass
        self.drain_all()
        law(self.c.test_ready(self.pd) >= self.python.look_ahead, "d: not every step is ready")
        law(not self.prepare(), "d: there is more to do although all is ready")
        law(kept(self.python) <= self._deepest, "e: something is kept that nobody needs")
        self.release()
        law(len(commands_in(self.heard)) == self.issued, "b: a command is not in the very next step")

    def _view(self) -> tuple[int, int, float]:
        accepted = self.c.test_accepted(self.pd)
        self.meanwhile()
        return accepted, self.c.test_released(self.pd), 125.0

    def _send(self, number: int, previous: int, prepared: str) -> None:
        self.meanwhile()
        payload = struct.pack("<QQ", number, previous) + prepared.encode()
        law(self.c.test_send(self.pd, number, previous, payload, len(payload)), "the ring is full")
        self._last_sent = number

    # --- states to come back to

    def save(self) -> Saved:
        size = self.c.test_save(self.pd, self._words)
        words = self._words.raw[:size]
        self.c.test_load(self.pd, words)
        number = next(self.python._numbers)
        python = copied({**vars(self.python), "_numbers": number})
        self.python._numbers = itertools.count(number)
        return words, python, self.performer.state, self.heard, self.issued, self.has_failed

    def load(self, saved: Saved) -> None:
        words, python, self.performer.state, self.heard, self.issued, self.has_failed = saved
        vars(self.python).update(copied(python), _numbers=itertools.count(python["_numbers"]))
        self.c.test_load(self.pd, words)

    def pending(self) -> int:
        return self.issued - len(commands_in(self.heard))


def copied(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: v.copy() if isinstance(v, (list, dict)) else v for k, v in fields.items()}


def kept(handover: Any) -> int:
    """How many things a Handover remembers."""
    return sum(len(value) for value in vars(handover).values() if isinstance(value, (list, dict)))


# --- every interleaving -------------------------------------------------------------------------------------


def unpacked(words: bytes) -> tuple[int, int, list[tuple[int, str]], list[tuple[int, int, str]]]:
    """Of a state: accepted, released, the steps that are ready, the records under way."""
    accepted, released, ready, records = struct.unpack_from("<4Q", words)
    at = 32
    steps, ring = [], []
    for _ in range(ready):
        number, size = struct.unpack_from("<2Q", words, at)
        steps.append((number, words[at + 32 : at + 16 + size].decode()))
        at += 16 + (size + 7) // 8 * 8
    for _ in range(records):
        number, previous, size = struct.unpack_from("<3Q", words, at)
        ring.append((number or FAILURE, previous, words[at + 40 : at + 24 + size].decode()))
        at += 24 + (size + 7) // 8 * 8
    return accepted, released, steps, ring


def essence(saved: Saved) -> tuple[Any, ...]:
    """What of a state can matter from now on: two states of one essence behave alike for ever.

    What has been heard is left away, commands are counted back from the latest, and of steps' numbers only
    their order remains. Left away, too, is what nobody will look at again: the snapshots of steps that are
    neither ready nor under way, and what is in steps that are stale already.
    """
    words, python, _, heard, issued, has_failed = saved
    accepted, released, ready, ring = unpacked(words)
    base, line, dead = python["_base"], python["_line"], python["_dead"]

    def news(history: str) -> Any:
        """What a history adds to the one that was heard: 0 for a step, or how many commands ago."""
        if not history.startswith(heard):
            return None
        letters = history[len(heard) :]
        return tuple(0 if letter == STEP else issued - ord(letter) + FIRST_COMMAND + 1 for letter in letters)

    possible = {released, *(number for number, _ in ready)}  # what can still be the last step released
    under_way: list[tuple[Any, ...]] = []
    for number, previous, history in ring:
        if previous in possible and number != FAILURE:
            possible.add(number)
            under_way.append((number, previous, news(history)))
        else:
            under_way.append((number,))
    numbers = {FAILURE, base.number, *possible, *(n for n, *_ in under_way), *(mark.number for mark in line)}
    rank = {number: place for place, number in enumerate(sorted(numbers))}
    return (
        sum(mark.number <= accepted for mark in line),
        rank[released],
        tuple((rank[n], news(history)) for n, history in ready),
        tuple((rank[n], *((rank[rest[0]], rest[1]) if rest else ())) for n, *rest in under_way),
        rank[base.number],
        (news(base.state), issued - base.heard) if base.number == released else None,
        tuple((rank[m.number], news(m.state), issued - m.heard) for m in line),
        tuple((rank[n], news(m.state), issued - m.heard) for n, m in sorted(dead.items()) if n in possible),
        bool(dead),
        tuple(issued - command.args[0] for command in python["_commands"]),
        issued - len(commands_in(heard)),
        has_failed,
    )


def pd_comes_in(world: World, choose: Callable[[int], int], may_release: bool = True) -> None:
    """Pd does what is chosen; choice 0 is to do nothing more, so that Python goes on."""
    while True:
        options = [go_on]
        options += [world.drain] * world.can_drain
        options += [world.release] * (world.can_release and may_release)
        choice = choose(len(options))
        if not choice:
            return
        options[choice]()


@dataclass
class Explorer:
    """Visits every state that a world can come to.

    Attributes:
        world: starts new.
        commands: at most so many that have not been heard, or that Python keeps, at one time.
        records: at most so many under way to Pd at one time.
        seen: the essences of all states visited.
    """

    world: World
    commands: int
    records: int
    seen: set[Any] = field(default_factory=set)

    def explore(self) -> int:
        """Visit them all; returns how many there are."""
        todo: deque[Saved] = deque()
        self._visit(todo)
        while todo:
            state = todo.popleft()
            self.world.load(state)
            for action in self.actions():
                self._act(state, action, todo)
        return len(self.seen)

    def actions(self) -> list[Callable[[], object]]:
        """What may come next."""
        world = self.world
        under_way = len(unpacked(world.save()[0])[3])
        actions: list[Callable[[], object]] = [world.bad_command]
        if world.can_drain:
            actions += [world.drain]
        if world.can_release:
            actions += [world.release]
        if world.pending() < self.commands and len(world.python._commands) < self.commands:
            actions += [world.command]
        if under_way < self.records:
            actions += [world.prepare, world.bang_and_wait, world.fail]
        return actions

    def do(self, action: Callable[[], object], choose: Callable[[int], int]) -> None:
        """Act, with Pd coming in between as chosen; while it waits for a step it releases none."""
        may_release = action != self.world.bang_and_wait
        self.world.meanwhile = functools.partial(pd_comes_in, self.world, choose, may_release)
        action()
        self.world.meanwhile = go_on

    def _visit(self, todo: deque[Saved]) -> None:
        state = self.world.save()
        key = essence(state)
        if key not in self.seen:
            self.seen.add(key)
            todo.append(state)
            self.world.settle()

    def _act(self, state: Saved, action: Callable[[], object], todo: deque[Saved]) -> None:
        """Act in every way in which Pd can come in between: once by each script of choices."""
        scripts: list[list[int]] = [[]]
        while scripts:
            script = scripts.pop()
            taken: list[tuple[int, int]] = []
            beginning = len(script)

            def choose(count: int, script: list[int] = script, taken: list[tuple[int, int]] = taken) -> int:
                choice = script[len(taken)] if len(taken) < len(script) else 0
                taken.append((choice, count))
                return choice

            self.world.load(state)
            self.do(action, choose)
            choices = [choice for choice, _ in taken]
            for place in range(beginning, len(taken)):
                scripts += [[*choices[:place], other] for other in range(1, taken[place][1])]
            self._visit(todo)


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return library(tmp_path_factory.mktemp("c"))


@pytest.mark.parametrize(
    ("look_ahead", "commands", "records", "at_least"),
    [(1, 2, 3, 900), (2, 2, 3, 2400), (3, 2, 2, 1200)],
)
def test_every_law_holds_in_every_state_that_can_be_reached(
    c: Library, look_ahead: int, commands: int, records: int, at_least: int
) -> None:
    """However long it plays: the states repeat themselves, and none is left out."""
    assert Explorer(World(c, look_ahead=look_ahead), commands, records).explore() >= at_least


def test_no_walk_leaves_the_states_that_were_visited(c: Library) -> None:
    """The exploration takes states of one essence for one. If that were wrong, a walk would lead outside."""
    explorer = Explorer(World(c, look_ahead=2), commands=1, records=2)
    explorer.explore()
    draw = random.Random(1)
    for _ in range(100):
        walker = Explorer(World(c, look_ahead=2), explorer.commands, explorer.records)
        for _ in range(100):
            walker.do(draw.choice(walker.actions()), draw.randrange)
            assert essence(walker.world.save()) in explorer.seen
        walker.world.close()


# --- far beyond: any look-ahead, any number of commands -----------------------------------------------------


class Beyond(RuleBasedStateMachine):
    """As the exploration, without bounds."""

    c: Library
    handover: type[Handover[Any, Any]] = Handover

    @initialize(look_ahead=st.integers(1, 32))
    def begin(self, look_ahead: int) -> None:
        self.world = World(self.c, self.handover, look_ahead)

    def act(self, action: Callable[[], object], data: st.DataObject, may_release: bool = True) -> None:
        label = "0: Python goes on; else Pd takes in a record, or releases a step"
        choices = iter(data.draw(st.lists(st.integers(0, 2), max_size=10), label=label))

        def choose(count: int) -> int:
            return min(next(choices, 0), count - 1)

        self.world.meanwhile = functools.partial(pd_comes_in, self.world, choose, may_release)
        action()
        self.world.meanwhile = go_on

    @rule(data=st.data())
    def command(self, data: st.DataObject) -> None:
        self.act(self.world.command, data)

    @rule(data=st.data())
    def bad_command(self, data: st.DataObject) -> None:
        self.act(self.world.bad_command, data)

    @rule(data=st.data(), times=st.integers(1, 40))
    def prepare(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            if not self.world.prepare():
                return
        self.act(self.world.prepare, data)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.act(self.world.fail, data)

    @rule(data=st.data())
    def bang_and_wait(self, data: st.DataObject) -> None:
        self.act(self.world.bang_and_wait, data, may_release=False)

    @rule(look_ahead=st.integers(1, 32))
    def change_look_ahead(self, look_ahead: int) -> None:
        self.world.change_look_ahead(look_ahead)

    @rule(times=st.integers(1, 40))
    def drain(self, times: int) -> None:
        for _ in range(times):
            self.world.drain()

    @rule(times=st.integers(1, 40))
    def release(self, times: int) -> None:
        for _ in range(times):
            self.world.release()

    @rule()
    def settle(self) -> None:
        self.world.settle()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.close()


def play_beyond(c: Library, handover: type[Handover[Any, Any]] = Handover) -> None:
    Beyond.c, Beyond.handover = c, handover
    walks = settings(
        max_examples=200,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # the first walk that breaks a law says enough: no time for a shorter one
    )
    run_state_machine_as_test(Beyond, settings=walks)


def test_every_law_holds_beyond_the_bounds(c: Library) -> None:
    play_beyond(c)


# --- the checks can fail ------------------------------------------------------------------------------------


class ForgetsOlderLines(Handover[Any, Any]):
    def _rewind(self) -> None:
        super()._rewind()
        self._forget_dead()


class ForgetsOlderLinesWhenSent(Handover[Any, Any]):
    def _prepare(self, step_ms: float) -> None:
        super()._prepare(step_ms)
        self._forget_dead()


class ForgetsNothing(Handover[Any, Any]):
    def _forget_dead(self) -> None:
        pass


class LosesLateCommands(Handover[Any, Any]):
    def _replay(self, command: Any) -> None:
        pass


class RepeatsCommands(Handover[Any, Any]):
    def _replay(self, command: Any) -> None:
        command()
        command()


class ActsBehindWhatIsReady(Handover[Any, Any]):
    """As if a command were heard after the look-ahead."""

    def command(self, command: Any) -> None:
        self._look()
        command()
        self._commands.append(command)
        self._heard += 1


class WaitsForWhatIsReady(Handover[Any, Any]):
    def prepare_next(self) -> None:
        self._prepare(self._look())


class KeepsWhatFailed(Handover[Any, Any]):
    def command(self, command: Any) -> None:
        self._look()
        self._rewind()
        command()


class ReadsReleasedFirst(World):
    def _view(self) -> tuple[int, int, float]:
        released = self.c.test_released(self.pd)
        self.meanwhile()
        return self.c.test_accepted(self.pd), released, 125.0


def has_a_fault(world: World) -> bool:
    try:
        Explorer(world, commands=2, records=2).explore()
    except (Violation, LookupError, Stumble):
        return True
    return False


@pytest.mark.parametrize(
    "broken",
    [
        ForgetsOlderLines,
        ForgetsOlderLinesWhenSent,
        ForgetsNothing,
        LosesLateCommands,
        RepeatsCommands,
        ActsBehindWhatIsReady,
        WaitsForWhatIsReady,
        KeepsWhatFailed,
    ],
)
def test_a_fault_on_pythons_side_is_found(c: Library, broken: type[Handover[Any, Any]]) -> None:
    assert has_a_fault(World(c, broken, look_ahead=2))
    with pytest.raises((Violation, LookupError, Stumble)):
        play_beyond(c, broken)


def test_a_fault_in_the_order_of_reading_is_found(c: Library) -> None:
    assert has_a_fault(ReadsReleasedFirst(c, look_ahead=2))


@pytest.mark.parametrize(
    "patch",
    [
        ("handover.c", "    return -1;", "    return (int)h->count;"),  # accepts what is stale
        ("handover.c", "n++)\n        if (nth", "n++)\n        if (n && nth"),  # does not know all its line
        ("handover.c", "h->count = (unsigned)kept + 1;", "h->count++;"),  # keeps what stood there before
        ("handover.c", "return (int)n + 1;", "return (int)n;"),  # drops the step that the new one follows
        ("handover.c", "    h->count = 0;", "    (void)h;"),  # plays on after a failure
        ("handover.c", "accepted, number,", "accepted, number + 1,"),  # claims to have looked further
    ],
)
def test_a_fault_on_pds_side_is_found(tmp_path: Path, patch: Patch) -> None:
    assert has_a_fault(World(library(tmp_path, patch), look_ahead=2))


# --- single cases -------------------------------------------------------------------------------------------


@dataclass
class Counter:
    """A performer that only counts what it does."""

    state: int = 0

    def step(self, step_ms: float) -> str:
        self.state += 1
        return str(self.state)


def test_ten_thousand_commands_while_nothing_plays_leave_nothing_behind(c: Library) -> None:
    counter = Counter()
    world = World(c, look_ahead=4, performer=counter)
    for n in range(10_000):
        world.python.command(functools.partial(counter.step, 125.0))
        if n % 10 == 9:  # Pd looks at the ring now and then
            world.prepare()
            world.drain_all()
        assert kept(world.python) <= 4 + 20
    while world.prepare():
        world.drain_all()
    assert kept(world.python) == 4
    assert int(world.release_text()) == 10_001


def test_what_python_keeps_while_pd_stands_still_is_forgotten_when_it_goes_on(c: Library) -> None:
    world = World(c, look_ahead=4)
    for _ in range(100):
        world.command()
        world.prepare()
    assert kept(world.python) >= 100
    world.settle()
    assert kept(world.python) <= 4


def test_a_command_that_cannot_act_again_does_not_take_others_with_it(c: Library) -> None:
    world = World(c, look_ahead=2)
    times = []

    def moody() -> None:
        times.append(world.performer.state)
        if len(times) > 1:
            world.performer.stumble()
        world.performer.obey(1)

    while world.prepare():
        world.drain_all()
    world.python.command(moody)
    world.python.command(functools.partial(world.performer.obey, 2))
    world.release()
    with pytest.raises(Stumble):
        world.prepare()
    while world.prepare():
        world.drain_all()
    assert world.release_text() == ".\u0102."


def test_a_step_that_cannot_be_sent_is_tried_again(c: Library) -> None:
    world = World(c, look_ahead=2)
    send, world.python._send = world.python._send, lambda *_: world.performer.stumble()
    with pytest.raises(Stumble):
        world.prepare()
    world.python._send = send
    world.settle()


def test_the_line_takes_as_many_steps_as_it_has_places_and_no_more(c: Library) -> None:
    pd, places = c.test_new(1 << 16), c.test_lookahead()
    for number in range(1, places + 1):
        assert c.test_accept(pd, number, number - 1, b"x", 1)
    assert not c.test_accept(pd, places + 1, places, b"x", 1)
    assert (c.test_ready(pd), c.test_stale(pd), c.test_accepted(pd)) == (places, 1, places + 1)
    c.test_free(pd)


def test_a_step_comes_out_as_it_went_in_round_after_round(c: Library) -> None:
    pd, room = c.test_new(1 << 16), c.test_step_bytes()
    out = ctypes.create_string_buffer(room)
    assert c.test_release(pd, out) == 0
    for number in range(1, 100):
        step = bytes([number]) * (room - number)
        assert c.test_accept(pd, number, number - 1, step, len(step))
        size = c.test_release(pd, out)
        assert out.raw[:size] == step
        assert c.test_released(pd) == number
    assert not c.test_accept(pd, 100, 99, bytes(room + 1), room + 1), "larger than a step may be"
    c.test_clear(pd)
    assert c.test_released(pd) == 99
    c.test_free(pd)
