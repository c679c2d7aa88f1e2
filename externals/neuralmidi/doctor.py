"""What NeuralMIDI finds on this computer, what is missing, and what to do about it: ``neuralmidi doctor``."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from .errors import NeuralMIDIError
from .quiet import quiet

PACKAGE = Path(__file__).resolve().parent

PACKAGES = {
    "numpy": ("numpy", "numpy"),
    "LiteRT": ("ai-edge-litert", "ai_edge_litert.interpreter"),
    "mido": ("mido", "mido"),
    "python-osc": ("python-osc", "pythonosc"),
    "textual": ("textual", "textual"),
}
"""What the runtime imports: how it is called, the package to install, the module."""

EXTERNAL_FOLDERS = (PACKAGE.parent, PACKAGE / "externals")
"""Where the build of a checkout and an installed wheel put the external."""

PLUGIN_FOLDERS = (
    "~/Documents/Pd/externals",
    "~/.local/lib/pd/extra",
    "~/pd-externals",
    "/usr/local/lib/pd-externals",
    "/usr/local/lib/pd/extra",
    "/usr/lib/pd/extra",
    "/usr/lib/puredata/extra",
)
"""Where Pd looks for externals without being told."""

PATIENCE = 10.0
"""Seconds for Pd to start and to load the external: a cold disk takes its time."""

BUILD = "build it: start pd_patches/play once, or `pip install .` where the README is"


@dataclass(frozen=True)
class Finding:
    """One line of the page.

    Attributes:
        subject: what was looked for.
        found: what was found; None if it is missing or broken.
        remedy: what to do then.
        needed: false for what only adds to the rest.
    """

    subject: str
    found: str | None
    remedy: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok" if self.found else "MISSING" if self.needed else "-"
        return f"{mark:<7}  {self.subject:<13} {self.found or self.remedy}"


def examine() -> Iterator[Finding]:
    """Look for everything, in the order in which it is needed."""
    yield Finding("Python", f"{platform.python_version()}, {sys.executable}")
    for subject, (package, module) in PACKAGES.items():
        yield _package(subject, package, module)
    yield from _models()
    pd = shutil.which("pd")
    version = pd and _version(pd)
    yield Finding("Pure Data", version, "sudo apt-get install puredata-core puredata-gui")
    yield _external(pd if version else None)
    yield Finding(
        "vstplugin~",
        _vstplugin(),
        "for VST instruments: in Pd, Help, Find externals, vstplugin~",
        needed=False,
    )
    yield Finding("display", display(), "no windows here: play sounds and prints without them", needed=False)
    yield Finding(
        "sound card", sound_card(), "no sound here: play --record out.wav writes a file", needed=False
    )


def healthy() -> bool:
    """Print the page as it comes; true if everything that is needed is there."""
    complete = True
    for finding in examine():
        print(finding, flush=True)
        complete &= finding.found is not None or not finding.needed
    return complete


def _package(subject: str, package: str, module: str) -> Finding:
    try:
        importlib.import_module(module)
        return Finding(subject, importlib.metadata.version(package))
    except ImportError as error:  # PackageNotFoundError is one
        return Finding(subject, None, f"{error} / pip install {package}")


def _models() -> Iterator[Finding]:
    try:
        from . import bundle  # needs the packages above, and this page is there to say that they are missing
    except ImportError:
        return
    folders = bundle.default_directories()
    names = bundle.available(folders)
    if not names:
        yield Finding(
            "models", None, "put a model's folder into tflite_models, or train one as the README says"
        )
    for name in names:
        subject = f"model {name}"
        try:
            with quiet():
                title = bundle.load(bundle.find(name, folders)).title
            yield Finding(subject, title)
        except (NeuralMIDIError, ImportError) as error:
            yield Finding(subject, None, str(error))


def _version(pd: str) -> str | None:
    """What Pd says it is: the first words of ``Pd-0.53.1 ("") compiled for ...``."""
    try:
        answer = subprocess.run(
            [pd, "-version"], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = (answer.stderr or answer.stdout).split()
    return f"{words[0].removeprefix('Pd-')}, {pd}" if words else None


def _external(pd: str | None) -> Finding:
    """Find the external and let Pd load it: only then is it known that it finds its Python, too."""
    subject = "the external"
    files = [file for folder in EXTERNAL_FOLDERS for file in folder.glob("neuralmidi.pd_*")]
    if not files:
        return Finding(subject, None, BUILD)
    if pd is None:
        return Finding(subject, str(files[0]))
    answers = _load(pd, files[0].parent)
    if answers and answers[-1].startswith("neuralmidi "):
        return Finding(subject, f"{files[0]}, in Pd: {answers[-1]}")
    return Finding(
        subject, None, f"{files[0]} does not work in Pd: {' '.join(answers) or 'no answer'} / {BUILD}"
    )


def _load(pd: str, folder: Path) -> list[str]:
    """Start Pd with the external; what it says up to the line that tells whether Python runs."""
    command = [
        pd,
        "-noprefs",
        "-nogui",
        "-noaudio",
        "-nomidi",
        "-stderr",
        "-path",
        str(folder),
        "-lib",
        "neuralmidi",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        alarm = Timer(PATIENCE, process.kill)
        alarm.start()
        lines = []
        for line in process.stderr or ():
            lines.append(line.strip())
            if line.startswith("neuralmidi"):
                break
        alarm.cancel()
        process.kill()
    return lines


def _vstplugin() -> str | None:
    for folder in PLUGIN_FOLDERS:
        for file in sorted(Path(folder).expanduser().glob("**/vstplugin~.*")):
            if file.suffix not in (".pd", ".txt", ".html"):
                return str(file)
    return None


def display() -> str | None:
    """Where windows open; None if nowhere."""
    if sys.platform == "darwin":
        return "the Mac's own"
    return os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or None


def sound_card() -> str | None:
    """The sound cards that play, by name; None without any."""
    if sys.platform == "darwin":
        return "the Mac's own"
    try:
        devices = Path("/proc/asound/pcm").read_text().splitlines()
    except OSError:
        return None
    playing = [device.split(":")[1].strip() for device in devices if "playback" in device]
    return ", ".join(playing) or None
