"""The patches that are measured: [osc_remote], with and without something that plays."""

from pathlib import Path

from neuralmidi.osc import Address

from tests.pd_runner import Patch

AWAKE = ("-sleepgrain", "1")
"""As `play` starts Pd: by itself it may sleep 5 ms before it looks whether a message has come."""

NOTES, PLAYED = "note", "played"
"""Tags of what is logged: notes; notes and steps, in order, each with the samples since the one before it."""


def through(address: Address) -> Patch:
    """Nothing plays; a key leaves as the note that it is."""
    patch, remote = _remote(address)
    key, note = patch.obj("route note"), patch.msg("$1 $2 1")
    patch.connect((remote, WISHES, key, 0), (key, 0, note, 0), (note, 0, remote, 0))
    return patch


def clocked(model: Path, address: Address) -> Patch:
    """A composer that plays by its own clock, when it is told to."""
    patch, remote = _remote(address)
    composer = patch.obj(f"composer {model}")
    _connect(patch, remote, composer)
    _log(patch, composer)
    return patch


def banged(model: Path, address: Address, every: float) -> Patch:
    """A composer that is banged every so many ms."""
    patch, remote = _remote(address)
    composer = patch.obj(f"composer {model}")
    _connect(patch, remote, composer)
    metro = patch.obj(f"metro {every}")
    patch.connect((metro, 0, composer, 0))
    patch.at(100, "1", metro)
    return patch


def voiced(model: Path, address: Address) -> Patch:
    """A composer that is heard, and whose notes are logged."""
    patch, remote = _remote(address)
    composer, voices, out = patch.obj(f"composer {model}"), patch.obj("synth~"), patch.obj("dac~")
    _connect(patch, remote, composer)
    patch.connect((composer, 0, voices, 0), (voices, 0, out, 0), (voices, 1, out, 1))
    patch.log(composer, 0, NOTES)
    patch.at(0, "; pd dsp 1")
    return patch


def streamed(address: Address) -> Patch:
    """What is played elsewhere leaves [stream], and is logged."""
    patch, remote = _remote(address)
    stream = patch.obj("stream")
    _connect(patch, remote, stream)
    patch.connect((remote, STREAM, stream, 1), (stream, 3, remote, 3))
    _log(patch, stream)
    return patch


WISHES, STREAM = 0, 1
"""Outlets of [osc_remote]."""


def _remote(address: Address) -> tuple[Patch, int]:
    patch = Patch()
    return patch, patch.obj(f"osc_remote {address[1]}")


def _connect(patch: Patch, remote: int, composer: int) -> None:
    """Wishes to what plays; what it says back, to be sent to all who follow."""
    patch.connect((remote, WISHES, composer, 0))
    for outlet in range(3):
        patch.connect((composer, outlet, remote, outlet))


def _log(patch: Patch, composer: int) -> None:
    """Print what leaves it, with the samples since the last: six digits are too few for a long time."""
    boxes = "t a b b", "timer 1 samp", "list", "list prepend", "list trim", f"print {PLAYED}"
    each, timer, whole, since, trim, out = map(patch.obj, boxes)
    patch.connect((composer, 0, each, 0), (composer, 1, each, 0))
    patch.connect((each, 2, timer, 1), (each, 1, timer, 0), (timer, 0, since, 1))
    patch.connect((each, 0, whole, 0), (whole, 0, since, 0), (since, 0, trim, 0), (trim, 0, out, 0))
