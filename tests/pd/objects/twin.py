"""[twin]: an external of the tests' own, in Python alone: two inlets, two outlets."""

import os
import resource
from pathlib import Path

from neuralmidi.pd import Atom, Object, message


class Twin(Object):
    """Sends what comes in at an inlet out of the outlet below it."""

    name = "twin"
    inlets = 2
    outlets = 2

    @message(selector="list")
    def left(self, *atoms: Atom) -> None:
        """The left inlet."""
        self.send(0, "left", *atoms)

    @message(selector="list", inlet=1)
    def right(self, *atoms: Atom) -> None:
        """The right inlet."""
        self.send(1, "right", *atoms)

    @message()
    def count(self, *atoms: Atom) -> None:
        """How many atoms came."""
        self.send(0, "count", len(atoms))

    @message()
    def long(self, length: float) -> None:
        """Send a list of so many atoms."""
        self.send(0, "list", *range(int(length)))

    @message()
    def policy(self) -> None:
        """The scheduling policy of Python's thread."""
        self.send(0, "policy", os.sched_getscheduler(0))

    @message()
    def memory(self) -> None:
        """Resident memory now and at its peak, in KiB."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.send(0, "memory", pages * resource.getpagesize() // 1024, peak)
