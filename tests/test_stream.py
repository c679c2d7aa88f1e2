"""``neuralmidi stream``: the real process, real UDP, small models."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from neuralmidi import bundle, wishes
from neuralmidi.__main__ import main
from neuralmidi.composer import Composer
from neuralmidi.followers import MOST
from neuralmidi.log import Log
from neuralmidi.osc import Address, Argument, Message, Port
from neuralmidi.streaming import Stream
from neuralmidi.transport import NOTES, Step
from pd_runner import free_port

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
SECONDS = 20.0
"""Until something must have come."""

Heard = tuple[Any, ...]


class Follower:
    """A receiver that answers, and keeps what it hears, on a thread of its own: path, arguments."""

    def __init__(self, answers: bool = True) -> None:
        self.port = Port()
        self.answers = answers
        self.heard: list[Heard] = []
        self._read = 0  # so many of them have been looked at
        self._is_open = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def address(self) -> Address:
        return self.port.address

    def _listen(self) -> None:
        while self._is_open:
            for packet in self.port.receive(0.05):
                assert isinstance(packet, Message), packet
                if packet.path == "/ping" and self.answers:
                    self.port.send(packet.sender, "/pong", *packet.arguments)
                self.heard.append((packet.path, *packet.arguments))

    def until(self, done: Callable[[Heard], bool]) -> list[Heard]:
        """What comes, up to something."""
        start, end = self._read, time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self._read == len(self.heard):
                time.sleep(0.005)
                continue
            self._read += 1
            if done(self.heard[self._read - 1]):
                return self.heard[start : self._read]
        raise AssertionError(f"it has not come; but {self.heard[start:][-20:]}")

    def status(self, *words: Argument) -> list[Heard]:
        """What comes, up to a status."""
        return self.until(lambda each: each[: len(words) + 1] == ("/status", *words))

    def send(self, to: Address, path: str, *arguments: Argument) -> None:
        self.port.send(to, path, *arguments)

    def skip(self) -> None:
        """Let what has come be past."""
        self._read = len(self.heard)

    def rest(self) -> list[Heard]:
        """What comes, until nothing more does."""
        start = self._read
        while True:
            time.sleep(0.2)
            if len(self.heard) == self._read:
                return self.heard[start:]
            self._read = len(self.heard)

    def close(self) -> None:
        self._is_open = False
        self._thread.join()
        self.port.close()


def errors(heard: Sequence[Heard]) -> list[Heard]:
    """Those that somebody has led to: on a busy machine there may be underruns."""
    return [each for each in heard if each[:2] == ("/status", "error") and "underrun" not in each[2]]


def sounding(heard: Sequence[Heard]) -> set[tuple[int, int]]:
    """What sounds after all that; no end may come without a start."""
    notes: set[tuple[int, int]] = set()
    for path, *numbers in heard:
        if path == "/note_on":
            assert all(isinstance(number, int) for number in numbers)
            assert 1 <= numbers[1] <= 127
            notes.add((numbers[0], numbers[2]))
        elif path == "/note_off":
            notes.remove((numbers[0], numbers[1]))
        elif path == "/notes":
            assert set(zip(numbers[::2], numbers[1::2], strict=True)) == notes
    return notes


@dataclass
class Streaming:
    """A stream, and who hears it."""

    process: "subprocess.Popen[str]"
    receiver: Follower
    address: Address
    lines: list[str] = field(default_factory=list)

    def ask(self, path: str, *arguments: Argument) -> None:
        self.receiver.skip()
        self.receiver.send(self.address, path, *arguments)

    def end(self, how: int = signal.SIGTERM) -> int:
        """End it with a signal; the exit status. Nothing sounds then, and that has been said three times."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        status = self.process.wait(SECONDS)
        assert self.receiver.rest()[-3:] == [("/notes",)] * 3
        assert sounding(self.receiver.heard) == set()
        assert self.process.stdout
        self.lines += self.process.stdout.read().splitlines()
        return status


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "neuralmidi.stream", *map(str, arguments)]


