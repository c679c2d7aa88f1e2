"""The hand-over of prepared steps to Pd's thread: Python's side.

Pd plays; this side works ahead of it. Every step has a number and names the step it follows, and for every
step that Pd may still release there is a snapshot of the performer right after it. When the player changes
something, the performer rewinds to the last step that has sounded and prepares anew from there; what was
prepared before stays playable until the new steps have arrived. If Pd has meanwhile released an old one, the
new ones are stale, and the same is done once more from that step. `externals/bridge/HANDOVER.md` tells the
whole story on one page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Generic, Protocol, TypeVar

State = TypeVar("State")
Prepared = TypeVar("Prepared")
Answer = TypeVar("Answer")
Prepares = TypeVar("Prepares", covariant=True)


class Performer(Protocol[State, Prepares]):
    """Who composes the steps. Its state is immutable: keeping it is a snapshot, setting it rewinds."""

    state: State

    def step(self, step_ms: float) -> Prepares:
        """Advance by one step, which is ``step_ms`` long."""


FAULTS = (Exception, SystemExit, KeyboardInterrupt)
"""What a performer or a command may raise: it is theirs, and their state comes back. Anything else has come
from outside to end this thread, while another goes on in its place: it passes, and nothing is touched."""

Command = Callable[[], object]
"""A change that a player makes: it acts on the performer's state, and may act again after a rewind."""


@dataclass(frozen=True, slots=True)
class _Mark(Generic[State]):
    """A step that has been handed over.

    Attributes:
        number: the step's own.
        state: of the performer, right after it.
        heard: how many commands that state has in it.
    """

    number: int
    state: State
    heard: int


class Handover(Generic[State, Prepared]):
    """Prepares steps ahead of Pd for one performer.

    Args:
        performer: composes the steps.
        view: returns ``(accepted, released, step_ms)``: the last step that Pd has looked at, the last that it
            has released, and the length of a step in ms. It reads them in this order.
        send: hands a step over: ``send(number, previous, prepared)``.
        look_ahead: how many steps are kept ready, at least 1.
    """

    def __init__(
        self,
        performer: Performer[State, Prepared],
        view: Callable[[], tuple[int, int, float]],
        send: Callable[[int, int, Prepared], None],
        look_ahead: int = 4,
    ) -> None:
        self.look_ahead = look_ahead
        self._performer = performer
        self._view = view
        self._send = send
        self._numbers = count(1)
        self._base = _Mark(0, performer.state, 0)  # the step that sounded last
        self._line: list[_Mark[State]] = []  # the steps that follow it
        self._dead: dict[int, _Mark[State]] = {}  # steps of older lines, which Pd may still release
        self._commands: list[Command] = []  # the latest, as far as a step of an older line has not heard them
        self._heard = 0  # commands ever

    def command(self, command: Command) -> None:
        """Let a change act from the next step on.

        Raises:
            Exception: whatever the command raises; then nothing has changed. Or what an earlier one raises
                that had to act again, on a step that it had not met; then this one has not acted.
        """
        self._look()
        self._rewind()
        try:
            command()
        except FAULTS:
            self._performer.state = self._base.state
            raise
        self._commands.append(command)
        self._heard += 1
        self._base = _Mark(self._base.number, self._performer.state, self._heard)

    def lack(self) -> int:
        """How many steps there are fewer than `look_ahead`.

        Raises:
            Exception: whatever a command raises that acts again.
        """
        self._look()
        return max(self.look_ahead - len(self._line), 0)

    def prepare(self) -> bool:
        """Hand one more step over if fewer than `look_ahead` are ready; False when nothing was to be done.

        Raises:
            Exception: whatever the performer's step or `send` raises; then the next call tries again.
        """
        step_ms = self._look()
        if len(self._line) >= self.look_ahead:
            return False
        self._prepare(step_ms)
        return True

    def prepare_next(self) -> None:
        """Hand over the very next step, composed now, whatever was prepared before: Pd waits for it (sync).

        Raises:
            Exception: whatever the performer's step or `send` raises.
        """
        step_ms = self._look()
        self._rewind()
        self._prepare(step_ms)

    def rewind(self) -> None:
        """Drop what is prepared: after a failure Pd has dropped it too."""
        self._look()
        self._rewind()

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the performer something as it was right after the last step that has sounded."""
        self._look()
        ahead = self._performer.state
        self._performer.state = self._base.state
        try:
            answer = question()
        except FAULTS:
            self._performer.state = ahead
            raise
        self._performer.state = ahead
        return answer

    def _prepare(self, step_ms: float) -> None:
        tip = self._line[-1] if self._line else self._base
        number = next(self._numbers)
        self._performer.state = tip.state  # a thread that was given up may have left another one
        try:
            self._send(number, tip.number, self._performer.step(step_ms))
        except FAULTS:
            self._performer.state = tip.state
            raise
        self._line.append(_Mark(number, self._performer.state, self._heard))

    def _look(self) -> float:
        """Find out what Pd has released since the last look; returns the length of a step."""
        accepted, released, step_ms = self._view()
        if released != self._base.number:
            self._follow(released)
        if not self._dead or (self._line and accepted >= self._line[0].number):
            self._forget_dead()
        return step_ms

    def _follow(self, released: int) -> None:
        for place, mark in enumerate(self._line):
            if mark.number == released:
                self._base, self._line = mark, self._line[place + 1 :]
                self._forget_dead()  # Pd has left the older lines for this one
                return
        # Pd has released a step of an older line: the new one came too late. The commands that the step had
        # not heard act on it now.
        self._base = self._dead.pop(released)
        self._rewind()
        missed = self._heard - self._base.heard
        failures = [self._replay(command) for command in self._commands[len(self._commands) - missed :]]
        self._base = _Mark(released, self._performer.state, self._heard)
        for failure in filter(None, failures):
            raise failure

    def _replay(self, command: Command) -> BaseException | None:
        """Let a command act again; one that cannot, here, must not take the others with it."""
        before = self._performer.state
        try:
            command()
        except FAULTS as failure:
            self._performer.state = before
            return failure
        return None

    def _rewind(self) -> None:
        self._dead.update((mark.number, mark) for mark in self._line)
        self._line = []
        self._performer.state = self._base.state

    def _forget_dead(self) -> None:
        """No step of an older line can sound any more, so nothing will ever miss a command."""
        self._dead.clear()
        self._commands.clear()
