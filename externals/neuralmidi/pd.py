"""The one module that knows Pd: what makes a Python class a Pd class, and the loop that serves them all.

It runs on the bridge's own thread. A class becomes a Pd class by deriving from `Object` in a file of
`neuralmidi/objects/`; its methods marked with `message` are what it understands.
"""

from __future__ import annotations  # bridge.Request is known to type checkers only

import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

import _neuralmidi as bridge  # inside Pd it is C; outside, `host.py` stands in for it

import neuralmidi
from neuralmidi import objects
from neuralmidi.controls import Control
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.handover import FAULTS, Command, Handover, Performer

Atom = float | str
Message = tuple[int, str, Sequence[Atom]] | tuple[int, str, Sequence[Atom], float]
"""Outlet (0 is the leftmost), selector, atoms; perhaps a delay: 0 or more, in lengths of the step."""

SEPARATOR = "\x1f"
"""Stands between an object's arguments and the folders that it searches."""

SWITCH_INTERVAL = 0.0005
"""Seconds until a busy Python thread gives way to this one: Python's own 5 ms would be heard."""

LONG = 0.005
"""Seconds: after a request that took longer, as to load a model does, the others prepare before the next."""

CUT_OFF = "never came to an end and was cut off"
ABOUT = {
    bridge.REQUEST_FREE: "its end",
    bridge.REQUEST_STEP: "the step",
    bridge.REQUEST_SILENCED: "what it does when its notes have ended",
}
"""What an object is busy with that got such a request."""

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
        words = [_printable(atom) if isinstance(atom, str) else atom for atom in atoms]
        bridge.send(self.number, [(outlet, selector, words)])

    def cut_off(self, what: str) -> None:
        """Something that this object did has killed Python's thread or never ended: another one goes on."""
        self.error(f"{what} {CUT_OFF} / leave it out, and tell the object's author")

    def error(self, text: str) -> None:
        """Report an error on the object's box and out of its status outlet."""
        bridge.error(self.number, _printable(f"{self.name}: {text}"))

    def failed(self, text: str) -> None:
        """Report an error after which nothing that the object has prepared may sound."""
        bridge.failed(self.number, _printable(f"{self.name}: {text}"))

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


def _printable(text: str) -> str:
    """A file's name may hold bytes that are no text."""
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


