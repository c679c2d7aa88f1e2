"""What NeuralMIDI needs on this computer: says what is missing and why, installs it, builds the bridge.

``play`` makes ``.venv``, ``tests`` adds what the tests need and makes ``.venv-training``. When nothing is
missing and nothing has changed since the last time, it is done in a moment. It runs on any bare Python.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralmidi.errors import NeuralMIDIError

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".build" / "logs"
PACKAGE = ROOT / "externals" / "neuralmidi"
EXTERNAL = ROOT / "externals" / "neuralmidi.pd_linux"
NO_NETWORK = re.compile(
    "Temporary failure|Could not resolve|Network is unreachable|NewConnectionError|timed out"
)
NEWEST_FOR_TENSORFLOW = (3, 13)
SYSTEMS = "Debian 12, Ubuntu 22.04 or newer (Python 3.10, Pd 0.52)"
PYTHONS = (
    "python3",
    "/usr/bin/python3",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.14",
)
"""Where a Python is looked for; the first that suits is taken."""

PROBE = """
import json, os, sys, sysconfig
try:
    import ensurepip, venv
    pip = True
except ImportError:  # Debian keeps them in python3-venv
    pip = False
value = sysconfig.get_config_var
library = os.path.join(value("LIBDIR") or "", value("INSTSONAME") or "")
header = os.path.join(sysconfig.get_path("include"), "Python.h")
embeds = bool(value("Py_ENABLE_SHARED")) and os.path.isfile(library) and os.path.isfile(header)
print(json.dumps([os.path.realpath(sys.executable), sys.version_info[:2], pip, embeds]))
"""


@dataclass(frozen=True)
class Python:
    """A Python that was found.

    Attributes:
        path: its real executable, no version manager's stand-in.
        version: major and minor.
        pip: it can make virtual environments with pip in them.
        embeds: it has the shared library and the headers to run inside Pd.
    """

    path: str
    version: tuple[int, int]
    pip: bool
    embeds: bool


@dataclass(frozen=True)
class Need:
    """Something of the system that a package of Debian and Ubuntu brings.

    Attributes:
        package: the package's name there.
        why: what it is needed for.
        found: tells whether it is there, whoever installed it.
    """

    package: str
    why: str
    found: Callable[[], bool]


def _command(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _file(*paths: str) -> Callable[[], bool]:
    return lambda: any(Path(path).is_file() for path in paths)


def probe(name: str) -> Python | None:
    """The Python called ``name``; none if it does not run or is older than 3.10."""
    try:
        answer = subprocess.run([name, "-c", PROBE], capture_output=True, text=True, check=True).stdout
        path, version, pip, embeds = json.loads(answer)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    found = Python(path, (version[0], version[1]), pip, embeds)
    return found if found.version >= (3, 10) else None


def find_python(suits: Callable[[Python], bool]) -> Python | None:
    """The first Python of ``PYTHONS`` that ``suits``."""
    found = (probe(name) for name in PYTHONS)
    return next((python for python in found if python and suits(python)), None)


def _plays(python: Python) -> bool:
    return python.pip and python.embeds


def _trains(python: Python) -> bool:
    return python.pip and python.version <= NEWEST_FOR_TENSORFLOW


def _python_found() -> bool:
    return usable(ROOT / ".venv") or find_python(_plays) is not None


TO_PLAY = (
    Need("puredata-core", "Pure Data, which plays the patches", _command("pd")),
    Need(
        "puredata-dev",
        "Pure Data's headers, to build the bridge",
        _file("/usr/include/pd/m_imp.h", "/usr/local/include/pd/m_imp.h"),
    ),
    Need("gcc", "the C compiler, to build the bridge", _command("cc")),
    Need("libc6-dev", "the C library's headers, to build the bridge", _file("/usr/include/stdio.h")),
    Need("python3-dev", "a Python that can run inside Pure Data", _python_found),
    Need("python3-venv", "a Python environment of the project's own", _python_found),
)
TO_SEE = (Need("puredata-gui", "Pure Data's windows", _command("pd-gui")),)
TO_TEST = (
    Need("fluidsynth", "FluidSynth, which plays the notebook's drums", _command("fluidsynth")),
    Need(
        "fluid-soundfont-gm",
        "the sounds that it plays, 140 MB",
        _file("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2"),
    ),
)


def tell(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def run_step(what: str, command: Sequence[str | Path], log: Path) -> None:
    """Run ``command``, tell how long it takes, keep what it says in ``log``.

    Raises:
        NeuralMIDIError: it failed; the text has the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    live = sys.stderr.isatty()
    if not live:
        tell(f"{what} ...")
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT)
        while process.poll() is None:
            if live:
                print(f"\r{what} ... {time.monotonic() - begin:.0f} s", end="", file=sys.stderr, flush=True)
            time.sleep(0.2)
    seconds = time.monotonic() - begin
    head = f"\r{what}: " if live else "    "
    if process.returncode:
        tell(f"{head}failed after {seconds:.0f} s")
        text = log.read_text(errors="replace")
        end = "\n".join(f"    {line}" for line in text.splitlines()[-15:])
        offline = "connect this computer to the network and try again; " if NO_NETWORK.search(text) else ""
        remedy = f"{offline}the whole log is {log}"
        raise NeuralMIDIError(what, f"it failed, and its log ends so:\n{end}\n", remedy)
    tell(f"{head}done, {seconds:.0f} s")


