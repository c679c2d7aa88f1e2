"""The stream: it plays what a composer prepares to whoever follows over OSC, and obeys what comes over OSC.

One thread plays, and nothing that may take long is done on it: the composer, which loads and computes, has a
thread of its own (`host.py`), and so have the lines that are printed (`log.py`).
"""

import os
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

from .errors import NeuralMIDIError
from .followers import PULSE, Followers, address_in, port, told
from .host import Host, Obeyed, Result, Said, Wrong
from .log import Log
from .osc import Address, Argument, Malformed, Port, place
from .osc import Message as Packet
from .transport import NOTES, STATUS, Atom, Message, Step, Transport
from .wishes import ADDRESSES, checked

SEPARATOR = "\x1f"
"""Stands between an object's arguments and the folders that it searches."""

NOTES_PERIOD = 200.0
"""Ms from one list of all sounding notes to the next."""

ABSENT = 2000.0
"""Ms after which a receiver that has not answered is not there."""

FAREWELLS, FAREWELL = 3, 0.020
"""At the end so many empty lists of notes, so many seconds apart: one of them arrives."""

LONGEST = 1000
"""Characters of an error that is sent, so that it is a legal packet."""

ANSWERS_ITSELF = ("composer", "models", "info")
"""Wishes that the composer answers in words of its own."""

STUCK = 20.0
"""Seconds that a composer may take until it is ready."""

Wish = tuple[str, tuple[Atom, ...]]
"""Selector and atoms of a message to the composer."""


