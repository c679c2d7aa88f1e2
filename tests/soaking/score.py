"""What happens, and when: drawn from a seed, so that a longer score begins with all of a shorter one."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile

from tests.soaking.player import Player
from tests.soaking.verbs import Life, Line, Verb, build, start, verbs

PLAYERS = 6
BURST = 20
"""One pause of so many is none."""
CLOSING = 1000
"""Ms in which all that is under way comes, at the end."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens.

    Attributes:
        number: of the act, from 1.
        time: ms of logical time.
        player: whom it happens to; 0: to all.
        name: of the verb.
        lines: what Pd is told.
        still: from now on nothing makes the player sound.
        exists: the player does, from now on.
        step_ms: length of the player's steps from now on.
        kept: how many it keeps ready.
    """

    number: int
    time: int
    player: int
    name: str
    lines: Sequence[Line]
    still: bool
    exists: bool
    step_ms: float = 0
    kept: int = 0


def score(seed: int, life: Life, ms: float) -> Iterator[Act]:
    """All that happens in so many ms, and then the end."""
    number = 0
    for act in takewhile(lambda act: act.time < ms, _for_ever(seed, life)):
        number = act.number
        yield act
    for place in range(1, PLAYERS + 1):
        number += 1
        lines = [Line(f"pd-stage-{place}", "clear"), Line(f"bangs-{place}", "0")]
        yield Act(number, round(ms), place, "end", lines, still=True, exists=False)
    yield Act(number + 1, round(ms) + CLOSING, 0, "end", [Line("pd", "quit")], True, False)


def written(acts: Sequence[Act]) -> str:
    """A score as [qlist] reads it: each act is announced by its number, then done."""
    now, lines = 0, []
    for act in acts:
        if act.time > now:
            lines.append(f"{act.time - now};")
            now = act.time
        lines.append(f"act {act.number};")
        lines += [f"{line.to} {line.text};" for line in act.lines]
    return "\n".join(lines) + "\n"


def _for_ever(seed: int, life: Life) -> Iterator[Act]:
    draw = random.Random(seed)
    players = [Player(number) for number in range(1, PLAYERS + 1)]
    numbers = count(1)
    for player in players:
        yield _act(next(numbers), 0, player, build, draw, life)
    for player in players:
        if player.model:
            yield _act(next(numbers), 1, player, start, draw, life)
    time = 1
    while True:
        if draw.randrange(BURST):
            time += 1 + round(draw.expovariate(1 / life.pause))
        player = draw.choice(players)
        possible = verbs(player)
        (verb,) = draw.choices(list(possible), list(possible.values()))
        yield _act(next(numbers), time, player, verb, draw, life)


def _act(number: int, time: int, player: Player, verb: Verb, draw: random.Random, life: Life) -> Act:
    lines = list(verb(player, draw, life))
    return Act(
        number=number,
        time=time,
        player=player.number,
        name=verb.__name__,
        lines=lines,
        still=player.still,
        exists=player.exists,
        step_ms=player.step_ms,
        kept=player.kept,
    )
