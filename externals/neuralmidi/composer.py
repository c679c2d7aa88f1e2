"""The composer: a model, a player's controls and a player's hands in, one step of music after another out.

It has no clock, no files and no threads, and all that changes is one immutable value, `ComposerState`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .controls import CONTROLS, LISTEN, PITCH, SEED, VELOCITY, Glide, check
from .life_cycle import advance, ended
from .notes import NoteEvent, Step
from .sampling import sample
from .tokenizer import Tokenizer

BEATS_PER_BAR = 4
"""The metre of the accents."""

ACCENTS = {"downbeat": 1.0, "beat": 0.92, "half beat": 0.85, "between": 0.8}
"""How loud a note is that starts there, as a share of the intensity."""

MEMORY = 64
"""Steps that a new model hears of what was played before it: four bars of 16ths."""

ModelState = tuple[NDArray[np.float32], ...]


class Model(Protocol):
    """What the composer needs of a step model."""

    def initial_state(self) -> ModelState:
        """The state before the first token."""

    def step(self, state: ModelState, token: int) -> tuple[NDArray[np.float32], ModelState]:
        """Logits ``[V]`` (a fresh array) of what follows ``token``, and the state after it."""


class Score(Protocol):
    """What the composer needs of a bundle: a model, its vocabulary and its grid."""

    @property
    def name(self) -> str:
        """The name a player calls it by."""

    @property
    def model(self) -> Model:
        """The network."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What its tokens mean."""

    @property
    def steps_per_beat(self) -> int:
        """Slots of the grid in one beat."""


@dataclass(frozen=True, slots=True, eq=False)
class ComposerState:
    """All that changes while a composer plays. Nothing in it is ever written to: keeping it is a snapshot.

    Attributes:
        bundle: the model that plays, with its vocabulary and grid.
        model: the network's state before `token`.
        token: the last step's token, which the network has not heard yet.
        number: steps since the last reset.
        seed: what the draws depend on, together with `number`.
        controls: every control on its way, by name.
        sounding: pitch to velocity of the notes that sound.
        voiced: pitch to accent of the model's notes that passed the density gate.
        gated: the model's notes that did not: silent until the model drops them.
        ending: the ends of notes that were cut off since the last step; they go first in the next one.
        history: the last `MEMORY` steps as they were composed or heard, oldest first.
        live: the keys that the player holds down.
        struck: the keys that went down since the last step, even if they are up again.
        rests: silent steps listened to since the last chord, which the model has not heard.
    """

    bundle: Score
    model: ModelState
    token: int
    number: int
    seed: int
    controls: Mapping[str, Glide]
    sounding: Mapping[int, int]
    voiced: Mapping[int, float]
    gated: frozenset[int]
    ending: tuple[NoteEvent, ...]
    history: tuple[tuple[int, ...], ...]
    live: frozenset[int]
    struck: frozenset[int]
    rests: int


