"""The loop that serves all of Pd's objects, on the bridge's own thread."""

from __future__ import annotations  # bridge.Request is known to type checkers only

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import Any

import _neuralmidi as bridge  # inside Pd it is C; outside, `host.py` stands in for it

import neuralmidi
from neuralmidi import objects
from neuralmidi.handover import FAULTS
from neuralmidi.pd import CUT_OFF, Atom, Object, SteppedObject, said, sendable

SEPARATOR = "\x1f"
"""Stands between an object's arguments and the folders that it searches."""

SWITCH_INTERVAL = 0.0005
"""Seconds until a busy Python thread gives way to this one: Python's own 5 ms would be heard."""

LONG = 0.005
"""Seconds: after a request that took longer, as to load a model does, the others prepare before the next."""

ABOUT = {
    bridge.REQUEST_FREE: "its end",
    bridge.REQUEST_STEP: "the step",
    bridge.REQUEST_SILENCED: "what it does when its notes have ended",
}
"""What an object is busy with that got such a request."""


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
                for other in self._stepped():
                    if other.number != request[1]:
                        self._prepares(other)
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
            bridge.error(number, sendable(f"{name}: {said(error)}"))
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
