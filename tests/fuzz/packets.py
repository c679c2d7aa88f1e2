"""Packets that nobody should send: legal messages of the protocol, and what becomes of them.

The packet of a number is always the same for the same seed, whatever was drawn before.
"""

import random
import re
import struct
from collections.abc import Callable, Sequence
from functools import partial

from neuralmidi import wishes
from neuralmidi.osc import Argument
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.fuzz.draws import draw_of, one_of

Draw = random.Random
Bare = tuple[str, tuple[Argument, ...]]
"""Address and arguments of a message."""

SIZE = 65507
"""Bytes that fit into a UDP packet."""
DEEP = 2000
"""Bundles in bundles, of 20 bytes each."""
NUMBERS = (0, 1, -1, 0.5, 2, 16, 17, 127, 128, 1e-38, 1e19, 1e38, 2**24, 2**31 - 1, -(2**31))
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
WORDS = (
    *("", " ", "bach", "tiny", "tiny2", "kick", "hat", "now", "every", "off", "/", "..", "../../etc/passwd"),
    *("$1", "\\$0-x", ";", ", ;", "; pd quit", "\\", "{}", "%s%n%d", "list", "float", "symbol", "bang", "-"),
    *("nan", "inf", "1e999", "a b", "\n", "\x01", "ä", "\U0001f941", "x" * 100),
)
HUGE = (1_000, 5_000, 60_000)
"""Characters in a string."""
WORDS_32 = (0, 1, 3, 4, 8, 0x7F800000, 0x7FC00000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
"""What a size or a number may be replaced by: bytes too few and too many, negative, not finite."""
TAGS = b"ifsbhtdScrmTFNI[],\0 /"

STREAM = ("note_on", "note_off", "note_vel", "notes", "step", "status")
TRANSPORT = ("subscribe", "unsubscribe", "ping", "pong")


# --- what is legal


def _number(draw: Draw, name: str) -> Argument:
    control = wishes.NUMBERS[name]
    value = draw.uniform(control.low, control.high)
    return draw.choice((int(value), round(value))) if control.whole else draw.choice((value, int(value)))


def _wish(draw: Draw) -> Bare:
    name = draw.choice(wishes.ADDRESSES)
    if name in wishes.NUMBERS:
        return f"/{name}", (_number(draw, name),)
    if name == "composer":
        return "/composer", (draw.choice(("tiny", "tiny2", "tiny_poly")),)
    if name == "note":
        return "/note", (draw.randrange(128), draw.randrange(128))
    if name in wishes.WORDS:
        return f"/{name}", tuple(
            draw.choices(("kick", "hat", "rock", "low", "high", "now", 0.5, 2), k=draw.randrange(5))
        )
    return f"/{name}", ()


def _pitch(draw: Draw) -> int:
    return draw.randrange(128)


def _stream(draw: Draw) -> Bare:
    name, pitch, channel = draw.choice(STREAM), _pitch(draw), draw.choice((1, 1, 1, 10, 16))
    if name in ("note_on", "note_vel"):
        return f"/{name}", (pitch, draw.randrange(128), channel)[: draw.choice((2, 3))]
    if name == "note_off":
        return "/note_off", (pitch, channel)[: draw.choice((1, 2))]
    if name == "notes":
        return "/notes", tuple(number for _ in range(draw.randrange(10)) for number in (_pitch(draw), 1))
    if name == "step":
        return "/step", (draw.randrange(1000), *(_pitch(draw) for _ in range(draw.randrange(10))))
    return "/status", draw.choice(
        (("tempo", 90), ("play", 1), ("underrun", 3), ("models", 2), ("error", "no"))
    )


def _transport(draw: Draw) -> Bare:
    name = draw.choice(TRANSPORT)
    if name in ("subscribe", "unsubscribe"):
        return f"/{name}", _nowhere(draw)
    return f"/{name}", draw.choice(((), (draw.randrange(1, 65536),), ("a", 1, 0.5)))


def _nowhere(draw: Draw) -> tuple[str, int]:
    """A port of this computer that nobody listens on: nobody else is bothered."""
    return f"127.{draw.randrange(1, 4)}.0.{draw.randrange(1, 5)}", draw.randrange(1, 65536)


def legal(draw: Draw) -> Bare:
    """A message as it should be."""
    return draw.choice((_wish, _wish, _stream, _transport))(draw)


# --- what is well formed


def message(path: str, arguments: Sequence[Argument]) -> bytes:
    """The packet of a message."""
    builder = OscMessageBuilder(path)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


def bundle(messages: Sequence[Bare], depth: int) -> bytes:
    """The packet of a bundle with messages in it, and so many bundles around it."""
    inner = OscBundleBuilder(IMMEDIATELY)
    for path, arguments in messages:
        builder = OscMessageBuilder(path)
        for argument in arguments:
            builder.add_arg(argument)
        inner.add_content(builder.build())
    packet = inner.build().dgram
    for _ in range(depth):
        packet = b"#bundle\0" + struct.pack(">QI", 1, len(packet)) + packet
    return packet


def _plain(draw: Draw) -> bytes:
    return message(*legal(draw))


def _subscribe(draw: Draw) -> bytes:
    return message("/subscribe", _nowhere(draw))


def _bundle(draw: Draw) -> bytes:
    messages = [legal(draw) for _ in range(draw.randrange(12))]
    return bundle(messages, draw.choice((0, 0, 1, 2, 3, 4, 5, 20)))


def _abyss(draw: Draw) -> bytes:
    return bundle([legal(draw)], draw.choice((100, DEEP)))


def _wrong_arguments(draw: Draw) -> bytes:
    """An address that there is, and arguments that are not for it."""
    path, _ = legal(draw)
    return message(path, draw.choices((*NUMBERS, *NOT_FINITE, *WORDS), k=draw.choice((0, 1, 1, 2, 3, 20))))


def _wrong_address(draw: Draw) -> bytes:
    path, arguments = legal(draw)
    wrong = (
        path + "/x",
        path.upper(),
        path + "x",
        path[1:],
        "/",
        "//",
        path + "/",
        "/*",
        path[:-1] + "?",
        path + "\n",
    )
    return message(draw.choice((*wrong, "/" + draw.choice(WORDS))), arguments)


def _huge(draw: Draw) -> bytes:
    path, _ = legal(draw)
    text = draw.choice("aé ;") * draw.choice(HUGE)
    many = [draw.choice((1, 0.5, "a"))] * draw.choice((300, 3000))
    return draw.choice(
        (partial(message, path, [text]), partial(message, "/" + text, ()), partial(message, path, many))
    )()


# --- what is not


def _as_it_is(draw: Draw, packet: bytes) -> bytes:
    return packet


def _flipped(draw: Draw, packet: bytes) -> bytes:
    bits = bytearray(packet)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(8 * len(bits))
        bits[place // 8] ^= 1 << place % 8
    return bytes(bits)


def _cut(draw: Draw, packet: bytes) -> bytes:
    return packet[: draw.randrange(len(packet))]


def _longer(draw: Draw, packet: bytes) -> bytes:
    return packet + draw.randbytes(draw.choice((1, 4, 40)))


def _resized(draw: Draw, packet: bytes) -> bytes:
    """One of its words of 32 bits, which may be a size, is another."""
    place = 4 * draw.randrange(max(1, len(packet) // 4))
    return packet[:place] + struct.pack(">I", draw.choice(WORDS_32)) + packet[place + 4 :]


def _retyped(draw: Draw, packet: bytes) -> bytes:
    comma = packet.find(b",")
    if comma < 0:
        return packet + b","
    end = packet.find(b"\0", comma)
    tags = bytes(draw.choices(TAGS, k=end - comma - 1))
    return packet[: comma + 1] + tags + packet[comma + 1 + len(tags) :]


def _repeated(draw: Draw, packet: bytes) -> bytes:
    begin, end = sorted(draw.choices(range(len(packet) + 1), k=2))
    return packet[:end] + packet[begin:end] * draw.choice((1, 2, 9)) + packet[end:]


def _noise(draw: Draw, packet: bytes) -> bytes:
    return draw.randbytes(draw.choice((0, 1, 3, 4, 16, 100, 1472)))


WELL_FORMED: dict[Callable[[Draw], bytes], int] = {
    _plain: 40,
    _bundle: 20,
    _wrong_arguments: 30,
    _wrong_address: 10,
    _huge: 1,
    _abyss: 1,
}
"""How a packet begins, and how often."""
SPOILT: dict[Callable[[Draw, bytes], bytes], int] = {
    _as_it_is: 30,
    _flipped: 20,
    _cut: 10,
    _longer: 5,
    _resized: 20,
    _retyped: 10,
    _repeated: 5,
    _noise: 3,
}
"""What becomes of it."""
BURST = 50
"""Packets in a row that all ask to follow."""
BURSTS = 0.02
"""How many of the rows of that length are such."""
ELSEWHERE = re.compile(rb"(?!127\.)\b\d+\.\d+\.\d+\.\d+")
"""The address of another computer, to which an instrument would send its notes."""


def packet(seed: int, number: int) -> bytes:
    """The packet of a number: at most `SIZE` bytes."""
    burst = random.Random(f"{seed} burst {number // BURST}").random() < BURSTS
    draw = draw_of(seed, number)
    begun = _subscribe(draw) if burst else one_of(draw, WELL_FORMED)(draw)
    spoil = one_of(draw, SPOILT)
    spoilt = spoil(draw, begun)[:SIZE]
    return begun if ELSEWHERE.search(spoilt) else spoilt
