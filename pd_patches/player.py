"""Plays a composer through Pure Data: opens the instrument, plays in the terminal, or renders to files.

It installs and builds first what is missing. It tells the patches what to do through their receiver
``neuralmidi``, and learns from what they print how it goes. It runs on any bare Python: help works at once.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from math import log10
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

PATCHES = Path(__file__).resolve().parent
sys.path.insert(0, str(PATCHES.parent / "externals"))

from environment import prepare, tell  # noqa: E402
from neuralmidi.controls import BARS, CONTROLS, EVERY, SEED, TEMPO  # noqa: E402
from neuralmidi.doctor import display, sound_card  # noqa: E402
from neuralmidi.errors import NeuralMIDIError  # noqa: E402
from neuralmidi.kit import KIT  # noqa: E402
from neuralmidi.notes import note_name  # noqa: E402
from neuralmidi.options import Options, number  # noqa: E402

MODELS = PATCHES.parent / "tflite_models"
BEATS_PER_BAR = 4.0
"""The bar of a model that tells none."""
FILE_MESSAGES = {"record": "wav", "midi": "midi"}
"""What the patch that renders calls the files of the command line."""
LONGEST = {"record": 1800.0, "midi": 86400.0}
"""Seconds of music in a file: Pd holds a whole recording in memory, 0.7 MB a second."""
PATIENCE = 60.0
"""Seconds that Pd may take beyond the length of the music before it is taken for dead."""

DOCTOR = "neuralmidi doctor looks for the cause"
TROUBLE = re.compile(r"error:|\w+: error |application-specific initialization failed:")
"""How a line of Pd, of an object in the patch, or of a missing display begins when all is not well."""
HALF_WRITTEN = re.compile(r"\[?soundfiler\]? write")
"""How Pd's complaint of a sound begins; the reason that it names is that of any error before."""
MAKE_ROOM = "see whether the disk is full, or name a file elsewhere"
GOODBYE = 5.0
"""Seconds for the notes to end and to ring."""
OSC_PERIOD = "1"
"""Ms: so often Pd looks whether a message has come; by itself, every 5."""

SETTINGS = (
    TEMPO,
    *(CONTROLS[name] for name in ("temperature", "density", "intensity", "humanize", "swing")),
)
OPTIONS = (BARS, replace(SEED, high=2**24 - 1), *SETTINGS)
"""Numbers on the command line. Pd's own numbers tell no more seeds apart."""

DESCRIPTION = """\
Plays a neural composer in Pure Data; installs first what is missing. With a display and a sound card
the instrument opens, playing; else the notes are printed as they play. --record and --midi render
files instead, faster than real time."""

EXAMPLES = """\
examples:
  play
  play --composer joplin --tempo 90
  play --record out.wav --midi out.mid --bars 16 --seed 7
  play --composer all --blend "bach 0.7 chopin 0.3"
  play --composer drums --style "funk 0.7 latin 0.3" --fill 4
  play --composer chopin --primer my_song.mid

Played live, it goes on until Ctrl-C unless --bars is given, and starts from another seed every time unless
--seed is given. A rendered file is the same, byte by byte, for the same options."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line: numbers checked, None where not given; files as absolute paths.

    Raises:
        NeuralMIDIError: a value is not legal, or there is no such composer.
    """
    parser = Options("play", DESCRIPTION, EXAMPLES)
    names = composers()
    parser.add_argument(
        "--composer", metavar="NAME", default="bach", help=f"{', '.join(names)}; default bach"
    )
    for option in OPTIONS:
        parser.add_control(option)
    parser.add_wishes()
    parser.add_argument(
        "--primer", metavar="FILE.mid", type=Path, help="go on from the last bars of this MIDI file"
    )
    parser.add_argument("--record", metavar="FILE.wav", type=Path, help="render the sound into this file")
    parser.add_argument("--midi", metavar="FILE.mid", type=Path, help="render the notes into this file")
    options = parser.parse_args(arguments)
    for option in OPTIONS:
        if (text := getattr(options, option.name)) is not None:
            setattr(options, option.name, option.check(number(text)))
    if options.fill is not None:
        options.fill = EVERY.check(options.fill)
    if options.seed is None:
        options.seed = SEED.default if options.record or options.midi else random.randrange(1, 10_000)
    options.composer = find_composer(options.composer)
    if options.primer:
        options.primer = _existing(options.primer)
    options.files = {
        kind: Path(os.path.realpath(file)) for kind in LONGEST if (file := getattr(options, kind))
    }
    _check_files(options)
    return options


