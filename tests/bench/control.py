"""From a message to the first note that shows it: another channel, another intensity."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from tests.bench.plan import Plan
from tests.bench.stopwatch import IDLE, SPINNING, Phase, run_phases, settle
from tests.bench.table import Row, spread

BANGED, CLOCKED = 0.5, 1.0
"""Seconds of a phase at least: a few questions."""


class Question(NamedTuple):
    """What is asked of [stopwatch].

    Attributes:
        name: in the table.
        how: it is described there.
        message: to it, and from there to the composer.
        before: what the composer is told first.
    """

    name: str
    how: str
    message: str
    before: tuple[str, ...] = ()


CHANNEL = Question("message to note", "from `channel n` to the first note on n", "turn")
INTENSITY = Question(
    "control to note",
    "from `intensity` 0 or 1 to the first note, or `vel` of a sounding one, that shows it; `smooth 0`",
    "dim",
    ("composer smooth 0",),
)
AHEAD = "a beat ahead, unless a rest comes first; 1 step is the next one"


def message_to_note(plan: Plan) -> Iterator[Row]:
    """A message, and the first note that shows it."""
    yield from _asked(plan, CHANNEL)


def control_to_note(plan: Plan) -> Iterator[Row]:
    """A control that is turned, and the first note that shows it."""
    yield from _asked(plan, INTENSITY)


def seconds(plan: Plan) -> float:
    """How long each of them takes."""
    return 2 * max(plan.seconds, BANGED) + max(plan.seconds, CLOCKED) + 4 * settle(plan) + 1


def _asked(plan: Plan, question: Question) -> Iterator[Row]:
    banged = replace(plan, seconds=max(plan.seconds, BANGED))
    ask = question.message
    driven = [
        Phase.of(banged, situation, "bang 1.5", f"{ask} 73.7", *question.before)
        for situation in (IDLE, SPINNING)
    ]
    # 331.7 ms falls on every place in a step; a multiple or a third of one would fall on its edge.
    clock = ("composer tempo 120", "composer play 1", f"{ask} 331.7", *question.before)
    slow = Phase("slow", IDLE, clock, max(plan.seconds, CLOCKED))
    # Pd sleeps 5 ms at a time when it has no sound card, which would be all that is measured.
    records = run_phases(plan, [*driven, slow], ("-sleepgrain", "0.5"))
    shown = {phase.name: records[phase.name, "shown"] for phase in (*driven, slow)}
    for phase in driven:
        how = f"{question.how}, {AHEAD}; bang-driven, a step every 1.5 ms; {phase.situation.how}"
        for place, unit in enumerate(("ms", "steps")):
            figures = [each[place] for each in shown[phase.name]]
            yield spread(f"{question.name}, {phase.situation.name}", unit, how, figures)
    how = f"{question.how}, {AHEAD}; its own clock at 120 BPM; {IDLE.how}"
    yield spread(f"{question.name}, 120 BPM", "steps", how, [steps for _, steps in shown[slow.name]])
