"""[late]: plays the steps that it is told, with delays."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from neuralmidi.pd import Atom, Message, SteppedObject, message

Told = tuple[Atom, ...]
"""What, value, delay; again and again."""


class Score:
    """Its state is how many steps it has played."""

    def __init__(self) -> None:
        self.state = 0
        self.steps: list[Told] = []

    def step(self, step_ms: float) -> Told:
        """The next of the steps told; when there is none, nothing. One that is told to fail fails."""
        told = self.steps[self.state] if self.state < len(self.steps) else ()
        if "fail" in told:
            raise ZeroDivisionError("as told")
        self.state += 1
        return told


class Late(SteppedObject[int, Told]):
    """Outlets: notes, words."""

    name = "late"
    outlets = 2
    notes_outlet = 0

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.score = Score()
        self.perform(self.score)

    @message(selector="step")
    def tell(self, *told: Atom) -> None:
        """One more step: number and velocity are a note, word and value a message of the other outlet.

        The number is the pitch, plus 128 for each channel above the first.
        """
        self.score.steps.append(told)

    def layout(self, prepared: Told) -> Iterator[Message]:
        """As told."""
        for what, value, delay in zip(*[iter(prepared)] * 3, strict=True):
            if isinstance(what, str):
                yield 1, what, (value,), float(delay)
            else:
                channel, pitch = divmod(int(what), 128)
                yield 0, "list", (pitch, value, channel + 1), float(delay)