def install_packages(needs: Sequence[Need]) -> None:
    """Install what ``needs`` is not there, through Debian's apt.

    Raises:
        NeuralMIDIError: this is no Debian or Ubuntu, there is no sudo, or apt failed.
    """
    missing = [need for need in needs if not need.found()]
    if not missing:
        return
    tell("Missing on this computer:")
    for need in missing:
        tell(f"    {need.package:15} {need.why}")
    packages = [need.package for need in missing]
    by_hand = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise NeuralMIDIError(
            " ".join(packages),
            "missing, and this is not Debian or Ubuntu",
            "install them with your system's own tools (these are Debian's names), then try again",
        )
    root = _as_root(by_hand)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    try:
        run_step("reading Debian's list of packages", [*apt, "update"], LOGS / "apt-update.log")
    except NeuralMIDIError:  # somebody else's broken source among them need not matter
        tell("    going on with the list of an earlier day")
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    run_step(f"installing {' '.join(packages)}", install, LOGS / "apt-install.log")
    still = [need.package for need in missing if not need.found()]
    if still:
        raise NeuralMIDIError(" ".join(still), "installed, yet not what is needed", f"use {SYSTEMS}")


def _as_root(by_hand: str) -> list[str]:
    """What to put before a command that root must run; asks for the password now, where it is seen."""
    if os.geteuid() == 0:
        return []
    remedy = f"ask who looks after this computer to run, as root: {by_hand}"
    if shutil.which("sudo") is None:
        raise NeuralMIDIError("sudo", "not there, and you are not root", remedy)
    tell("sudo is used to install them; it may ask for your password.")
    ask = ["sudo", "--validate"] if sys.stdin.isatty() else ["sudo", "--non-interactive", "true"]
    if subprocess.run(ask).returncode:
        raise NeuralMIDIError("sudo", "it refused", remedy)
    return ["sudo"]


def usable(folder: Path) -> bool:
    """Whether the Python of the environment in ``folder`` runs; a system upgrade may take its base away."""
    return probe(str(folder / "bin" / "python")) is not None


