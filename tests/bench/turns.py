"""Things to time in two Python environments, in turns: each in a process of its own, when it is told."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.bench.offline import timed
from tests.pd_runner import EXTERNALS, ROOT

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""So that numpy has what LiteRT has."""

LAUNCH = """
import runpy, sys
from importlib.machinery import PathFinder
sys.meta_path.insert(0, PathFinder)  # that of an editable installation knows one checkout only
sys.path.insert(0, sys.argv[1])
del sys.argv[:2]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module with the neuralmidi of some folder."""

Act = Callable[[], None]


class Process:
    """One that waits for its turns.

    Args:
        process: it runs `serve`.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.names: list[str] = self._answer()

    def time(self, name: str, seconds: float) -> list[float]:
        """Let it do something over and over; how long it took each time, in us.

        Raises:
            RuntimeError: it has died.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps([name, seconds]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> list:  # type: ignore[type-arg]
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return list(json.loads(line))
        raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")


@contextmanager
def process(
    python: Path, module: str, arguments: Sequence[str], externals: Path = EXTERNALS
) -> Iterator[Process]:
    """Start a module that calls `serve`, with the neuralmidi of some externals.

    Raises:
        RuntimeError: it dies before it is ready.
    """
    with subprocess.Popen(
        [python, "-c", LAUNCH, externals, module, *arguments],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        try:
            yield Process(started)
        finally:
            started.kill()


@contextmanager
def _answers() -> Iterator[IO[str]]:
    """Where the answers go; whatever libraries print goes elsewhere."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        yield answers


def serve(acts: Mapping[str, Act]) -> None:
    """Do what is asked for on standard input, as long as there is one."""
    with _answers() as answers:
        print(json.dumps(list(acts)), file=answers, flush=True)
        for line in sys.stdin:
            name, seconds = json.loads(line)
            print(json.dumps(timed(acts[name], seconds)), file=answers, flush=True)
