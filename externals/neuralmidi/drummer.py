"""How a drummer plays a slot: the next one is composed already, because some of its hits come early."""

from dataclasses import replace
from typing import Final

from .composing import compose, uniforms
from .controls import CONTROLS
from .drumming import Hit, hits, loudness, moment, struck
from .kit import KIT, PLACES
from .life_cycle import ended
from .notes import NoteEvent, velocity_of
from .state import Ahead, ComposerState, later

GATES: Final = 1000
"""Draws from this one on decide which hits pass the density gate."""


def play(state: ComposerState) -> tuple[ComposerState, tuple[int, ...], tuple[NoteEvent, ...]]:
    """Play a slot of drums, and those hits of the next one that come early.

    Returns:
        The state, the pitches that are hit in the slot, and the events.
    """
    now = state.ahead
    if now is None or (now.under != _under(state) and not now.begun):
        now = _ahead(state)
    state = replace(state, reading=now.reading, repetition=now.repetition, history=now.history)
    after = later(state)
    then = _ahead(after)
    early = tuple(hit for hit in then.hits if _moment(after, hit) < after.slot)
    leaving = [_leaving(state, hit, state.slot) for hit in now.hits if _passes(state, hit.pitch)]
    leaving += [_leaving(after, hit, state.slot) for hit in early if _passes(after, hit.pitch)]
    channel = int(state.controls["channel"].value)
    events = ended(state.sounding, channel) + struck(leaving, channel)
    rest = tuple(hit for hit in then.hits if hit not in early)
    ahead = replace(then, hits=rest, begun=bool(early))
    state = replace(state, ahead=ahead, voiced={}, gated=frozenset())
    pitches = sorted(pitch for pitch in state.history.held if _passes(state, pitch))
    return state, tuple(pitches), events


def _ahead(state: ComposerState) -> Ahead:
    """Compose the slot that comes."""
    after, _ = compose(state)
    hands = after.reading.hands
    found = hits(hands.sounding, hands.late)
    return Ahead(after.reading, after.repetition, after.history, found, _under(state))


def _under(state: ComposerState) -> tuple[object, ...]:
    """What a player can change of what the model will say."""
    turned = (state.controls[name].value for name in ("temperature", "top_k", "top_p", "repeats"))
    return (*turned, state.seed, state.blend, state.fills)


def _leaving(state: ComposerState, hit: Hit, slot: int) -> tuple[float, int, int]:
    """When a hit of the state's slot leaves, in steps after a slot begins; its pitch and velocity."""
    loud = loudness(hit.velocity, state.controls["humanize"].value)
    velocity = velocity_of(state.controls["intensity"].value * loud / (127 * CONTROLS["intensity"].default))
    return max(_moment(state, hit) - slot, 0.0), hit.pitch, velocity


def _moment(state: ComposerState, hit: Hit) -> float:
    """When a hit of this slot sounds, in slots since the last reset."""
    humanize, swing = state.controls["humanize"].value, state.controls["swing"].value
    return moment(state.slot, hit.late, humanize, swing, state.steps_per_beat / 2)


def _passes(state: ComposerState, pitch: int) -> bool:
    """Whether a hit of this slot passes the density gate, that of its instrument and that of all."""
    place = PLACES[pitch]
    density = state.controls["density"].value * state.parts.get(KIT[place].name, 1.0)
    return uniforms(state, GATES + place)[1] < density
