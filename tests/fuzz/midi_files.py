"""MIDI files that nobody should send: music with extreme values everywhere, and what becomes of whole files.

The file of a number is always the same for the same seed, whatever was drawn before.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.fuzz.draws import draw_of, one_of

Draw = random.Random
Thing = TypeVar("Thing")

REAL = tuple(sorted((Path(__file__).parents[1] / "data").glob("*.mid")))
LONGEST = 2**28 - 1
"""Ticks that four bytes can tell, more than which a file must not say between two events."""
DIVISIONS = (0, 1, 2, 3, 24, 96, 960, 32767, 0x8000, 0xE728, 0xE801, 0xFFFF)
"""Ticks in a beat; from 0x8000 on time is told in seconds."""
FORMATS = (0, 1, 2, 3, 0xFFFF)
SIZES = (0, 1, 3, 7, 100, 10**6, 10**8, 2**31, 2**32 - 1)
"""What a chunk may claim to be long, in bytes."""
TRACKS = (0, 1, 2, 100, 0x7FFF, 0xFFFF)
DELTAS = (0, 1, 2, 119, 5_000 * 480, 10**7, 2**27, LONGEST, 2**28, 2**35, 2**70, 2**1030)
TEMPOS = (0, 1, 2, 500_000, 0xFFFFFF)
NUMERATORS = (0, 1, 2, 3, 13, 64, 127, 128, 255)
DENOMINATORS = (0, 1, 3, 4, 5, 6, 7, 8, 31, 63, 64, 127, 128, 255)
"""Powers of 2."""
DATA = (0, 1, 20, 21, 36, 38, 60, 108, 109, 126, 127)
BYTES = (0, 1, 2, 0x2F, 0x40, 0x51, 0x58, 0x59, 0x7F, 0x80, 0x81, 0x90, 0xF0, 0xF7, 0xF8, 0xFE, 0xFF)
"""What a byte may be replaced by."""
WILD = (0, 0, 0.003, 0.02, 0.1)
"""How often a value of a file is an extreme one."""
EXAMPLES = 200
"""Files of music that others are made of."""


class Wild:
    """Values of one file: usual ones, and now and then an extreme one."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.share = draw.choice(WILD)

    def one(self, usual: Thing, extreme: tuple[Thing, ...]) -> Thing:
        """The usual value, mostly."""
        return self.draw.choice(extreme) if self.draw.random() < self.share else usual


# --- what a file is written with


