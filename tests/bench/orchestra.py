"""A Pd full of composers, in real time: it plays when it is told to, and is watched from outside."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

from neuralmidi.osc import LOOPBACK

from tests.bench.instruments import LAST_WORDS
from tests.bench.stopwatch import environment
from tests.pd_runner import EXTERNALS, Patch, Run, free_port

PATIENCE = 60.0
"""Seconds that a thousand models may take to load."""
LOOK = 0.02
"""Seconds between two looks whether they have."""
READY, UNDERRUN = "ready", "underrun"
"""Of the status outlet, and the tags that they are printed with."""


@dataclass(frozen=True)
class Effort:
    """What the threads of a running Pd have needed so far, in seconds; or of a stretch of time, in per cent.

    Attributes:
        now: real time.
        pd: processor time of Pd's own thread.
        pd_waits: how long it was ready, and no core was free.
        python: the same of the busiest of the others, which is the interpreter's.
        python_waits: how long that one waited.
    """

    now: float
    pd: float
    pd_waits: float
    python: float
    python_waits: float

    def since(self, before: "Effort") -> "Effort":
        """The per cent of the time since then."""
        names = [each.name for each in fields(self)]
        passed = {name: getattr(self, name) - getattr(before, name) for name in names}
        return Effort(**{name: 100 * passed[name] / passed["now"] for name in names})


class Orchestra:
    """Composers in a Pd that runs.

    Args:
        process: that Pd.
        log: the file with what it prints.
        door: the TCP port that takes messages to all of them.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, door: int) -> None:
        self._process, self._log = process, log
        self._until(lambda: self._opens(door), "listen")

    def tell(self, message: str) -> None:
        """Send all of them a message."""
        self._door.sendall(f"{message};\n".encode())

    def await_ready(self, count: int) -> None:
        """Wait until so many have loaded their models.

        Raises:
            RuntimeError: they do not, with what Pd said.
        """
        self._until(lambda: self._counted(READY) >= count, "load its models")

    def underruns(self) -> int:
        """How many there were so far.

        Raises:
            RuntimeError: something else went wrong, too, or Pd has died.
        """
        self._check()
        return self._counted(UNDERRUN)

    def memory(self) -> float:
        """Resident memory in MB; of what it shares with other programs, all."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        return float(re.findall(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)[0]) * 1024 / 1e6

    def effort(self) -> Effort:
        """What the threads have needed so far."""
        times = {}
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(OSError):  # it has ended
                ran, waited, _ = (task / "schedstat").read_text().split()
                times[int(task.name)] = int(ran) / 1e9, int(waited) / 1e9
        pd = times.pop(self._process.pid)
        return Effort(time.monotonic(), *pd, *max(times.values(), default=(0.0, 0.0)))

    def _opens(self, door: int) -> bool:
        with suppress(OSError):
            self._door = socket.create_connection((LOOPBACK, door), PATIENCE)
            return True
        return False

    def _counted(self, tag: str) -> int:
        return len(re.findall(rf"^{tag}: ", self._log.read_text(errors="replace"), re.MULTILINE))

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            self._check()
            if time.monotonic() > end:
                said = self._said()[-LAST_WORDS:]
                raise RuntimeError(f"Pd did not {what} in {PATIENCE:g} s, and had said:\n{said}")
            time.sleep(LOOK)

    def _check(self) -> None:
        said = self._said()
        errors = [error for error in Run(said, 0).errors if "underrun" not in error]
        if errors or self._process.poll() is not None:
            raise RuntimeError(f"Pd went wrong, and said:\n{said[-LAST_WORDS:]}")

    def _said(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def orchestra(
    models: Sequence[Path], externals: Path = EXTERNALS, flags: Sequence[str] = ("-nrt",)
) -> Iterator[Orchestra]:
    """A Pd with a composer for each of some models, each with a seed of its own; all are ready to play.

    Raises:
        RuntimeError: they do not get ready.
    """
    port = free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, log = folder / "orchestra.pd", folder / "log"
        file.write_text(_patch(models, port).text())
        command = ["pd", "-noprefs", "-stderr", "-nogui", "-nosound", *flags, "-path", str(externals)]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*command, "-lib", "neuralmidi", str(file)],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                players = Orchestra(process, log, port)
                players.await_ready(len(models))
                yield players
            finally:
                process.kill()


def _patch(models: Sequence[Path], port: int) -> Patch:
    patch = Patch()
    door, everyone = patch.obj(f"netreceive {port}"), patch.obj("s all")
    patch.connect((door, 0, everyone, 0))
    ears, status = patch.obj("r all"), patch.obj(f"route {READY} {UNDERRUN}")
    for outlet, tag in enumerate((READY, UNDERRUN)):
        patch.connect((status, outlet, patch.obj(f"print {tag}"), 0))
    for seed, model in enumerate(models):
        box = patch.obj(f"composer {model}")
        patch.connect((ears, 0, box, 0), (box, 2, status, 0))
        patch.at(0, f"seed {seed}", box)
    return patch
