import asyncio
import fcntl
import html
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from neuralmidi.osc import LOOPBACK, Argument, Message, Port
from neuralmidi.terminal import Terminal

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "externals"), "TERM": "xterm-256color"}
PATIENCE = 20.0
"""Seconds for what should come at once: the machine may be busy."""
CELLS = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
CELL = 12.2
"""How wide a cell is in a screenshot."""
NAMES = ("bach", "chopin", "drums", "joplin")


class Instrument:
    """A small one, at a port of its own: it does what it is told, and keeps what was said."""

    def __init__(self) -> None:
        self.port = Port()
        self.follower = (LOOPBACK, 0)
        self.heard: list[tuple[Argument, ...]] = []
        self.obeys = True

    def tell(self, path: str, *arguments: Argument) -> None:
        self.port.send(self.follower, path, *arguments)

    def work(self) -> None:
        for message in self.port.receive(0):
            assert isinstance(message, Message)
            rounded = (round(value, 4) if isinstance(value, float) else value for value in message.arguments)
            self.heard.append((message.path, *rounded))
            self.follower = message.sender
            name = message.path[1:]
            if name == "ping":
                self.tell("/pong", *message.arguments)
                self.tell("/ping", *message.arguments)
            elif name == "subscribe":
                self.tell("/status", "subscribed", LOOPBACK, *message.arguments)
            elif name == "models":
                self.tell("/status", "models", len(NAMES))
                for model in NAMES:
                    self.tell("/status", "model", model)
            elif name == "info":
                for fact in (("composer", "bach"), ("temperature", 0.8), ("density", 1.0), ("tempo", 90.0)):
                    self.tell("/status", "info", *fact)
                self.tell("/status", "grid", 4, 16)
            elif self.obeys and name in ("temperature", "density", "intensity", "tempo", "play", "composer"):
                self.tell("/status", name, *message.arguments)


class Screen:
    """The screen of a terminal that is driven by keys, and the instrument that it drives."""

    def __init__(self, size: tuple[int, int] = (100, 30)) -> None:
        self.size = size

    def play(self, scenario: Callable[["Screen"], Awaitable[None]]) -> None:
        async def run() -> None:
            self.instrument = Instrument()
            with closing(self.instrument.port), closing(Port()) as port:
                self.app = Terminal(port, self.instrument.port.address, "remote")
                async with self.app.run_test(size=self.size) as self.pilot:
                    await scenario(self)

        asyncio.run(run())

    @property
    def text(self) -> str:
        """What is on it, row by row."""
        rows: dict[float, str] = {}
        for x, y, text in CELLS.findall(self.app.export_screenshot()):
            row = rows.get(float(y), "")
            rows[float(y)] = row.ljust(round(float(x) / CELL)) + html.unescape(text).replace("\u00a0", " ")
        return "\n".join(text for _, text in sorted(rows.items()))

    async def until(self, right: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not right():
            assert time.monotonic() < end, f"{self.instrument.heard}\n{self.text}"
            self.instrument.work()
            await asyncio.sleep(0.01)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.app.simulate_key(key)

    async def shows(self, *texts: str) -> None:
        await self.until(lambda: all(text in self.text for text in texts))

    async def heard(self, *wish: Argument) -> None:
        await self.until(lambda: wish in self.instrument.heard)
        self.instrument.heard.clear()


def test_it_shows_what_the_instrument_tells() -> None:
    async def scenario(screen: Screen) -> None:
        host, port = screen.instrument.port.address
        await screen.shows(
            f"{host}:{port} ● answers", "bach is stopped", "90 BPM", "0.80", "■ bach", "joplin"
        )
        tell = screen.instrument.tell
        for message in (
            *(
                ("/status", "play", 1),
                ("/step", 20, 60, 64),
                ("/note_on", 60, 80, 1),
                ("/note_on", 64, 80, 2),
            ),
            *(
                ("/note_on", 36, 80, 10),
                ("/status", "seed", 7),
                ("/status", "blend", "bach", 0.7, "chopin", 0.3),
            ),
        ):
            tell(*message)
        await screen.shows("bach plays", "bar 2  ○ ● ○ ○", "C4   channel 2 E4   channel 10 kick", "seed 7")
        await screen.shows("blend bach 0.7 chopin 0.3")
        tell("/notes")
        await screen.shows("nothing sounds")
        tell("/status", "error", "tempo: 0 is outside 1 to 1000 / send a number")
        await screen.shows("tempo: 0 is outside")

    Screen().play(scenario)


def test_every_key_sends_its_wish_and_shows_the_answer() -> None:
    async def scenario(screen: Screen) -> None:
        await screen.shows("0.80", "90 BPM")
        for key, wish, shown in (
            ("t", ("/temperature", 0.85), "0.85"),
            ("T", ("/temperature", 0.9), "0.90"),
            ("g", ("/temperature", 0.85), "0.85"),
            ("f", ("/density", 0.95), "0.95"),
            ("d", ("/density", 1.0), "1.00"),
            ("i", ("/intensity", 0.75), "0.75"),
            ("k", ("/intensity", 0.7), "0.70"),
            ("up", ("/tempo", 91.0), "91 BPM"),
            ("down", ("/tempo", 90.0), "90 BPM"),
            ("space", ("/play", 1), "bach plays"),
            ("space", ("/play", 0), "bach is stopped"),
            ("p", ("/panic",), ""),
        ):
            screen.press(key)
            await screen.heard(*wish)
            await screen.shows(shown)

    Screen().play(scenario)


def test_a_wish_that_is_not_obeyed_is_only_a_hint() -> None:
    async def scenario(screen: Screen) -> None:
        await screen.shows("0.80")
        screen.instrument.obeys = False
        screen.press("t")
        await screen.shows("0.80 → 0.85")
        screen.instrument.tell("/status", "error", "no")
        await screen.until(lambda: "→" not in screen.text)
        assert "0.80" in screen.text

    Screen().play(scenario)


@pytest.mark.parametrize("size", [(100, 30), (60, 16)])
def test_a_composer_is_chosen_from_the_list(size: tuple[int, int]) -> None:
    async def scenario(screen: Screen) -> None:
        await screen.shows("bach is stopped")
        await screen.until(lambda: screen.app.remote.composers == NAMES)
        for keys, chosen in (
            (("down", "down", "down", "enter"), "joplin"),
            (("c", "enter"), "chopin"),
            (("D", "down", "up", "enter"), "drums"),
        ):
            screen.instrument.heard.clear()
            screen.press("c")
            await screen.shows("joplin", "Enter choose")
            screen.press(*keys)
            await screen.heard("/composer", chosen)
            await screen.shows(f"{chosen} is stopped", "Q quit")
        screen.press("c", "escape", "up")
        await screen.heard("/tempo", 91.0)

    Screen(size).play(scenario)


def test_a_list_that_nobody_has_told_stays_closed() -> None:
    async def scenario(screen: Screen) -> None:
        screen.press("c", "up", "escape")
        await screen.pilot.pause()
        assert not screen.app.choosing

    Screen().play(scenario)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50), (30, 8), (1, 1)])