def _existing(file: Path) -> Path:
    """The absolute path of a file that is to be read; whether it is a MIDI file, the composer says.

    Raises:
        NeuralMIDIError: there is none.
    """
    if not file.is_file():
        raise NeuralMIDIError(str(file), "there is no such file", "choose another MIDI file")
    return file.resolve()


def _check_files(options: argparse.Namespace) -> None:
    """Find out before anything is installed or played whether the files can be written."""
    if len(set(options.files.values())) < len(options.files):
        raise NeuralMIDIError(str(options.midi), "sound and notes cannot share a file", "give it two names")
    for kind, file in options.files.items():
        with _draft(file):
            pass
        seconds = _seconds(options, _beats_per_bar(MODELS / options.composer))
        if seconds > LONGEST[kind]:
            raise NeuralMIDIError(
                f"--{kind}",
                f"{seconds:.0f} s of music is too long, {LONGEST[kind]:.0f} s is the most",
                "take fewer --bars or a faster --tempo",
            )


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """A place beside ``file`` to write it first, so that a run that fails leaves an older file as it was.

    Raises:
        NeuralMIDIError: no file can be written there.
    """
    remedy = "name a file in a folder that you can write to"
    if file.exists() and not file.is_file():
        raise NeuralMIDIError(str(file), "it is not a file", remedy)
    try:
        folder = TemporaryDirectory(prefix=".play-", dir=file.parent)
    except OSError as error:
        raise NeuralMIDIError(str(file), f"it cannot be written: {error.strerror}", remedy) from None
    with folder as name:
        yield Path(name) / file.name


def _seconds(options: argparse.Namespace, beats_per_bar: float) -> float:
    """How long the music lasts."""
    bars, tempo = options.bars or BARS.default, options.tempo or TEMPO.default
    return float(bars * beats_per_bar * 60 / tempo)


def _beats_per_bar(folder: Path) -> float:
    """What the first words of a model say of its bars, if it can be read: if not, Pd will say why."""
    with suppress(AttributeError, LookupError, TypeError, ZeroDivisionError):
        known = _description(folder)
        if "tokenizer" not in known:  # it plays another's file, next door
            known = _description(folder.parent / known["weights"]["of"])
        bars = re.findall(r"bar (\d+)/(\d+)", " ".join(known["tokenizer"]["beginning"]))
        return 4 * int(bars[-1][0]) / int(bars[-1][1])
    return BEATS_PER_BAR


def _description(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, TypeError):
        return dict(json.loads((folder / "model.json").read_text(encoding="utf-8")))
    return {}


def composers() -> list[str]:
    """The names of the composers that are here."""
    folders = (file.parent for file in MODELS.glob("*/model.json"))
    return sorted(folder.name for folder in folders if not _description(folder).get("benchmark"))


def find_composer(name: str) -> str:
    """What the patch is to be told for ``name``: that of a model that is here, or the folder of another.

    Raises:
        NeuralMIDIError: there is none.
    """
    if MODELS / name / "model.json" in MODELS.glob("*/model.json"):
        return name
    if (Path(name) / "model.json").is_file():
        return os.path.abspath(name)
    choice = ", ".join(composers()) or "the folder of a model that you have trained: none is here"
    raise NeuralMIDIError(f"composer {name}", "there is none of that name", f"choose {choice}")


