"""[stream] in the real Pd: what a program elsewhere plays begins once, and ends, whatever is lost."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest
from neuralmidi.osc import LOOPBACK, Address, Message, Port
from pd_runner import DATA, EXTERNALS, ROOT, Patch, Run, free_port, run_pd, sounding_after

PATCHES = ROOT / "pd_patches"
FLAGS = ("-path", str(PATCHES))
MS = 44.1
"""Samples of a millisecond."""

ONE, TWO = "127.0.0.1 5001", "127.0.0.1 5002"
"""Who sends. Nothing listens there."""
OBJECT = "the source is the object / switch the source to stream in the patch"
BUSY = "stream: 127.0.0.1 5001 plays already / wait until it has stopped"
SILENT = "error stream: nothing has come from 127.0.0.1 5001 for 0.7 s / see whether it still plays"
NOBODY = "error stream: nobody streams to this patch / start neuralmidi stream"

Event = tuple[float, str]
"""Milliseconds, message."""


def a_stream() -> tuple[Patch, int, int]:
    """A patch with [stream] that logs what it says, and a box for each of its inlets."""
    patch = Patch()
    box = patch.obj("stream")
    for outlet, tag in enumerate(("note", "step", "status", "refused")):
        patch.log(box, outlet, tag)
    wishes, streams = patch.obj("t a"), patch.obj("t a")
    patch.connect((wishes, 0, box, 0), (streams, 0, box, 1))
    return patch, wishes, streams


def stream(folder: Path, *events: Event, wishes: tuple[Event, ...] = (), ms: float = 100) -> Run:
    """What [stream] makes of what senders send it, and of what is asked of it, in logical time."""
    patch, first, second = a_stream()
    for box, listed in ((second, events), (first, wishes)):
        for at, message in listed:
            patch.at(at, message, box)
    patch.quit_at(ms)
    run = run_pd(patch, folder, flags=FLAGS)
    assert not run.errors
    return run


def said(run: Run, tag: str = "status") -> list[str]:
    """What it says at an outlet, as a person reads it."""
    return [" ".join(atoms).replace("\\", "") for _, atoms in run.logged(tag)]


def notes(run: Run) -> list[tuple[int, int, int]]:
    """What leaves the first outlet: (pitch, velocity, channel)."""
    sounding_after(run.notes())
    return [(pitch, velocity, channel) for _, pitch, velocity, channel in run.notes()]


# --- notes


def test_notes_leave_as_those_of_a_composer(tmp_path: Path) -> None:
    run = stream(
        tmp_path,
        (1, f"{ONE} note_on 60 100 1, {ONE} step 0 60 64, {ONE} note_vel 60 80 1, {ONE} note_on 64 90"),
        (2, f"{ONE} note_off 60 1, {ONE} note_on 64 0, {ONE} step 1, {ONE} status grid 12 48"),
    )
    assert notes(run) == [(60, 100, 1), (64, 90, 1), (60, 0, 1), (64, 0, 1)]
    assert said(run, "step") == ["step 0 60 64", "vel 60 80 1", "step 1"]
    assert said(run) == ["stream 127.0.0.1 5001", "grid 12 48"]
    assert said(run, "refused") == []


def test_a_note_that_sounds_ends_before_it_begins_again(tmp_path: Path) -> None:
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100 3, {ONE} note_on 60 50 3, {ONE} note_on 60 40 4"))
    assert notes(run) == [(60, 100, 3), (60, 0, 3), (60, 50, 3), (60, 40, 4)]


def test_what_does_not_sound_neither_ends_nor_swells(tmp_path: Path) -> None:
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100 1, {ONE} note_off 60 2, {ONE} note_off 61"))
    assert notes(run) == [(60, 100, 1)]
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100 1, {ONE} note_vel 61 20 1, {ONE} note_vel 60 20 2"))
    assert said(run, "step") == []
    assert said(run, "refused") == []


def test_a_lost_end_comes_with_the_next_list(tmp_path: Path) -> None:
    played = " , ".join(
        f"{ONE} note_on {pitch} 100 {channel}" for pitch in (0, 60, 127) for channel in (1, 16)
    )
    run = stream(tmp_path, (1, played), (50, f"{ONE} notes 60 16 127 1 40 5"))
    ended = {(sample, pitch, channel) for sample, pitch, velocity, channel in run.notes() if not velocity}
    at = round(50 * MS)
    assert ended == {(at, 0, 1), (at, 0, 16), (at, 60, 1), (at, 127, 16)}
    assert sounding_after(run.notes()) == {(60, 16), (127, 1)}
    run = stream(tmp_path, (1, played), (50, f"{ONE} notes"))
    assert sounding_after(run.notes()) == set()


def test_notes_that_are_listed_again_and_again_go_on(tmp_path: Path) -> None:
    lists = [(50.0 * k, f"{ONE} notes 60 1 64 2") for k in range(1, 9)]
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100, {ONE} note_on 64 100 2"), *lists, ms=500)
    assert notes(run) == [(60, 100, 1), (64, 100, 2)]


# --- silence


def test_who_lists_its_notes_and_falls_silent_is_gone(tmp_path: Path) -> None:
    run = stream(tmp_path, (10, f"{ONE} note_on 60 100, {ONE} notes 60 1"), ms=2000)
    assert run.notes()[-1] == (round(710 * MS), 60, 0, 1)
    assert said(run) == ["stream 127.0.0.1 5001", "stream", SILENT]


def test_who_never_lists_them_is_held_to_nothing(tmp_path: Path) -> None:
    run = stream(tmp_path, (10, f"{ONE} note_on 60 100"), (5000, f"{TWO} note_on 61 1"), ms=6000)
    assert notes(run) == [(60, 100, 1)]
    assert said(run) == ["stream 127.0.0.1 5001"]
    assert said(run, "refused") == [f"refuse {BUSY}"]


# --- who plays


def test_a_second_one_waits_until_the_first_has_been_silent(tmp_path: Path) -> None:
    run = stream(
        tmp_path,
        (10, f"{ONE} note_on 60 100, {ONE} note_off 60"),
        (700, f"{TWO} note_on 61 90, {TWO} status ready bach"),
        (720, f"{TWO} note_on 62 80"),
        (730, f"{ONE} note_on 63 70"),
        ms=1000,
    )
    assert notes(run) == [(60, 100, 1), (60, 0, 1), (62, 80, 1)]
    assert said(run) == ["stream 127.0.0.1 5001", "stream 127.0.0.1 5002"]
    assert said(run, "refused") == [f"refuse {BUSY}", f"refuse {BUSY}".replace("5001", "5002")]


def test_panic_lets_another_one_play(tmp_path: Path) -> None:
    run = stream(
        tmp_path,
        (10, f"{ONE} note_on 60 100"),
        (1200, f"{TWO} note_on 61 90"),
        wishes=((1000, "panic"),),
        ms=1500,
    )
    assert notes(run) == [(60, 100, 1), (60, 0, 1), (61, 90, 1)]


def test_what_is_said_by_somebody_else_is_not_passed_on(tmp_path: Path) -> None:
    run = stream(
        tmp_path, (1, f"{ONE} status ready bach, {ONE} notes, {TWO} status ready joplin, {ONE} status")
    )
    assert said(run) == ["stream 127.0.0.1 5001"]
    assert said(run, "refused") == []  # an answer is not answered: two patches would never come to an end


# --- the source


def test_the_source_object_refuses_and_ends_what_sounds(tmp_path: Path) -> None:
    run = stream(
        tmp_path,
        (1, f"{ONE} note_on 60 100"),
        (2, "on 0"),
        (3, f"{ONE} note_on 61 100, {ONE} notes 60 1, {ONE} status ready bach"),
        (4, "on 1"),
        (5, f"{TWO} note_on 62 100"),
    )
    assert notes(run) == [(60, 100, 1), (60, 0, 1), (62, 100, 1)]
    assert said(run, "refused") == [f"refuse note_on: {OBJECT}", f"refuse notes: {OBJECT}"]
    assert said(run) == ["stream 127.0.0.1 5001", "stream", "stream 127.0.0.1 5002"]


# --- ranges


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "note_on",
            "note_on 60",
            "note_on 60 100 1 1",
            "note_on 128 100",
            "note_on -1 100 1",
            "note_on 60.5 100",
        ),
        *("note_on 60 128", "note_on 60 -1", "note_on 60 100 0", "note_on 60 100 17", "note_on 60 100 1.5"),
        *("note_on c4 100", "note_on 60 loud", "note_on 60 100 one", "note_on 1e30 100", "note_on 60 list 1"),
        *(
            "note_vel 60",
            "note_vel 60 128 1",
            "note_off",
            "note_off 128",
            "note_off 60 17",
            "note_off 60 1 1",
        ),
        *(
            "notes 60",
            "notes 60 0",
            "notes 60 1 61",
            "notes 60 1 128 1",
            "notes sixty 1",
            "notes 60 1 61 1 x y",
        ),
        *("step", "step -1", "step 1.5", "step one", "step 1 128", "step 1 60 -1", "step 1 2 3 4 x"),
    ],
)
def test_what_is_not_legal_is_refused_and_changes_nothing(wrong: str, tmp_path: Path) -> None:
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100, {TWO} {wrong}, {ONE} {wrong}"))
    assert notes(run) == [(60, 100, 1)]
    assert said(run, "step") == []
    busy, refused = said(run, "refused")
    assert busy == f"refuse {BUSY}"
    assert refused.startswith(f"refuse {wrong.split()[0]}: ")
    assert " / send " in refused


def test_who_sends_nothing_legal_does_not_play(tmp_path: Path) -> None:
    assert said(stream(tmp_path, (1, f"{ONE} note_on 200 1, {ONE} unheard of, {ONE} notes 1"))) == []


# --- whatever comes


def anything(draw: random.Random) -> str:
    """A wait, and a message that may be legal or not, in the words of [qlist]."""
    wait = draw.choice((0, 0, 0, 0, 1, 30, 250)) if draw.random() < 0.995 else 750
    asked = ("wish panic", "wish play 0", "wish tempo 90", "stream on 0")
    if (rare := draw.random()) < 0.02:
        return f"{wait} stream on 1;" if rare < 0.01 else f"{wait} {draw.choice(asked)};"
    word = draw.choice(("note_on", "note_on", "note_on", "note_off", "note_vel", "notes", "step", "status"))
    illegal = (-1, 0, 0.5, 17, 128, "x")
    atoms = [draw.randrange(1, 6) if draw.random() < 0.95 else draw.choice(illegal) for _ in range(4)]
    sender = ONE if draw.random() < 0.95 else TWO
    return " ".join(map(str, (wait, "stream", sender, word, *atoms[: draw.randrange(5)]))) + ";"


def test_20000_messages_at_random_leave_no_note_sounding(tmp_path: Path) -> None:
    draw = random.Random(5)
    lines = [anything(draw) for _ in range(20_000)]
    (tmp_path / "all.txt").write_text("\n".join([*lines, "0 wish panic;", "0 done bang;"]))
    patch, wishes, streams = a_stream()
    for name, box in (("stream", streams), ("wish", wishes)):
        patch.connect((patch.obj(f"r {name}"), 0, box, 0))
    patch.at(0, "read all.txt, bang", patch.obj("qlist"))
    patch.connect((patch.obj("r done"), 0, patch.msg("; pd quit"), 0))
    run = run_pd(patch, tmp_path, flags=FLAGS)
    assert not run.errors
    assert sounding_after(run.notes()) == set()
    assert sum(velocity > 0 for _, _, velocity, _ in run.notes()) > 2000
    for tag in ("step", "status", "refused"):
        assert len(said(run, tag)) > 100, tag


# --- wishes


def wished(port: Port) -> list[tuple[str, tuple[object, ...]]]:
    """What has come there within a moment: paths and arguments."""
    found: list[tuple[str, tuple[object, ...]]] = []
    deadline = time.monotonic() + 10
    while not found and time.monotonic() < deadline:
        for message in port.receive(0.1):
            assert isinstance(message, Message)
            found.append((message.path, message.arguments))
    return found


def test_wishes_go_to_who_plays(tmp_path: Path) -> None:
    one, two = Port(), Port()
    first, second = (f"{host} {number}" for host, number in (one.address, two.address))
    stream(
        tmp_path,
        (1, f"{first} note_on 60 100, {first} note_off 60"),
        (1000, f"{second} notes"),
        (3000, f"{first} notes"),
        wishes=(
            (2, "tempo 90, composer bach, panic, blend bach 0.7 chopin 0.3, bang, 5 6"),
            (1001, "temperature 0.5"),
            (2500, "temperature 0.6"),
            (3001, "play 0"),
        ),
        ms=3100,
    )
    told = [(path, tuple(arguments)) for path, arguments in wished(one)]
    assert told == [
        ("/tempo", (90.0,)),
        ("/composer", ("bach",)),
        ("/panic", ()),
        ("/blend", ("bach", pytest.approx(0.7), "chopin", pytest.approx(0.3))),
        ("/play", (0.0,)),
    ]
    assert wished(two) == [("/temperature", (0.5,))]
    one.close()
    two.close()


@pytest.mark.parametrize("wish", ["panic", "play 0"])
def test_what_ends_notes_ends_them_here_at_once(wish: str, tmp_path: Path) -> None:
    run = stream(tmp_path, (1, f"{ONE} note_on 60 100, {ONE} note_on 60 100 9"), wishes=((2, wish),))
    assert {(sample, pitch, channel) for sample, pitch, velocity, channel in run.notes() if not velocity} == {
        (round(2 * MS), 60, 1),
        (round(2 * MS), 60, 9),
    }


def test_a_wish_to_nobody_is_told_once_a_second(tmp_path: Path) -> None:
    sliding = tuple((20.0 * k, f"tempo {60 + k}") for k in range(1, 76))
    assert said(stream(tmp_path, wishes=sliding, ms=1600)) == [NOBODY, NOBODY]


# --- over UDP


class Program:
    """A program elsewhere: it sends, and keeps what comes to it. Pings it answers."""

    def __init__(self, to: Address) -> None:
        self.to = to
        self.port = Port()
        self.heard: list[tuple[object, ...]] = []

    def send(self, path: str, *arguments: int | float | str) -> None:
        self.port.send(self.to, path, *arguments)

    def hears(self, wanted: Callable[[tuple[object, ...]], bool], seconds: float = 10) -> tuple[object, ...]:
        """The first message that is wanted, of those that it has not been asked for before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for place, message in enumerate(self.heard):
                if wanted(message):
                    del self.heard[: place + 1]
                    return message
            for came in self.port.receive(0.05):
                assert isinstance(came, Message)
                if came.path == "/ping":
                    self.send("/pong", *came.arguments)
                self.heard.append((came.path, *came.arguments))
        raise AssertionError(f"it has not come, but: {self.heard}")

    def comes(self, *expected: object) -> None:
        """Wait for a message that begins like this."""
        self.hears(lambda message: message[: len(expected)] == expected)


