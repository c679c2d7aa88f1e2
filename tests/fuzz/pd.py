"""Messages that nobody should send, in the real Pd: it lives, every note ends, and each object plays on."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from tests.fuzz.kinds import FuzzError, Kind, Outcome
from tests.fuzz.pd_messages import COMPOSERS, RECORDERS, SPECIAL, STAGE, TARGETS, line, text
from tests.pd_runner import DATA, EXTERNALS, Patch

FLAGS = {"batch": ("-batch", "-nrt"), "real time": ("-nogui", "-nosound", "-nomidi", "-nrt")}
SLOWER = {"batch": 10.0, "real time": 1.0}
BATCH = 200
"""Messages from one mark in Pd's output to the next."""
SECONDS = 60
"""From one mark to the next, or to Pd's end."""
WARM = 0.2
"""The part of a run after which memory is taken for what all of it needs."""
CALM = (("sync", 1), ("panic",), ("play", 0), ("steps", 4), ("lookahead", 4), ("reset",), ("smooth", 0))
SETTINGS = (
    *(("temperature", 0.5), ("density", 1), ("intensity", 0.8), ("unmute",), ("top_k", 0), ("top_p", 1)),
    *(("repeats", 100), ("humanize", 0), ("channel", 1), ("seed", 1), ("tempo", 480), ("play", 1)),
)
"""What lets a composer play, whatever has been asked before."""
PLAYED = 3000
"""Ms that they play at the end."""
LAST_MARK = "end"
REFUSAL = re.compile(r"(composer|recorder): (?P<what>.*?): (?P<why>.+) / (?P<remedy>.+)")
FAULT = "this is a fault of the object"
"""What is said of an exception that nobody foresaw."""
DROPPED = re.compile(r"(composer|recorder): \d+ messages dropped: .+ / .+")
OFFENDER = re.compile(r"\d+|'.*'|\S{25,}|^.*(?= is (not|outside))")
"""What differs from refusal to refusal of the same kind."""
PD_ITSELF = (
    r"",
    r"\.\.\. you might be able to track this down from the Find menu\.",
    r"neuralmidi \d.*: Python .*",
    r"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.",
    r"error: stack overflow",  # a refusal leads back into the object, which refuses it at once, too
    r"error: bad arguments for message '\w+' to object '(receive|bindlist)'",
)
"""What else may be in the console."""


def _patch(folder: Path) -> Patch:
    """Every object with a name to send to, its notes in the console, and ways back into it."""
    patch = Patch()
    for kind, source in zip(SPECIAL, _special(patch), strict=True):
        patch.connect((source, 0, patch.obj(f"s special-{kind}"), 0))
    for name, box in {**COMPOSERS, **RECORDERS}.items():
        _object(patch, name, patch.obj(box), name in COMPOSERS)
    _object(patch, STAGE, patch.obj(f"s {STAGE}"), composes=False)
    for box in (f"r {STAGE}", "pd stage", "pd data", "r mark", "print mark"):
        patch.obj(box)
    patch.connect((patch.count - 2, 0, patch.count - 1, 0))
    patch.obj("text define messages")
    patch.obj("text sequence messages -g")
    patch.at(0, "read messages.txt", patch.count - 2)
    patch.at(50, "line 0, auto", patch.count - 4)
    return patch


def _special(patch: Patch) -> Iterator[int]:
    """The boxes that give, soon after the patch is there, what no text can hold."""
    infinite, difference = patch.msg("1e39"), patch.obj("- 1e39")
    long, empty = patch.msg(" ".join(["97"] * 10_000)), patch.msg("bang")
    symbols, pointer = [patch.obj("list tosymbol") for _ in range(2)], patch.obj("pointer")
    there = patch.msg("traverse pd-data, bang")
    start, wait = patch.obj("loadbang"), patch.obj("del 10")
    patch.connect((start, 0, wait, 0), *((wait, 0, box, 0) for box in (infinite, long, empty, there)))
    patch.connect((infinite, 0, difference, 0), (long, 0, symbols[0], 0), (empty, 0, symbols[1], 0))
    patch.connect((there, 0, pointer, 0))
    return iter((difference, *symbols, pointer))


