"""Cases that may end the process they run in, so they run in one of their own: within limits, and watched."""

import multiprocessing
import resource
import traceback
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.kinds import FuzzError
from training.progress import progress

SECONDS = 20
"""For a case, and for the start of a worker."""
ROOM = 300 << 20
"""Bytes that a worker may take beyond what it took at its start."""

LINES, WIDE = 12, 400
"""Of an error that is shown."""

Case = Callable[[int], str | None]
"""Does the case of a number: why it was refused; None: it was not. An error is what must not happen."""
READY = "ready"


def run(name: str, start: Callable[[], Case], cases: range, *, alone: bool = True) -> Counter[str | None]:
    """Do cases one after the other.

    Args:
        name: what the progress says.
        start: is called in the worker, before its memory is limited: warm up there.
        cases: their numbers.
        alone: the case of a number is the same if it runs alone.

    Returns:
        How often each answer came.

    Raises:
        FuzzError: a case raised an error, or ended its process, or took too long.
    """
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.get_context("fork").Process(
        target=_work, args=(start, cases, here, there), daemon=True
    )
    worker.start()
    there.close()
    answers: Counter[str | None] = Counter()
    try:
        if _answer(here) != (True, READY):
            raise RuntimeError("the worker does not start")
        for number in progress(f"{name}: case", cases):
            fine, answer = _answer(here)
            if not fine:
                worker.join(1)
                why = answer if answer is not None else _end(worker.exitcode)
                raise FuzzError(
                    f"case {number}: {why}", f"--case{'' if alone else 's'} {number + (not alone)}"
                )
            answers[answer] += 1
    finally:
        worker.kill()
        worker.join()
    return answers


def _answer(here: Connection) -> tuple[bool, str | None]:
    """Whether all is well, and what came; nothing if the worker is stuck or gone."""
    try:
        if not here.poll(SECONDS):
            return False, None
        answer: tuple[bool, str | None] = here.recv()
    except (EOFError, ConnectionError):
        return False, None
    return answer


def _end(code: int | None) -> str:
    return f"not done after {SECONDS} s" if code is None else f"its process ended with {code}"


def _work(start: Callable[[], Case], cases: range, here: Connection, there: Connection) -> None:
    here.close()  # so that it ends, too, when the command is killed: nobody listens any more
    case = start()
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    there.send((True, READY))
    for number in cases:
        try:
            answer = case(number)
        except BaseException as error:
            there.send((False, _told(error)))
            return
        there.send((True, answer))
    there.close()


def _told(error: BaseException) -> str:
    """An error and where it came from, in as many lines as anybody reads."""
    lines = "".join(traceback.format_exception(error, chain=False)).splitlines()
    return "\n".join(line[:WIDE] for line in lines[-LINES:])