def test_nothing_is_listening(size: tuple[int, int]) -> None:
    async def scenario(screen: Screen) -> None:
        screen.app.begun -= 10
        await screen.pilot.pause(0.15)
        host, port = screen.instrument.port.address
        if size[0] >= 60:
            assert "○ does not answer" in screen.text
            told = " ".join(screen.text.split())
            assert f"nothing is listening at {host}:{port}: open pd_patches/audio_engine.pd, or start" in told
            assert "Q quit" in screen.text.splitlines()[-1]

    Screen(size).play(scenario)


def test_everything_has_its_place_on_a_small_screen() -> None:
    async def scenario(screen: Screen) -> None:
        await screen.shows("bach is stopped")
        screen.instrument.tell("/status", "play", 1)
        screen.instrument.tell("/step", 1000, 60)
        screen.instrument.tell("/note_on", 60, 80, 1)
        screen.instrument.tell("/status", "error", 40 * "long ")
        await screen.shows("temperature", "density", "intensity", "bar 63", "C4", "long", "Q quit", "▌")
        for width, height in ((200, 50), (61, 17), (20, 5), (1, 1), (60, 16)):
            await screen.pilot.resize_terminal(width, height)
            await screen.pilot.pause(0.1)
        await screen.shows("temperature", "C4", "Q quit")

    Screen((60, 16)).play(scenario)


def test_packets_of_others_and_garbage_are_not_listened_to() -> None:
    async def scenario(screen: Screen) -> None:
        await screen.shows("bach is stopped")
        screen.instrument.port._socket.sendto(b"garbage", screen.app.port.address)
        with closing(Port("127.0.0.2")) as stranger:
            stranger.send(screen.app.port.address, "/status", "composer", "mallory")
        screen.instrument.tell("/status", "seed", 9)
        await screen.shows("bach is stopped", "seed 9")

    Screen().play(scenario)


@pytest.mark.parametrize("key", ["q", "Q", "ctrl+c", "ctrl+q"])
def test_keys_that_quit(key: str) -> None:
    async def scenario(screen: Screen) -> None:
        screen.press(key)
        await screen.pilot.pause()
        assert screen.app._exit

    Screen().play(scenario)


