"""The two programs that play over OSC, started for a measurement: a patch in Pd, and the streamer."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from neuralmidi.osc import LOOPBACK, PORT, Address

from tests.bench.follower import Follower, lost
from tests.pd_runner import DATA, EXTERNALS, HELPERS, ROOT, Patch, free_port

PATIENCE = 30.0
"""Seconds that one may take to be there."""
PATCHES = ROOT / "pd_patches"
LAST_WORDS = 2000


@dataclass(frozen=True)
class Instrument:
    """One that runs.

    Attributes:
        name: of its kind.
        address: where it listens.
        process: that it is.
        log: the file with all it prints.
    """

    name: str
    address: Address
    process: subprocess.Popen[bytes]
    log: Path

    def memory(self) -> float:
        """Resident memory in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def lost(self) -> int:
        """Packets that were sent to it and that it never saw."""
        return lost(self.address)

    def check(self) -> None:
        """Raise a RuntimeError, with its last words, if it has died."""
        if (status := self.process.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with status {status}, and had said:\n{self.last_words()}")

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def last_words(self) -> str:
        """The end of what it has printed."""
        return self.said()[-LAST_WORDS:]


@contextmanager
def in_pd(
    patch: Patch | str, address: Address, folder: Path, *flags: str, externals: Path = EXTERNALS
) -> Iterator[Instrument]:
    """A patch, or its text, that listens at ``address``, in a real Pd without sound card, in real time."""
    file = folder / "patch.pd"
    file.write_text(patch if isinstance(patch, str) else patch.text())
    paths = [word for path in (externals, PATCHES, HELPERS, DATA) for word in ("-path", str(path))]
    command = ["pd", "-noprefs", "-stderr", "-nogui", "-nosound", "-nrt", *paths, "-lib", "neuralmidi"]
    with program("patch", [*command, *flags, str(file)], address, folder) as instrument:
        yield instrument


def audio_engine(address: Address) -> str:
    """The text of the instrument's own patch, which would listen where somebody may be playing."""
    text = (PATCHES / "audio_engine.pd").read_text()
    return text.replace(f"osc_remote {PORT}", f"osc_remote {address[1]}")


@contextmanager
def streamer(model: Path, to: Address, folder: Path, *options: str) -> Iterator[Instrument]:
    """A streamer that plays to ``to``."""
    address = free_address()
    command = [sys.executable, "-m", "neuralmidi", "stream", "--models", str(model.parent)]
    command += ["--composer", model.name, "--host", to[0], "--osc-port", str(to[1])]
    command += ["--control-port", str(address[1]), *options]
    with program("streamer", command, address, folder) as instrument:
        yield instrument


def free_address() -> Address:
    """Where nobody listens."""
    return LOOPBACK, free_port()


@contextmanager
def program(name: str, command: Sequence[str], address: Address, folder: Path) -> Iterator[Instrument]:
    """A program, from its first answer on; nothing of it is left afterwards."""
    log = folder / f"{name}.log"
    environment = {**os.environ, "NEURALMIDI_PYTHON": sys.executable}  # for a copy of the externals
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    instrument = Instrument(name, address, process, log)
    try:
        _await(instrument)
        yield instrument
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()
        process.wait()


def _await(instrument: Instrument) -> None:
    follower = Follower(instrument.address)
    for _ in range(round(PATIENCE / 0.1)):
        instrument.check()
        with suppress(RuntimeError):
            follower.ping(0.1)
            break
    else:
        raise RuntimeError(f"{instrument.name} does not answer")
    follower.close()
