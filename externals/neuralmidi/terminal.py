"""The screen of a remote control: what `Remote` knows, drawn; keys and messages, handed to it.

The only module that imports Textual. https://textual.textualize.io
"""

import asyncio
import os
import select
import signal
import socket
import sys
import termios
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import StringIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

from rich.console import Console
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList, Static

from . import drawing
from .errors import NeuralMIDIError
from .osc import Address, Malformed, Port, place
from .remote_control import CHOOSE, FAREWELL, QUIT, Remote, Wish

PATIENCE = 1.0
"""Seconds for the first answer."""
WIDE, HIGH = 80, 24
"""Columns and rows from which there is room for more."""
FRAME = 1 / 15
"""Seconds from one picture to the next."""
MOVES = ("up", "down", "enter")
"""The keys of an open list."""
GRACE = 1.0
"""Seconds for an orderly end: a terminal that takes nothing any more would hold it up for ever."""
LEAVE = b"\x1b[?2004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
"""No bracketed paste, wrapped lines, plain keys, the main screen, a cursor, no focus reports, no colour."""


class Terminal(App[None]):
    """One screen for one instrument.

    Args:
        port: where messages go out and come in.
        address: of the instrument.
        title: what this is, in a word.

    Attributes:
        fault: the exception that ended it.
        signal: the signal that ended it; 0: none did.
    """

    CSS = """
    Screen { padding: 0 2; overflow: hidden; }
    Static { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    #error { text-wrap: wrap; }
    .title { display: none; color: ansi_default; text-style: bold; margin-bottom: 1; }
    .high .title { display: block; }
    #head { height: 2; }
    #body { height: auto; margin-bottom: 1; }
    #left { display: none; width: 18; height: auto; margin-right: 2; }
    .wide #left, .choosing #left { display: block; }
    #right { height: auto; }
    #who {
        height: auto; max-height: 45vh; padding: 0; border: none; color: ansi_default;
        background: transparent; scrollbar-size-vertical: 1; scrollbar-color: #7c8088;
        scrollbar-background: ansi_default;
    }
    #who > .option-list--option-highlighted {
        background: transparent; text-style: none; color: ansi_default;
    }
    .choosing #who > .option-list--option-highlighted { background: #2f7d78; color: #ffffff; }
    #transport, .high #gauges { margin-bottom: 1; }
    #rest { display: none; }
    .high #rest { display: block; }
    #foot { dock: bottom; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q", "quit", priority=True, show=False)]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, port: Port, address: Address, title: str) -> None:
        super().__init__(ansi_color=True)
        self.port, self.address, self.title = port, address, title
        self.remote = Remote(port.address[1])
        self.begun = monotonic()
        self.fault: Exception | None = None
        self.signal = 0
        self.choosing = self.due = False
        self.shown: dict[str, Text] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.error_console = Console(file=StringIO())  # a player reads one line, not a traceback

    def compose(self) -> ComposeResult:
        """Put the widgets on the screen."""
        yield Static(id="head")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Static("WHO PLAYS", classes="title")
                yield OptionList(id="who", markup=False)
            with Vertical(id="right"):
                yield Static("HOW IT PLAYS", classes="title")
                yield Static(id="transport")
                yield Static(id="gauges")
                yield Static(id="rest")
        yield Static("WHAT SOUNDS", classes="title")
        yield Static(id="sounds")
        with Vertical(id="foot"):
            yield Static(id="error")
            yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin to listen, and to make oneself known."""
        self.who, self.right = self.query_one(OptionList), self.query_one("#right")
        self.parts = {part.id: part for part in self.query(Static) if part.id}
        self.who.can_focus = False
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.port.fileno(), self._receive)
        if self.signal:
            self.exit()
        self.set_interval(1, self._tick)
        self._tick()
        self._draw()

    def on_unmount(self) -> None:
        """Listen no more."""
        if self.loop:
            self.loop.remove_reader(self.port.fileno())

    def on_resize(self, event: events.Resize) -> None:
        """Show as much as there is room for."""
        self.screen.set_class(event.size.width >= WIDE, "wide")
        self.screen.set_class(event.size.height >= HIGH, "high")
        self.call_after_refresh(self._draw)

    def on_key(self, event: events.Key) -> None:
        """Obey a key."""
        letter = event.character if event.is_printable and event.character else ""
        key = letter.lower().strip() or event.key
        if self.choosing and self._found(letter.lower()):
            self.who.highlighted = self._found(letter.lower())[0]
        elif self.choosing and key in MOVES:
            pass  # the list takes them itself
        elif key == QUIT:
            self.exit()
        elif key == CHOOSE or (self.choosing and key == "escape"):
            self._choose(not self.choosing)
        else:
            self._send(self.remote.press(key, monotonic()))
        self._changed()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Ask for the composer that was chosen."""
        self._send(self.remote.choose(self.remote.composers[event.option_index], monotonic()))
        self._choose(False)

    def end(self, number: int) -> None:
        """End it from a signal handler."""
        self.signal = number
        if self.loop:
            self.loop.call_soon_threadsafe(self.exit)

    def _handle_exception(self, error: Exception) -> None:
        self.fault = self.fault or error
        super()._handle_exception(error)

    def _receive(self) -> None:
        try:
            for message in self.port.receive():
                if not isinstance(message, Malformed) and message.sender[0] == self.address[0]:
                    self._send(self.remote.hear(message.path, message.arguments, monotonic()))
            self._changed()
        except Exception as error:  # the event loop would only write it across the screen
            self._handle_exception(error)

    def _tick(self) -> None:
        if _hung_up():
            self.end(signal.SIGHUP)
        self._send(self.remote.tick(monotonic()))
        self._changed()

    def _send(self, wishes: list[Wish]) -> None:
        for path, arguments in wishes:
            self.port.send(self.address, path, *arguments)

    def _choose(self, open_it: bool) -> None:
        """Open the list of composers, or close it."""
        self.choosing = open_it and bool(self.remote.composers)
        self.who.can_focus = self.choosing
        self.screen.set_class(self.choosing, "choosing")
        composers = self.remote.composers
        present = str(self.remote.values.get("composer"))
        self.who.highlighted = composers.index(present) if present in composers else 0
        if open_it:
            self._send([Wish("/models")])
        self.set_focus(self.who if self.choosing else None)
        self.call_after_refresh(self._draw)

    def _found(self, letter: str) -> list[int]:
        """The composers whose name begins with it, the next one first."""
        here = -1 if self.who.highlighted is None else self.who.highlighted
        names = self.remote.composers
        found = [place for place, name in enumerate(names) if letter and name.lower().startswith(letter)]
        return sorted(found, key=lambda place: (place <= here, place))

    def _changed(self) -> None:
        """Draw soon: many messages make one picture."""
        if not self.due:
            self.due = True
            self.set_timer(FRAME, self._draw)

    def _draw(self) -> None:
        self.due = False
        if not all(part.is_attached for part in self.parts.values()):  # it is being closed
            return
        now, remote = monotonic(), self.remote
        width = max(1, self.size.width - 4)
        beside = max(1, self.right.size.width)
        awaited = now - self.begun < PATIENCE
        pictures = {
            "head": drawing.head(self.title, self.address, remote.answers(now), awaited, width),
            "transport": drawing.transport(remote, now),
            "gauges": drawing.gauges(remote, now, beside, apart=self.screen.has_class("high")),
            "rest": drawing.rest(remote, beside),
            "sounds": drawing.sounds(remote, width),
            "error": drawing.trouble(remote, self.address, remote.answers(now) or awaited),
            "keys": drawing.keys(remote, width, choosing=self.choosing),
        }
        for name, picture in pictures.items():
            self._show(name, self._coloured(picture))
        self._list()

    def _show(self, name: str, picture: Text) -> None:
        """Draw only what is new, and lay out anew only what has another height: a line is slow to send."""
        before = self.shown.get(name, Text())
        if picture != before:
            same_height = name != "error" and picture.plain.count("\n") == before.plain.count("\n")
            self.parts[name].update(picture, layout=not same_height)
            self.shown[name] = picture

    def _coloured(self, picture: Text) -> Text:
        plain = self.console.color_system == "standard"
        return drawing.in_sixteen_colours(picture) if plain else picture

    def _list(self) -> None:
        """Show who can be chosen, if that has changed."""
        present = self.remote.values.get("composer")
        lines = [f"{'■' if name == present else ' '} {name}" for name in self.remote.composers]
        if lines != [str(option.prompt) for option in self.who.options]:
            highlighted = self.who.highlighted
            self.who.clear_options()
            self.who.add_options(
                [self._coloured(Text.assemble((line[0], drawing.TEAL), line[1:])) for line in lines]
            )
            self.who.highlighted = min(highlighted or 0, len(lines) - 1) if lines else None


def _hung_up() -> bool:
    """Whether the terminal is gone."""
    if not sys.stdin or not sys.stdin.isatty():
        return False
    poll = select.poll()
    poll.register(sys.stdin.fileno(), 0)  # a hang-up is told without being asked for
    return bool(poll.poll(0))


def run(address: Address, title: str) -> int:
    """Show the screen until the player quits, and stop the instrument then.

    Args:
        address: of the instrument, numeric.
        title: what this is, in a word.

    Returns:
        The exit status: 0; 1 after an exception, which is told in one line; 128 and the signal after one.

    Raises:
        NeuralMIDIError: this is no terminal, or the network does not reach the instrument.
    """
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise NeuralMIDIError("screen", "this is not a terminal", "start it in one, without < > or |")
    with closing(Port(_own_side(address))) as port:
        app = Terminal(port, address, title)
        try:
            with _restored(app):
                app.run(mouse=False)
        finally:
            _part(port, address)
        if app.fault:
            print(f"neuralmidi: {_said(app.fault)}", file=sys.stderr)
            return 1
        return 128 + app.signal if app.signal else 0


def _own_side(address: Address) -> str:
    """The host, of those that this computer has, which the instrument can answer to."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as trial:
        try:
            trial.connect(address)  # sends nothing
        except OSError as error:
            why = f"it cannot be reached: {error.strerror or error}"
            remedy = "give the address of the computer where the instrument is"
            raise NeuralMIDIError(place(address), why, remedy) from None
        return str(trial.getsockname()[0])


def _part(port: Port, address: Address) -> None:
    """Stop the instrument, and leave it; three times, for UDP may lose what it carries."""
    for _ in range(3):
        port.send(address, *FAREWELL)
        sleep(0.02)
    port.send(address, "/unsubscribe", port.address[1])


@contextmanager
def _restored(app: Terminal) -> Iterator[None]:
    """Whatever happens inside, the terminal is as before, and signals end it in an orderly way."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def end(number: int, _: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, GRACE)
        app.end(number)

    def give_up(_: int, __: object) -> None:
        _leave(terminal, before)
        app.port.send(app.address, *FAREWELL)
        os._exit(1)

    handlers = {**dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), end), signal.SIGALRM: give_up}
    replaced = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    except BaseException:
        _leave(terminal, before)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _leave(terminal: int, before: list[Any]) -> None:
    """Restore a terminal with which nothing else may have worked; what it has not shown is dropped."""
    with suppress(termios.error, OSError):
        termios.tcflush(terminal, termios.TCOFLUSH)
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        again = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(again, LEAVE)
        os.close(again)


def _said(error: Exception) -> str:
    """An exception that nobody foresaw, in one line."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in where)
    return f"screen: {type(error).__name__}: {error}{place} / start it again, and tell its author of this"