def variable(number: int, padding: int = 0) -> bytes:
    """A number of variable length, with so many bytes before it that say nothing."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127 | 128)
    return b"\x80" * padding + bytes(reversed(groups))


def chunk(name: bytes, content: bytes, claimed: int | None = None) -> bytes:
    """A chunk; it may claim to be of another length."""
    return name + (len(content) if claimed is None else claimed).to_bytes(4, "big") + content


def header(tracks: int, division: int, form: int = 1) -> bytes:
    """The first chunk of a file."""
    return chunk(b"MThd", b"".join(each.to_bytes(2, "big") for each in (form, tracks, division)))


def file(events: bytes, division: int = 1, tracks: int = 1) -> bytes:
    """A file of so many tracks that are all alike."""
    return header(tracks, division) + tracks * chunk(b"MTrk", events + meta(0x2F, b""))


def meta(kind: int, content: bytes, claimed: int | None = None) -> bytes:
    """A meta event, with its delta of 0; it may claim to be of another length."""
    return b"\0\xff" + bytes([kind]) + variable(len(content) if claimed is None else claimed) + content


# --- music with extreme values


def _delta(wild: Wild) -> bytes:
    usual = wild.draw.choice((0, 0, 60, 120, 240, 480))
    return variable(wild.one(usual, DELTAS), wild.one(0, (1, 3, 40, 2000)))


def _note(wild: Wild) -> bytes:
    """A note begins and ends, or one of the two."""
    channel = wild.draw.choice((0, 0, 1, 9, 9, 15))
    pitch = wild.one(wild.draw.choice((36, 38, 42, *range(48, 80))), DATA)
    on = bytes([0x90 | channel, pitch, wild.one(wild.draw.randrange(1, 128), DATA)])
    off = bytes([wild.draw.choice((0x80, 0x90)) | channel, pitch, 0])
    whole = _delta(wild) + on + _delta(wild) + off
    return wild.one(whole, (_delta(wild) + on, _delta(wild) + off, whole + whole, _delta(wild) + on[1:]))


def _chord(wild: Wild) -> bytes:
    """Notes by running status."""
    pitches = wild.draw.sample(range(30, 100), wild.draw.choice((2, 3, 4, 12)))
    begin = b"\x90" + b"\0".join(bytes([pitch, 80]) for pitch in pitches)
    end = b"\0".join(bytes([pitch, 0]) for pitch in pitches)
    return _delta(wild) + begin + _delta(wild) + end


def _voice(wild: Wild) -> bytes:
    """A message of a channel that is no note."""
    kind, length = wild.draw.choice(((0xA0, 2), (0xB0, 2), (0xC0, 1), (0xD0, 1), (0xE0, 2)))
    return _delta(wild) + bytes([kind | wild.draw.randrange(16)]) + bytes(wild.draw.choices(DATA, k=length))


def _system(wild: Wild) -> bytes:
    content = wild.draw.randbytes(wild.draw.choice((0, 1, 5, 300)))
    length = variable(wild.one(len(content), SIZES))
    other = bytes([wild.draw.choice((0xF1, 0xF2, 0xF3, 0xF4, 0xF6, 0xF8, 0xFD, 0xFE))])
    sysex = wild.draw.choice((b"\xf0", b"\xf7")) + length + content
    return _delta(wild) + wild.one(sysex, (other,))


def _tempo(wild: Wild) -> bytes:
    told = wild.one(wild.draw.randrange(200_000, 2_000_000), TEMPOS).to_bytes(3, "big")
    return meta(0x51, wild.one(told, (b"", told[:1], told + told)))


def _metre(wild: Wild) -> bytes:
    numerator = wild.one(wild.draw.choice((2, 3, 4, 6, 12)), NUMERATORS)
    told = bytes([numerator, wild.one(wild.draw.choice((1, 2, 3)), DENOMINATORS), 24, 8])
    return meta(0x58, wild.one(told, (b"", told[:1], told[:2], told + told)))


def _meta(wild: Wild) -> bytes:
    """A meta event of any kind, with anything in it."""
    kind = wild.one(wild.draw.choice((1, 3, 5, 6, 0x7F)), (0, 0x20, 0x21, 0x2F, 0x51, 0x54, 0x58, 0x59, 0xFF))
    content = wild.draw.randbytes(wild.draw.choice((0, 1, 2, 3, 4, 5, 20, 1000)))
    return meta(kind, content, wild.one(None, (0, 1, 2**21, LONGEST, 2**40)))


EVENTS: dict[Callable[[Wild], bytes], int] = {
    _note: 60,
    _chord: 15,
    _voice: 8,
    _system: 2,
    _tempo: 5,
    _metre: 5,
    _meta: 4,
}
"""What a track consists of, and how often."""


def music(draw: Draw) -> bytes:
    """A file event by event."""
    wild = Wild(draw)
    tracks = [_track(wild) for _ in range(draw.choice((1, 1, 2, 5)))]
    told = wild.one(len(tracks), TRACKS)
    begin = b"".join(
        each.to_bytes(2, "big") for each in (wild.one(1, FORMATS), told, wild.one(480, DIVISIONS))
    )
    return chunk(b"MThd", wild.one(begin, (begin[:4], begin + b"\0\0")), wild.one(None, SIZES)) + b"".join(
        tracks
    )


def _track(wild: Wild) -> bytes:
    events = b"".join(one_of(wild.draw, EVENTS)(wild) for _ in range(wild.draw.choice((0, 1, 5, 20, 60))))
    end = variable(wild.draw.choice((0, 480))) + b"\xff\x2f\0"
    events += wild.one(end, (b"", end + end, end + events[:50]))
    return chunk(wild.one(b"MTrk", (b"MThd", b"XFIH", b"\0\0\0\0")), events, wild.one(None, SIZES))


# --- what fills a whole file


def _endless_number(draw: Draw, size: int) -> bytes:
    """A time between two events that takes the whole file to tell."""
    return file(draw.choice((b"\xff", b"\x80", b"\x81")) * size + b"\1\x90\x3c\x40")


def _one_key(draw: Draw, size: int) -> bytes:
    """A key goes down over and over before it goes up as often."""
    times = size // 6
    return file(b"\0\x90\x3c\x40" + b"\0\x3c\x40" * times + b"\1\x3c\0" * times, draw.choice((1, 480)))


def _every_tick(draw: Draw, size: int) -> bytes:
    """At each tick something else: a tempo, a time signature, a note."""
    events = (b"\1\xff\x51\x03%c\0\0", b"\1\xff\x58\x04%c\2\x18\x08", b"\1\x90%c\x40")
    event, division = draw.choice(events), draw.choice((1, 480))
    return file(b"".join(event % (number % 100 + 1) for number in range(size // len(event))), division)


def _all_keys(draw: Draw, size: int) -> bytes:
    """All keys go down and up at every tick of the last bars."""
    channel = draw.choice((0, 9))
    down = b"".join(b"\0" + bytes([0x90 | channel, key, 64]) for key in range(128))
    up = b"".join(b"\0" + bytes([0x90 | channel, key, 0]) for key in range(128))
    return file((down + b"\1" + up[1:]) * (size // (len(down) + len(up))), draw.choice((1, 4, 12, 16)))


def _many_tracks(draw: Draw, size: int) -> bytes:
    note = b"\0\x90\x3c\x40\1\x3c\0"
    return file(draw.choice((b"", note)), tracks=min(0xFFFF, size // (12 + len(note))))


def _long_note(draw: Draw, size: int) -> bytes:
    """One note that lasts for as long as a file can say, at a tick a beat."""
    tempo = meta(0x51, draw.choice(TEMPOS).to_bytes(3, "big"))
    note = b"\0%c\x3c\x40" % (0x90 | draw.choice((0, 9)))
    late = variable(draw.choice(DELTAS[:-1])) + b"\xff\1\0"
    return file(tempo + note + late + note + variable(LONGEST) + note[1:3] + b"\0", draw.choice((1, 2, 480)))


def _long_text(draw: Draw, size: int) -> bytes:
    return file(meta(draw.choice((1, 5, 0x7F)), b"\xc3" * size) + b"\0\x90\x3c\x40\1\x3c\0")


FULL: tuple[Callable[[Draw, int], bytes], ...] = (
    _endless_number,
    _one_key,
    _every_tick,
    _all_keys,
    _many_tracks,
    _long_note,
    _long_text,
)


# --- what becomes of a file


def _flipped(draw: Draw, content: bytes) -> bytes:
    bits = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(8 * len(bits))
        bits[place // 8] ^= 1 << place % 8
    return bytes(bits)


def _replaced(draw: Draw, content: bytes) -> bytes:
    """Some of its bytes are others that mean something."""
    other = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 10))):
        other[draw.randrange(len(other))] = draw.choice(BYTES)
    return bytes(other)


def _cut(draw: Draw, content: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def _without(draw: Draw, content: bytes) -> bytes:
    begin = draw.randrange(len(content))
    return content[:begin] + content[begin + draw.choice((1, 2, 8, 100)) :]


def _with_more(draw: Draw, content: bytes) -> bytes:
    """Something is put into its middle."""
    place = draw.randrange(len(content) + 1)
    long = variable(draw.choice(DELTAS), draw.choice((0, 0, 3, 5000)))
    return content[:place] + draw.choice((long, draw.randbytes(4), b"\xff" * 4)) + content[place:]


def _repeated(draw: Draw, content: bytes) -> bytes:
    begin, end = sorted(draw.choices(range(len(content) + 1), k=2))
    return content[:end] + content[begin:end] * draw.choice((1, 2, 9)) + content[end:]


def _crossed(draw: Draw, content: bytes) -> bytes:
    """The beginning of it, then the end of another."""
    other = draw.choice(REAL).read_bytes()
    return content[: draw.randrange(len(content))] + other[draw.randrange(len(other)) :]


SPOILT: tuple[Callable[[Draw, bytes], bytes], ...] = (
    _flipped,
    _replaced,
    _cut,
    _without,
    _with_more,
    _repeated,
    _crossed,
)


def spoil(draw: Draw, content: bytes) -> bytes:
    """What becomes of a file, changed once or a few times."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        content = draw.choice(SPOILT)(draw, content or b"\0")
    return content


def example(seed: int, draw: Draw) -> bytes:
    """A file of music that is not spoilt yet: a real one, or one of the first of this seed."""
    if draw.random() < 0.3:
        return draw.choice(REAL).read_bytes()
    return music(draw_of(seed, -1 - draw.randrange(EXAMPLES)))


def midi(seed: int, number: int, largest: int) -> bytes:
    """The file of a number: few of them about as large as they may be, none larger than twice that."""
    draw = draw_of(seed, number)
    kind = draw.random()
    if kind < 0.003:
        return draw.choice(FULL)(draw, draw.choice((largest // 16, largest - 100, largest + 1)))
    if kind < 0.45:
        return music(draw)
    if kind < 0.5:
        return draw.choice(FULL)(draw, 3000)
    return spoil(draw, example(seed, draw))[: 2 * largest]