@contextmanager
def streaming(composer: str = "tiny", *arguments: object, answers: bool = True) -> Iterator[Streaming]:
    receiver, control = Follower(answers), free_port()
    ports = ("--osc-port", receiver.address[1], "--control-port", control)
    process = subprocess.Popen(
        command("--models", DATA, "--composer", composer, *ports, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT / "externals",
    )
    assert process.stdout
    try:
        yield Streaming(process, receiver, ("127.0.0.1", control), [process.stdout.readline().rstrip()])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        assert process.stdin
        process.stdin.close()
        receiver.close()


@pytest.fixture(scope="module")
def music() -> Iterator[Streaming]:
    """One that many tests use."""
    with streaming("tiny", "--tempo", 400) as stream:
        yield stream
        assert stream.end() == 0


@pytest.fixture
def follow() -> Iterator[Callable[[], Follower]]:
    """Makes followers, and closes their ports."""
    made: list[Follower] = []

    def make() -> Follower:
        made.append(Follower())
        return made[-1]

    yield make
    for each in made:
        each.close()


def steps(heard: Sequence[Heard]) -> list[Heard]:
    return [each[1:] for each in heard if each[0] == "/step"]


# --- what it plays


@pytest.mark.parametrize(
    ("composer", "options", "prepare"),
    [
        ("tiny", ("--temperature", 1.7), lambda c: c.set("temperature", 1.7)),
        ("tiny_blend", ("--blend", "low 0.7 high 0.3"), lambda c: c.blend("low", 0.7, "high", 0.3)),
    ],
)
def test_a_seed_plays_what_the_composer_composes(
    composer: str, options: Sequence[object], prepare: Callable[[Composer], None]
) -> None:
    expected = Composer(bundle.load(DATA / composer), 5)
    expected.set("smooth", 0)
    prepare(expected)
    with streaming(composer, "--seed", 5, "--tempo", 1000, *options) as stream:
        heard = stream.receiver.until(lambda each: each[:2] == ("/step", 63))
        composed = [expected.step(15) for _ in range(64)]
        assert steps(heard)[:64] == [(step.number, *step.pitches) for step in composed]
        assert stream.end() == 0


def test_drums_and_their_options() -> None:
    with streaming("tiny_drums", "--tempo", 1000, "--fill", 4) as stream:
        heard = stream.receiver.until(lambda each: each[:2] == ("/step", 40))
        assert {each[3] for each in heard if each[0] == "/note_on"} == {10}
        assert stream.end() == 0


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_a_signal_ends_every_note(how: int, status: int) -> None:
    with streaming() as stream:
        stream.receiver.until(lambda each: each[0] == "/note_on")
        assert stream.end(how) == status
        assert "Traceback" not in "".join(stream.lines)


def test_it_ends_with_its_input_where_it_plays_below_a_screen() -> None:
    with streaming("tiny", "--while-stdin") as stream:
        stream.receiver.until(lambda each: each[0] == "/note_on")
        assert stream.process.stdin
        stream.process.stdin.close()
        assert stream.ended() == 0


def test_its_input_does_not_matter_elsewhere(music: Streaming) -> None:
    with streaming("tiny", "--tempo", 1000) as stream:
        assert stream.process.stdin
        stream.process.stdin.close()
        stream.receiver.until(lambda each: each[:2] == ("/step", 8))
        assert stream.end() == 0


# --- wishes


OBEYED: list[tuple[Any, ...]] = [
    ("/temperature", 0.5),
    ("/density", 0.25),
    ("/intensity", 1.0),
    ("/smooth", 0.0),
    ("/top_k", 3.0),
    ("/top_p", 0.5),
    ("/repeats", 2.0),
    ("/humanize", 0.5),
    ("/swing", 60.0),
    ("/tempo", 500.0),
    ("/seed", 16777215.0),
    ("/play", 0.0),
    ("/play", 1.0),
    ("/panic",),
    ("/reset",),
    ("/note", 60.0, 100.0),
    ("/note", 60.0, 0.0),
    ("/composer", "tiny_blend"),
    ("/blend", "low", 0.5, "high", 0.5),
    ("/composer", "tiny_drums"),
    ("/style", "funk"),
    ("/fill", "every", 2.0),
    ("/density", "hat", 0.5),
    ("/mute", "kick", "snare"),
    ("/unmute", "kick"),
    ("/composer", "tiny"),
]


def test_every_wish_is_obeyed_and_told_to_all(music: Streaming, follow: Callable[[], Follower]) -> None:
    other = follow()
    other.send(music.address, "/subscribe", other.address[1])
    other.status("subscribed", *other.address)
    for path, *arguments in OBEYED:
        music.ask(path, *arguments)
        heard = music.receiver.status(path.removeprefix("/"), *arguments)
        assert not errors(heard), path
        other.status(path.removeprefix("/"), *arguments)
    other.send(music.address, "/unsubscribe", other.address[1])
    other.status("unsubscribed", *other.address)
    asked = {path.removeprefix("/") for path, *_ in OBEYED}
    assert asked | {"models", "info"} == set(wishes.ADDRESSES)


def test_an_int_does_as_well_as_a_float_and_a_button_may_send_its_1(music: Streaming) -> None:
    music.ask("/tempo", 450)
    music.receiver.status("tempo", 450.0)
    music.ask("/panic", 1)
    music.receiver.status("panic")


def test_it_stops_and_goes_on(music: Streaming) -> None:
    music.ask("/play", 0)
    heard = music.receiver.status("play", 0.0)
    assert sounding(music.receiver.heard) == set()
    silent = music.receiver.until(lambda each: each[0] == "/notes")
    assert silent[-1] == ("/notes",)
    assert steps(heard[-1:] + silent) == []
    music.ask("/play", 1)
    music.receiver.until(lambda each: each[0] == "/step")


def test_what_was_asked_for_is_what_sounds(music: Streaming) -> None:
    music.ask("/smooth", 0)
    music.ask("/density", 0)
    music.ask("/reset")
    music.receiver.status("reset")
    heard = music.receiver.until(lambda each: each[0] == "/step" and each[1] > 30)
    assert not [each for each in heard[10:] if each[0] == "/note_on"]
    music.ask("/density", 1)
    music.receiver.until(lambda each: each[0] == "/note_on")


def test_models_and_info_are_told_to_who_asks(music: Streaming, follow: Callable[[], Follower]) -> None:
    stranger = follow()
    stranger.send(music.address, "/models")
    names = bundle.available([DATA])
    heard = stranger.until(lambda each: each[:2] == ("/status", "model") and each[2] == "tiny_poly")
    assert ("/status", "model", names[0]) in heard
    stranger.send(music.address, "/info")
    stranger.until(lambda each: each[:3] == ("/status", "info", "underruns"))
    music.receiver.until(lambda each: each[:3] == ("/status", "info", "underruns"))


WRONG: list[tuple[tuple[Any, ...], str]] = [
    (("/temperature", 9), "temperature: 9 is outside 0.1 to 2.0"),
    (("/temperature",), "temperature: the number is missing"),
    (("/temperature", "hot"), "temperature: hot is not a number"),
    (("/temperature", float("nan")), "temperature: nan is outside"),
    (("/temperature", 1, 1), "temperature: 2 values came with it"),
    (("/tempo", 0), "tempo: 0 is outside 1 to 1000"),
    (("/play", 2), "play: 2 is outside 0 to 1"),
    (("/note", 60), "note velocity: the number is missing"),
    (("/composer", "nobody"), "composer: nobody is none of them"),
    (("/composer", str(DATA / "tiny")), "none of them"),
    (("/blend", "bach"), "composer: blend"),
    (("/density", "hat", 7), "density: 7 is outside 0 to 1"),
    (("/mute", "piano"), "composer: mute: piano is not in the kit"),
    (("/fill", "now"), "composer: fill: this model knows no fills"),
    (("/nothing",), "there is no such address"),
    (("/tempo/x", 90), "there is no such address"),
    (("/primer", "/etc/passwd"), "there is no such address"),
    (("/note_on", 60, 100, 1), "there is no such address"),
    (("/subscribe", "example.org", 9000), "subscribe: example.org is no host"),
    (("/subscribe", 0), "subscribe port: 0 is outside"),
    (("/pong", "me"), "pong: me is not a number"),
]


def test_what_is_wrong_is_told_to_the_sender_alone_and_changes_nothing(
    music: Streaming, follow: Callable[[], Follower]
) -> None:
    stranger = follow()

    def info() -> dict[Any, Any]:
        stranger.send(music.address, "/info")
        heard = stranger.until(lambda each: each[:3] == ("/status", "info", "dropped"))
        changing = ("step", "sounding", "held", "underruns")
        return {each[2]: each[3:] for each in heard if each[1] == "info" and each[2] not in changing}

    before = info()
    for wish, text in WRONG:
        stranger.send(music.address, *wish)
        (answer,) = stranger.until(lambda each: each[:2] == ("/status", "error"))
        assert text in answer[2], wish
        assert " / " in answer[2]
    assert info() == before
    assert not errors(music.receiver.until(lambda each: each[0] == "/notes"))


def test_malformed_packets_are_answered_and_it_plays_on(
    music: Streaming, follow: Callable[[], Follower]
) -> None:
    stranger = follow()
    for packet in (b"", b"\0", b"/tempo", b"#bundle\0" + b"\xff" * 40, b"/a\0\0,b\0\0", b"/" * 5000):
        stranger.port._socket.sendto(packet, music.address)
        assert "packet: " in stranger.status("error")[-1][2]
    music.receiver.until(lambda each: each[0] == "/step")


def test_errors_are_never_answered(music: Streaming, follow: Callable[[], Follower]) -> None:
    stranger = follow()
    stranger.send(music.address, "/status", "error", "note_on: the source is the object / switch it")
    stranger.send(music.address, "/pong", 9)
    stranger.send(music.address, "/ping", "that is all", 1.5)
    stranger.until(lambda each: each == ("/pong", "that is all", 1.5))
    assert stranger.heard == [("/pong", "that is all", 1.5)]


def test_who_subscribes_hears_all_and_who_unsubscribes_nothing(
    music: Streaming, follow: Callable[[], Follower]
) -> None:
    followers = [follow() for _ in range(MOST + 1)]
    asker = follow()
    asker.send(music.address, "/subscribe", "localhost", followers[0].address[1])
    asker.status("subscribed", *followers[0].address)
    followers[0].status("subscribed", *followers[0].address)
    for each in followers[:MOST]:
        each.send(music.address, "/subscribe", each.address[1])
        each.status("subscribed", *each.address)
    followers[MOST].send(music.address, "/subscribe", followers[MOST].address[1])
    assert "8 follow already" in followers[MOST].status("error")[-1][2]
    for each in followers[:MOST]:
        each.until(lambda heard: heard[0] == "/note_on")
        each.until(lambda heard, me=each: heard == ("/ping", me.address[1]))  # type: ignore[misc]
        each.send(music.address, "/unsubscribe", each.address[1])
        each.status("unsubscribed", *each.address)
        each.rest()
    assert followers[0].rest() == []
    asker.send(music.address, "/unsubscribe", music.receiver.address[1])
    assert "named" in asker.status("error")[-1][2]


def test_the_notes_are_listed_all_the_time(music: Streaming) -> None:
    for _ in range(2):
        music.receiver.until(lambda each: each[0] == "/notes" and len(each) > 1)


def test_a_receiver_that_is_not_there_is_missed_until_it_answers() -> None:
    with streaming(answers=False) as stream:
        host, port = stream.receiver.address
        stream.receiver.until(lambda each: each[:2] == ("/status", "error"))
        stream.receiver.answers = True
        stream.receiver.until(lambda each: each[0] == "/ping")
        stream.receiver.until(lambda each: each[0] == "/notes")
        assert stream.end() == 0
    assert stream.lines[0].startswith(f"tiny plays to {host}:{port}; wishes are taken at {host}:")
    remedy = "open pd_patches/audio_engine.pd and switch its source to stream"
    assert stream.lines[1:] == [f"nobody answers at {host}:{port} / {remedy}", f"{host}:{port} answers"]


# --- below a screen


@contextmanager
def in_a_terminal(composer: str, receiver: Follower) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The stream with a terminal, and the terminal's other end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
    ports = ("--osc-port", receiver.address[1], "--control-port", free_port())
    process = subprocess.Popen(
        command("--models", DATA, "--composer", composer, *ports),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=ROOT / "externals",
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def shown(terminal: int, text: bytes) -> bytes:
    """What the terminal shows, up to a text."""
    seen, end = b"", time.monotonic() + SECONDS
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)
    return seen


def test_a_screen_runs_on_top_of_it_until_q(follow: Callable[[], Follower]) -> None:
    receiver = follow()
    with in_a_terminal("tiny", receiver) as (process, terminal):
        shown(terminal, b"BPM")
        receiver.until(lambda each: each[0] == "/note_on")
        os.write(terminal, b"q")
        shown(terminal, b"\x1b[?1049l")  # the screen that was there before
        assert process.wait(SECONDS) == 0
    assert receiver.rest()[-3:] == [("/notes",)] * 3
    assert sounding(receiver.heard) == set()


def test_a_screen_that_is_killed_takes_the_music_with_it(follow: Callable[[], Follower]) -> None:
    receiver = follow()
    with in_a_terminal("tiny", receiver) as (process, terminal):
        shown(terminal, b"BPM")
        receiver.until(lambda each: each[0] == "/note_on")
        process.kill()
        receiver.until(lambda each: receiver.heard[-3:] == [("/notes",)] * 3)
    assert sounding(receiver.heard) == set()
    assert receiver.rest() == []


def test_no_screen_comes_up_where_nothing_can_play(follow: Callable[[], Follower]) -> None:
    with in_a_terminal("nobody", follow()) as (process, terminal):
        seen = shown(terminal, b"\r\n")
        assert seen.startswith(b"neuralmidi: model 'nobody': not found; ")
        assert process.wait(SECONDS) == 2


# --- what cannot begin


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--composer", "tiny", "--models", DATA / "nowhere"), "nowhere: no such folder / "),
        (("--composer", "tiny", "--models", DATA / "tiny"), "no models are in it / "),
        (("--composer", "tiny", "--osc-port", 0), "osc-port: 0 is outside 1 to 65535 / "),
        (("--composer", "tiny", "--control-port", "x"), "control-port: x is not a number / "),
        (("--composer", "tiny", "--tempo", 0), "tempo: 0 is outside 1 to 1000 / "),
        (("--composer", "tiny", "--control-port", 56120), "the stream would play to itself / "),
        (
            ("--composer", "tiny", "--host", "192.0.2.1"),
            "host 192.0.2.1: a port that listens to this computer only",
        ),
        (("--composer", "tiny", "--host", "no host"), "host 'no host': "),
        ((), "--composer"),
    ],
)
def test_what_is_wrong_from_the_start_is_one_line(
    arguments: Sequence[object], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", *map(str, arguments)]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert text in error


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    taken = Port()
    assert (
        main(["stream", "--composer", "tiny", "--models", str(DATA), "--control-port", str(taken.address[1])])
        == 2
    )
    assert "cannot be opened" in capsys.readouterr().err
    taken.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--composer", "nobody"), "model 'nobody': not found; there are: "),
        (("--composer", "tiny", "--temperature", "9"), "temperature: 9 is outside 0.1 to 2.0 / "),
        (("--composer", "tiny", "--blend", "low 1"), "blend: "),
    ],
)
def test_what_the_composer_refuses_is_one_line(arguments: Sequence[str], text: str) -> None:
    ports = ("--osc-port", free_port(), "--control-port", free_port())
    run = subprocess.run(
        command("--models", DATA, *ports, *arguments),
        cwd=ROOT / "externals",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert run.stderr.startswith(f"neuralmidi: {text}")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["stream", "--help"])
    assert left.value.code == 0
    assert "examples:\n  neuralmidi stream --composer bach" in capsys.readouterr().out