@contextmanager
def pd(arguments: Sequence[str | Path], limit: float | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run Pd; no process of it is left when the block is left.

    It runs in a session of its own: Ctrl-C reaches this program only, which lets the notes end first.

    Args:
        arguments: of Pd's command line.
        limit: seconds after which it is killed.
    """
    command = [shutil.which("pd") or "pd", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        alarm = Timer(limit or 0, process.kill)
        if limit:
            alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def spoken(words: Sequence[str]) -> list[str]:
    """The arguments that make Pd say ``words`` to the patch's receiver, one message each, in order."""
    return [argument for message in words for argument in ("-send", f"neuralmidi {message}")]


def escaped(text: str | Path) -> str:
    """``text`` as one word of a Pd message."""
    return re.sub(r"([\\\s,;$])", r"\\\1", str(text))


def opening(options: argparse.Namespace) -> list[str]:
    """What the patch is told before it begins: settings hold from the first step on, without a glide."""
    given = [control for control in SETTINGS if getattr(options, control.name) is not None]
    smooth = CONTROLS["smooth"]
    chosen = {wish: getattr(options, wish) for wish in ("blend", "style")}
    words = [
        " ".join([wish, *map(escaped, said.split())]) for wish, said in chosen.items() if said is not None
    ]
    fill = [] if options.fill is None else [f"fill every {options.fill:.0f}"]
    primer = [f"primer {escaped(options.primer)}"] if options.primer else []
    return [
        f"composer {escaped(options.composer)}",
        f"seed {options.seed:.0f}",
        f"{smooth.name} 0",
        *(f"{control.name} {getattr(options, control.name):g}" for control in given),
        *words,
        *fill,
        *primer,
        f"{smooth.name} {smooth.default:g}",
    ]


def complaint(lines: Sequence[str]) -> str | None:
    """The first thing that went wrong by what Pd printed: its exit status alone does not tell."""
    for before, line in pairwise(["", *lines]):
        if "couldn't create" in line:
            return f"{before} {line}"
        if TROUBLE.match(line):
            return line.removeprefix("error: ")
    return None


def _failed(doing: str, why: str) -> NeuralMIDIError:
    """What Pd has said, with its own remedy if it has one."""
    reason, _, remedy = why.partition(" / ")
    return NeuralMIDIError(doing, reason, remedy or DOCTOR)


def render(options: argparse.Namespace) -> None:
    """Render the music into the files, all of them or none, and say what was written.

    Raises:
        NeuralMIDIError: Pd did not do it.
    """
    begin = time.monotonic()
    bars = options.bars or BARS.default
    with ExitStack() as stack:
        drafts = {kind: stack.enter_context(_draft(file)) for kind, file in options.files.items()}
        files = [f"{FILE_MESSAGES[kind]} {escaped(draft)}" for kind, draft in drafts.items()]
        words = spoken([*opening(options), f"bars {bars:.0f}", *files, "start"])
        flags = ["-batch", "-nrt", "-noprefs", "-noaudio", "-nomidi", "-r", "44100"]
        limit = _seconds(options, _beats_per_bar(MODELS / options.composer)) + PATIENCE
        with pd([*flags, *words, PATCHES / "render.pd"], limit) as process:
            lines = [_watched(line.strip(), bars) for line in process.stderr or ()]
        if sys.stderr.isatty():
            tell("\r\033[K")
        why = _named(complaint(lines), drafts, options.files)
        if why or process.returncode or not all(draft.is_file() for draft in drafts.values()):
            raise _failed("rendering", why or " ".join(lines[-1:]) or "Pd died")
        for kind, draft in drafts.items():
            draft.replace(options.files[kind])
    took = time.monotonic() - begin
    for kind, file in options.files.items():
        print(f"{file}: {_sound(file) if kind == 'record' else _notes(lines)}")
    seconds = _seconds(options, _told_beats(lines))
    print(f"{bars:.0f} bar{'s' if bars > 1 else ''}, {seconds:.1f} s of music, in {took:.1f} s")


def _named(why: str | None, drafts: Mapping[str, Path], files: Mapping[str, Path]) -> str | None:
    """What Pd complains of, by the files that were asked for."""
    if why and HALF_WRITTEN.match(why):
        return f"{files['record']}: the sound could not be written whole / {MAKE_ROOM}"
    for kind, draft in drafts.items():
        why = why and why.replace(str(draft), str(files[kind]))
    return why


def _watched(line: str, bars: float) -> str:
    """Show how far it is, if somebody looks."""
    if sys.stderr.isatty() and (step := re.match(r"step: (\d+)", line)):
        print(f"\rbar {step[1]} of {bars:.0f}", end="", file=sys.stderr, flush=True)
    return line


def _sound(file: Path) -> str:
    with wave.open(str(file)) as sound:
        size, rate, frames = sound.getsampwidth(), sound.getframerate(), sound.getnframes()
        peak = max(_peak(sound.readframes(rate), size) for _ in range(-(-frames // rate)))
    level = f"peak {20 * log10(peak):.1f} dB" if peak else "silence"
    return f"{frames / rate:.1f} s, {level}"


def _peak(samples: bytes, size: int) -> float:
    """The largest magnitude, 0-1, by the two upper bytes of each little-endian sample."""
    upper = bytearray(len(samples) // size * 2)
    upper[::2], upper[1::2] = samples[size - 2 :: size], samples[size - 1 :: size]
    values = array("h", bytes(upper))
    return max(max(values), -min(values)) / 2**15


def _notes(lines: Iterable[str]) -> str:
    """How many notes [recorder] says that it wrote: ``recorder: wrote FILE N``."""
    return f"{next(line.split()[-1] for line in lines if line.startswith('recorder: wrote '))} notes"


def _told_beats(lines: Iterable[str]) -> float:
    """How many beats a bar has by what [composer] says: ``composer: grid STEPS_PER_BEAT STEPS_PER_BAR``."""
    *_, grid = (line.split()[-2:] for line in lines if line.startswith("composer: grid "))
    return float(grid[1]) / float(grid[0])


def play(options: argparse.Namespace, window: bool) -> None:
    """Play until somebody ends it, or for as many bars as were asked for.

    Raises:
        NeuralMIDIError: the patch could not begin, or Pd died.
    """
    port = _free_port()
    bars = [f"bars {options.bars:.0f}"] if options.bars else []
    words = spoken([*opening(options), *bars, f"port {port}", "play 1"])
    sound = "-noadc" if sound_card() else "-noaudio"
    flags = [PATCHES / "audio_engine.pd"] if window else ["-nogui", "-nomidi", sound, PATCHES / "headless.pd"]
    flags = ["-sleepgrain", OSC_PERIOD, *flags]
    tell(f"{options.composer}, seed {options.seed:.0f}. Ctrl-C ends it.")
    with pd([*words, *flags]) as process:
        try:
            _show(process.stderr or (), _names(options.composer))
        except (KeyboardInterrupt, BrokenPipeError):  # `play | head` has seen enough, too
            # Python writes what is left in stdout once more when it ends, and would complain then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as door:
                door.sendall(b"quit;\n")
                process.wait(GOODBYE)
            return
        if process.wait(GOODBYE):
            raise NeuralMIDIError("Pd", f"it ended with status {process.returncode}", DOCTOR)


def _names(composer: str) -> Sequence[str]:
    """What a player calls each of the MIDI pitches."""
    if _description(MODELS / composer).get("tokenizer", {}).get("kind") == "drums":
        kit = {each.pitch: each.name for each in KIT}
        return [kit.get(pitch, str(pitch)) for pitch in range(128)]
    return [f"{note_name(pitch):<3}" for pitch in range(128)]


def _show(lines: Iterable[str], names: Sequence[str]) -> None:
    """Print the notes of each step by their names, and everything that is not as it should be."""
    before = ""
    begun = False
    for line in map(str.strip, lines):
        if line.startswith("step: "):
            begun = True
            bar, beat, step, *pitches = map(int, line.split()[1:])
            notes = " ".join(names[pitch] for pitch in pitches)
            print(f"{f'{bar}.{beat}.{step}':>8}  {notes}".rstrip(), flush=True)
        elif why := complaint([before, line]):
            if not begun:
                raise _failed("playing", why)
            tell(line)
        before = line


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; 0 when it is done, 2 for a mistake in it, 1 for a failure."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's `&` has SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        options = parse(arguments)
    except NeuralMIDIError as error:
        tell(f"play: {error}")
        return 2
    window = not options.files and display() is not None and sound_card() is not None
    try:
        prepare("play", window)
        render(options) if options.files else play(options, window)
    except NeuralMIDIError as error:
        tell(f"play: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
