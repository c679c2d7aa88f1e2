"""What is fuzzed: the patch, with either source, and the streamer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.bench.follower import Follower, lost
from tests.bench.instruments import Instrument, audio_engine, free_address, in_pd, streamer
from tests.fuzz.kinds import Kind, Outcome
from tests.fuzz.osc import HEADING, Target, fuzz
from tests.pd_runner import DATA

MODEL = DATA / "tiny2"
GONE = 0.8
"""Seconds after which a stream that has fallen silent is over for a patch."""
NOTES = 8
SETTINGS = (
    *(("/panic",), ("/play", 0), ("/reset",), ("/composer", MODEL.name), ("/smooth", 0)),
    *(("/temperature", 0.5), ("/density", 1), ("/unmute",), ("/top_k", 0), ("/top_p", 1)),
    *(("/tempo", 480), ("/play", 1)),
)
"""What lets a composer play, whatever has been asked before."""


def composes(follower: Follower) -> None:
    """Raise a RuntimeError unless a composer plays when it is asked to, and stops when it is asked to."""
    books = follower.books
    for path, *numbers in SETTINGS:
        follower.ask(str(path), *numbers)
    enough = books.ons + NOTES
    follower.wait(f"{NOTES} notes", lambda _: books.ons >= enough)
    follower.ask("/panic")
    follower.ask("/play", 0)
    _ends(follower)
    follower.ask("/play", 1)


def streams(follower: Follower) -> None:
    """Raise a RuntimeError unless a patch plays what somebody streams to it, and ends it."""
    follower.ask("/panic")
    follower.pause(GONE)  # then any other stream is over
    for pitch in range(60, 60 + NOTES):
        follower.ask("/note_on", pitch, 100, 1)
        follower.expect("/note_on", pitch, 100, 1)
        follower.ask("/note_off", pitch, 1)
    _ends(follower)


def _ends(follower: Follower) -> None:
    follower.ping()
    follower.silence()
    if not follower.books.balanced:
        missed = lost(follower.port.address)
        raise RuntimeError(f"the notes do not balance: {follower.books}; {missed} packets were missed")


@contextmanager
def _patch(folder: Path, source: str) -> Iterator[Instrument]:
    address = free_address()
    with in_pd(audio_engine(address), address, folder, "-send", f"neuralmidi source {source}") as instrument:
        yield instrument


@contextmanager
def _streamer(folder: Path) -> Iterator[Instrument]:
    with streamer(MODEL, free_address(), folder) as instrument:
        yield instrument


TARGETS: Mapping[str, Target] = {
    "patch": Target(partial(_patch, source="object"), composes),
    "stream": Target(partial(_patch, source="stream"), streams),
    "streamer": Target(_streamer, composes),
}


def _fuzz(name: str, seed: int, packets: range) -> Outcome:
    return fuzz(name, TARGETS[name], seed, packets)


OSC = Kind("packets to an OSC port", HEADING, TARGETS, 100_000, _fuzz)
