"""A patch that is flooded, and what is seen inside of it: its notes, and how late its ticks are."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuralmidi.osc import LOOPBACK

from tests.bench.follower import Follower
from tests.bench.instruments import Instrument, free_address, in_pd
from tests.bench.pd_thread import LATE
from tests.bench.remote import patches
from tests.bench.stopwatch import Records, read, workshop
from tests.bench.table import Row, single, spread
from tests.pd_runner import Run, free_port

WRITING = 10.0
"""Seconds that writing the records may take."""


class Watch:
    """[stopwatch] in a running patch.

    Args:
        instrument: the patch.
        door: its TCP port for messages to it.
        records: the file that it writes.
    """

    def __init__(self, instrument: Instrument, door: int, records: Path) -> None:
        self._instrument, self._records = instrument, records
        self._door = socket.create_connection((LOOPBACK, door), WRITING)

    def phase(self, name: str) -> None:
        """What is noted down from now on belongs to this phase."""
        self._door.sendall(f"phase {name};\n".encode())

    def rows(self) -> Iterator[Row]:
        """Notes as they leave the composer, and the lateness of ticks in each phase."""
        velocities = [velocity for _, _, velocity, _ in Run(self._instrument.said(), 0).notes(patches.NOTES)]
        how = "as they leave the composer"
        yield single("patch: notes begun, inside", "notes", how, sum(v > 0 for v in velocities))
        yield single("patch: notes ended, inside", "notes", how, sum(v == 0 for v in velocities))
        records = self._read()
        for phase in ("quiet", "flood"):
            differences = [difference for difference, _ in records[phase, "tick"]]
            earliest = min(differences, default=0)
            lateness = [difference - earliest for difference in differences]
            how = "real less logical time at every 128 samples, no sound card"
            yield spread(f"patch: lateness of DSP ticks, {phase}", "ms", how, lateness)
            share = 100 * sum(late > LATE for late in lateness) / len(lateness)
            yield single(f"patch: DSP ticks more than {LATE:g} ms late, {phase}", "%", how, share)

    def _read(self) -> Records:
        self._door.sendall(b"write;\n")
        end = time.monotonic() + WRITING
        while not self._records.exists() and time.monotonic() < end:
            time.sleep(0.01)
        Follower(self._instrument.address).ping()  # then it has written all of it
        return read(self._records)


@contextmanager
def watched(model: Path) -> Iterator[tuple[Instrument, Watch]]:
    """A patch that plays over OSC, and its watch."""
    with workshop() as externals:
        records, address, door = externals.parent / "records", free_address(), free_port(socket.SOCK_STREAM)
        patch = patches.voiced(model, address)
        watch, listen, start = (
            patch.obj(text) for text in (f"stopwatch {records}", "netreceive", "loadbang")
        )
        message = patch.msg(f"listen {door} {LOOPBACK}")
        patch.connect((start, 0, message, 0), (message, 0, listen, 0), (listen, 0, watch, 0))
        metro, tick = patch.obj("metro 128 1 samp"), patch.msg("tick")
        patch.connect((start, 0, metro, 0), (metro, 0, tick, 0), (tick, 0, watch, 0))
        with in_pd(patch, address, externals.parent, *patches.AWAKE, externals=externals) as instrument:
            yield instrument, Watch(instrument, door, records)
