"""The one module that knows OSC: a UDP port that sends messages and takes them in, checked.

Packets come from anywhere. One that is no OSC 1.0, or has other arguments than int32, float32 and strings, is
told as such; it never raises.

https://opensoundcontrol.stanford.edu/spec-1_0.html
"""

import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing.osc_types import get_int, get_string

from .controls import Control
from .errors import NeuralMIDIError

LOOPBACK = "127.0.0.1"
PORT = 56120
"""Where an instrument listens, unless it is told otherwise."""

UDP_PORT = Control("port", 1, 65535, PORT, "where the instrument listens", whole=True)

Address = tuple[str, int]
"""A numeric host and a UDP port."""
Argument = int | float | str

LONGEST = 4096
"""Bytes that a packet may have: the longest message of the contract has under 2,000."""
DEEPEST = 4
"""Bundles in bundles."""
TYPES = frozenset("ifs")
HEAD = 16
"""Bytes of a bundle before its first element: its name and its time, which counts for nothing here."""
PACKETS = 64
"""So many are taken in at once; the others wait for the next time."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came.

    Attributes:
        sender: whom an answer goes to.
        path: OSC address, with its slash: ``/tempo``.
        arguments: ints, floats (finite or not) and strings.
    """

    sender: Address
    path: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A packet that is none, and why."""

    sender: Address
    why: str


def place(address: Address) -> str:
    """An address in words: ``127.0.0.1:56120``."""
    return f"{address[0]}:{address[1]}"


class Port:
    """A UDP port that speaks OSC.

    Args:
        host: of this computer; the default takes nothing from other computers.
        port: 1-65535; 0: any that is free.

    Raises:
        NeuralMIDIError: it is in use, or there is no such host.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            why = f"it cannot be opened: {error.strerror or error}"
            raise NeuralMIDIError(f"UDP port {host}:{port}", why, "choose another port") from None
        self._socket.setblocking(False)

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return host, port

    def fileno(self) -> int:
        """For whoever waits for several things."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def send(self, to: Address, path: str, *arguments: Argument) -> None:
        """Send a message, or lose it: that is what UDP may do, too."""
        with suppress(OSError):  # no network, a full queue
            self._socket.sendto(_packet(path, *arguments), to)

    def receive(self, seconds: float | None = 0) -> list[Message | Malformed]:
        """Take in what has come, oldest first.

        Args:
            seconds: to wait for the first if there is none; None: for ever.
        """
        select.select([self._socket], [], [], seconds)
        received: list[Message | Malformed] = []
        with suppress(BlockingIOError):  # nothing more is there
            for _ in range(PACKETS):
                try:
                    datagram, sender = self._socket.recvfrom(LONGEST + 1)
                except ConnectionError:  # somebody to whom we have sent is not there
                    continue
                received.extend(_parsed(datagram, sender))
        return received


def resolved(host: str, port: int) -> Address:
    """The numeric address of a host.

    Raises:
        NeuralMIDIError: there is none of that name.
    """
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a computer"
        remedy = "give the name or the IPv4 address of the computer where the instrument is"
        raise NeuralMIDIError(f"host {host[:60]!r}", why, remedy) from None
    return str(found[0][4][0]), port


def _packet(path: str, *arguments: Argument) -> bytes:
    builder = OscMessageBuilder(path)
    for argument in arguments:
        # by itself it would take some of them for int64
        builder.add_arg(argument, OscMessageBuilder.ARG_TYPE_INT if isinstance(argument, int) else None)
    return builder.build().dgram


def _parsed(datagram: bytes, sender: Address) -> list[Message | Malformed]:
    """All messages of a packet, or none of them."""
    try:
        return [_message(bare, sender) for bare in _messages(datagram, DEEPEST)]
    except ValueError as error:
        return [Malformed(sender, str(error))]


def _messages(datagram: bytes, deepest: int) -> Iterator[bytes]:
    """The messages in a packet, which is one or a bundle.

    python-osc would take a bundle apart, too, but never comes to the end of one with a negative size.
    """
    if len(datagram) > LONGEST:
        raise ValueError(f"more than {LONGEST} bytes")
    if not datagram.startswith(b"#bundle\0"):
        yield datagram
        return
    if not deepest:
        raise ValueError(f"more than {DEEPEST} bundles in each other")
    if len(datagram) < HEAD:
        raise ValueError("a bundle that ends before its first element")
    place = HEAD
    while place < len(datagram):
        size = get_int(datagram, place)[0] if len(datagram) - place >= 4 else 0
        element = datagram[place + 4 : place + 4 + size] if size > 0 else b""
        if not element or len(element) < size:
            raise ValueError("a bundle with an element of a wrong size")
        yield from _messages(element, deepest - 1)
        place += 4 + size


def _message(datagram: bytes, sender: Address) -> Message:
    """One message; it is one if python-osc would put the same bytes together from what it says.

    Raises:
        ValueError: it is none.
    """
    if not datagram.startswith(b"/"):
        raise ValueError("not an OSC message: it does not begin with a slash")
    try:
        _, place = get_string(datagram, 0)
        tags, _ = get_string(datagram, place)
        if not tags.startswith(",") or not TYPES.issuperset(tags[1:]):
            raise ValueError("its types are other than int32, float32 and string, or are not told")
        parsed = OscMessage(datagram)
        arguments = tuple(parsed.params)
        same = _packet(parsed.address, *arguments) == datagram
    except ValueError:
        raise
    except Exception as error:  # its parser raises whatever comes to it
        raise ValueError(f"not an OSC message: {error}") from None
    if not same:
        raise ValueError("not an OSC message: padding or arguments are wrong")
    return Message(sender, parsed.address, arguments)
