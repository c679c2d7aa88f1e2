"""The books of a run: what Pd prints against what the score says. It is read as it comes, never kept."""

import hashlib
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.soaking.score import PLAYERS, Act

LAST = 6
"""Acts of a player that are told when something is wrong with it."""
GREETING = "neuralmidi "
LATE_ENOUGH = "composer: underrun: "
"""The console's own text beside `underrun n` of the status outlet, once a second at most."""
REFILL = 1.0
"""Seconds from a change until all steps that are kept ready are sure to be so again."""
HINDSIGHT = 0.5
"""Seconds after which it is known whether the computer has stalled."""

Note = tuple[int, int]
"""Pitch, channel."""


@dataclass
class Account:
    """What is known of a player from what Pd has printed.

    Attributes:
        last: what has happened to it of late.
        sounding: what sounds now.
        owed: refusals that have not come yet, with the time of their act.
        still: nothing may make it sound.
        changed: when something has happened to it, seconds of `time.monotonic`.
    """

    last: deque[Act] = field(default_factory=lambda: deque(maxlen=LAST))
    sounding: set[Note] = field(default_factory=set)
    owed: list[tuple[int, str]] = field(default_factory=list)
    still: bool = True
    changed: float = 0

    def bridged(self, now: float) -> float:
        """Ms for which the steps last that are kept ready.

        A change replaces what is ready by its own first step; the others have yet to be composed behind it. A
        metro that bangs a composer as it is made comes before the first: there is no model yet.
        """
        settled = now - self.changed >= REFILL
        if not self.last or (self._driven_at_once() and not settled):
            return 0
        return self.last[-1].step_ms * (self.last[-1].kept if settled else 1)

    def _driven_at_once(self) -> bool:
        """Whether a metro has banged it at the very moment at which it was made."""
        made, driven = ([None, None, *self.last])[-2:]
        return bool(made and driven and made.name == "build" and made.time == driven.time)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong.

    Attributes:
        what: in words.
        time: ms of logical time.
        last: what had happened to the player.
    """

    what: str
    time: float
    last: Sequence[Act]

    def __str__(self) -> str:
        told = [f"    {clock(act.time)}  {act.name}: {_told(act)}" for act in self.last]
        return "\n".join((f"{clock(self.time)}: {self.what}", *told))


@dataclass(frozen=True)
class Doubt:
    """An underrun that may have an excuse.

    Attributes:
        moment: when it came, seconds of `time.monotonic`.
        bridged: ms for which the steps lasted that were kept ready.
        fault: that it is without an excuse.
    """

    moment: float
    bridged: float
    fault: Fault


class Books:
    """Takes note of every line.

    Args:
        acts: of the score, in their order.
        patience: ms of logical time within which a refusal must come.
        lost: ms that the computer has been short of about a moment of `time.monotonic`.

    Attributes:
        time: ms of logical time, of the last act.
        late: ms, at most, that logical time was behind real time.
        counts: what has happened so far, by name.
        faults: what is wrong.
        ended: all acts have come.
    """

    def __init__(self, acts: Sequence[Act], patience: float, lost: Callable[[float], float]) -> None:
        self._acts = acts
        self._patience = patience
        self._lost = lost
        self._accounts = {number: Account() for number in range(1, PLAYERS + 1)}
        self._next = 0
        self._complaint = ""  # of the console: the line after it says whose it was
        self._underruns = 0  # that the console may still speak of
        self._doubts: list[Doubt] = []  # whoever measures stalls may not have seen all of them yet
        self._digest = hashlib.sha256()
        self._moment = time.monotonic()  # of the last act
        self.time = 0
        self.late = 0.0
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []

    @property
    def digest(self) -> str:
        """The same for the same notes at the same times."""
        return self._digest.hexdigest()[:16]

    @property
    def ended(self) -> bool:
        """All acts have come."""
        return self._next == len(self._acts)

    def read(self, line: str) -> None:
        """Take note of a line of Pd's console."""
        if self._doubts:
            self._judge(time.monotonic() - HINDSIGHT)
        if self._complaint and not re.match(r"(status|take)-\d: error ", line):
            self._wrong(f"an error that nobody has provoked: {self._complaint}")
            self._complaint = ""
        tag, _, rest = line.partition(": ")
        word, _, number = tag.partition("-")
        if word in _READERS and number.isdecimal() and int(number) in self._accounts:
            _READERS[word](self, int(number), rest.split())
        elif tag == "act":
            self._act()
        elif tag == "late":
            self.late = max(self.late, float(rest))
        elif tag == "error":
            self._error(rest)
        elif not line.startswith(GREETING):
            self._wrong(f"nobody knows this line: {line}")

    def close(self) -> None:
        """Say what is missing at the end."""
        self._judge(float("inf"))
        if self._complaint:
            self._wrong(f"an error that nobody has provoked: {self._complaint}")
        if not self.ended:
            self._wrong(f"Pd has ended after {self._next} of {len(self._acts)} acts")
        for number, account in self._accounts.items():
            self._silent(number, account)
            self._collect(number, account, float("inf"))

    def _act(self) -> None:
        act = self._acts[self._next]
        self._check_the_last()
        self._next += 1
        self.time, self._moment = act.time, time.monotonic()
        self.counts[act.name] += 1
        for number, account in self._accounts.items():
            self._collect(number, account, act.time - self._patience)
            if act.player in (0, number):
                self._happens(account, act)

    def _check_the_last(self) -> None:
        """By now, all that the last act has led to at once has come."""
        if self._next and (act := self._acts[self._next - 1]).still:
            self._silent(act.player, self._accounts[act.player])

    def _happens(self, account: Account, act: Act) -> None:
        account.last.append(act)
        account.still, account.changed = act.still, self._moment
        if not act.exists:  # one that is deleted answers no more, but its recorder does
            account.owed = [owed for owed in account.owed if owed[1].startswith("recorder: ")]
        account.owed += [(act.time, line.refusal) for line in act.lines if line.refusal]

    def _silent(self, number: int, account: Account) -> None:
        if account.sounding:
            names = ", ".join(f"{pitch} on channel {channel}" for pitch, channel in sorted(account.sounding))
            self._wrong(f"nothing has ended {names}", number)
            account.sounding.clear()

    def _collect(self, number: int, account: Account, before: float) -> None:
        late = [refusal for time, refusal in account.owed if time < before]
        for refusal in late:
            self._wrong(f"this was not refused: {refusal}", number)
        if late:
            account.owed = [owed for owed in account.owed if owed[0] >= before]

    def _note(self, number: int, atoms: Sequence[str]) -> None:
        ms, pitch, velocity, channel = atoms
        self._digest.update(f"{number} {self._next} {' '.join(atoms)}\n".encode())
        account, note = self._accounts[number], (int(pitch), int(channel))
        if not (0 <= note[0] <= 127 and 0 <= int(velocity) <= 127 and 1 <= note[1] <= 16):
            self._wrong(f"{' '.join(atoms)} is no note", number, float(ms))
        sounded, begins = note in account.sounding, velocity != "0"
        if begins == sounded:
            what = "begins while it sounds" if begins else "ends though it does not sound"
            self._wrong(f"{pitch} on channel {channel} {what}", number, float(ms))
        if begins and account.still:
            self._wrong(f"{pitch} on channel {channel} begins though nothing plays", number, float(ms))
        (account.sounding.add if begins else account.sounding.discard)(note)
        self.counts["ons" if begins else "offs"] += 1

    def _status(self, number: int, words: Sequence[str]) -> None:
        if words[0] == "error":
            self._refused(number, " ".join(words[1:]))
        elif words[0] == "underrun":
            self._underrun(number)

    def _steps(self, number: int, words: Sequence[str]) -> None:
        self.counts["steps"] += 100

    def _error(self, text: str) -> None:
        if not text.startswith(LATE_ENOUGH):
            self._complaint = text
        elif self._underruns:
            self._underruns = 0
        else:
            self._wrong(f"an underrun that no player knows of: {text}")

    def _refused(self, number: int, told: str) -> None:
        text, self._complaint = self._complaint, ""
        if _plain(told) != _plain(text):
            self._wrong(f"the status says {_plain(told)}, the console {_plain(text)}", number)
            return
        account = self._accounts[number]
        for owed in account.owed:
            if text.startswith(owed[1]):
                account.owed.remove(owed)
                self.counts["refused"] += 1
                return
        self._wrong(f"an error that nobody has provoked: {text}", number)

    def _underrun(self, number: int) -> None:
        self.counts["underruns"] += 1
        self._underruns += 1
        now = time.monotonic()
        bridged = self._accounts[number].bridged(now)
        self._doubts.append(Doubt(now, bridged, self._fault("", number, 1000 * (now - self._moment))))

    def _judge(self, until: float) -> None:
        """Look for what explains the underruns up to some moment."""
        while self._doubts and self._doubts[0].moment <= until:
            doubt = self._doubts.pop(0)
            lost = self._lost(doubt.moment)
            if lost < doubt.bridged:
                ready = f"{doubt.bridged:.0f} ms of steps were kept ready"
                what = f"{doubt.fault.what}an underrun: {ready}, and the computer stalled for {lost:.0f} ms"
                self.faults.append(replace(doubt.fault, what=what))

    def _wrong(self, what: str, number: int = 0, after: float = 0) -> None:
        self.faults.append(self._fault(what, number, after))

    def _fault(self, what: str, number: int, after: float = 0) -> Fault:
        whose = f"player {number}: " if number else ""
        last = tuple(self._accounts[number].last) if number else ()
        return Fault(f"{whose}{what}", self.time + after, last)


_READERS: dict[str, Callable[[Books, int, Sequence[str]], None]] = {
    "note": Books._note,
    "status": Books._status,
    "take": Books._status,
    "steps": Books._steps,
}
"""By the tag before the player's number."""


def clock(ms: float) -> str:
    """A time as hours, minutes and seconds."""
    seconds, rest = divmod(ms / 1000, 60)
    return f"{seconds // 60:02.0f}:{seconds % 60:02.0f}:{rest:06.3f}"


def _told(act: Act) -> str:
    return "; ".join(f"{line.to} {line.text}" for line in act.lines)


def _plain(text: str) -> str:
    """Pd writes a symbol with backslashes, and a text without."""
    return re.sub(r"[\\\s]+", "", text)
