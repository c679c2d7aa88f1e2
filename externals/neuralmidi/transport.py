"""What plays prepared steps in time: their line, what leaves later than its step, the notes that sound.

Pd's side of the bridge once more, in Python and for one composer, so that it also plays where there is no Pd:
`Line` is `externals/bridge/handover.c`, `Later` is `later.c` without its limit of memory, `Transport` is what
`transport.c`, `delays.c` and `notes.h` do without bangs. `externals/bridge/HANDOVER.md` tells why. Nothing
here has a clock, a thread or a port: every method is told what time it is, in ms, and says what leaves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .controls import TEMPO

Atom = float | str
Message = tuple[int, str, tuple[Atom, ...]]
"""Outlet, selector, atoms."""
Note = tuple[int, int]
"""Channel 1-16 and MIDI pitch 0-127."""

NOTES, STEPS, STATUS = range(3)
"""The outlets of ``[composer]``."""

LOOK_AHEAD = 32
"""Steps that a line holds at most."""

PER_BEAT = 4.0
"""Steps that make a beat until the first step says more."""

HAIR = 7e-6
"""Ms: two times that are closer are one time."""

PATIENCE = 100.0
"""Ms that may be caught up with. Where the process has stood still for longer, that time is lost, as it is
when a computer's sound stops: a burst of late notes would be worse."""

COMPLAINT = 1000.0
"""Ms between two texts about underruns."""

