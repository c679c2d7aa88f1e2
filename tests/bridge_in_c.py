"""Compiles the bridge's C for tests that run it without Pd: all of it but what needs Pd or Python."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from pathlib import Path

ROOT = Path(__file__).parent.parent
BRIDGE = ROOT / "externals" / "bridge"
SHIM = ROOT / "tests" / "bridge"

Patch = tuple[str, str, str]
"""A change to a file of the bridge: its name, what is there, what shall be there."""


def compile_c(folder: Path, sources: Sequence[Path], out: str, *flags: str) -> Path:
    """Compile sources of this folder; raises CalledProcessError with the compiler's words."""
    target = folder / out
    names = [str(source) for source in sources]
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", *flags]
    subprocess.run([*command, *names, "-o", str(target)], check=True, capture_output=True, text=True)
    return target


def patched(folder: Path, program: Path, *patches: Patch) -> list[Path]:
    """Copy a program and what it needs of the bridge, broken on purpose if there are patches; its sources."""
    for file in [program, *(BRIDGE / name for name in ("handover.c", "handover.h", "ring.h", "records.h"))]:
        shutil.copy(file, folder)
    for name, old, new in patches:
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{name} has changed: the patch of {old!r} does not fit any more"
        (folder / name).write_text(text.replace(old, new))
    return [folder / program.name, folder / "handover.c"]


def library(folder: Path, *patches: Patch) -> ctypes.CDLL:
    """The ring and the hand-over, callable, in one thread."""
    sources = patched(folder, SHIM / "one_thread.c", *patches)
    return declared(ctypes.CDLL(str(compile_c(folder, sources, "bridge.so", "-O1", "-shared", "-fPIC"))))


def declared(c: ctypes.CDLL) -> ctypes.CDLL:
    """Tell ctypes what the functions of the shim take and give."""
    signatures = {
        "ring_new": (c_void_p, c_size_t),
        "ring_free": (None, c_void_p),
        "ring_reserve": (c_void_p, c_void_p, c_size_t, c_size_t),
        "ring_commit": (None, c_void_p),
        "ring_front": (c_void_p, c_void_p, POINTER(c_size_t)),
        "ring_pop": (None, c_void_p),
        "ring_half_full": (c_int, c_void_p),
        "ring_used": (c_size_t, c_void_p),
        "ring_start": (c_size_t, c_void_p),
        "new": (c_void_p, c_size_t),
        "free": (None, c_void_p),
        "accepted": (c_uint64, c_void_p),
        "released": (c_uint64, c_void_p),
        "ready": (c_uint, c_void_p),
        "stale": (c_uint64, c_void_p),
        "clear": (None, c_void_p),
        "is_empty": (c_int, c_void_p),
        "accept": (c_int, c_void_p, c_uint64, c_uint64, c_char_p, c_size_t),
        "release": (c_size_t, c_void_p, c_void_p),
        "send": (c_int, c_void_p, c_uint64, c_uint64, c_char_p, c_size_t),
        "drain": (c_int, c_void_p),
        "save": (c_size_t, c_void_p, c_void_p),
        "load": (None, c_void_p, c_void_p),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(c, f"test_{name}")
        function.restype, function.argtypes = result, arguments
    return c