class Playing:
    """Pd in real time, with a patch that answers at a UDP port.

    Attributes:
        run: what it was, once it is over.
    """

    run: Run

    def __init__(self, patch: Patch, to: Address, folder: Path, *flags: str) -> None:
        self.console = free_port(socket.SOCK_STREAM)
        line, word = patch.obj(f"netreceive {self.console}"), patch.obj("route quit")
        patch.connect((line, 0, word, 0), (word, 0, patch.msg("; pd quit"), 0))
        patch.connect((word, 1, patch.obj("s neuralmidi"), 0))
        self.start = partial(run_pd, patch, folder, batch=False, flags=(*FLAGS, "-nomidi", *flags))
        self.to = to

    def __enter__(self) -> "Playing":
        self.pool = ThreadPoolExecutor(1)
        self.over = self.pool.submit(self.start)
        asker = Program(self.to)
        with closing(asker.port):
            for _ in range(100):
                asker.send("/ping", 5)
                with suppress(AssertionError):
                    asker.hears(lambda message: message == ("/pong", 5), 0.1)
                    return self
        raise AssertionError(f"nothing answers at {self.to}")

    def tell(self, message: str) -> None:
        """Send a message to the name "neuralmidi"."""
        with socket.create_connection((LOOPBACK, self.console), 10) as line:
            line.sendall(f"{message};\n".encode())

    def __exit__(self, *_: object) -> None:
        self.tell("quit")
        self.run = self.over.result()
        self.pool.shutdown()
        assert not self.run.errors