class Composer:
    """Composes one step of the grid at a time.

    ``composer.state`` is a snapshot and ``composer.state = snapshot`` rewinds: the same calls then give the
    same steps. An error in any method leaves the state as it was.

    Args:
        bundle: the model to play, with its vocabulary and grid.
        seed: 0 to 2**32 - 1; the same seed gives the same notes.
        channel: MIDI channel of the notes, 1-16.

    Raises:
        NeuralMIDIError: a number out of range.
    """

    def __init__(self, bundle: Score, seed: float = SEED.default, channel: int = 1) -> None:
        controls = {name: Glide.at(control.default) for name, control in CONTROLS.items()}
        controls["channel"] = Glide.at(check("channel", channel))
        self.state = ComposerState(
            bundle=bundle,
            model=bundle.model.initial_state(),
            token=bundle.tokenizer.start,
            number=0,
            seed=int(SEED.check(seed)),
            controls=controls,
            sounding={},
            voiced={},
            gated=frozenset(),
            ending=(),
            history=(),
            live=frozenset(),
            struck=frozenset(),
            rests=0,
        )

    def step(self, step_ms: float) -> Step:
        """Advance by one slot of the grid.

        While the player plays, the step is heard instead of composed: the composer's own notes end, and it
        goes on from what was played.

        Args:
            step_ms: length of the slot in ms; the controls glide by it.

        Raises:
            NeuralMIDIError: the model failed.
        """
        controls = {name: glide.after(step_ms) for name, glide in self.state.controls.items()}
        state = replace(self.state, controls=controls)
        state = _hear_player(state) if state.live or state.struck else _compose(state)
        intensity, channel = state.controls["intensity"].value, int(state.controls["channel"].value)
        targets = {pitch: _velocity(intensity, accent) for pitch, accent in state.voiced.items()}
        events, sounding = advance(state.sounding, targets, channel)
        self.state = replace(state, number=state.number + 1, sounding=sounding, ending=())
        return Step(state.number, tuple(sounding), state.ending + events)

    def set(self, control: str, value: object = None) -> None:
        """Send a control to a new value; `CONTROLS` has their names and ranges.

        Raises:
            NeuralMIDIError: no such control, or not a legal value; nothing changes.
        """
        number = check(control, value)
        state, controls = self.state, dict(self.state.controls)
        if CONTROLS[control].glides:
            controls[control] = controls[control].toward(number, controls["smooth"].value)
        else:
            controls[control] = Glide.at(number)
        # Notes end on the channel they began on; those still wanted start again on the new one.
        if controls["channel"] != state.controls["channel"]:
            state = _cut_off(state)
        self.state = replace(state, controls=controls)

    def seed(self, number: object = None) -> None:
        """Draw from another seed, 0 to 2**32 - 1, from the next step on.

        Raises:
            NeuralMIDIError: not a legal seed.
        """
        self.state = replace(self.state, seed=int(SEED.check(number)))

    def reset(self) -> None:
        """Begin again at step 0, with nothing heard. Sounding notes end at the next step.

        Controls, the seed and the keys that the player holds stay.
        """
        bundle = self.state.bundle
        self.state = replace(
            _cut_off(self.state),
            model=bundle.model.initial_state(),
            token=bundle.tokenizer.start,
            number=0,
            voiced={},
            gated=frozenset(),
            history=(),
        )

    def silence(self) -> None:
        """Forget the sounding notes, which the host has ended; those still wanted start again next step.

        The player's keys are forgotten too: one may have lost its release.
        """
        state = self.state
        self.state = replace(state, sounding={}, ending=(), live=frozenset(), struck=frozenset())

    def note(self, pitch: object = None, velocity: object = None) -> None:
        """A key of the player goes down, or up with velocity 0.

        Args:
            pitch: MIDI pitch, 0-127.
            velocity: MIDI velocity, 0-127.

        Raises:
            NeuralMIDIError: either is missing or not legal.
        """
        key = frozenset((int(PITCH.check(pitch)),))
        if VELOCITY.check(velocity):
            self.state = replace(self.state, live=self.state.live | key, struck=self.state.struck | key)
        else:
            self.state = replace(self.state, live=self.state.live - key)

    def listen(self, steps: object = 1) -> None:
        """Hear the player for some steps without composing, so that a phrase keeps its rhythm.

        Silence between chords is heard, at most a bar of it. Silence before the first and after the last is
        not, so that the composer goes on from the player's last chord, however late it is started. Neither
        the step number nor the controls move.

        Args:
            steps: how many slots of the grid have passed.

        Raises:
            NeuralMIDIError: not a legal number of steps, or the model failed.
        """
        remaining = int(LISTEN.check(steps))
        state = self.state
        if remaining and (state.live or state.struck):
            if state.history:
                state = _hear(state, (), min(state.rests, BEATS_PER_BAR * state.bundle.steps_per_beat))
            state = _hear_player(state)
            remaining -= 1
        if state.live:
            state = _hear(state, tuple(sorted(state.live)), min(remaining, MEMORY))
        else:
            state = replace(state, rests=state.rests + remaining)
        self.state = state

    def change(self, bundle: Score) -> None:
        """Let another model go on. It hears the last `MEMORY` steps first and takes over what sounds.

        Chords that it has no token for are heard as the nearest it knows.

        Raises:
            NeuralMIDIError: the new model failed; the old one stays.
        """
        state = replace(
            self.state,
            bundle=bundle,
            model=bundle.model.initial_state(),
            token=bundle.tokenizer.start,
            history=(),
        )
        for chord in self.state.history:
            state = _hear(state, chord, 1)
        self.state = state

    def info(self) -> dict[str, object]:
        """What there is to know about it now, ready to print: key to a string or a number."""
        state = self.state
        return {
            "composer": state.bundle.name,
            "vocabulary": len(state.bundle.tokenizer.vocabulary),
            "steps_per_beat": state.bundle.steps_per_beat,
            "step": state.number,
            "seed": state.seed,
            "sounding": len(state.sounding),
            "held": len(state.live),
            **{name: glide.target for name, glide in state.controls.items()},
        }