class Server:
    """Serves all objects of the process."""

    def __init__(self, classes: Iterable[type[Object]]) -> None:
        self._classes = {c.name: c for c in classes}
        self._objects: dict[int, Object] = {}
        self._requests: Iterator[bridge.Request] = iter(())  # taken, and not dealt with
        self._unanswered = 0  # how many have been taken that Pd may wait for
        self._doing: tuple[int, str] | None = None  # for which object, and what

    def serve(self) -> None:
        """Answer requests and prepare steps, for ever.

        Another thread that calls it goes on where this one was cut off.
        """
        while True:
            self._answer()
            # A change that arrives in between comes before any further step.
            self._take(self.prepare_a_round() or bridge.wait())

    def resume(self) -> None:
        """Serve the same objects on, in place of a thread that has died or has been given up."""
        if self._doing:
            number, what = self._doing
            self._doing = None
            self._cut_off(number, what)
        many = len(self._objects)
        go_on = "1 object goes on" if many == 1 else f"{many} objects go on"
        bridge.ready(f"neuralmidi: Python has been started again: {go_on}")
        self.serve()

    def _cut_off(self, number: int, what: str) -> None:
        if subject := self._objects.get(number):
            subject.cut_off(what)
        else:
            bridge.error(number, f"{what} {CUT_OFF} / delete the object and make it again")

    def _take(self, requests: Sequence[bridge.Request]) -> None:
        self._requests, self._unanswered = iter(requests), len(requests)

    def _answer(self) -> None:
        """Deal with what has been taken, oldest first; each is answered for, whatever comes of it."""
        for request in self._requests:
            begin = monotonic()
            self._deal_with(*request)
            if monotonic() - begin > LONG:  # whom it was for, the next request may be for, too
                self._prepare_one_each([o for o in self._stepped() if o.number != request[1]])
        answered, self._unanswered = self._unanswered, 0
        bridge.answered(answered)

    def prepare_a_round(self) -> Sequence[bridge.Request]:
        """Prepare steps until all are ready or requests come in: those.

        The neediest come first, and each is given as many as it has, or one: so nobody who has few waits for
        another who gets many, and all have soon enough for longer turns. Composers that share a network take
        turns in its memory, which takes as long as a step does.
        """
        while lacking := self._lacking():
            for lack, stepped in lacking:
                for _ in range(min(lack, max(stepped.look_ahead - lack, 1))):
                    self._prepares(stepped)
                    if requests := bridge.poll():
                        return requests
        return bridge.poll()  # there may be more than the last call could take in

    def _lacking(self) -> list[tuple[int, SteppedObject[Any, Any]]]:
        """Who lacks steps, and how many, the neediest first."""
        lacks = [(self._watched(stepped, stepped.lack), stepped) for stepped in self._stepped()]
        return sorted((one for one in lacks if one[0]), key=itemgetter(0), reverse=True)

    def _stepped(self) -> list[SteppedObject[Any, Any]]:
        return [o for o in self._objects.values() if isinstance(o, SteppedObject)]

    def _prepare_one_each(self, stepped: list[SteppedObject[Any, Any]]) -> list[SteppedObject[Any, Any]]:
        """Prepare a step of each; returns those that needed it."""
        return [o for o in stepped if self._prepares(o)]

    def _prepares(self, stepped: SteppedObject[Any, Any]) -> int:
        return self._watched(stepped, stepped.prepare)

    def _watched(self, stepped: SteppedObject[Any, Any], work: Callable[[], int]) -> int:
        self._doing = (stepped.number, "the step")
        done = work()
        self._doing = None  # in no `finally`: whoever goes on after a thread that was cut off looks here
        return done

    def _deal_with(
        self, kind: int, number: int, inlet: int, time: float, selector: str, atoms: Sequence[Atom]
    ) -> None:
        self._doing = (number, ABOUT.get(kind, f"`{selector}`"))
        if kind == bridge.REQUEST_NEW:
            self._new(number, time, selector, atoms, bool(inlet))
        elif subject := self._objects.get(number):
            subject.time = time
            self._hand_to(subject, kind, inlet, selector, atoms)
        self._doing = None

    def _hand_to(self, subject: Object, kind: int, inlet: int, selector: str, atoms: Sequence[Atom]) -> None:
        try:
            if kind == bridge.REQUEST_MESSAGE:
                subject.receive(inlet, selector, atoms)
            elif kind == bridge.REQUEST_FREE:
                del self._objects[subject.number]
                subject.close()
            elif isinstance(subject, SteppedObject):
                subject.prepare_next() if kind == bridge.REQUEST_STEP else subject.hear_of_silence()
        except bridge.Gone:
            pass
        except FAULTS as error:
            subject.error(said(error))

    def _new(self, number: int, time: float, name: str, atoms: Sequence[Atom], sync: bool) -> None:
        place = list(atoms).index(SEPARATOR)
        folders = [Path(str(folder)) for folder in atoms[place + 1 :]]
        self._doing = (number, f"{name}: its beginning")
        try:
            subject = self._classes[name](number, folders, time)
        except FAULTS as error:
            bridge.error(number, _printable(f"{name}: {said(error)}"))
            return
        subject.sync = sync
        self._objects[number] = subject
        self._doing = (number, "its beginning")
        try:
            subject.start(*atoms[:place])
        except FAULTS as error:
            subject.error(said(error))


def classes() -> Iterator[type[Object]]:
    """Every Pd class of `neuralmidi.objects`. One that cannot be imported is reported and left out."""
    for found in pkgutil.iter_modules(objects.__path__):
        try:
            module = importlib.import_module(f"{objects.__name__}.{found.name}")
        except FAULTS as error:
            bridge.error(0, f"neuralmidi: objects/{found.name}.py is left out: {said(error)}")
            continue
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, Object) and thing.__module__ == module.__name__:
                yield thing


def declare(c: type[Object]) -> None:
    """Tell the bridge of a class."""
    notes, status = (-1 if outlet is None else outlet for outlet in (c.notes_outlet, c.status_outlet))
    bridge.declare(c.name, c.inlets, c.outlets, c.stepped, notes, status, c.revives or "")


_server: Server


def run() -> None:
    """Declare the classes and serve their objects until the process ends."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    found = list(classes())
    for c in found:
        declare(c)
    python = ".".join(map(str, sys.version_info[:3]))
    where = Path(neuralmidi.__file__).parent
    bridge.ready(f"neuralmidi {neuralmidi.__version__}: Python {python}, package in {where}")
    global _server
    _server = Server(found)
    _server.serve()


def resume() -> None:
    """Serve the same objects on another thread: the one of `run` has died, or has been given up."""
    _server.resume()