def said_of(word: str) -> str:
    """What is said of one that is not legal."""
    remedy = "send a pitch 0-127 and a velocity 0-127 and a channel 1-16"
    return f"{word}: it is not a note / {remedy}"


@pytest.fixture
def program() -> Iterator[Callable[[Address], Program]]:
    """Start a program elsewhere, that ends with the test."""
    with ExitStack() as stack:

        def start(to: Address) -> Program:
            started = Program(to)
            stack.callback(started.port.close)
            return started

        yield start


@pytest.mark.clock
def test_what_programs_send_over_udp_is_played_and_answered(
    program: Callable[[Address], Program], tmp_path: Path
) -> None:
    to = (LOOPBACK, free_port())
    patch = Patch()
    remote, box = patch.obj(f"osc_remote {to[1]}"), patch.obj("stream")
    patch.connect((remote, 0, box, 0), (remote, 1, box, 1), (box, 3, remote, 3))
    patch.log(box, 0, "note")
    patch.log(box, 2, "status")
    with Playing(patch, to, tmp_path) as pd:
        first, second, remote_control = (program(to) for _ in range(3))
        first.send("/note_on", 60, 100, 1)
        first.send("/note_on", 64, 90.0)
        first.send("/note_on", 64, 200, 1)
        first.comes("/status", "error", said_of("note_on"))
        second.send("/note_on", 72, 100, 1)
        second.comes("/status", "error", BUSY.replace("5001", str(first.port.address[1])))
        remote_control.send("/tempo", 90)
        first.comes("/tempo", 90.0)
        first.send("/notes", 64, 1)  # the end of 60 has been lost
        first.send("/ping", 9)
        first.comes("/pong", 9)
        time.sleep(0.9)  # and now it is gone
        second.send("/notes")
        second.send("/note_on", 72, 100, 1)
        second.send("/note_off", 72, 1)
        second.send("/ping", 9)
        second.comes("/pong", 9)
    assert notes(pd.run) == [(60, 100, 1), (64, 90, 1), (60, 0, 1), (64, 0, 1), (72, 100, 1), (72, 0, 1)]
    assert said(pd.run)[1:3] == ["stream", SILENT.replace("5001", str(first.port.address[1]))]


