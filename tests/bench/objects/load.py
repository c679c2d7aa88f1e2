"""[load]: keeps the interpreter busy from another Python thread, as a careless external would."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from neuralmidi import bundle, step_model
from neuralmidi.pd import Object, message

INTERVAL = sys.getswitchinterval()
"""Seconds, as neuralmidi has set it."""


class Load(Object):
    """What a thread does over and over, until something else is asked for."""

    name = "load"
    outlets = 0

    def __init__(self, number: int, folders: list[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.running = threading.Event()
        self.thread: threading.Thread | None = None

    @message()
    def idle(self) -> None:
        """Nothing."""
        sys.setswitchinterval(INTERVAL)
        self.running.clear()
        if self.thread is not None:
            self.thread.join()
            self.thread = None

    @message()
    def spin(self, interval_ms: float = 1000 * INTERVAL) -> None:
        """A busy loop in pure Python, which gives way to a waiting thread after so many ms."""
        self._keep(lambda: None)
        sys.setswitchinterval(interval_ms / 1000)

    @message()
    def models(self, folder: str) -> None:
        """Load a model."""
        self._keep(lambda: self._load(Path(folder)))

    def _load(self, folder: Path) -> None:
        step_model._networks.clear()  # or it would be given the network that plays
        bundle.load(folder)

    def _keep(self, work: Callable[[], object]) -> None:
        self.idle()
        self.running.set()
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        while self.running.is_set():
            work()