def _object(patch: Patch, name: str, box: int, composes: bool) -> None:
    if name != STAGE:
        patch.connect((patch.obj(f"r {name}"), 0, box, 0))
    if composes:
        patch.connect((box, 0, patch.obj(f"print {name}-note"), 0))
    for kind in SPECIAL:
        sent, special = patch.obj(f"r {name}-{kind}"), patch.obj(f"r special-{kind}")
        longer, bare = patch.obj("list append"), patch.obj("list trim")
        patch.connect((sent, 0, longer, 0), (special, 0, longer, 1), (longer, 0, bare, 0), (bare, 0, box, 0))
    loop, echo = patch.obj(f"r {name}-loop"), patch.obj(f"r {name}-echo")
    outlets = (loop, loop, echo) if composes else () if name == STAGE else (echo,)
    for outlet, back in enumerate(outlets):
        gate = patch.obj("spigot")
        patch.connect((box, outlet, gate, 0), (back, 0, gate, 1))
        if composes and outlet == 0:
            note, bare = patch.obj("list prepend note"), patch.obj("list trim")
            patch.connect((gate, 0, note, 0), (note, 0, bare, 0), (bare, 0, box, 0))
        else:
            patch.connect((gate, 0, box, 0))


def _messages(part: str, seed: int, cases: range) -> Iterator[bytes]:
    """The lines of the text: the cases, then what lets every composer play, and stop."""
    for number in cases:
        yield line(seed, number, SLOWER[part])
        if (number + 1) % BATCH == 0 or number + 1 == cases.stop:
            yield text(["mark", number + 1])
    for name in TARGETS:
        yield text([f"{name}-loop", 0])
    yield text(["pd-stage", "clear"])
    for name, box in COMPOSERS.items():
        yield b"".join(text([name, *words]) for words in (*CALM, box.split(), *SETTINGS))
    yield text([500, "mark", "plays"])
    yield text([PLAYED, "mark", "stops"])
    yield b"".join(text([name, *words]) for name in COMPOSERS for words in (("play", 0), ("panic",)))
    yield text([500, "mark", LAST_MARK])
    yield text([10, "pd", "quit"])


def _furnish(folder: Path) -> None:
    """Put into a folder what messages name."""
    for name in ("waltz.mid", "round_in_two_voices.mid"):
        shutil.copy(DATA / name, folder)
    for name in ("tiny", "tiny2", "tiny_poly", "tiny_drums", "tiny_blend"):
        shutil.copytree(DATA / name, folder / name)
    for name in (os.fsdecode(b"caf\xe9.mid"), "two words.mid"):
        shutil.copy(DATA / "waltz.mid", folder / name)
    (folder / "damaged.mid").write_bytes((DATA / "waltz.mid").read_bytes()[:100])
    (folder / "empty.mid").touch()
    for name in ("folder", "folder.mid"):
        (folder / name).mkdir()
    for name in ("pipe", "pipe.mid"):
        os.mkfifo(folder / name)


class Books:
    """What Pd has said: notes, refusals, and how far it is."""

    def __init__(self) -> None:
        self.sounding: set[tuple[str, int, int]] = set()
        self.begun: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.playing: Counter[str] = Counter()
        self.mark = ""

    def hear(self, said: str) -> None:
        """Take a line.

        Raises:
            ValueError: it must not be there.
        """
        if note := re.fullmatch(r"(\w+)-note: (\d+) (\d+) (\d+)", said):
            self._note(note[1], *map(int, note.groups()[1:]))
        elif mark := re.fullmatch(r"mark: (.*)", said):
            self.mark = mark[1].removeprefix("symbol ")
        elif said.startswith("error: ") and DROPPED.fullmatch(said[7:]):
            self.refused["more than it can take in"] += 1
        elif FAULT not in said and (refusal := REFUSAL.fullmatch(said.removeprefix("error: "))):
            self.refused[OFFENDER.sub("_", refusal["why"])[:40]] += 1
        elif not any(re.fullmatch(each, said) for each in PD_ITSELF):
            raise ValueError(f"Pd says: {said[:500]}")

    def _note(self, name: str, pitch: int, velocity: int, channel: int) -> None:
        note = (name, pitch, channel)
        if (note in self.sounding) == (velocity > 0):
            raise ValueError(f"{name}: {pitch} on channel {channel} with velocity {velocity} is out of place")
        self.sounding.symmetric_difference_update({note})
        self.begun[name] += velocity > 0
        self.playing[name] += velocity > 0 and self.mark == "plays"

    def balance(self) -> None:
        """Raise a ValueError unless all notes have ended and each composer has played at the end."""
        if self.sounding:
            raise ValueError(f"never ended: {sorted(self.sounding)[:3]}")
        if silent := [name for name in COMPOSERS if not self.playing[name]]:
            raise ValueError(f"{', '.join(silent)} no longer plays")