@dataclass(frozen=True)
class Environment:
    """A virtual environment with this project in it.

    Attributes:
        folder: where it is made.
        suits: which Python may be its base.
        sources: a change in one of these files, or in a file of one of these folders, installs it again.
        package: so does a module that comes to this folder or leaves it: an editable installation knows
            where each module lies, though not what is in it.
        products: files that the installation leaves outside its folder.
        options: more options for ``pip install``.
    """

    folder: Path
    suits: Callable[[Python], bool]
    sources: tuple[Path, ...]
    package: Path = PACKAGE
    products: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()

    def install(self, extras: set[str]) -> None:
        """Make it, with the project and its ``extras`` from pyproject.toml in it, unless that is so already.

        Raises:
            NeuralMIDIError: no Python suits, or pip failed.
        """
        stamp = self._stamp()
        if self._current(stamp) and extras <= set(stamp["extras"]) and all(map(Path.is_file, self.products)):
            return
        if stamp:
            self._stamp_file.write_text(json.dumps({**stamp, "sources": "interrupted"}))
        if stamp.get("home") != self._home():
            self._make(clear=bool(stamp))  # without a stamp it is somebody's own, or was interrupted: kept
            stamp = {}
        extras = extras.union(stamp.get("extras", ()))
        logs = LOGS / f"install{self.folder.name}.log"
        project = f".[{','.join(sorted(extras))}]" if extras else "."
        pip: list[str | Path] = [
            self._python,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            *self.options,
            "--editable",
            project,
        ]
        run_step(f"installing neuralmidi and what it needs into {self.folder.name}", pip, logs)
        new = {"home": self._home(), "sources": self.digest(), "extras": sorted(extras)}
        self._stamp_file.write_text(json.dumps(new))

    def _make(self, clear: bool) -> None:
        own = probe(str(self._python))
        base = own if own and self.suits(own) else find_python(self.suits)
        if base is None:
            raise NeuralMIDIError(
                "Python", f"none that suits {self.folder.name} among {', '.join(PYTHONS)}", f"use {SYSTEMS}"
            )
        version = ".".join(map(str, base.version))
        venv: list[str | Path] = [base.path, "-m", "venv", *(["--clear"] if clear or base != own else [])]
        what = f"making {self.folder.name} of Python {version}, {base.path}"
        run_step(what, [*venv, self.folder], LOGS / f"make{self.folder.name}.log")

    @property
    def _python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def _stamp_file(self) -> Path:
        return self.folder / "installed.json"

    def _stamp(self) -> dict[str, Any]:
        """What was installed last; empty if nothing was, or not to the end."""
        try:
            stamp: dict[str, Any] = json.loads(self._stamp_file.read_text())
        except (OSError, ValueError):
            return {}
        return stamp

    def _current(self, stamp: dict[str, Any]) -> bool:
        return stamp.get("home") == self._home() and stamp.get("sources") == self.digest()

    def _home(self) -> str:
        """Where it lies and what Python runs there: an environment does not survive a change of either."""
        return f"{self.folder} {probe(str(self._python))}"

    def digest(self) -> str:
        """What the installation depends on: where this differs, it is out of date."""
        digest = hashlib.sha256(" ".join(self.options).encode())
        for source in self.sources:
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_file():
                    digest.update(file.name.encode() + file.read_bytes())
        modules = sorted(str(module.relative_to(self.package)) for module in self.package.rglob("*.py"))
        digest.update("\n".join(modules).encode())
        return digest.hexdigest()


RUNTIME = Environment(
    ROOT / ".venv",
    _plays,
    sources=(ROOT / "pyproject.toml", ROOT / "externals" / "bridge"),
    products=(EXTERNAL,),
)
TRAINING = Environment(
    ROOT / ".venv-training",
    _trains,
    sources=(ROOT / "pyproject.toml",),
    options=("--config-settings=wheel.cmake=false",),  # training needs no bridge
)


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time: a second start waits for the first."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(purpose: str, window: bool = False) -> None:
    """Bring this computer to the point where ``purpose`` works.

    Args:
        purpose: ``play`` or ``tests``.
        window: Pd will open its windows.

    Raises:
        NeuralMIDIError: with what, why and what to do.
    """
    with _alone():
        tests = purpose == "tests"
        install_packages(TO_PLAY + TO_SEE * window + TO_TEST * tests)
        RUNTIME.install({"test"} if tests else set())
        if tests:
            TRAINING.install({"notebook", "other-backend", "test", "training"})


def main() -> int:
    """Prepare for the purpose named on the command line; 0 when all is there."""
    try:
        prepare(sys.argv[1])
    except NeuralMIDIError as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
