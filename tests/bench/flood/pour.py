"""A thousand messages a second, and who still keeps his books."""

import random
import select
import time
from dataclasses import dataclass, field
from typing import Any

from neuralmidi import wishes

from tests.bench.follower import Follower, Heard
from tests.bench.instruments import Instrument
from training.progress import progress

RATE = 1000
"""Messages a second."""
PULSE = 0.005
"""Seconds from one handful of messages to the next, as a fader that is moved sends them."""
ILLEGAL = 0.02
"""How many of the messages nobody should send."""
OFTEN, SELDOM = 50, 1
RARE = ("composer", "play", "panic", "reset", "models", "info", "seed", "note")
"""What is a button or a key: it comes a fiftieth as often as what is a fader."""
COMPOSERS = ("tiny", "tiny2")
WRONG = (
    ("/temperature", 99),
    ("/temperature", "hot"),
    ("/tempo",),
    ("/density", float("nan")),
    ("/composer", "nobody"),
    ("/play", 0.5),
    ("/nothing", 1),
)

Message = tuple[Any, ...]
"""Address and arguments."""


@dataclass
class Flood:
    """What came of it.

    Attributes:
        sent: messages.
        illegal: of them.
        refused: errors that were answered.
        pings: ms from ``/ping`` to ``/pong``, asked once a second in the midst of it.
        memory: MB of the instrument, each second.
    """

    sent: int = 0
    illegal: int = 0
    refused: int = 0
    pings: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def message(draw: random.Random) -> tuple[Message, bool]:
    """A message, and whether it is legal."""
    if draw.random() < ILLEGAL:
        return draw.choice(WRONG), False
    names = ("composer", *wishes.NUMBERS, *wishes.BARE, "note")
    (name,) = draw.choices(names, [SELDOM if name in RARE else OFTEN for name in names])
    if name in wishes.NUMBERS:
        control = wishes.NUMBERS[name]
        value = draw.uniform(control.low, control.high)
        return (f"/{name}", round(value) if control.whole else value), True
    if name == "composer":
        return ("/composer", draw.choice(COMPOSERS)), True
    if name == "note":
        return ("/note", draw.randrange(128), draw.choice((0, 64))), True
    return (f"/{name}",), True


def pour(instrument: Instrument, follower: Follower, remote: Follower, seconds: float) -> Flood:
    """Send from `remote`, while `follower` follows.

    Raises:
        RuntimeError: the instrument has died.
    """
    flood, draw = Flood(), random.Random(1)
    asked: dict[int, float] = {}
    begin = time.monotonic()
    for second in progress("flood: second", range(round(seconds))):
        instrument.check()
        flood.memory.append(instrument.memory())
        asked[second] = time.monotonic()
        remote.ask("/ping", second)
        while (now := time.monotonic()) < begin + second + 1:
            while flood.sent < RATE * (now - begin):
                (path, *arguments), legal = message(draw)
                remote.ask(path, *arguments)
                flood.sent += 1
                flood.illegal += not legal
            for heard in attend(follower, remote, PULSE):
                if heard.path == "/pong":
                    flood.pings.append(1000 * (heard.time - asked[int(heard.arguments[0])]))
                flood.refused += heard.arguments[:1] == ("error",)
    return flood


def attend(follower: Follower, remote: Follower, seconds: float) -> list[Heard]:
    """Listen with two ears for so long; what the remote hears."""
    heard = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        select.select([follower.port, remote.port], [], [], left)
        heard += remote.listen()
        follower.listen()
    return heard