@pytest.mark.clock
def test_the_instrument_plays_a_stream_when_it_is_asked_to(
    program: Callable[[Address], Program], tmp_path: Path
) -> None:
    shutil.copytree(DATA / "tiny", tmp_path / "models" / "bach")
    to = (LOOPBACK, free_port())
    patch = Patch()
    patch.obj("audio_engine")
    patch.at(0, f"; neuralmidi listen {LOOPBACK} {to[1]}")
    with Playing(patch, to, tmp_path, "-path", str(tmp_path / "models")) as pd:
        streamer, follower = program(to), program(to)
        follower.send("/subscribe", follower.port.address[1])
        follower.comes("/status", "subscribed")
        streamer.send("/note_on", 60, 100, 1)
        streamer.comes("/status", "error", f"note_on: {OBJECT}")

        follower.send("/tempo", 480)
        follower.send("/play", 1)
        follower.comes("/note_on")
        pd.tell("source stream")
        follower.comes("/status", "play", 0.0)
        streamer.send("/notes")
        streamer.comes("/models")
        streamer.comes("/info")
        streamer.send("/status", "info", "tempo", 96.0)  # it tells the screen, and is told nothing
        follower.comes("/status", "info", "tempo", 96.0)
        assert not {"/tempo", "/play", "/temperature"} & {path for path, *_ in streamer.heard}
        streamer.send("/note_on", 61, 33, 5)
        follower.comes("/note_on", 61, 33, 5)
        time.sleep(0.6)  # while a control is turned here, it is not moved from there
        streamer.send("/status", "temperature", 0.5)
        follower.comes("/status", "temperature", 0.5)

        pd.tell("source object")
        streamer.comes("/play", 0.0)
        follower.comes("/note_off", 61, 5)
        follower.comes("/status", "temperature", 0.5)  # the object is told what the screen shows
        follower.comes("/status", "tempo", 96.0)
        follower.send("/play", 1)
        follower.comes("/note_on")
        follower.send("/play", 0)
        follower.comes("/notes")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_a_streaming_program_ends_so_do_its_notes_within_a_second(
    ending: signal.Signals, program: Callable[[Address], Program], tmp_path: Path
) -> None:
    to = (LOOPBACK, free_port())
    patch = Patch()
    remote, box = patch.obj(f"osc_remote {to[1]}"), patch.obj("stream")
    patch.connect((remote, 0, box, 0), (remote, 1, box, 1), (box, 3, remote, 3), (box, 0, remote, 0))
    patch.log(box, 0, "note")
    patch.log(box, 2, "status")
    where = f"--osc-port {to[1]} --control-port {free_port()}"
    played = f"--models {DATA} --composer tiny --tempo 480 {where}"
    with Playing(patch, to, tmp_path) as pd:
        follower = program(to)
        follower.send("/subscribe", follower.port.address[1])
        command = [sys.executable, "-m", "neuralmidi", "stream", *played.split()]
        environment = {**os.environ, "PYTHONPATH": str(EXTERNALS)}
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as streamer:
            try:
                for _ in range(4):
                    follower.comes("/note_on")
                streamer.send_signal(ending)
                streamer.wait(10)
            finally:
                streamer.kill()
        time.sleep(1.2)
    heard = pd.run.notes()
    assert sounding_after(heard) == set()
    last = max(sample for sample, _, velocity, _ in heard if velocity)
    assert all(sample <= last + 1000 * MS for sample, *_ in heard)
    if ending == signal.SIGKILL:
        assert any(sample > last + 500 * MS for sample, *_ in heard), "nobody has ended them there"
        assert any(text.startswith("error stream: nothing has come from") for text in said(pd.run))