def _compose(state: ComposerState) -> ComposerState:
    """Let the model play. Both draws follow from the seed and the step number, so no generator is kept."""
    controls, tokenizer = state.controls, state.bundle.tokenizer
    logits, model = state.bundle.model.step(state.model, state.token)
    logits[_unplayable(state)] = -np.inf
    uniform, gate = np.random.Generator(np.random.Philox(key=state.seed, counter=state.number)).random(2)
    token = sample(
        logits,
        temperature=controls["temperature"].value,
        top_k=int(controls["top_k"].value),
        top_p=controls["top_p"].value,
        uniform=uniform,
    )
    chord = tokenizer.decode(token)
    voiced, gated = _admit(chord, state, opens=gate < controls["density"].value)
    history = _remember(state.history, chord)
    return replace(state, model=model, token=token, voiced=voiced, gated=gated, history=history, rests=0)


def _unplayable(state: ComposerState) -> list[int]:
    """Return the tokens that shall not be drawn now.

    A rest is one of them at the beginning and after `MEMORY` silent steps: models like to wait there for
    bars, and the player hears silence without a reason.
    """
    tokenizer = state.bundle.tokenizer
    return [*tokenizer.unmusical, *(() if any(state.history) else (tokenizer.encode(()),))]


def _admit(
    chord: tuple[int, ...], state: ComposerState, *, opens: bool
) -> tuple[dict[int, float], frozenset[int]]:
    """Let the chord's new notes through the density gate or not, all together: chords stay whole.

    Returns:
        The notes that may sound, pitch to accent, and those that may not until the model drops them.
    """
    voiced = {pitch: state.voiced[pitch] for pitch in chord if pitch in state.voiced}
    gated = state.gated.intersection(chord)
    new = [pitch for pitch in chord if pitch not in voiced and pitch not in gated]
    if opens:
        return voiced | dict.fromkeys(new, _accent(state.number, state.bundle.steps_per_beat)), gated
    return voiced, gated.union(new)


def _accent(number: int, steps_per_beat: int) -> float:
    """The weight of a step's place in the bar."""
    if number % (BEATS_PER_BAR * steps_per_beat) == 0:
        return ACCENTS["downbeat"]
    if number % steps_per_beat == 0:
        return ACCENTS["beat"]
    if 2 * number % steps_per_beat == 0:
        return ACCENTS["half beat"]
    return ACCENTS["between"]


def _velocity(intensity: float, accent: float) -> int:
    return max(1, round(127 * intensity * accent))


def _hear_player(state: ComposerState) -> ComposerState:
    """Let the model hear what the player plays, for a step; nothing of its own sounds meanwhile."""
    state = _hear(state, tuple(sorted(state.live | state.struck)), 1)
    return replace(state, voiced={}, gated=frozenset(), struck=frozenset(), rests=0)


def _hear(state: ComposerState, chord: tuple[int, ...], steps: int) -> ComposerState:
    """Let the model hear a chord for some steps."""
    token = state.bundle.tokenizer.hear(chord)
    for _ in range(steps):
        _, model = state.bundle.model.step(state.model, state.token)
        state = replace(state, model=model, token=token, history=_remember(state.history, chord))
    return state


def _remember(history: tuple[tuple[int, ...], ...], chord: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return (*history[1 - MEMORY :], chord)


def _cut_off(state: ComposerState) -> ComposerState:
    """Owe the sounding notes their end: they stop at the next step."""
    channel = int(state.controls["channel"].value)
    return replace(state, sounding={}, ending=state.ending + ended(state.sounding, channel))
