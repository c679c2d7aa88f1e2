"""All that changes while a composer plays, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .blend import Blend
from .controls import Glide
from .drumming import Hit
from .fills import FILL, Fills
from .history import History
from .notes import Metre, NoteEvent
from .reading import Condition, Reading, Score
from .repetition import Repetition

BEATS_PER_BAR = 4
"""The metre where the model's tokens say nothing of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """A slot that is composed before it is due, because some of its hits come early.

    Attributes:
        reading: the model's, after it.
        repetition: what the model has said of late, it included.
        history: what was composed or heard of late, it included.
        hits: those that have not left yet.
        under: what decided it, besides the music: if the player changes that, it is composed anew.
        begun: some of its hits have left, so that it stays as it is.
    """

    reading: Reading
    repetition: Repetition
    history: History
    hits: tuple[Hit, ...]
    under: tuple[object, ...]
    begun: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ComposerState:
    """All that changes while a composer plays. Nothing in it is ever written to: keeping it is a snapshot.

    Attributes:
        reading: the model that plays, and where it is in the music.
        metre: the time signature of what it was primed with; None: its own.
        number: steps since the last reset.
        place: beats since the last reset.
        seed: what the draws depend on, together with `number`.
        controls: every control on its way, by name.
        blend: how much of each composer, if the model knows several.
        repetition: what the model has said of late, again and again.
        sounding: pitch to velocity of the notes that sound.
        voiced: pitch to share of the intensity of the model's notes that passed the density gate.
        gated: the model's notes that did not: silent until the model drops or strikes them again.
        ending: the ends of notes that were cut off since the last step; they go first in the next one.
        history: what was composed or heard of late.
        live: the keys that the player holds down, with their velocities.
        struck: the keys that went down since the last step, even if they are up again.
        rests: silent steps listened to since the last chord, which the model has not heard.
        ahead: of drums, the slot that comes, if it is composed already.
        fills: of drums, the bars that are fills.
        parts: of drums, the density of each instrument by name, where it is not 1.
    """

    reading: Reading
    metre: Metre | None
    number: int
    place: float
    seed: int
    controls: Mapping[str, Glide]
    blend: Blend
    repetition: Repetition
    sounding: Mapping[int, int]
    voiced: Mapping[int, float]
    gated: frozenset[int]
    ending: tuple[NoteEvent, ...]
    history: History
    live: Mapping[int, int]
    struck: Mapping[int, int]
    rests: int
    ahead: Ahead | None = None
    fills: Fills = field(default_factory=Fills)
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def bundle(self) -> Score:
        """The model that plays, with what its tokens mean."""
        return self.reading.bundle

    @property
    def steps_per_beat(self) -> int:
        """Slots of its grid in a beat."""
        return self.bundle.tokenizer.steps_per_beat

    @property
    def steps_per_bar(self) -> int:
        """Slots of its grid in a bar."""
        return self.reading.hands.bar or BEATS_PER_BAR * self.steps_per_beat

    @property
    def slot(self) -> int:
        """The slot of its grid that comes, since the last reset. On a new grid it may have begun already."""
        return round(self.place * self.steps_per_beat)

    @property
    def next_place(self) -> float:
        """Where the slot after this one begins, in beats since the last reset."""
        return (self.slot + 1) / self.steps_per_beat

    @property
    def bar(self) -> int:
        """The bar that this slot is in."""
        return self.slot // self.steps_per_bar

    @property
    def condition(self) -> Condition:
        """What the model plays under in this slot: the blend, and whether it is a fill."""
        condition = self.blend.condition
        if condition is not None and FILL in self.blend.shares and self.fills.has(self.bar):
            return self.fills.condition(condition, [*self.blend.shares].index(FILL))
        return condition


def later(state: ComposerState) -> ComposerState:
    """One slot on."""
    return replace(state, number=state.number + 1, place=state.next_place)
