"""The composer: a model, a player's controls and a player's hands in, one step of music after another out.

It has no clock, no files and no threads, and all that changes is one immutable value, `ComposerState`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce

from . import drummer
from .blend import Blend
from .composing import compose, remembering, uniforms
from .controls import CONTROLS, DENSITY, LISTEN, PITCH, SEED, VELOCITY, Glide, check
from .errors import NeuralMIDIError
from .fills import FILL
from .hands import Hands
from .history import MEMORY, History
from .kit import CHANNEL, NAMES, PLACES
from .life_cycle import advance, ended
from .notes import Metre, Note, NoteEvent, Step, velocity_of
from .reading import Introduction, Reading, Score
from .repetition import Repetition
from .state import BEATS_PER_BAR, ComposerState

ACCENTS = {"downbeat": 1.0, "beat": 0.92, "half beat": 0.85, "between": 0.8}
"""How loud a note is that starts there, as a share of the intensity, where the model does not say."""


class Composer:
    """Composes one step of the grid at a time.

    ``composer.state`` is a snapshot and ``composer.state = snapshot`` rewinds: the same calls then give the
    same steps. An error in any method leaves the state as it was.

    Args:
        bundle: the model to play, with what its tokens mean.
        seed: 0 to 2**32 - 1; the same seed gives the same notes.
        channel: MIDI channel of the notes, 1-16; None: that of drums if it plays drums, else 1.

    Raises:
        NeuralMIDIError: a number out of range, or the model failed.
    """

    def __init__(self, bundle: Score, seed: float = SEED.default, channel: int | None = None) -> None:
        controls = {name: Glide.at(control.default) for name, control in CONTROLS.items()}
        chosen = _usual_channel(bundle) if channel is None else channel
        controls["channel"] = Glide.at(check("channel", chosen))
        blend = Blend().among(bundle.condition_names)
        self.state = ComposerState(
            reading=Reading.begin(bundle, bundle.tokenizer.beginning, blend.condition),
            metre=None,
            number=0,
            place=0.0,
            seed=int(SEED.check(seed)),
            controls=controls,
            blend=blend,
            repetition=Repetition(),
            sounding={},
            voiced={},
            gated=frozenset(),
            ending=(),
            history=History(),
            live={},
            struck={},
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
        state = _glided(self.state, step_ms)
        sounding: Mapping[int, int] = {}
        if state.bundle.tokenizer.percussive and not (state.live or state.struck):
            state, pitches, events = drummer.play(state)
        else:
            state, sounding, events = _play(state)
            pitches = tuple(sounding)
        # One copy of the state: it takes longer than all else in a step in which nothing happens.
        place = state.next_place
        self.state = replace(state, number=state.number + 1, place=place, sounding=sounding, ending=())
        return Step(state.number, pitches, state.ending + events, place - state.place)

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

    def blend(self, *words: object, wish: str = "blend") -> None:
        """Go between composers: ``blend("bach", 0.7, "chopin", 0.3)``, over ``smooth`` ms.

        Args:
            words: names, each with its weight behind it; see `Blend.toward`. None: no one in particular.
            wish: ``style`` if the names are of styles.

        Raises:
            NeuralMIDIError: the model is of one composer, or knows no such name, or a weight is not legal;
                nothing changes.
        """
        smooth = self.state.controls["smooth"].value
        self.state = replace(self.state, blend=self.state.blend.toward(words, smooth, wish))

    def fill(self, *words: object) -> None:
        """Play fills: ``fill()`` in the next bar, ``fill("now")``, ``fill("every", 4)``, ``fill("off")``.

        Raises:
            NeuralMIDIError: the model knows no fills, or it is no time for one; nothing changes.
        """
        state = self.state
        if FILL not in state.blend.shares:
            raise NeuralMIDIError("fill", "this model knows no fills", "load one that does: drums")
        self.state = replace(state, fills=state.fills.asked(words, state.bar))

    def part(self, instrument: object, density: object) -> None:
        """Let a share of the hits on an instrument through, 0 to 1, besides that of ``density``.

        Raises:
            NeuralMIDIError: there is no such instrument in the kit, or not a legal density; nothing changes.
        """
        if instrument not in NAMES:
            why = f"{str(instrument)[:40]} is not an instrument of the kit"
            raise NeuralMIDIError("density", why, f"choose among {', '.join(NAMES)}")
        parts = {**self.state.parts, str(instrument): DENSITY.check(density)}
        self.state = replace(self.state, parts={name: share for name, share in parts.items() if share < 1})

    def seed(self, number: object = None) -> None:
        """Draw from another seed, 0 to 2**32 - 1, from the next step on.

        Raises:
            NeuralMIDIError: not a legal seed.
        """
        self.state = replace(self.state, seed=int(SEED.check(number)))

    def reset(self) -> None:
        """Begin again, with nothing heard. Controls, seed, blend and the player's keys stay as they are."""
        self.state = _anew(self.state, History(), None)

    def prime(
        self,
        notes: Iterable[Note],
        metres: Iterable[Metre] = (),
        introduction: Introduction | None = None,
    ) -> None:
        """Begin again, having heard the last `MEMORY` beats of a piece: whole bars, up to its last bar line.

        Args:
            notes: in any order; a velocity of 0 is not heard as any.
            metres: the time signatures of the piece. The last one holds all the time; without any it is the
                model's own.
            introduction: the one of this change, where it may have to act again after a rewind.

        Raises:
            NeuralMIDIError: there is no note, or none that the model can hear, or drums are to go on in
                another metre than 4/4, or the model failed; nothing changes.
        """
        metre = max(metres, default=None)
        if self.state.bundle.tokenizer.percussive:
            notes = _drummed(notes, metre)
        history = History.of(notes, metre or Metre(0, BEATS_PER_BAR, 4))
        self.state = _anew(self.state, history, metre, introduction)

    def silence(self) -> None:
        """Forget the sounding notes, which the host has ended; those still wanted start again next step.

        The player's keys are forgotten too: one may have lost its release.
        """
        self.state = replace(self.state, sounding={}, ending=(), live={}, struck={})

    def note(self, pitch: object = None, velocity: object = None) -> None:
        """A key of the player goes down, or up with velocity 0.

        Args:
            pitch: MIDI pitch, 0-127.
            velocity: MIDI velocity, 0-127.

        Raises:
            NeuralMIDIError: either is missing or not legal.
        """
        state, key = self.state, int(PITCH.check(pitch))
        if loud := int(VELOCITY.check(velocity)):
            down = {key: loud}
            self.state = replace(state, live={**state.live, **down}, struck={**state.struck, **down})
        else:
            live = {other: loud for other, loud in state.live.items() if other != key}
            self.state = replace(state, live=live)

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
            if state.history.now:
                state = _hear(state, {}, min(state.rests, state.steps_per_bar))
            state = _hear_player(state)
            remaining -= 1
        if state.live:
            state = _hear(state, state.live, min(remaining, MEMORY * state.steps_per_beat))
        else:
            state = replace(state, rests=state.rests + remaining)
        self.state = state

    def change(self, bundle: Score, introduction: Introduction | None = None) -> None:
        """Let another model go on. It hears the last `MEMORY` beats first and takes over what sounds.

        Its first step leads onto its grid: it is longer or shorter, so that the beat stays where it is.
        What it has no words for is heard as the nearest it knows.

        Args:
            bundle: the model, with what its tokens mean.
            introduction: the one of this change, where it may have to act again after a rewind.

        Raises:
            NeuralMIDIError: the new model failed; the old one stays.
        """
        blend = self.state.blend.among(bundle.condition_names)
        state = replace(self.state, blend=blend, repetition=Repetition(), ahead=None)
        if bundle.tokenizer.percussive != state.bundle.tokenizer.percussive:
            state = _between_drums_and_notes(state, bundle)
        self.state = replace(state, reading=_reading(bundle, state, introduction))

    def info(self) -> dict[str, object]:
        """What there is to know about it now, ready to print: key to a string or a number."""
        state = self.state
        return {
            "composer": state.bundle.name,
            "vocabulary": len(state.bundle.tokenizer.vocabulary),
            "steps_per_beat": state.steps_per_beat,
            "steps_per_bar": state.steps_per_bar,
            "step": state.number,
            "seed": state.seed,
            "sounding": len(state.sounding),
            "held": len(state.live),
            **({_wish(state): str(state.blend)} if state.bundle.condition_names else {}),
            **({"parts": _told_parts(state)} if state.bundle.tokenizer.percussive else {}),
            **{name: glide.target for name, glide in state.controls.items()},
        }


