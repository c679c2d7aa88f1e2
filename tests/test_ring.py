"""The ring: against a queue, with all sizes; and between two real threads, under ThreadSanitizer."""

import ctypes
import platform
import subprocess
from collections import deque
from pathlib import Path

import pytest
from bridge_in_c import SHIM, Patch, compile_c, library, patched
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

HEADER = 8
"""Bytes in front of every record."""


def padded(size: int) -> int:
    return (size + 7) // 8 * 8


class Ring(RuleBasedStateMachine):
    """What goes in comes out, in order, from inside of the ring, and nothing overwrites what is unread."""

    c: ctypes.CDLL

    @initialize(bits=st.integers(6, 12))
    def begin(self, bits: int) -> None:
        self.size = 1 << bits
        self.ring = self.c.test_ring_new(self.size)
        self.start = self.c.test_ring_start(self.ring)
        self.records: deque[bytes] = deque()
        self.count = 0

    def reserve(self, size: int, spare: int) -> int | None:
        used = self.c.test_ring_used(self.ring)
        place: int | None = self.c.test_ring_reserve(self.ring, size, spare)
        if place is None:
            # At worst the record does not fit before the end and starts again at the beginning.
            assert used + 2 * (HEADER + padded(size)) + spare > self.size, "refused, although there is room"
        else:
            assert place % 8 == 0
            assert self.start + HEADER <= place
            assert place + size <= self.start + self.size
            assert used + HEADER + padded(size) + spare <= self.size, "the reserve is used up"
        return place

    @rule(size=st.integers(0, 3000), spare=st.sampled_from([0, 0, 64, 500]))
    def write(self, size: int, spare: int) -> None:
        place = self.reserve(size % self.size, spare)
        if place is None:
            return
        self.count += 1
        record = bytes((self.count + i) % 256 for i in range(size % self.size))
        ctypes.memmove(place, record, len(record))
        self.c.test_ring_commit(self.ring)
        self.records.append(record)

    @rule(size=st.integers(0, 3000))
    def reserve_and_think_better_of_it(self, size: int) -> None:
        place = self.reserve(size % self.size, 0)
        if place is not None:
            ctypes.memset(place, 0xFF, size % self.size)

    @rule(times=st.integers(1, 5))
    def read(self, times: int) -> None:
        for _ in range(times):
            if self.front() is not None:
                self.records.popleft()
                self.c.test_ring_pop(self.ring)

    @invariant()
    def the_oldest_is_in_front(self) -> None:
        if hasattr(self, "ring"):
            assert self.front() == (self.records[0] if self.records else None)
            used = self.c.test_ring_used(self.ring)
            assert bool(self.c.test_ring_half_full(self.ring)) == (used > self.size // 2)

    def front(self) -> bytes | None:
        size = ctypes.c_size_t()
        place = self.c.test_ring_front(self.ring, ctypes.byref(size))
        if place is None:
            return None
        assert self.start + HEADER <= place <= place + size.value <= self.start + self.size
        return ctypes.string_at(place, size.value)

    @rule()
    def read_all(self) -> None:
        while self.records:
            self.the_oldest_is_in_front()
            self.read(1)
        assert self.c.test_ring_used(self.ring) == 0

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            self.c.test_ring_free(self.ring)


def play(c: ctypes.CDLL) -> None:
    Ring.c = c
    walks = settings(
        max_examples=150,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(Ring, settings=walks)


def test_it_is_a_queue(tmp_path: Path) -> None:
    play(library(tmp_path))


@pytest.mark.parametrize(
    "patch",
    [
        ("ring.h", "written - taken + gap + need + spare", "written - taken + need + spare"),
        ("ring.h", "written - taken + gap + need + spare", "written - taken + gap + need + 0 * spare"),
        ("ring.h", "at + need > r->size ?", "at + need > r->size + 8 ?"),
        ("ring.h", "taken += r->size - at;", ""),
    ],
)
def test_a_fault_is_found(tmp_path: Path, patch: Patch) -> None:
    with pytest.raises(AssertionError):
        play(library(tmp_path, patch))


# --- two threads --------------------------------------------------------------------------------------------


def run_threads(folder: Path, test: str, count: int, *patches: Patch) -> subprocess.CompletedProcess[str]:
    """Run one of the tests of `bridge/two_threads.c` under ThreadSanitizer."""
    sources = patched(folder, SHIM / "two_threads.c", *patches)
    try:
        program = compile_c(folder, sources, "two_threads", "-g", "-O1", "-fsanitize=thread", "-pthread")
    except subprocess.CalledProcessError as error:
        pytest.fail(f"ThreadSanitizer is needed (Debian: gcc and libtsan2)\n{error.stderr}")
    command = [str(program), test, str(count)]
    done = run(command)
    if "unexpected memory mapping" in done.stderr:  # gcc 12's, on a kernel that scatters memory more widely
        done = run(["setarch", platform.machine(), "-R", *command])
    print(done.stdout, done.stderr)
    return done


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("test", "count"), [("ring", 100_000), ("handover", 50_000)])
def test_two_threads_never_race(tmp_path: Path, test: str, count: int) -> None:
    assert run_threads(tmp_path, test, count).returncode == 0


@pytest.mark.parametrize(
    ("test", "patch"),
    [
        ("ring", ("ring.h", "r->reserved, memory_order_release", "r->reserved, memory_order_relaxed")),
        ("ring", ("ring.h", "r->front_end, memory_order_release", "r->front_end, memory_order_relaxed")),
        ("handover", ("handover.c", "return -1;", "return (int)h->count;")),
        ("handover", ("two_threads.c", "python.older_may_sound |= python.first != 0;", "")),
    ],
)
def test_a_fault_between_threads_is_found(tmp_path: Path, test: str, patch: Patch) -> None:
    assert run_threads(tmp_path, test, 50_000, patch).returncode != 0
