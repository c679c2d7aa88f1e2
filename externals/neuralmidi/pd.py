"""What makes a Python class a Pd class. With `server.py`, all of Python that knows Pd.

It runs on the bridge's own thread. A class becomes a Pd class by deriving from `Object` in a file of
`neuralmidi/objects/`; its methods marked with `message` are what it understands.
"""

from __future__ import annotations  # bridge.Request is known to type checkers only

import inspect
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import _neuralmidi as bridge  # inside Pd it is C; outside, `host.py` stands in for it

from neuralmidi.controls import Control
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.handover import FAULTS, Command, Handover, Performer

Atom = float | str
Message = tuple[int, str, Sequence[Atom]] | tuple[int, str, Sequence[Atom], float]
"""Outlet (0 is the leftmost), selector, atoms; perhaps a delay: 0 or more, in lengths of the step."""

CUT_OFF = "never came to an end and was cut off"
GRID = 4.0
"""Steps a beat, for a performer that has no grid of its own."""

LOOK_AHEAD = Control("lookahead", 1, bridge.HANDOVER_LOOKAHEAD, 4, "steps that are kept ready", whole=True)

Method = TypeVar("Method", bound=Callable[..., None])


def message(*arguments: Control, selector: str | None = None, inlet: int = 0) -> Callable[[Method], Method]:
    """Mark a method as a message that the object understands.

    Args:
        arguments: the numbers it takes, each with its range; they are checked before the method is called.
            With none, the method gets the atoms as they came, as many as it takes.
        selector: the message's name in Pd, if it is not the method's.
        inlet: where it comes in; 0 is the leftmost.
    """

    def mark(method: Method) -> Method:
        method.message = (inlet, selector or method.__name__, arguments)  # type: ignore[attr-defined]
        return method

    return mark


class Object:
    """A Pd object.

    Attributes:
        name: the class's name in Pd.
        inlets: how many, 1-8.
        outlets: how many, 0-8.
        notes_outlet: the outlet whose lists are ``pitch velocity channel``; Pd's thread follows them, so that
            it can end every sounding note whatever happens here. None: there is no such outlet.
        status_outlet: the outlet that errors leave from, besides the console. None: there is no such outlet.
        stepped: the object has a transport and prepares steps; derive from `SteppedObject` for that.
        revives: the message, as a player writes it, that starts Python again when its thread has died or is
            stuck: a selector, and perhaps what may follow it. None: there is no such message.
        folders: where files named in messages are looked for: the patch's own, then Pd's search path.
        time: logical time of the message that is being handled, in ms since Pd started.
        sync: Pd waits for the answer to every message.
    """

    name: ClassVar[str]
    inlets: ClassVar[int] = 1
    outlets: ClassVar[int] = 1
    notes_outlet: ClassVar[int | None] = None
    status_outlet: ClassVar[int | None] = None
    stepped: ClassVar[bool] = False
    revives: ClassVar[str | None] = None
    messages: ClassVar[dict[tuple[int, str], tuple[str, tuple[Control, ...]]]]

    def __init_subclass__(cls) -> None:
        """Collect the messages of the class and of those it derives from."""
        super().__init_subclass__()
        marked = ((name, getattr(getattr(cls, name), "message", None)) for name in dir(cls))
        cls.messages = {
            (mark[0], mark[1]): (name, mark[2]) for name, mark in sorted(marked, key=lambda m: m[0]) if mark
        }

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        self.number = number
        self.folders = folders
        self.time = time
        self.sync = False

    def start(self, *atoms: Atom) -> None:
        """Take the arguments of the object box. An error here leaves the object alive, without them."""

    def close(self) -> None:
        """The object has been deleted in Pd."""

    def receive(self, inlet: int, selector: str, atoms: Sequence[Atom]) -> None:
        """Handle a message.

        Raises:
            NeuralMIDIError: there is no such message, or its arguments are not legal.
        """
        method, arguments = self._method(inlet, selector)
        if not arguments:
            return method(self, *atoms[: _takes(method)])
        checked = [a.check(atoms[i] if i < len(atoms) else None) for i, a in enumerate(arguments)]
        return method(self, *checked)

    def send(self, outlet: int, selector: str, *atoms: Atom) -> None:
        """Send a message out of an outlet, at the next moment that Pd looks."""
        words = [sendable(atom) if isinstance(atom, str) else atom for atom in atoms]
        bridge.send(self.number, [(outlet, selector, words)])

    def cut_off(self, what: str) -> None:
        """Something that this object did has killed Python's thread or never ended: another one goes on."""
        self.error(f"{what} {CUT_OFF} / leave it out, and tell the object's author")

    def error(self, text: str) -> None:
        """Report an error on the object's box and out of its status outlet."""
        bridge.error(self.number, sendable(f"{self.name}: {text}"))

    def failed(self, text: str) -> None:
        """Report an error after which nothing that the object has prepared may sound."""
        bridge.failed(self.number, sendable(f"{self.name}: {text}"))

    def _method(self, inlet: int, selector: str) -> tuple[Callable[..., None], tuple[Control, ...]]:
        try:
            name, arguments = self.messages[inlet, selector]
        except KeyError:
            known = sorted({word for place, word in self.messages if place == inlet} | self._of_the_bridge())
            remedy = f"use one of {', '.join(known)}"
            raise NeuralMIDIError(selector, "there is no such message", remedy) from None
        return getattr(type(self), name), arguments

    def _of_the_bridge(self) -> set[str]:
        return {"bang", "panic"} if self.stepped else set()