def _reading(bundle: Score, state: ComposerState, introduction: Introduction | None) -> Reading:
    """Tell a model what was played of late, whole bars of it if it knows of bars."""
    tokenizer = bundle.tokenizer
    beginning = list(tokenizer.beginning)
    if state.metre:
        told = tokenizer.encode_piece((), [state.metre._replace(start=0)], 1).tolist()
        told = [token for token in told if token in tokenizer.unmusical]
        beginning = told if len(told) > 1 else beginning  # it may have no word for the metre
    bar = reduce(tokenizer.read, beginning, Hands()).bar / tokenizer.steps_per_beat
    place = round(state.place * tokenizer.steps_per_beat) / tokenizer.steps_per_beat
    beats = state.history.beats_since_bar_line(place, bar)
    music = tokenizer.encode_piece(state.history.last(beats), end=beats)[1:].tolist()
    return (introduction or Introduction()).begin(bundle, [*beginning, *music], state.condition)


def _drummed(notes: Iterable[Note], metre: Metre | None) -> list[Note]:
    """Return the notes of a piece that are hits on the kit.

    Raises:
        NeuralMIDIError: there are none, or the bars are not those of drums.
    """
    if metre and metre.numerator * 4 != metre.denominator * BEATS_PER_BAR:
        why = f"its last bars are {metre.numerator}/{metre.denominator}, drums play 4/4"
        raise NeuralMIDIError("primer", why, "take a file in 4/4")
    hit = [note for note in notes if note.pitch in PLACES]
    if not hit:
        raise NeuralMIDIError("primer", "no drum is hit in it", "take a file with drums on channel 10")
    return hit


