"""``[composer NAME]``: a neural composer as a Pd object."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from neuralmidi import bundle
from neuralmidi.composer import Composer
from neuralmidi.controls import CONTROLS, PITCH, SEED, VELOCITY
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import NAMES
from neuralmidi.notes import NoteEvent, Step
from neuralmidi.options import number
from neuralmidi.pd import Atom, Message, SteppedObject, message
from neuralmidi.reading import Introduction
from neuralmidi.state import ComposerState

NOTES, STEPS, STATUS = range(3)
"""The outlets."""


SENTENCES = ("blend", "style", "parts")
"""What ``info`` tells in several words."""
UNHEARD, HEARD = 0.0, 1.0
"""Densities of an instrument that is muted, and of one that is not."""


def _control(name: str) -> Callable[["ComposerObject", float], None]:
    """The message that turns a control of the composer."""

    @message(CONTROLS[name], selector=name)
    def turn(self: "ComposerObject", value: float) -> None:
        self.turn(name, lambda performer: performer.set(name, value))

    return turn


class ComposerObject(SteppedObject[ComposerState, Step]):
    """Plays a model of ``tflite_models/``, step by step.

    Outlets: ``pitch velocity channel`` lists; ``step n pitches...`` and ``vel pitch velocity channel``;
    status.
    """

    name = "composer"
    outlets = 3
    notes_outlet = NOTES
    status_outlet = STATUS
    revives = "composer NAME"

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.performer: Composer | None = None
        self.settings: dict[str, Callable[[Composer], None]] = {}  # turned before there was a model
        self.primed = "none"  # the file that the music began from
        self.heard_at, self.heard_after = time, 0  # when the last live note came, and after which step

    def start(self, *atoms: Atom) -> None:
        """``[composer NAME]``; without a name it waits for one."""
        if atoms:
            self.composer(*atoms)

    @message()
    def composer(self, *words: Atom) -> None:
        """Load a model and let it go on from where the music is. The one that plays stays if this fails."""
        if len(words) != 1 or not isinstance(words[0], str):
            raise NeuralMIDIError("composer", "it takes one name", f"send one of {self._choice()}")
        new = bundle.load(bundle.find(words[0], self._directories()))
        performer = self.performer
        if performer is None:
            self._begin(new)
        else:
            introduction = Introduction()
            self.command(lambda: performer.change(new, introduction))
        self.keep_own_grid()
        self.send(STATUS, "composer" if performer else "ready", new.name)
        self._tell_grid()

    temperature = _control("temperature")
    intensity = _control("intensity")
    smooth = _control("smooth")
    top_k = _control("top_k")
    top_p = _control("top_p")
    repeats = _control("repeats")
    humanize = _control("humanize")
    swing = _control("swing")
    channel = _control("channel")

    @message(SEED)
    def seed(self, number: float) -> None:
        """Draw from another seed: the same seed gives the same notes."""
        self.turn("seed", lambda performer: performer.seed(number))

    @message()
    def reset(self) -> None:
        """Begin again, with nothing heard."""
        if self.performer is not None:
            self.command(self.performer.reset)
            self.primed = "none"
            self._tell_grid()

    @message()
    def blend(self, *words: Atom) -> None:
        """Go between composers, with a model that knows several: ``blend NAME WEIGHT NAME WEIGHT``."""
        self.turn("blend", lambda performer: performer.blend(*words))

    @message()
    def style(self, *words: Atom) -> None:
        """Choose how a drummer plays, or go between styles: ``style NAME WEIGHT NAME WEIGHT``."""
        self.turn("style", lambda performer: performer.blend(*words, wish="style"))

    @message()
    def fill(self, *words: Atom) -> None:
        """Play a fill: in the next bar, ``now``, ``every N`` bars, or ``off``."""
        performer = self._performer("fill")
        self.command(lambda: performer.fill(*words))

    @message()
    def density(self, *words: Atom) -> None:
        """Let a share of all new notes through, or of the hits on an instrument: ``density hat 0.5``."""
        if words and isinstance(words[0], str) and words[0] in NAMES:
            self._part(words[0], words[1] if len(words) > 1 else None)
            return
        value = CONTROLS["density"].check(words[0] if words else None)
        self.turn("density", lambda performer: performer.set("density", value))

    @message()
    def mute(self, *names: Atom) -> None:
        """Play without some instruments of the kit."""
        self._parts("mute", names, UNHEARD)

    @message()
    def unmute(self, *names: Atom) -> None:
        """Play with them again; without a name, with all."""
        self._parts("unmute", names or NAMES, HEARD)

    @message()
    def primer(self, *words: Atom) -> None:
        """Begin again, having heard the last bars of a MIDI file."""
        from neuralmidi import midi_file  # here, so that [composer] plays where mido is missing

        performer = self._performer("primer")
        if len(words) != 1 or not isinstance(words[0], str):
            remedy = "name one file; put a backslash before each blank in it"
            raise NeuralMIDIError("primer", "it takes one file", remedy)
        drums = performer.state.bundle.tokenizer.percussive
        piece = midi_file.read(midi_file.find(words[0], self.folders), drums=drums)
        introduction = Introduction()
        self.command(lambda: performer.prime(*piece, introduction))
        self.primed = words[0]
        self._tell_grid()

    @message(PITCH, VELOCITY)
    def note(self, pitch: float, velocity: float) -> None:
        """A key of the player goes down, or up with velocity 0."""
        performer = self._performer("note")
        steps = self._steps_since_last_note()
        self.command(lambda: performer.listen(steps))
        self.command(lambda: performer.note(pitch, velocity))

    @message(selector="play")
    def hear_of_play(self, on: float) -> None:
        """The bridge has started or stopped to play."""
        super().hear_of_play(on)
        if on:
            self._performer("play")

    @message()
    def models(self) -> None:
        """List the models that can be played: ``models COUNT``, then ``model NAME`` for each."""
        names = self._names()
        self.send(STATUS, "models", len(names))
        for name in names:
            self.send(STATUS, "model", name)

    @message()
    def info(self) -> None:
        """Everything there is to know: ``info KEY VALUE`` lines."""
        known: dict[str, object] = {"composer": "none"}
        if self.performer is not None and self.handover is not None:
            known = self.handover.ask(self.performer.info)
        for key, value in {**known, "primer": self.primed, "step_ms": self.step_ms, **self.facts()}.items():
            self.send(STATUS, "info", key, *_atoms(key, value))

    def silenced(self) -> None:
        """Pd has ended every sounding note."""
        if self.performer is not None:
            self.command(self.performer.silence)

    def layout(self, prepared: Step) -> Iterator[Message]:
        """First what the step is, then what it changes."""
        yield STEPS, "step", (prepared.number, *prepared.pitches)
        for event in prepared.events:
            yield _event_message(event)

    @property
    def grid(self) -> float:
        """How many steps make a beat for the model that plays."""
        return super().grid if self.performer is None else self.performer.state.steps_per_beat

    def per_beat(self, prepared: Step) -> float:
        """How many steps as long as this one make a beat."""
        return 1 / prepared.beats

    def turn(self, name: str, act: Callable[[Composer], None]) -> None:
        """Let a setting act on the composer; one that is turned before there is a model waits for it."""
        performer = self.performer
        if performer is None:
            self.settings[name] = act
        else:
            self.command(lambda: act(performer))

    def _parts(self, wish: str, names: Sequence[Atom], density: float) -> None:
        unknown = [str(name)[:40] for name in names if name not in NAMES]
        if unknown or not names:
            why = f"{', '.join(unknown)} is not in the kit" if unknown else "it takes a name"
            raise NeuralMIDIError(wish, why, f"choose among {', '.join(NAMES)}")
        for name in names:
            self._part(str(name), density)

    def _part(self, name: str, density: Atom | None) -> None:
        checked = CONTROLS["density"].check(density)
        self.turn(f"density {name}", lambda performer: performer.part(name, checked))

    def _begin(self, first: bundle.Bundle) -> None:
        self.performer = Composer(first)
        for act in self.settings.values():
            try:
                act(self.performer)
            except NeuralMIDIError as error:  # this model has nobody of that name to blend
                self.error(str(error))
        self.perform(self.performer)

    def _tell_grid(self) -> None:
        """Let a patch count beats and bars."""
        if self.performer is not None:
            state = self.performer.state
            self.send(STATUS, "grid", state.steps_per_beat, state.steps_per_bar)

    def _performer(self, wish: str) -> Composer:
        if self.performer is None:
            raise NeuralMIDIError(wish, "no model is loaded", f"send `composer` and one of {self._choice()}")
        return self.performer

    def _steps_since_last_note(self) -> int:
        """While no step sounds, the time between notes is counted: a phrase keeps its rhythm."""
        stands_still = self.released == self.heard_after
        steps = round((self.time - self.heard_at) / self.step_ms) if stands_still else 0
        self.heard_at, self.heard_after = self.time, self.released
        return steps

    def _directories(self) -> list[Path]:
        nearby = [place for folder in self.folders for place in (folder, folder / "tflite_models")]
        return [*nearby, *bundle.default_directories()]

    def _choice(self) -> str:
        return ", ".join(self._names()) or "a model that you have trained: none is here"

    def _names(self) -> list[str]:
        return bundle.available(self._directories())


def _atoms(key: str, value: object) -> list[Atom]:
    """What ``info`` says of a key: some as a player would send them, anything else as one atom."""
    if key in SENTENCES:
        return [number(word) for word in str(value).split()]
    return [value if isinstance(value, (str, int, float)) else str(value)]


def _event_message(event: NoteEvent) -> Message:
    numbers = (event.pitch, event.velocity, event.channel)
    if event.kind == "vel":
        return STEPS, "vel", numbers
    return (NOTES, "list", numbers, event.delay) if event.delay else (NOTES, "list", numbers)


assert set(CONTROLS) <= {word for _, word in ComposerObject.messages}, "every control is a message"
