"""What a player can turn: the table of controls, the check of a value, and the glide towards it."""

from dataclasses import dataclass

from .errors import NeuralMIDIError


@dataclass(frozen=True, slots=True)
class Control:
    """One number that a player sends.

    Attributes:
        name: the message.
        low: smallest legal value.
        high: largest legal value.
        default: value before anything is sent.
        meaning: what it does, with its unit, for help and ``info``.
        whole: only whole numbers are legal.
        glides: moves to a new value over ``smooth`` ms; otherwise it takes effect at the next step.
    """

    name: str
    low: float
    high: float
    default: float
    meaning: str
    whole: bool = False
    glides: bool = False

    def check(self, value: object = None) -> float:
        """Return ``value`` as a float if it is legal.

        Raises:
            NeuralMIDIError: it is missing, not a number, NaN, infinite, out of range, or not whole.
        """
        legal = f"{self.low} to {self.high}"
        remedy = f"send a {'whole number' if self.whole else 'number'} from {legal}"
        if value is None:
            raise NeuralMIDIError(self.name, "the number is missing", remedy)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NeuralMIDIError(self.name, f"{str(value)[:40]} is not a number", remedy)
        if not self.low <= value <= self.high:  # NaN is never between two numbers
            raise NeuralMIDIError(self.name, f"{_short(value)} is outside {legal}", remedy)
        if self.whole and value % 1:
            raise NeuralMIDIError(self.name, f"{_short(value)} is not a whole number", remedy)
        return float(value)


def _short(number: object) -> str:
    """A number as a player writes it: Pd says 3, not 3.0."""
    return str(number).removesuffix(".0")


CONTROLS = {
    control.name: control
    for control in (
        Control("temperature", 0.1, 2.0, 1.0, "how adventurous: divides the logits", glides=True),
        Control("density", 0, 1, 1, "probability that a step's new notes sound", glides=True),
        Control("intensity", 0, 1, 0.7, "how loud: scales the velocity", glides=True),
        Control("smooth", 0, 10000, 200, "ms that a control takes to glide to a new value"),
        Control("top_k", 0, 1000, 0, "choose among the k likeliest; 0: among all", whole=True),
        Control("top_p", 0.05, 1, 1, "choose among the likeliest up to this probability", glides=True),
        # 3: a fourth time in a row, and exactly, comes in 1 of 20 pieces by human composers
        Control(
            "repeats",
            0,
            100,
            3,
            "times in a row that a bar or more may sound exactly alike; 0: any",
            whole=True,
        ),
        Control("humanize", 0, 1, 1, "of drums: how much of the learnt timing and velocity", glides=True),
        # 75: the off-16th on the dotted 16th; beyond, it would be a straight 32nd before the beat
        Control(
            "swing", 50, 75, 50, "of drums: where the second 16th is, in percent of the eighth", glides=True
        ),
        Control("channel", 1, 16, 1, "MIDI channel of the notes", whole=True),
    )
}
"""Everything that `Composer.set` takes, by name."""

TEMPO = Control("tempo", 1, 1000, 120, "beats per minute")
# 3: what a newcomer hears first; the composers that we ship begin well with it
SEED = Control("seed", 0, 2**32 - 1, 3, "the same seed gives the same notes", whole=True)
BARS = Control("bars", 1, 100000, 8, "length of the piece in bars", whole=True)
PITCH = Control("note", 0, 127, 60, "MIDI pitch", whole=True)
VELOCITY = Control("note velocity", 0, 127, 64, "MIDI velocity; 0 ends the note", whole=True)
EVERY = Control("fill every", 0, 1000, 4, "bars from one fill to the next; 0: none", whole=True)
WEIGHT = Control(
    "blend weight", 0, 1000, 1, "share of a composer, before the weights are divided by their sum"
)
DENSITY = CONTROLS["density"]
LISTEN = Control("listen", 0, 2**31, 1, "steps that pass", whole=True)


def check(name: str, value: object = None) -> float:
    """Return ``value`` as a float if the control ``name`` may take it.

    Raises:
        NeuralMIDIError: there is no such control, or the value is not legal; the text names the range.
    """
    if name not in CONTROLS:
        raise NeuralMIDIError(name, "there is no such control", f"use one of {', '.join(CONTROLS)}")
    return CONTROLS[name].check(value)


@dataclass(frozen=True, slots=True)
class Glide:
    """A value on its way to a target, in a straight line.

    Attributes:
        value: where it is now.
        target: where it will be.
        remaining: ms until it is there.
    """

    value: float
    target: float
    remaining: float

    @classmethod
    def at(cls, value: float) -> "Glide":
        """A glide that is there already."""
        return cls(value, value, 0.0)

    def toward(self, target: float, ms: float) -> "Glide":
        """Leave for ``target`` from where it is now, to be there in ``ms``; with 0 it is there at once."""
        return Glide(self.value, target, ms) if ms else Glide.at(target)

    def after(self, ms: float) -> "Glide":
        """The glide ``ms`` later."""
        if self.value == self.target:
            return self
        if ms >= self.remaining:
            return Glide.at(self.target)
        return Glide(
            self.value + (self.target - self.value) * ms / self.remaining, self.target, self.remaining - ms
        )
