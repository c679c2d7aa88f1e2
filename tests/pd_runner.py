"""Runs the real Pd on small patches and reads what it prints."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parent.parent
EXTERNALS = ROOT / "externals"
HELPERS = ROOT / "tests" / "pd"
DATA = ROOT / "tests" / "data"


@dataclass
class Patch:
    """A patch in the making.

    Boxes are numbered in the order in which they are added; a box's number is what `connect` takes.
    """

    lines: list[str] = field(default_factory=lambda: ["#N canvas 0 0 600 400 12;"])
    cords: list[str] = field(default_factory=list)
    count: int = 0

    def obj(self, text: str) -> int:
        """Add an object box."""
        return self._box(f"obj 10 {20 * self.count} {_escape(text)}")

    def msg(self, text: str) -> int:
        """Add a message box; commas and semicolons have Pd's meaning."""
        return self._box(f"msg 10 {20 * self.count} {_escape(text)}")

    def connect(self, *cords: tuple[int, int, int, int]) -> None:
        """Connect boxes: (from, outlet, to, inlet)."""
        self.cords += ["#X connect " + " ".join(map(str, cord)) + ";" for cord in cords]

    def log(self, source: int, outlet: int, tag: str) -> None:
        """Print what leaves an outlet as ``tag: SAMPLE atoms...``, SAMPLE counted from the patch's start."""
        self.connect((source, outlet, self.obj(f"logger {tag}"), 0))

    def at(self, ms: float, text: str, target: int | None = None) -> None:
        """Send a message, ``ms`` after the patch has been loaded, to a box or (with ``; name``) to a name."""
        start, wait, box = self.obj("loadbang"), self.obj(f"del {ms}"), self.msg(text)
        self.connect((start, 0, wait, 0), (wait, 0, box, 0))
        if target is not None:
            self.connect((box, 0, target, 0))

    def quit_at(self, ms: float) -> None:
        """End Pd."""
        self.at(ms, "; pd quit")

    def text(self) -> str:
        """The patch as a file's contents."""
        return "\n".join(self.lines + self.cords) + "\n"

    def _box(self, line: str) -> int:
        self.lines.append(f"#X {line};")
        self.count += 1
        return self.count - 1


def _escape(text: str) -> str:
    return text.replace(",", " \\, ").replace(";", " \\; ").replace("$", "\\$")


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes:
        output: everything Pd printed.
        returncode: Pd's exit status; negative: the signal that ended it.
    """

    output: str
    returncode: int

    @property
    def errors(self) -> list[str]:
        """Every error in the console, without the word itself."""
        marks = re.findall(r"^(?:error: )(.*)$|^(.*couldn't create.*)$", self.output, re.MULTILINE)
        return [error or broken for error, broken in marks]

    def logged(self, tag: str) -> list[tuple[int, list[str]]]:
        """What `Patch.log` printed under a tag: (sample, atoms)."""
        lines = re.findall(rf"^{re.escape(tag)}: (\S+) ?(.*)$", self.output, re.MULTILINE)
        return [(round(float(sample)), atoms.split()) for sample, atoms in lines]

    def notes(self, tag: str = "note") -> list[tuple[int, int, int, int]]:
        """Logged notes: (sample, pitch, velocity, channel)."""
        return [(sample, *(int(float(a)) for a in atoms)) for sample, atoms in self.logged(tag)]  # type: ignore[misc]


class RunPd(Protocol):
    """`run_pd` with all but the patch and a flag or two decided."""

    def __call__(self, patch: "Patch | str | Path", *, batch: bool = True, flags: Sequence[str] = ()) -> Run:
        """Run Pd until it quits."""


def run_pd(
    patch: Patch | str | Path,
    folder: Path,
    *,
    batch: bool = True,
    timeout: float = 60,
    externals: Path = EXTERNALS,
    flags: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> Run:
    """Run Pd until it quits.

    Args:
        patch: a patch, its text, or a file.
        folder: where a patch that is no file yet is written, and what Pd runs in.
        batch: as fast as it can, with `sync`; otherwise in real time, without sound.
        timeout: seconds after which it is killed and the test fails.
        externals: the folder with the library.
        flags: more of Pd's own.
        environment: replaces the environment's variables.
    """
    if isinstance(patch, Path):
        file = patch
    else:
        file = folder / "test.pd"
        file.write_text(patch.text() if isinstance(patch, Patch) else patch)
    mode = ["-batch", "-nrt"] if batch else ["-nogui", "-nosound"]  # -nrt: no watchdog, which would bark
    paths = [f"-path {path}".split(" ", 1) for path in (externals, HELPERS, DATA)]
    command = ["pd", "-noprefs", "-stderr", *mode, *(word for pair in paths for word in pair)]
    command += ["-lib", "neuralmidi", *flags, str(file)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    print(output, file=sys.stderr)  # pytest shows it when the test fails
    return Run(output, done.returncode)


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A UDP port of this computer, or another kind of port, that nobody listens at."""
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def sounding_after(notes: Iterable[tuple[int, int, int, int]]) -> set[tuple[int, int]]:
    """The notes that nothing has ended: (pitch, channel).

    Fails if a note starts twice, or ends without having started.
    """
    sounding: set[tuple[int, int]] = set()
    for sample, pitch, velocity, channel in notes:
        note = (pitch, channel)
        assert (note in sounding) != (velocity > 0), f"{note} at sample {sample}: velocity {velocity}"
        sounding.symmetric_difference_update({note})
    return sounding