class Real:
    """The command itself, on a terminal of its own."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", master: int, slave: int, instrument: Instrument
    ) -> None:
        self.process, self.master, self.slave, self.instrument = process, master, slave, instrument
        self.before = termios.tcgetattr(master)
        self.written = b""

    def work(self) -> None:
        if self.master >= 0 and select.select([self.master], [], [], 0.02)[0]:
            self.written += os.read(self.master, 65536)
        self.instrument.work()

    def until(self, right: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not right():
            assert time.monotonic() < end, self.written[-2000:]
            self.work()

    def ended(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        self.work()
        self.work()
        return self.process.returncode

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def real(size: tuple[int, int] = (60, 16), command: tuple[str, ...] = ("-m", "neuralmidi")) -> Iterator[Real]:
    master, slave = pty.openpty()
    instrument = Instrument()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        [sys.executable, *command, "remote", "--port", str(instrument.port.address[1])],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    started = Real(process, master, slave, instrument)
    try:
        yield started
    finally:
        process.kill()
        process.wait()
        instrument.port.close()
        os.close(slave)
        if started.master >= 0:
            os.close(started.master)


def is_restored(terminal: Real) -> bool:
    """Attributes, main screen, cursor, and every mode that was switched on."""
    modes: dict[bytes, bool] = {}
    for mode, on in re.findall(rb"\x1b\[\?(\d+)([hl])", terminal.written):
        modes[mode] = on == b"h"
    assert modes[b"1049"] is False
    assert modes[b"25"] is True
    assert not any(modes.get(mode) for mode in (b"1000", b"1003", b"1004", b"1006", b"2004", b"2048"))
    return bool(termios.tcgetattr(terminal.master) == terminal.before)


CRASH = """
import sys
from neuralmidi import __main__, remote_control
remote_control.Remote.{0} = lambda *_: 1 / 0
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("q", 0), ("\x03", 0), (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_the_terminal_is_as_before(end: str | signal.Signals, status: int) -> None:
    with real() as terminal:
        terminal.until(lambda: b"bach" in terminal.written and b"temperature" in terminal.written)
        terminal.resize(200, 50)
        terminal.until(lambda: b"WHO PLAYS" in terminal.written)
        assert termios.tcgetattr(terminal.master) != terminal.before
        if isinstance(end, str):
            os.write(terminal.master, end.encode())
        else:
            terminal.process.send_signal(end)
        assert terminal.ended() == status, terminal.written
        assert is_restored(terminal)
        port = terminal.instrument.follower[1]
        assert terminal.instrument.heard[-2:] == [("/play", 0), ("/unsubscribe", port)]


@pytest.mark.parametrize("method", ["press", "hear", "answers"])
def test_a_fault_of_ours_is_one_line(method: str) -> None:
    said = rb"neuralmidi: screen: ZeroDivisionError: division by zero \(.*\) / .* of this\r\n$"
    with real(command=("-c", CRASH.format(method))) as terminal:
        if method == "press":
            terminal.until(lambda: b"bach" in terminal.written)
            os.write(terminal.master, b"t")
        assert terminal.ended() == 1
        assert is_restored(terminal)
        assert re.search(said, terminal.written), terminal.written
        assert b"Traceback" not in terminal.written
        assert ("/play", 0) in terminal.instrument.heard


def test_a_terminal_that_is_gone_stops_the_music() -> None:
    with real() as terminal:
        terminal.until(lambda: b"bach" in terminal.written)
        os.close(terminal.master)
        terminal.master = -1
        terminal.until(lambda: ("/play", 0) in terminal.instrument.heard)
        terminal.until(lambda: terminal.process.poll() is not None)


def test_a_terminal_that_takes_nothing_is_left_all_the_same() -> None:
    with real() as terminal:
        terminal.until(lambda: b"bach" in terminal.written)
        termios.tcflow(terminal.slave, termios.TCOOFF)
        terminal.process.terminate()
        assert terminal.ended() == 1
        assert ("/play", 0) in terminal.instrument.heard
        assert termios.tcgetattr(terminal.master) == terminal.before


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_without_a_terminal_it_says_so(stream: str) -> None:
    master, slave = pty.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": slave, stream: subprocess.PIPE}
    command = [sys.executable, "-m", "neuralmidi", "remote"]
    with subprocess.Popen(command, env=ENVIRONMENT, **streams) as process:  # type: ignore[call-overload]
        _, complaint = process.communicate(timeout=60)
    os.close(slave)
    if stream != "stderr":
        complaint = os.read(master, 4096)
    os.close(master)
    assert process.returncode == 2
    assert complaint.decode().strip() == (
        "neuralmidi: screen: this is not a terminal / start it in one, without < > or |"
    )


def test_nobody_else_waits_for_the_library_of_the_screen() -> None:
    modules = "neuralmidi.remote, neuralmidi.remote_control, neuralmidi.stream, neuralmidi.__main__"
    code = f"import {modules}, sys; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, timeout=60).returncode == 0