def sendable(text: str) -> str:
    """Return a text as Pd can take it: a file's name may hold bytes that are no text."""
    return text.encode(errors="replace").decode()


@cache
def _takes(method: Callable[..., None]) -> int | None:
    """How many atoms a method takes; None: all. What comes beyond is ignored, as Pd's own objects do."""
    parameters = inspect.signature(method).parameters.values()
    return None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(parameters) - 1


State = TypeVar("State")
Prepared = TypeVar("Prepared")


class SteppedObject(Object, Generic[State, Prepared]):
    """An object that plays step by step, with the bridge's transport.

    The bridge itself understands ``bang``, ``play``, ``tempo``, ``steps``, ``sync`` and ``panic``: they are
    obeyed on Pd's thread at once, whatever Python is doing. Steps are prepared ahead of it.

    Attributes:
        wished: how many steps the player wants to be kept ready; None: nothing has been said.
        chosen: how many steps make a beat for the player, who has sent ``steps``; None: as many as for the
            performer.
    """

    stepped = True

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.handover: Handover[State, Prepared] | None = None
        self.wished: int | None = None
        self.playing = False
        self.has_failed = False
        self.chosen: float | None = None
        self.choices = self.forgotten = 0.0  # how many there were, and how many of them count no longer

    def perform(self, performer: Performer[State, Prepared]) -> None:
        """Name who composes the steps. Once: another one takes over within it, by a `command`."""
        if self.handover is not None:
            raise RuntimeError(f"{self.name}: perform() is called once")
        self.handover = Handover(performer, self._view, self._hand_over, self.look_ahead)
        self.has_failed = False

    def layout(self, prepared: Prepared) -> Iterable[Message]:
        """The messages that a step consists of, in the order in which they leave the outlets.

        One with a delay leaves later, at a logical time of its own: so many lengths of the step after the
        step's release, 1 being when the next step is due. Notes of one pitch and channel never change their
        order from step to step: where two would, the earlier step's leaves earlier than its delay says.
        """
        raise NotImplementedError

    def per_beat(self, prepared: Prepared) -> float:
        """How many steps as long as this one make a beat: the bridge's clock waits that long after it."""
        return self.grid

    def keep_own_grid(self) -> None:
        """From the very next step on the player's `steps` counts no longer."""
        self.chosen, self.forgotten = None, self.choices

    def command(self, command: Command) -> None:
        """Let a change of the performer act from the very next step on. It may be called more than once."""
        if self.handover is not None:
            self.handover.command(command)
            self.has_failed = False

    def silenced(self) -> None:
        """Pd has ended every sounding note."""

    @message(LOOK_AHEAD)
    def lookahead(self, steps: float) -> None:
        """How many steps are kept ready."""
        self.wished = int(steps)

    @message(selector="play")
    def hear_of_play(self, on: float) -> None:
        """The bridge has started or stopped to play. To start is to try again what has failed."""
        self.playing = bool(on)
        self.has_failed = self.has_failed and not self.playing

    @message(selector="sync")
    def hear_of_sync(self, on: float) -> None:
        """The bridge waits for every step, or no longer."""
        self.sync = bool(on)

    @message(selector="tempo")
    def hear_of_tempo(self, bpm: float) -> None:
        """The bridge keeps the time."""

    @message(selector="steps")
    def hear_of_steps(self, per_beat: float, choices: float) -> None:
        """The player has chosen how many steps make a beat, and has now done so as often as this."""
        self.chosen, self.choices = per_beat, choices

    def hear_of_silence(self) -> None:
        """Pd has ended every note, perhaps because a step has failed: that is no reason to try it again."""
        has_failed = self.has_failed
        if self.handover is not None:
            self.handover.rewind()  # Pd has dropped what is prepared, if a step has failed or Python was dead
        self.silenced()
        self.has_failed = has_failed

    def lack(self) -> int:
        """How many steps are to be prepared; `look_ahead` of them: nothing is ready."""
        return self._ahead(Handover.lack)

    def prepare(self) -> int:
        """Prepare one step if there are too few; 0 when nothing was to be done."""
        return self._ahead(Handover.prepare)

    def _ahead(self, act: Callable[[Handover[State, Prepared]], int]) -> int:
        if self.handover is None or self.has_failed or self.sync:
            return 0
        self.handover.look_ahead = self.look_ahead
        return self.guarded(partial(act, self.handover))

    def prepare_next(self) -> None:
        """Prepare the step that Pd is waiting for."""
        if self.handover is not None and not self.has_failed:
            self.guarded(self.handover.prepare_next)

    def guarded(self, prepare: Callable[[], int | None]) -> int:
        """Run what composes; when it fails, the notes end, the reason is said, once, and it is 0."""
        try:
            return prepare() or 0
        except bridge.Gone:  # deleted in Pd; the request that says so is on its way
            return 0
        except FAULTS as error:
            self._give_up(f"the step failed: {said(error)}")
            return 0

    def cut_off(self, what: str) -> None:
        """Fail: what never came to an end is not to be tried again unasked."""
        self._give_up(f"{what} {CUT_OFF} / send a change, or `play 1`, to try again")

    def _give_up(self, text: str) -> None:
        self.has_failed = True
        self.failed(text)
        if self.handover is not None:
            with suppress(*FAULTS):  # it looks at Pd again, and may find the object gone
                self.handover.rewind()

    @property
    def step_ms(self) -> float:
        """Length of a step in ms: the transport's, or the time between the last two bangs."""
        return self._view()[2]

    @property
    def grid(self) -> float:
        """How many steps make a beat for whoever performs now."""
        return GRID

    @property
    def look_ahead(self) -> int:
        """How many steps are kept ready: as the player wishes, or else a beat, but 4 at least."""
        beat = round(self.chosen or self.grid)
        return self.wished or min(max(beat, int(LOOK_AHEAD.default)), int(LOOK_AHEAD.high))

    @property
    def released(self) -> int:
        """The number of the step that has sounded last: it changes while the music goes on."""
        return self._view()[1]

    def facts(self) -> dict[str, float]:
        """What the bridge knows of the object, for ``info``."""
        clock = {"tempo": round(60000 / bridge.view(self.number)[2], 3), "playing": int(self.playing)}
        ahead = {"sync": int(self.sync), "lookahead": self.look_ahead}
        return clock | ahead | bridge.counters(self.number)

    def _view(self) -> tuple[int, int, float]:
        accepted, released, beat_ms = bridge.view(self.number)
        return accepted, released, beat_ms / (self.chosen or self.grid)

    def _hand_over(self, number: int, previous: int, prepared: Prepared) -> None:
        messages = list(self.layout(prepared))
        bridge.step(self.number, number, previous, self.per_beat(prepared), self.forgotten, messages)


def said(error: BaseException) -> str:
    """An exception in a player's words; one that nobody foresaw also says where it happened."""
    if isinstance(error, NeuralMIDIError):
        return str(error)
    if isinstance(error, ImportError):
        return f"{error} / run pd_patches/play, which installs what is missing"
    if isinstance(error, MemoryError):
        return "no memory is left / close other programs, or load a smaller model"
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    remedy = "this is a fault of the object: send `reset`, and tell its author"
    return f"{type(error).__name__}: {error} ({place}) / {remedy}"
