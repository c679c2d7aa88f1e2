"""What every kind of fuzzing gives the command: its parts, a run of numbered cases, and what came of them."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """What came of a run in which nothing went wrong.

    Attributes:
        row: what stands below the kind's heading, without the name of the part.
        refused: how many cases were refused for each reason, in a few words, without what differs from case
            to case.
    """

    row: Sequence[object]
    refused: Counter[str] = field(default_factory=Counter)


class FuzzError(Exception):
    """Something that must not happen has happened.

    Args:
        why: what, in words.
        again: the options that show it again: ``--case 17``, or ``--cases 17`` if it takes all of them.
    """

    def __init__(self, why: str, again: str) -> None:
        super().__init__(why)
        self.again = again


@dataclass(frozen=True)
class Kind:
    """Something that takes what others made.

    Attributes:
        about: what it is, as the help says it.
        heading: of the columns behind the name of the part.
        parts: the names of what is fuzzed; ``--only`` chooses among them. A run goes through all in turn.
        cases: how many for each part, unless ``--cases`` says so.
        run: ``run(part, seed, cases)`` does the cases of these numbers, shows its progress on stderr, and
            returns what came of them. Case 17 of a seed is the same whatever came before. It raises a
            FuzzError if something went wrong that must not, a RuntimeError if there is nothing to fuzz.
    """

    about: str
    heading: Sequence[str]
    parts: Collection[str]
    cases: int
    run: Callable[[str, int, range], Outcome]