# --- what breaks


@pytest.fixture
def unhosted() -> Iterator[tuple[Stream, Follower]]:
    """A stream without its composer's thread, with a step that is ready."""
    receiver, port, log = Follower(), Port(), Log()
    stream = Stream(port, receiver.address, log)
    stream.transport.accept(0, Step(1, 0, messages=(((NOTES, "list", (60, 100, 1)), 0.0),)))
    yield stream, receiver
    receiver.close()
    port.close()
    log.close()


def test_an_exception_while_playing_ends_every_note(
    unhosted: tuple[Stream, Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, receiver = unhosted

    def broken(now: float) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(stream.followers, "drop", broken)
    with pytest.raises(RuntimeError, match="broken"):
        stream.play()
    heard = receiver.rest()
    assert ("/note_on", 60, 100, 1) in heard
    assert heard[-3:] == [("/notes",)] * 3
    assert sounding(heard) == set()


def test_a_composer_that_has_died_ends_every_note_and_the_stream_plays_on(
    unhosted: tuple[Stream, Follower],
) -> None:
    stream, receiver = unhosted
    stream.host.reason = "RuntimeError: no memory"
    stream.composers = ["tiny"]
    receiver.send(stream._port.address, "/temperature", 0.5)
    receiver.send(stream._port.address, "/play", 0)

    player = threading.Thread(target=stream.play)
    player.start()
    heard = receiver.status("play", 0.0)
    receiver.until(lambda each: each == ("/notes",))
    assert player.is_alive()
    stream.stop()
    player.join(SECONDS)
    texts = [each[2] for each in heard if each[:2] == ("/status", "error")]
    assert any("composer: it has stopped: RuntimeError: no memory" in text for text in texts)
    assert "temperature: the composer has stopped / start the stream again" in texts
    receiver.rest()
    assert sounding(receiver.heard) == set()
    assert ("/note_off", 60, 1) in receiver.heard


def test_more_than_the_composer_can_take_in_is_refused(unhosted: tuple[Stream, Follower]) -> None:
    stream, receiver = unhosted
    for _ in range(1001):
        stream.host.ask(0, "seed", 1.0)
    receiver.send(stream._port.address, "/seed", 1)
    for packet in stream._port.receive(SECONDS):
        stream._take_packet(packet)
    assert "send fewer at a time" in receiver.status("error")[-1][2]