UNDERRUN = (
    "composer: underrun: no step was ready: the composer is stuck or slower than the steps"
    " / choose a slower tempo, or a smaller model"
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the composer has handed it over.

    Attributes:
        number: its own.
        previous: of the step that it was composed behind; 0: of the beginning.
        per_beat: how many steps as long as this one make a beat.
        forgets: the player's choices of `steps` up to this one count no longer.
        messages: each with its delay, in lengths of the step from its release on, 0 or more.
    """

    number: int
    previous: int
    per_beat: float = 4
    forgets: float = 0
    messages: tuple[tuple[Message, float], ...] = ()


class Line:
    """The steps that can be played, each composed behind the one before it.

    Attributes:
        accepted: number of the last step that was looked at, stale or not.
        released: number of the last step that was played; 0 before the first. The composer, on its own
            thread, reads it after `accepted`.
        stale: how many steps came too late to be played.
    """

    def __init__(self) -> None:
        self.accepted = self.released = self.stale = 0
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def accept(self, step: Step) -> bool:
        """Take in a step, and forget what stood in its place; False when it is stale."""
        numbers = [self.released, *(ready.number for ready in self._steps)]
        fits = step.previous in numbers[:LOOK_AHEAD]
        if fits:
            self._steps[numbers.index(step.previous) :] = [step]
        else:
            self.stale += 1
        self.accepted = step.number
        return fits

    def release(self) -> Step | None:
        """The next step, which is to be played now; None when none is ready."""
        if not self._steps:
            return None
        step = self._steps.pop(0)
        self.released = step.number
        return step

    def clear(self) -> None:
        """Forget the steps."""
        self._steps.clear()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that leaves at a time of its own.

    Attributes:
        due: when, in ms.
        step: number of the step that it belongs to.
        note: which it starts or ends; None: none.
        message: itself.
    """

    due: float
    step: int
    note: Note | None
    message: Message


class Later:
    """The messages that leave later than their steps, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def put(self, waiting: Waiting) -> None:
        """Let a message wait."""
        self._waiting.append(waiting)

    def next(self) -> Waiting | None:
        """What leaves next: of those due at one time the one that came first. None when nothing waits."""
        first: Waiting | None = None
        for each in self._waiting:
            if first is None or each.due < first.due - HAIR:
                first = each
        return first

    def take(self, waiting: Waiting) -> Message:
        """Let it leave."""
        self._waiting.remove(waiting)
        return waiting.message

    def hurry(self, note: Note, step: int, due: float) -> None:
        """What older steps have to say on a note leaves by the time at which this one speaks of it."""
        self._waiting = [
            replace(each, due=min(each.due, due)) if each.note == note and each.step < step else each
            for each in self._waiting
        ]

    def put_off(self, ms: float) -> None:
        """Let all of it leave so much later."""
        self._waiting = [replace(each, due=each.due + ms) for each in self._waiting]

    def clear(self) -> None:
        """Let nothing of it leave."""
        self._waiting.clear()


class Transport:
    """Plays the steps of a composer in time.

    A method that takes ``now``, in ms, returns the messages that leave, in their order. Time never goes back.

    Args:
        silenced: called when every note has been ended, so that the composer can be told.

    Attributes:
        line: the steps that are ready.
        beat_ms: length of a beat. The composer, on its own thread, reads it.
        underruns: how many steps were not ready in time.
        choices: how often the player has chosen how many steps make a beat.
    """

    def __init__(self, silenced: Callable[[], None] = lambda: None) -> None:
        self.line = Line()
        self.beat_ms = 60000 / TEMPO.default
        self.underruns = self.choices = 0
        self._silenced = silenced
        self._later = Later()
        self._sounding: set[Note] = set()
        self._playing = False
        self._waits = False  # for its first step, to begin
        self._per_beat = PER_BEAT
        self._chosen = 0.0  # counts instead; 0: nothing does
        self._began = self._due = 0.0  # the step that was released last, and when the next one is due
        self._missed = 0  # steps in a row
        self._has_failed = False
        self._complained = -COMPLAINT

    @property
    def sounding(self) -> list[Note]:
        """What sounds now."""
        return sorted(self._sounding)

    @property
    def step_ms(self) -> float:
        """Length of a step."""
        return self.beat_ms / (self._chosen or self._per_beat)

    def next_due(self) -> float | None:
        """When `advance` has something to do; None: when something has been asked for or handed over."""
        dues = [self._due] if self._playing and not self._waits else []
        if waiting := self._later.next():
            dues.append(waiting.due)
        return min(dues, default=None)

    def advance(self, now: float) -> list[Message]:
        """Play what is due by now."""
        due = self.next_due()
        if due is not None and now - due > PATIENCE:
            self._lose(now - due)
        sent: list[Message] = []
        while (due := self.next_due()) is not None and due <= now:
            ticks = self._playing and not self._waits and self._due <= due
            sent += self._tick(due) if ticks else self._send_due(due)
        return sent

    def accept(self, now: float, step: Step) -> list[Message]:
        """Take in a step; if it is the one that the music waited for, it begins."""
        if self.line.accept(step):
            self._has_failed = False
        if not self._waits:
            return []
        self._waits = False
        return self._tick(now)

    def fail(self, now: float, text: str) -> list[Message]:
        """The composer cannot go on: nothing that it has prepared may sound."""
        sent = self.advance(now)
        self._has_failed = True
        self.line.clear()
        return [*sent, *self._silence(), (STATUS, "error", (text,))]

    def bury(self) -> list[Message]:
        """The composer is gone for good: end what sounds, and stop."""
        self._playing = False
        self.line.clear()
        return self._end_notes()

    def play(self, now: float, on: bool) -> list[Message]:
        """Begin to play, or stop and end every note."""
        sent = self.advance(now)
        if on == self._playing:
            return sent
        self._playing, self._waits = on, on and not self.line
        if not on:
            return sent + self._silence()
        return sent if self._waits else self._tick(now)

    def panic(self, now: float) -> list[Message]:
        """End every note, and drop what waits."""
        return self.advance(now) + self._silence()

    def tempo(self, now: float, bpm: float) -> list[Message]:
        """Change the tempo: time bends, and is not cut."""
        sent, before = self.advance(now), self.step_ms
        self.beat_ms = 60000 / bpm
        self._bend(now, before)
        return sent

    def steps(self, now: float, per_beat: float) -> list[Message]:
        """Choose how many steps make a beat, until a step forgets it."""
        sent, before = self.advance(now), self.step_ms
        self.choices += 1
        self._chosen = per_beat
        self._bend(now, before)
        return sent

    def _bend(self, now: float, before: float) -> None:
        """Keep the share of the running step that has gone by; a step has been ``before`` ms long."""
        left = (before - (now - self._began)) * self.step_ms / before
        self._began = now + left - self.step_ms
        self._due = now + max(left, 0)

    def _lose(self, ms: float) -> None:
        self._began += ms
        self._due += ms
        self._later.put_off(ms)

    def _tick(self, at: float) -> list[Message]:
        """Release a step; the next one is due when this one is over."""
        self._began = at
        sent = self._send_due(at)  # of the steps before this one
        step = self.line.release()
        sent += self._underrun(at) if step is None else self._sound(at, step)
        self._due = at + self.step_ms
        return sent

    def _sound(self, at: float, step: Step) -> list[Message]:
        self._missed = 0
        self._per_beat = step.per_beat
        if step.forgets >= self.choices:
            self._chosen = 0
        leaving = self._put_off(at, step)
        return self._send_due(at) + self._followed(leaving)  # what is due now may have been hurried

    def _put_off(self, at: float, step: Step) -> list[Message]:
        """Let wait what has a delay; the rest."""
        leaving = []
        for message, delay in step.messages:
            due, note = at + delay * self.step_ms, _note(message)
            if note:
                self._later.hurry(note, step.number, due)
            if delay:
                self._later.put(Waiting(due, step.number, note, message))
            else:
                leaving.append(message)
        return leaving

    def _send_due(self, at: float) -> list[Message]:
        sent = []
        while (waiting := self._later.next()) and waiting.due <= at + HAIR:
            sent += self._followed([self._later.take(waiting)])
        return sent

    def _underrun(self, at: float) -> list[Message]:
        self.underruns += 1
        self._missed += 1
        # one step late is a longer note; two are a stuck one
        sent = self._silence() if self._missed == 2 else []
        sent.append((STATUS, "underrun", (self.underruns,)))
        if not self._has_failed and at - self._complained >= COMPLAINT:
            self._complained = at
            sent.append((STATUS, "error", (UNDERRUN,)))
        return sent

    def _silence(self) -> list[Message]:
        self._silenced()
        return self._end_notes()

    def _end_notes(self) -> list[Message]:
        self._later.clear()
        return self._followed((NOTES, "list", (pitch, 0, channel)) for channel, pitch in self.sounding)

    def _followed(self, messages: Iterable[Message]) -> list[Message]:
        """The messages, less notes that need not be sent: that end what does not sound, or are none."""
        return [sent for message in messages for sent in self._follow(message)]

    def _follow(self, message: Message) -> list[Message]:
        """What is to be sent for a message.

        A note that begins while it sounds ends first: a step that was prepared before the notes were ended
        may have begun it, and its composer takes it for ended.
        """
        outlet, selector, atoms = message
        if outlet != NOTES or selector != "list" or len(atoms) < 3:
            return [message]
        if (note := _note(message)) is None:
            return []
        sounded = note in self._sounding
        channel, pitch = note
        if float(atoms[1]) < 1:
            self._sounding.discard(note)
            return [message] if sounded else []
        self._sounding.add(note)
        return [(NOTES, "list", (pitch, 0, channel)), message] if sounded else [message]


def _note(message: Message) -> Note | None:
    """Which note a message starts or ends."""
    outlet, selector, atoms = message
    if outlet != NOTES or selector != "list" or len(atoms) < 3 or any(isinstance(a, str) for a in atoms[:3]):
        return None
    pitch, channel = int(atoms[0]), int(atoms[2])
    return (channel, pitch) if 0 <= pitch <= 127 and 1 <= channel <= 16 else None