@contextmanager
def _pd(part: str, folder: Path) -> Iterator["tuple[subprocess.Popen[bytes], Queue[bytes | None]]"]:
    """Pd, and the lines that it prints; None when there are no more."""
    paths = [word for path in (EXTERNALS, folder) for word in ("-path", str(path))]
    command = ["pd", "-noprefs", "-stderr", *FLAGS[part], *paths, "-lib", "neuralmidi", "fuzz.pd"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    pd = subprocess.Popen(command, cwd=folder, env={**os.environ, "HOME": str(folder)}, **pipes)  # type: ignore[call-overload]
    lines: Queue[bytes | None] = Queue()

    def read() -> None:
        for each in pd.stdout:
            lines.put(each)
        lines.put(None)

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        yield pd, lines
    finally:
        pd.kill()
        pd.wait()
        reader.join()
        pd.stdout.close()


def fuzz(part: str, seed: int, cases: range) -> Outcome:
    """Send the messages of these numbers to one Pd.

    Raises:
        FuzzError: Pd ended, hung or said what it must not, a note was not ended, or a composer plays no more.
    """
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "deep", "down", "there")  # names with dots in them lead into an empty folder
        folder.mkdir(parents=True)
        _furnish(folder)
        (folder / "fuzz.pd").write_text(_patch(folder).text())
        (folder / "messages.txt").write_bytes(b"".join(_messages(part, seed, cases)))
        books, memory = Books(), [0.0]
        try:
            with _pd(part, folder) as (pd, lines):
                _listen(pd, lines, books, memory, cases)
                books.balance()
        except ValueError as error:
            done = int(books.mark) if books.mark.isdigit() else cases.stop
            again = min(done + (BATCH if books.mark.isdigit() or not books.mark else 0), cases.stop)
            raise FuzzError(f"after {books.mark or 'the start'}: {error}", f"--cases {again}") from None
    begun = sum(books.begun.values())
    warm = memory[max(1, int(WARM * len(memory)))] if len(memory) > 1 else 0.0
    return Outcome(
        (len(cases), sum(books.refused.values()), begun, f"{warm:.0f}", f"{memory[-1]:.0f}"), books.refused
    )


def _listen(
    pd: "subprocess.Popen[bytes]",
    lines: "Queue[bytes | None]",
    books: Books,
    memory: list[float],
    cases: Sequence[int],
) -> None:
    """Hear what Pd says until it ends.

    Raises:
        ValueError: it must not say so, or end so, or takes too long.
    """
    told = time.monotonic()
    while True:
        try:
            said = lines.get(timeout=SECONDS)
        except Empty:
            raise ValueError(f"Pd says nothing for {SECONDS} s") from None
        if said is None:
            break
        before = books.mark
        books.hear(said.decode(errors="replace").rstrip("\n"))
        if books.mark != before:
            memory.append(_megabytes(pd.pid) or memory[-1])
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"message {books.mark} of {len(cases)}", file=sys.stderr, flush=True)
    if pd.wait(SECONDS):
        raise ValueError(f"Pd ended with {pd.returncode}")
    if books.mark != LAST_MARK:
        raise ValueError("Pd ended too early")


def _megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


PD = Kind(
    about="messages to [composer] and [recorder] in Pd, as fast as it can and in real time",
    heading=("messages", "refusals", "notes", "MB warm", "MB at the end"),
    parts=tuple(FLAGS),
    cases=20_000,
    run=fuzz,
)
