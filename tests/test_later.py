"""What waits to leave later: the real C against a list."""

import ctypes
import shutil
from ctypes import POINTER, c_bool, c_char_p, c_double, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import pytest
from bridge_in_c import BRIDGE, Patch, compile_c
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

NO_NOTE = -1
STEP = 48 * 1024
ROOM = 128 * 1024


class Head(ctypes.Structure):
    """`later_message`, without its bytes."""

    _fields_ = (("due", c_double), ("step", c_uint64), ("note", c_int32), ("size", c_uint32))


class Later(ctypes.Structure):
    """`later`."""

    _fields_ = (("bytes", c_void_p), ("size", c_size_t))


HEAD = ctypes.sizeof(Head)


def library(folder: Path, *patches: Patch) -> ctypes.CDLL:
    """`later.c`, callable, broken on purpose if there are patches."""
    for name in ("later.c", "later.h", "handover.h"):
        shutil.copy(BRIDGE / name, folder)
    for name, old, new in patches:
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{name} has changed: the patch of {old!r} does not fit any more"
        (folder / name).write_text(text.replace(old, new))
    c = ctypes.CDLL(str(compile_c(folder, [folder / "later.c"], "later.so", "-O1", "-shared", "-fPIC")))
    signatures = {
        "put": (c_bool, POINTER(Head), c_char_p),
        "next": (POINTER(Head),),
        "take": (None, c_char_p),
        "hurry": (None, POINTER(Head)),
        "is_crowded": (c_bool,),
        "clear": (None,),
        "free": (None,),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(c, f"later_{name}")
        function.restype, function.argtypes = result, [POINTER(Later), *arguments]
    return c


class Waiting(RuleBasedStateMachine):
    """A list of (due, step, note, bytes), in the order in which they came."""

    c: ctypes.CDLL

    @initialize()
    def begin(self) -> None:
        self.later = Later()
        self.list: list[tuple[float, int, int, bytes]] = []
        self.step = 0

    @property
    def used(self) -> int:
        return sum(HEAD + len(message) for *_, message in self.list)

    def next(self) -> tuple[float, int, int, bytes]:
        return min(self.list, key=lambda each: each[0])  # the first of those that are equal

    @rule(
        due=st.integers(0, 20),
        note=st.sampled_from([NO_NOTE, 1, 1, 2]),
        words=st.integers(1, 12) | st.integers(1, 3072),
        times=st.sampled_from([1, 1, 1, 40]),
    )
    def put(self, due: int, note: int, words: int, times: int) -> None:
        for _ in range(times):
            self.step += 1
            message = self.step.to_bytes(8, "little") * words
            head = Head(due, self.step // 2, note, len(message))
            fits = self.used + HEAD + len(message) <= ROOM
            assert self.c.later_put(self.later, head, message) == fits
            if fits:
                self.list.append((due, self.step // 2, note, message))

    @rule(due=st.integers(0, 20), note=st.sampled_from([1, 2]), ago=st.integers(0, 4))
    def hurry(self, due: int, note: int, ago: int) -> None:
        step = self.step // 2 - ago
        if step < 0:
            return
        self.c.later_hurry(self.later, Head(due, step, note, 8))
        self.list = [
            (min(each[0], due) if each[1] < step and each[2] == note else each[0], *each[1:])
            for each in self.list
        ]

    @rule(times=st.sampled_from([1, 2, 30]))
    def take(self, times: int) -> None:
        for _ in range(min(times, len(self.list))):
            expected = self.next()
            found = ctypes.create_string_buffer(len(expected[3]))
            self.c.later_take(self.later, found)
            assert found.raw == expected[3]
            self.list.remove(expected)

    @rule()
    def clear(self) -> None:
        self.c.later_clear(self.later)
        self.list.clear()

    @invariant()
    def it_knows_what_is_next_and_how_much_room_there_is(self) -> None:
        if not hasattr(self, "later"):
            return
        found = self.c.later_next(self.later)
        assert bool(found) == bool(self.list)
        if self.list:
            assert found.contents.due == self.next()[0]
            assert found.contents.step == self.next()[1]
        assert self.c.later_is_crowded(self.later) == (self.used + STEP > ROOM)

    def teardown(self) -> None:
        if hasattr(self, "later"):
            self.c.later_free(self.later)
            assert not self.later.bytes


def play(c: ctypes.CDLL) -> None:
    Waiting.c = c
    walks = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(Waiting, settings=walks)


def test_they_leave_in_time_and_as_they_came(tmp_path: Path) -> None:
    play(library(tmp_path))


@pytest.mark.parametrize(
    "patch",
    [
        ("later.c", "first->due - LATER_HAIR", "first->due + LATER_HAIR"),
        ("later.c", "m->step < head->step", "m->step <= head->step"),
        ("later.c", "m->note == head->note && ", ""),
        ("later.c", " && m->due > head->due", ""),
        ("later.c", "l->size + whole(head) > LATER_BYTES", "l->size + whole(head) >= LATER_BYTES - 8"),
        ("later.c", "(size_t)(l->bytes + l->size - begin)", "0"),
        ("later.c", "l->size = 0;", "(void)l;"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, patch: Patch) -> None:
    with pytest.raises(AssertionError):
        play(library(tmp_path, patch))


def test_what_rounding_parts_leaves_as_it_came(tmp_path: Path) -> None:
    c, later = library(tmp_path), Later()
    for step, due in enumerate((1e9 + 1e-4, 1e9)):  # in Pd's unit of time
        assert c.later_put(later, Head(due, step, NO_NOTE, 8), bytes(8))
    assert c.later_next(later).contents.step == 0
    c.later_free(later)
