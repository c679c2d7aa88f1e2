"""A trial: work that may end a program, done first in a copy of this one, which is then thrown away."""

import faulthandler
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from .errors import NeuralMIDIError

SECONDS: Final = 3
"""How long it may take; the largest model that comes with neuralmidi takes 0.03."""
ROOM: Final = 300 << 20
"""Bytes that it may take; that model takes 40 MB."""

_REMEDY: Final = "copy the model's folder again, or train and export it again"


def survive(file: str, work: Callable[[], object]) -> None:
    """Do some work in a copy of this process, to be sure that this one survives it.

    LiteRT checks the form of a file, and trusts much of what stands in it: a few wrong bytes, and it writes
    where there is no memory, or asks for all there is, or never ends, and Pd with it. The copy is made by
    fork, so that it costs no start of a Python but 2 ms and the work itself. Other threads run meanwhile.
    Only Linux has a fork that may be trusted beside other threads; elsewhere nothing is tried.

    What the work does in the copy, it does again here. It is no wall against somebody who lets a file wait
    for its moment.

    Args:
        file: what the work is about, by name, for the message.
        work: what it returns is lost.

    Raises:
        NeuralMIDIError: the one that the work raises; or it crashes, or fails in another way, or takes more
            than `SECONDS` or `ROOM`.
    """
    if not sys.platform.startswith("linux"):
        return
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12: there are threads
        copy = os.fork()
    if not copy:
        _in_copy(writer, file, work)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read()  # until the copy ends, however it does
    status = _status(copy)
    if not told:
        raise NeuralMIDIError(file, _end(status), _REMEDY)
    if error := json.loads(told):
        raise NeuralMIDIError(*error)


def _status(copy: int) -> int:
    """How a copy ended; 0 too where that is not to be known, since somebody else waits for all that ends."""
    try:
        return os.waitpid(copy, 0)[1]
    except ChildProcessError:
        return 0


def _in_copy(writer: int, file: str, work: Callable[[], object]) -> NoReturn:
    """Do the work and tell its error, without anything that a program does when it ends."""
    status = 1
    try:
        _limit()
        error = _error(file, work)
        told = [error.what, error.why, error.remedy] if error else None
        os.write(writer, json.dumps(told).encode())
        status = 0
    finally:
        os._exit(status)


def _limit() -> None:
    """Let the kernel end the copy if it goes too far, and nobody hear what LiteRT says on its way."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # Pd's thread for Python takes none
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + ROOM)
    _lower(resource.RLIMIT_CORE, 0)
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _lower(what: int, limit: int) -> None:
    _, hard = resource.getrlimit(what)
    with suppress(ValueError):  # it is lower already
        resource.setrlimit(what, (limit, hard))


def _error(file: str, work: Callable[[], object]) -> NeuralMIDIError | None:
    try:
        work()
    except NeuralMIDIError as error:
        return error
    except MemoryError:
        return NeuralMIDIError(file, f"takes more than {ROOM >> 20} MB of memory", _REMEDY)
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return NeuralMIDIError(file, why, _REMEDY)
    return None


def _end(status: int) -> str:
    """Why a copy ended that told nothing."""
    if not os.WIFSIGNALED(status):
        return "does not survive its trial"
    number = os.WTERMSIG(status)
    if number == signal.SIGALRM:
        return f"a trial of it is not done after {SECONDS} s"
    return f"a trial of it crashes ({signal.Signals(number).name})"