def _usual_channel(bundle: Score) -> int:
    return CHANNEL if bundle.tokenizer.percussive else 1


def _wish(state: ComposerState) -> str:
    """The message that chooses among what the model knows."""
    return "style" if state.bundle.tokenizer.percussive else "blend"


def _told_parts(state: ComposerState) -> str:
    """The densities of instruments that are not 1, as a player would send them."""
    return " ".join(f"{name} {density:.3g}" for name, density in state.parts.items()) or "all"


def _between_drums_and_notes(state: ComposerState, bundle: Score) -> ComposerState:
    """Let drums follow notes, or notes drums: the numbers of one mean nothing to the other.

    The channel changes as well, unless the player has chosen one.
    """
    state = _cut_off(replace(state, history=History(now=state.history.now), voiced={}, gated=frozenset()))
    if state.controls["channel"].value != _usual_channel(state.bundle):
        return state
    return replace(state, controls={**state.controls, "channel": Glide.at(_usual_channel(bundle))})


def _anew(
    state: ComposerState, history: History, metre: Metre | None, introduction: Introduction | None = None
) -> ComposerState:
    """Begin again, having heard a piece; what sounds ends."""
    state = replace(
        _cut_off(state),
        metre=metre,
        number=0,
        place=0.0,
        repetition=Repetition(),
        voiced={},
        gated=frozenset(),
        history=history,
        rests=0,
        ahead=None,
        fills=replace(state.fills, once=-1),
    )
    return replace(state, reading=_reading(state.bundle, state, introduction))


def _glided(state: ComposerState, ms: float) -> ComposerState:
    """Let the controls and the blend move on for some time; most of the time they stand still."""
    controls = {name: glide.after(ms) for name, glide in state.controls.items()}
    blend = state.blend.after(ms)
    if controls == state.controls and blend == state.blend:
        return state
    return replace(state, controls=controls, blend=blend)


def _play(state: ComposerState) -> tuple[ComposerState, Mapping[int, int], tuple[NoteEvent, ...]]:
    """Play a slot of notes that are held, or hear the player.

    Returns:
        The state, pitch to velocity of what sounds from now on, and the events.
    """
    struck: frozenset[int] = frozenset()
    if state.live or state.struck:
        state = _hear_player(state)
    else:
        waits = state.reading.waits
        state, struck = compose(state)
        state = state if waits else _admit(state, struck)
    intensity, channel = state.controls["intensity"].value, int(state.controls["channel"].value)
    targets = {pitch: velocity_of(intensity * loudness) for pitch, loudness in state.voiced.items()}
    events, sounding = advance(state.sounding, targets, channel, struck)
    return state, sounding, events


def _admit(state: ComposerState, struck: frozenset[int]) -> ComposerState:
    """Let the slot's new notes through the density gate or not, all together: chords stay whole."""
    sounding = state.reading.hands.sounding
    voiced = {
        pitch: loud for pitch, loud in state.voiced.items() if pitch in sounding and pitch not in struck
    }
    gated = (state.gated & sounding.keys()) - struck
    new = sounding.keys() - voiced.keys() - gated
    if new and uniforms(state, 0)[1] < state.controls["density"].value:
        accent = _accent(state.slot % state.steps_per_bar, state.steps_per_beat)
        return replace(
            state, voiced=voiced | {pitch: _loudness(sounding[pitch], accent) for pitch in new}, gated=gated
        )
    return replace(state, voiced=voiced, gated=gated | new)


def _accent(slot: int, steps_per_beat: int) -> float:
    """The weight of a slot's place in the bar."""
    if slot == 0:
        return ACCENTS["downbeat"]
    if slot % steps_per_beat == 0:
        return ACCENTS["beat"]
    if 2 * slot % steps_per_beat == 0:
        return ACCENTS["half beat"]
    return ACCENTS["between"]


def _loudness(velocity: int, accent: float) -> float:
    """The share of the intensity: at its default a note sounds as loud as the model says, if it does."""
    return velocity / (127 * CONTROLS["intensity"].default) if velocity else accent


def _hear_player(state: ComposerState) -> ComposerState:
    """Let the model hear what the player plays, for a step; nothing of its own sounds meanwhile."""
    state = _hear(state, {**state.struck, **state.live}, 1, frozenset(state.struck))
    return replace(
        state, voiced={}, gated=frozenset(), struck={}, rests=0, repetition=Repetition(), ahead=None
    )


def _hear(
    state: ComposerState, sounding: Mapping[int, int], slots: int, struck: frozenset[int] = frozenset()
) -> ComposerState:
    """Let the model hear for some slots what it has not composed, struck in the first of them."""
    for _ in range(slots):
        reading = state.reading.hearing(sounding, struck, state.condition)
        state = replace(state, history=remembering(state, sounding, struck), reading=reading)
        struck = frozenset()
    return state


def _cut_off(state: ComposerState) -> ComposerState:
    """Owe the sounding notes their end: they stop at the next step."""
    channel = int(state.controls["channel"].value)
    return replace(state, sounding={}, ending=state.ending + ended(state.sounding, channel))
