"""How a model composes a slot: it is asked for one token after another, until time is to pass."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .history import MEMORY, History
from .sampling import sample
from .state import ComposerState

MOST_EVENTS = 24
"""Tokens of one slot; then time passes, whatever the model says: ten fingers up and ten down are 20."""

BREAK = 2
"""Beats that drums may be silent: fills are learnt from files that end with them."""

HOPELESS = 100.0
"""A token this many nats below the likeliest is one that the model rules out."""

_BITS: Final = np.random.Philox(0)
_DRAWS: Final = np.random.Generator(_BITS)
_FRESH: Final = _BITS.state
"""A generator takes long to make and a moment to set: one is set anew for every draw, and keeps nothing."""


def compose(state: ComposerState) -> tuple[ComposerState, frozenset[int]]:
    """Let the model play a slot, if its last wait is over.

    Returns:
        The state, and the pitches that are struck in the slot.
    """
    struck: frozenset[int] = frozenset()
    if not state.reading.waits:
        state = _open_slot(state)
        for draw in range(MOST_EVENTS + 1):
            state = _say(state, draw)
            struck |= state.reading.hands.attacked
            if state.reading.hands.wait:
                break
    history = remembering(state, state.reading.hands.sounding, struck)
    return replace(state, history=history, reading=state.reading.later()), struck


def _open_slot(state: ComposerState) -> ComposerState:
    """Tell the model that time has passed, and that what others have played until now is over."""
    condition = state.condition
    reading = state.reading.on_time(condition)
    others = reading.hands.sounding.keys() - state.voiced.keys() - state.gated
    return replace(state, reading=reading.releasing(others, condition), rests=0)


def _say(state: ComposerState, draw: int) -> ComposerState:
    """Let the model say its next token in this slot."""
    controls = state.controls
    logits, reading = state.reading.ask(state.condition)
    token = sample(
        _allowed(logits, state, closes=draw == MOST_EVENTS),
        temperature=controls["temperature"].value,
        top_k=int(controls["top_k"].value),
        top_p=controls["top_p"].value,
        uniform=uniforms(state, draw)[0],
    )
    return replace(state, reading=reading.add(token), repetition=state.repetition.after(token, state.number))


def uniforms(state: ComposerState, draw: int) -> tuple[float, float]:
    """Two numbers in [0, 1): they follow from the seed, the step and the draw alone."""
    counter, key = np.array([state.number, draw, 0, 0], np.uint64), np.array([state.seed, 0], np.uint64)
    _BITS.state = {**_FRESH, "state": {"counter": counter, "key": key}}
    token, gate = _DRAWS.random(2).tolist()
    return token, gate


def _allowed(logits: NDArray[np.float32], state: ComposerState, *, closes: bool) -> NDArray[np.float32]:
    """Forbid the tokens that shall not be drawn now.

    Time does not pass in silence at the beginning and after `MEMORY` silent beats, of drums `BREAK`: models
    like to wait there for bars, and the player hears silence without a reason.

    Args:
        logits: ``[V]``; written to.
        state: before the draw.
        closes: only time may pass now.
    """
    tokenizer = state.bundle.tokenizer
    pauses = _places(tokenizer.pauses)
    if closes:
        closing = np.full_like(logits, -np.inf)
        closing[pauses] = logits[pauses]
        return closing
    logits[_places(tokenizer.unmusical)] = -np.inf
    silent = state.history.silent_for(BREAK if tokenizer.percussive else MEMORY)
    if silent and not state.reading.hands.sounding:
        logits[pauses] = -np.inf
    times = int(state.controls["repeats"].value)
    again = state.repetition.completing(times, state.number, state.steps_per_bar) if times else []
    if not again:
        return logits
    fresh = logits.copy()
    fresh[again] = -np.inf
    return fresh if fresh.max() > logits.max() - HOPELESS else logits


@cache
def _places(tokens: tuple[int, ...]) -> NDArray[np.intp]:
    """Tokens as an index into logits: to read a tuple anew takes longer than what is done with it."""
    return np.array(tokens, np.intp)


def remembering(state: ComposerState, sounding: Mapping[int, int], struck: Collection[int]) -> History:
    """The history with one more slot in it."""
    return state.history.after(sounding, struck, 1 / state.steps_per_beat)
