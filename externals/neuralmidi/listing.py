"""A performance as text that a musician reads."""

from collections.abc import Iterable, Iterator

from .kit import KIT, PLACES
from .notes import Step, note_name

NAMES_WIDTH = 30
"""Room for six notes; the numbers of a fuller chord move to the right."""


def lines(
    steps: Iterable[Step], steps_per_beat: int, steps_per_bar: int, *, drums: bool = False
) -> Iterator[str]:
    """A line for every step that starts or ends a note: ``bar.beat.step``, note names, MIDI pitches.

    Of drums the names are those of the kit, and every step that hits one is a line.

    ``~`` marks a note that goes on from the line before, as a tie does. An empty line stands between bars.
    """
    printed = 0
    for slot, step in enumerate(steps):
        attacks = {event.pitch for event in step.events if event.kind == "on"}
        if slot and not (step.pitches if drums else attacks or _has_ends(step)):
            continue
        bar, in_bar = divmod(slot, steps_per_bar)
        if bar > printed:
            yield ""
        printed = bar
        place = f"{bar + 1}.{in_bar // steps_per_beat + 1}.{in_bar % steps_per_beat + 1}"
        if drums:
            names = "".join(f" {KIT[PLACES[pitch]].name}" for pitch in step.pitches)
        else:
            names = " ".join(
                f"{' ' if pitch in attacks else '~'}{note_name(pitch):<3}" for pitch in step.pitches
            )
        numbers = " ".join(map(str, step.pitches))
        yield f"{place:>8}  {names or ' rest':<{NAMES_WIDTH}}  {numbers}".rstrip()


def _has_ends(step: Step) -> bool:
    return any(event.kind != "vel" for event in step.events)
