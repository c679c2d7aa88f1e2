"""What is measured over UDP: closed loops, and how even onsets are."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neuralmidi.osc import Address

from tests.bench.follower import Follower
from tests.bench.instruments import Instrument, free_address, in_pd, streamer
from tests.bench.plan import Plan
from tests.bench.remote import patches
from tests.bench.remote.closed_loop import Loop, straight_through, to_note, to_pong
from tests.bench.remote.onsets import deviations, heard, printed
from tests.bench.table import Row, spread
from tests.pd_runner import DATA, Patch

MODEL = DATA / "tiny2"
"""It plays a note in every step, so that every step shows what was asked."""
TEMPO = 120
SEED = 3
ASLEEP = "asleep for 5 ms at a time"
SHORT, LONG = (0.002, 0.02), (0.02, 0.15)
"""Pauses between two questions, where steps follow on each other soon and where they do not."""
PART = 0.25
"""Of the time of a row: what has no music in it needs no more."""

STARTS = 2.0
"""Seconds that an instrument takes to be there and to go."""
SETTLED = 0.3
"""Seconds after which nothing is ready any more that was prepared before."""
COOL = ("/temperature", 0.5)
SETTINGS: tuple[tuple[Any, ...], ...] = (
    *(("/play", 0), COOL, ("/seed", SEED), ("/tempo", TEMPO), ("/reset",)),
)
"""The same music every time."""


@contextmanager
def playing(box: Patch, address: Address, *flags: str) -> Iterator[Instrument]:
    """A patch that runs, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, in_pd(box, address, Path(folder), *flags) as instrument:
        yield instrument


@contextmanager
def stream(to: Address) -> Iterator[Instrument]:
    """A streamer that plays the same as `patches.clocked`."""
    with tempfile.TemporaryDirectory() as folder, streamer(MODEL, to, Path(folder)) as instrument:
        yield instrument


@contextmanager
def followed(instrument: Instrument) -> Iterator[Follower]:
    """Somebody who follows an instrument."""
    follower = Follower(instrument.address)
    follower.subscribe()
    try:
        yield follower
    finally:
        follower.close()


def begin(follower: Follower) -> None:
    """Let the music begin that all of them play, and wait for its first step."""
    for path, *numbers in SETTINGS:
        follower.ask(path, *numbers)
    follower.pause(SETTLED)
    follower.ask("/play", 1)
    follower.wait("step", lambda heard: heard.path == "/step")


# --- closed loops


def loops(plan: Plan) -> Iterator[Row]:
    """From a message over UDP to the first note over UDP that shows it."""
    yield from _transport(plan)
    yield from _banged(plan, "a bang every 1.5 ms", *patches.AWAKE)
    yield from _banged(plan, f"a bang every 1.5 ms, {ASLEEP}")
    yield from _clocked(plan)
    yield from _streamed(plan)


def loops_seconds(plan: Plan) -> float:
    """How long `loops` takes."""
    return (4 + 3 * PART) * plan.seconds + 5 * STARTS


def _transport(plan: Plan) -> Iterator[Row]:
    """What OSC costs by itself."""
    address = free_address()
    with (
        playing(patches.through(address), address, *patches.AWAKE) as instrument,
        followed(instrument) as follower,
    ):
        pongs = to_pong(follower, PART * plan.seconds, SHORT)
        notes = straight_through(follower, PART * plan.seconds, SHORT)
    how = "[osc_remote] in a patch without composer; no sound card, `-sleepgrain 1`"
    yield spread("/ping to /pong, patch", "ms", how, pongs)
    yield spread("/note straight to /note_on, patch", "ms", how, notes)


def _banged(plan: Plan, what: str, *flags: str) -> Iterator[Row]:
    address = free_address()
    box = patches.banged(MODEL, address, 1.5)
    with playing(box, address, *flags) as instrument, followed(instrument) as follower:
        follower.ask(*COOL)
        loop = to_note(follower, plan.seconds, SHORT)
    yield from _rows(f"message to note, patch, {what}", loop)


def _clocked(plan: Plan) -> Iterator[Row]:
    address = free_address()
    box = patches.clocked(MODEL, address)
    with playing(box, address, *patches.AWAKE) as instrument, followed(instrument) as follower:
        begin(follower)
        loop = to_note(follower, plan.seconds, LONG)
    yield from _rows(f"message to note, patch, {TEMPO} BPM", loop)


def _streamed(plan: Plan) -> Iterator[Row]:
    with stream(free_address()) as instrument, followed(instrument) as follower:
        begin(follower)
        loop = to_note(follower, plan.seconds, LONG)
        follower.ask("/play", 0)
        pongs = to_pong(follower, PART * plan.seconds, SHORT)
    yield from _rows(f"message to note, streamer, {TEMPO} BPM", loop)
    yield spread("/ping to /pong, streamer", "ms", "`neuralmidi stream`, stopped", pongs)


def _rows(what: str, loop: Loop) -> Iterator[Row]:
    how = (
        "from `/intensity` sent to the first note received that has its velocity, both over UDP; `smooth 0`; "
        f"model {MODEL.name}; 1 step is the next one; {loop.rested} left out: a rest came first"
    )
    yield spread(what, "ms", how, loop.ms)
    yield spread(what, "steps", how, loop.steps)


# --- how even onsets are


def jitter(plan: Plan) -> Iterator[Row]:
    """The object beside the streamer: how far onsets are from an even grid."""
    for pd, flags in (("Pd", patches.AWAKE), (f"Pd, {ASLEEP}", ())):
        yield from _object(plan, pd, flags)
        yield from _stream(plan, pd, flags)


def jitter_seconds(plan: Plan) -> float:
    """How long `jitter` takes."""
    return 4 * plan.seconds + 6 * STARTS


FITTED = f"distance from the even grid that fits best; {TEMPO} BPM, the same composer and seed"


def _object(plan: Plan, pd: str, flags: Sequence[str]) -> Iterator[Row]:
    address = free_address()
    box = patches.clocked(MODEL, address)
    with playing(box, address, *flags) as instrument, followed(instrument) as follower:
        begin(follower)
        came = heard(follower.pause(plan.seconds))
        left = printed(instrument.said(), patches.PLAYED)
    yield spread(f"onset, object in {pd}: logical time", "ms", FITTED, deviations(left))
    how = f"{FITTED}; at a follower of [osc_remote]"
    yield spread(f"onset, object in {pd}: over UDP", "ms", how, deviations(came))


def _stream(plan: Plan, pd: str, flags: Sequence[str]) -> Iterator[Row]:
    address = free_address()
    with (
        playing(patches.streamed(address), address, *flags) as receiver,
        stream(address) as instrument,
        followed(instrument) as follower,
    ):
        begin(follower)
        came = heard(follower.pause(plan.seconds))
        left = printed(receiver.said(), patches.PLAYED)
    how = f"{FITTED}; logical time at which it leaves [stream]"
    yield spread(f"onset, streamer, played by {pd}: logical time", "ms", how, deviations(left))
    how = f"{FITTED}; at another follower at the same time"
    yield spread("onset, streamer: over UDP", "ms", how, deviations(came))
