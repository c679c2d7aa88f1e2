"""What the computer does to a run: time that it is not let run, and the memory that it takes."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PULSE = 0.001
"""Seconds for which the watch sleeps, over and over."""
ROUND = 0.02
"""Seconds from one look at what the system says to the next."""
STALL = 3.0
"""Ms: less is the ordinary life of a computer."""
KEPT = 10.0
"""Seconds for which a stall is remembered."""
WITHIN = 1.0
"""Seconds before an underrun in which a stall explains it."""


class Watch:
    """Watches a process from outside of it.

    Two independent clocks tell of a stall: this thread's own sleep of a millisecond, which lasts longer when
    the computer stands still, and the system's count of how long each thread of the process was ready to run
    and did not get a processor.

    Args:
        process: its number.

    Attributes:
        longest: stall, ms.
        total: of all stalls, ms.
    """

    def __init__(self, process: int) -> None:
        self._process = Path(f"/proc/{process}")
        self._stalls: deque[tuple[float, float]] = deque()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.longest = self.total = 0.0

    @contextmanager
    def watching(self) -> Iterator["Watch"]:
        """Watch for a while."""
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()

    def lost(self, moment: float) -> float:
        """Ms of which the second before a moment has been short."""
        return sum(ms for when, ms in tuple(self._stalls) if moment - WITHIN < when < moment + 2 * ROUND)

    def memory(self) -> float | None:
        """Resident memory in MB; None when it has ended."""
        with suppress(OSError, IndexError):
            pages = int((self._process / "statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return None

    def _watch(self) -> None:
        waited, looked = self._waited(), time.monotonic()
        while not self._end.is_set():
            overslept = 0.0
            while (now := time.monotonic()) - looked < ROUND:
                time.sleep(PULSE)
                overslept = max(overslept, time.monotonic() - now - PULSE)
            waited, before = self._waited(), waited
            held_up = max((ns - before.get(thread, ns) for thread, ns in waited.items()), default=0) / 1e9
            self._note(1000 * max(overslept, held_up))
            looked = time.monotonic()

    def _note(self, ms: float) -> None:
        if ms < STALL:
            return
        self._stalls.append((time.monotonic(), ms))
        while self._stalls[0][0] < time.monotonic() - KEPT:
            self._stalls.popleft()
        self.longest = max(self.longest, ms)
        self.total += ms

    def _waited(self) -> dict[str, int]:
        """By thread: ns for which it was ready to run and did not."""
        found = {}
        with suppress(OSError):
            for thread in (self._process / "task").iterdir():
                with suppress(OSError, IndexError, ValueError):
                    found[thread.name] = int((thread / "schedstat").read_text().split()[1])
        return found