class Stream:
    """Plays a composer to its followers.

    Args:
        port: where wishes come in, and what everything is sent from.
        receiver: plays what is sent.
        log: what the player is to read.
    """

    def __init__(self, port: Port, receiver: Address, log: Log) -> None:
        self.transport = Transport(self._tell_of_silence)
        self.host = Host(self.transport)
        self.receiver = receiver
        self.followers = Followers(_now(), receiver)
        self.composers: list[str] = []
        self._port, self._log = port, log
        self._status: int | None = None
        self._listing: list[str] = []
        self._awaited = 0
        self._receiver_is_there: bool | None = None
        self._is_buried = False
        self._notes_due = self._pulse_due = 0.0
        self._handlers: Mapping[str, Callable[[Packet], None]] = {
            "/ping": lambda packet: self._port.send(packet.sender, "/pong", *packet.arguments),
            "/pong": self._hear_pong,
            "/status": self._hear_status,
            "/subscribe": self._subscribe,
            "/unsubscribe": self._unsubscribe,
        }

    def stop(self, status: int = 0) -> None:
        """Let `play` return, soon; safe in a signal handler. A signal wakes it if `Host.bell` hears of it."""
        self._status = status

    def prepare(self, folder: Path, wishes: Sequence[Wish]) -> None:
        """Let the composer begin with some wishes, in a folder of models.

        Raises:
            NeuralMIDIError: it cannot, or one of the wishes is not legal.
        """
        self.host.start()
        self.host.ask(_now(), "composer", SEPARATOR, str(folder), kind=Host.REQUEST_NEW)
        for selector, atoms in (*wishes, ("models", ())):
            self.host.ask(_now(), selector, *atoms)
        until = _now() + STUCK * 1000
        while self._status is None and not self._has_begun():
            if self.host.reason or _now() > until:
                why = self.host.reason or f"it has not answered for {STUCK:g} s"
                raise NeuralMIDIError("the composer", why, "run `neuralmidi doctor`")
            self.host.has_results(0.1)

    def _has_begun(self) -> bool:
        """Take what there is; True when the last of the first wishes has been obeyed."""
        for result in self.host.results():
            match result:
                case Wrong(_, text):
                    raise _error(text)
                case Obeyed(_, "models"):
                    return True
            self._take(result)
        return False

    def play(self, *, while_readable: int | None = None) -> int:
        """Play until `stop`; every note has been ended then.

        Args:
            while_readable: of a pipe: to stop when its other end is closed.

        Returns:
            The status that `stop` was told.
        """
        try:
            self._ask("play", 1.0)
            self._send(self.transport.play(_now(), True))
            while self._status is None:
                self._turn(while_readable)
            return self._status
        finally:
            self._fall_silent()

    def _turn(self, while_readable: int | None) -> None:
        self._keep_time()
        dues = (self._notes_due, self._pulse_due, self.transport.next_due())
        due = min(due for due in dues if due is not None)
        watched: list[Port | Host | int] = [self._port, self.host]
        if while_readable is not None:
            watched.append(while_readable)
        readable = select.select(watched, [], [], max(0, due - _now()) / 1000)[0]
        if while_readable in readable and not os.read(watched[-1], 4096):  # type: ignore[arg-type]
            self.stop()
        if self.host in readable:
            self._take_results()
        if self._port in readable:
            for packet in self._port.receive():
                self._keep_time()
                self._take_packet(packet)

    # --- time

    def _keep_time(self) -> None:
        """Do what is due; the notes come first."""
        now, due, released = _now(), self.transport.next_due(), self.transport.line.released
        if due is not None and due <= now:
            self._take_results()  # what has just been prepared is newer than what lies ready
            self._send(self.transport.advance(now))
            if self.transport.line.released != released:
                self.host.wake()
        if now >= self._notes_due:
            self._notes_due = _after(self._notes_due, NOTES_PERIOD, now)
            self._tell_notes()
        if now >= self._pulse_due:
            self._pulse_due = _after(self._pulse_due, PULSE, now)
            self._look_after_followers(now)
            self._look_after_composer()
            self._log.catch_up(now)

    def _tell_notes(self) -> None:
        sounding = [number for channel, pitch in self.transport.sounding for number in (pitch, channel)]
        for follower in self.followers:
            self._port.send(follower, "/notes", *sounding)

    def _look_after_followers(self, now: float) -> None:
        for lost in self.followers.drop(now):
            error = NeuralMIDIError("subscribe", f"{told(lost)} did not answer", "send /subscribe again")
            self._complain("subscribe", str(error), lost)
        for follower in self.followers:
            self._port.send(follower, "/ping", follower[1])
        there = self.followers.silence_of(now, self.receiver) < ABSENT
        if not there and self._receiver_is_there is not False:
            self._receiver_is_there = False
            remedy = "open pd_patches/audio_engine.pd and switch its source to stream"
            self._complain("receiver", f"nobody answers at {place(self.receiver)} / {remedy}")

    def _look_after_composer(self) -> None:
        if self.host.reason and not self._is_buried:
            self._is_buried = True
            self._send(self.transport.bury())
            error = NeuralMIDIError(
                "composer", f"it has stopped: {self.host.reason}", "start the stream again"
            )
            self._complain("composer", str(error))

    # --- what comes in

    def _take_packet(self, packet: Packet | Malformed) -> None:
        self._hear_of(packet.sender)
        if isinstance(packet, Malformed):
            error = NeuralMIDIError("packet", packet.why, "send OSC 1.0, with int32, float32 and strings")
            self._complain("packet", str(error), packet.sender)
            return
        try:
            self._handlers.get(packet.path, self._obey)(packet)
        except NeuralMIDIError as error:
            kind = packet.path if packet.path[1:] in ADDRESSES else "address"
            self._complain(kind, str(error), packet.sender)

    def _obey(self, packet: Packet) -> None:
        """Do as a wish says.

        Raises:
            NeuralMIDIError: it is not legal, or the composer has too much to do.
        """
        wish, atoms = checked(packet.path, packet.arguments, self.composers)
        if wish == "panic":
            self._send(self.transport.panic(_now()))
        elif wish == "play":
            self._send(self.transport.play(_now(), bool(atoms[0])))
            self._ask(wish, *atoms)
        elif wish == "tempo":
            self._send(self.transport.tempo(_now(), float(atoms[0])))
            self._ask(wish, *atoms)
        elif self.host.reason:
            raise NeuralMIDIError(wish, "the composer has stopped", "start the stream again")
        elif not self.host.ask(_now(), wish, *atoms, asker=packet.sender):
            why = "more wishes have come than the composer can take in"
            raise NeuralMIDIError(wish, why, "send fewer at a time")
        else:
            return  # it says itself when it has obeyed
        self._send([(STATUS, wish, atoms)])

    def _subscribe(self, packet: Packet) -> None:
        address = address_in("subscribe", packet.arguments, packet.sender)
        is_new = address not in self.followers
        self.followers.subscribe(_now(), address)
        self._confirm("subscribed", address, packet.sender)
        if is_new:
            self._log.say(f"{place(address)} follows")

    def _unsubscribe(self, packet: Packet) -> None:
        address = address_in("unsubscribe", packet.arguments, packet.sender)
        followed = address in self.followers
        self.followers.unsubscribe(address)
        self._confirm("unsubscribed", address, packet.sender)
        if followed:
            self._log.say(f"{place(address)} follows no longer")

    def _confirm(self, what: str, address: Address, sender: Address) -> None:
        for each in dict.fromkeys((sender, address)):
            self._port.send(each, "/status", what, *address)

    def _hear_pong(self, packet: Packet) -> None:
        for number in packet.arguments[:1]:
            self._hear_of((packet.sender[0], port("pong", number)))

    def _hear_status(self, packet: Packet) -> None:
        """An answer, which gets none: two streams that answer each other's errors would never end."""
        if packet.arguments[:1] == ("error",):
            text = " ".join(map(str, packet.arguments[1:]))
            self._log.repeat(_now(), "answer", f"{place(packet.sender)} says: {text}")

    def _hear_of(self, address: Address) -> None:
        self.followers.hear(_now(), address)
        if address == self.receiver and not self._receiver_is_there:
            self._receiver_is_there = True
            self._log.say(f"{place(address)} answers")

    # --- what the composer hands over

    def _ask(self, selector: str, value: Atom) -> None:
        """Let the composer hear of what the transport has obeyed."""
        self.host.ask(_now(), selector, value, float(self.transport.choices))

    def _tell_of_silence(self) -> None:
        self.host.ask(_now(), "", kind=Host.REQUEST_SILENCED)

    def _take_results(self) -> None:
        for result in self.host.results():
            self._take(result)

    def _take(self, result: Result) -> None:
        match result:
            case Step():
                self._send(self.transport.accept(_now(), result))
            case Said(asker, message):
                self._note_down(message)
                self._send([message], {*self.followers, *([asker] if asker else [])})
            case Wrong(_, text, failed=True):
                self._send(self.transport.fail(_now(), text))
            case Wrong(asker, text):
                self._complain("composer", text, asker)
            case Obeyed(asker, selector, atoms):
                if asker and selector not in ANSWERS_ITSELF:
                    self._send([(STATUS, selector, atoms)])

    def _note_down(self, message: Message) -> None:
        """Keep the names of the models, which the composer lists; let the player read what plays."""
        match message:
            case (_, "models", (count,)):
                self._listing = []
                self._awaited = int(count)
            case (_, "model", (name,)):
                self._listing.append(str(name))
                if len(self._listing) == self._awaited:
                    self.composers = self._listing
            case (_, "composer", (name,)):
                self._log.say(f"{name} plays")

    # --- what goes out

    def _send(self, messages: Iterable[Message], to: Iterable[Address] | None = None) -> None:
        packets = [_packet(message) for message in messages]
        for follower in self.followers if to is None else to:
            for path, arguments in packets:
                self._port.send(follower, path, *arguments)
        for path, arguments in packets:
            if path == "/status" and arguments[0] == "error":
                self._log.repeat(_now(), "composer", str(arguments[1]))

    def _complain(self, kind: str, text: str, asker: Address | None = None) -> None:
        """Tell the player what is wrong, and whoever has led to it, or else everybody."""
        self._log.repeat(_now(), kind, f"{place(asker)}: {text}" if asker else text)
        for each in [asker] if asker else self.followers:
            self._port.send(each, "/status", "error", text[:LONGEST])

    def _fall_silent(self) -> None:
        for lists in range(FAREWELLS):
            self._send(self.transport.bury())
            self._tell_notes()
            sleep(FAREWELL if lists < FAREWELLS - 1 else 0)


def _packet(message: Message) -> tuple[str, tuple[Argument, ...]]:
    """A message of ``[composer]`` as one over OSC. Numbers of a status are floats, as Pd's own are."""
    outlet, selector, atoms = message
    if outlet == STATUS:
        texts = (atom[:LONGEST] if isinstance(atom, str) else float(atom) for atom in atoms)
        return "/status", (selector, *texts)
    numbers = tuple(int(atom) for atom in atoms)
    if outlet != NOTES:
        return "/note_vel" if selector == "vel" else f"/{selector}", numbers
    pitch, velocity, channel = numbers
    return ("/note_on", numbers) if velocity else ("/note_off", (pitch, channel))


def _error(text: str) -> NeuralMIDIError:
    """What the composer has said, as the error that it was."""
    what, _, rest = text.removeprefix("composer: ").partition(": ")
    why, _, remedy = rest.rpartition(" / ")
    return NeuralMIDIError(what, why, remedy)


def _now() -> float:
    """Time in ms."""
    return monotonic() * 1000


def _after(due: float, period: float, now: float) -> float:
    """When something that was due is due next; what was missed stays missed."""
    return due + period if now < due + period else now + period
