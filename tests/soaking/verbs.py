"""What may happen to a player: a table of verbs, and what Pd is told for each, drawn by chance."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from neuralmidi.controls import CONTROLS, SEED
from neuralmidi.fills import FILL
from neuralmidi.kit import NAMES

from tests.soaking.player import MODELS, Player, drums, names_of

Draw = random.Random

MISSING = "nobody"
"""A model and a file that are not there."""
PRIMERS = ("waltz.mid", "round_in_two_voices.mid", f"{MISSING}.mid")
KEYS = 3
"""Keys at most that go down at a time."""
BEST_SEED = 2**24 - 1
"""Pd's numbers, float32, tell no more apart."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message.

    Attributes:
        to: the name of its receiver in Pd.
        text: selector and atoms.
        refusal: how the error begins that must be the answer; empty: there must be none.
    """

    to: str
    text: str
    refusal: str = ""


@dataclass(frozen=True)
class Life:
    """How fast players live.

    Attributes:
        pause: ms between two things that happen, on average.
        tempo: lowest and highest, beats a minute.
        steps: to a beat, lowest and highest.
        interval: ms between two bangs of a metro, shortest and longest.
        ahead: steps that are kept ready, if a player says so at all; fewest and most.
    """

    pause: float
    tempo: tuple[int, int]
    steps: tuple[int, int]
    interval: tuple[int, int]
    ahead: tuple[int, int]


WRONG = (
    ("temperature 9", "composer: temperature: 9 is outside 0.1 to 2.0"),
    ("density", "composer: density: the number is missing"),
    ("intensity loud", "composer: intensity: loud is not a number"),
    ("tempo hot", "composer: tempo: hot is not a number"),
    ("tempo 0", "composer: tempo: 0 is outside 1 to 1000"),
    ("steps 2.5", "composer: steps: 2.5 is not a whole number"),
    ("play 2", "composer: play: 2 is outside 0 to 1"),
    ("lookahead 99", "composer: lookahead: 99 is outside 1 to"),
    ("seed -1", "composer: seed: -1 is outside 0 to"),
    ("channel 17", "composer: channel: 17 is outside 1 to 16"),
    ("top_k 2.5", "composer: top_k: 2.5 is not a whole number"),
    ("mute triangle", "composer: mute: triangle is not in the kit"),
    ("density hat 2", "composer: density: 2 is outside 0 to 1"),
    ("polka 3", "composer: polka: there is no such message"),
    (f"composer {MISSING}", f"composer: model '{MISSING}': not found"),
    ("composer", "composer: composer: it takes one name"),
)
"""What is refused whatever goes on."""
WRONG_TAKES = (
    ("tempo 0", "recorder: tempo: 0 is outside 1 to 1000"),
    ("60", "recorder: note velocity:  is not a number"),
    ("list 60 200 1", "recorder: note velocity: 200 is outside 0 to 127"),
    ("write a b", "recorder: file: it is not one name"),
)
"""What [recorder] refuses."""


def build(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Make the object, with a model, without one, or with one that is not there."""
    (name,) = draw.choices((*MODELS, "", MISSING), (*MODELS.values(), 1, 1))
    refusal = f"composer: model '{MISSING}': not found" if name == MISSING else ""
    stage = f"pd-stage-{player.number}"
    boxes = (f"composer {name}".strip(), *(f"{box}-{player.number}" for box in ("r to", *SENT)))
    for place, box in enumerate(boxes):
        yield Line(stage, f"obj 10 {30 * place + 10} {box}", "" if place else refusal)
    yield Line(stage, "connect 1 0 0 0")
    for outlet in range(len(SENT)):
        yield Line(stage, f"connect 0 {outlet} {outlet + 2} 0")
    player.become(Player(player.number, exists=True, model=name if name in MODELS else ""))


SENT = ("s notes", "s steps", "s status")
"""What stands at the outlets."""


def delete(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Delete the object, whatever it does."""
    yield Line(f"pd-stage-{player.number}", "clear")
    yield Line(f"bangs-{player.number}", "0")
    player.become(Player(player.number))


def swap(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Let another model go on."""
    (player.model,) = draw.choices(tuple(MODELS), tuple(MODELS.values()))
    player.chosen = 0
    yield _to(player, f"composer {player.model}")


def wrong(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Say something that is refused."""
    yield _to(player, *draw.choice(WRONG))


def turn(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Turn a control to anywhere in its range."""
    control = draw.choice(list(CONTROLS.values()))
    value = draw.uniform(control.low, control.high)
    yield _to(player, f"{control.name} {round(value) if control.whole else f'{value:.3f}'}")


def let_through(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Let most notes sound again: a control that is turned anywhere is nearly closed now and then."""
    yield _to(player, "density 1")
    yield _to(player, f"temperature {draw.uniform(0.5, 1.5):.3f}")


def start(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Play, by the own clock."""
    player.playing = True
    yield _to(player, "play 1")


def drive(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Play, by a metro's bangs."""
    player.driven, player.interval = True, draw.randint(*life.interval)
    yield Line(f"bangs-{player.number}", str(round(player.interval)))


def stop(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Stop; a metro's bangs are no play, so what they have begun is ended by ``panic``."""
    if player.driven:
        yield Line(f"bangs-{player.number}", "0")
        yield _to(player, "panic")
    else:
        yield _to(player, "play 0")
    player.playing = player.driven = False
    player.keys.clear()


def tempo(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Take another tempo."""
    player.tempo = draw.randint(*life.tempo)
    yield _to(player, f"tempo {player.tempo}")


def steps(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Choose how many steps make a beat."""
    player.chosen = draw.randint(*life.steps)
    yield _to(player, f"steps {player.chosen}")


def lookahead(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Keep more steps ready, or fewer."""
    player.ahead = draw.randint(*life.ahead)
    yield _to(player, f"lookahead {player.ahead}")


def panic(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """End every note at once."""
    player.keys.clear()
    yield _to(player, "panic")


def reset(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Begin again."""
    yield _to(player, "reset")


def seed(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Draw from another seed."""
    yield _to(player, f"seed {draw.randint(int(SEED.low), BEST_SEED)}")


def note(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Press some keys, or let go of them."""
    if player.keys:
        yield from (_to(player, f"note {key} 0") for key in player.keys)
        player.keys.clear()
        return
    refusal = "" if player.model else "composer: note: no model is loaded"
    keys = draw.sample(range(36, 85), draw.randint(1, KEYS))
    yield from (_to(player, f"note {key} {draw.randint(1, 127)}", refusal) for key in keys)
    player.keys = keys if player.model else []


def primer(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Begin again after a piece. Neither of ours has drums in 4/4."""
    piece = draw.choice(PRIMERS)
    refusal = ""
    if not player.model:
        refusal = "composer: primer: no model is loaded"
    elif piece.startswith(MISSING):
        refusal = f"composer: {piece}"
    elif drums(player.model):
        refusal = "composer: primer: its last bars are 3/4" if piece == PRIMERS[0] else "composer: "
    yield _to(player, f"primer {piece}", refusal)


def blend(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Go between those whom a model knows; one that knows nobody refuses."""
    wish = draw.choice(("blend", "style"))
    names = names_of(player.model) if player.model else ()
    if not names:
        what = {"blend": "composer", "style": "style"}[wish]
        yield _to(player, f"{wish} low 1", f"composer: {wish}: this model is of one {what}")
        return
    some = draw.sample(names, draw.randint(0, min(len(names), 3)))
    weights = " ".join(f"{name} {draw.uniform(0.1, 2):.2f}" for name in some)
    yield _to(player, f"{wish} {weights}".strip())


def fill(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Play a fill."""
    words = draw.choice(("fill", "fill now", "fill every 4", "fill off", "fill sideways"))
    refusal = "composer: fill: sideways is not a time for a fill" if words.endswith("sideways") else ""
    if not player.model:
        refusal = "composer: fill: no model is loaded"
    elif FILL not in names_of(player.model):
        refusal = "composer: fill: this model knows no fills"
    yield _to(player, words, refusal)


def parts(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Play without an instrument of the kit, with it, or with some of it."""
    some = f"density {draw.choice(NAMES)} {draw.random():.2f}"
    yield _to(player, draw.choice((f"mute {draw.choice(NAMES)}", "unmute", some)))


def ask(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Ask what there is."""
    yield _to(player, draw.choice(("info", "models")))


def take(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Let the recorder write what it has, or begin again."""
    to = f"take-{player.number}"
    yield Line(to, draw.choice(("write", "info", "grid 4 16", "tempo 90")))
    yield Line(to, draw.choice(("clear", "start")))


def wrong_take(player: Player, draw: Draw, life: Life) -> Iterator[Line]:
    """Say something that the recorder refuses."""
    yield Line(f"take-{player.number}", *draw.choice(WRONG_TAKES))


Verb = Callable[[Player, Draw, Life], Iterator[Line]]

ALIVE: Mapping[Verb, int] = {
    turn: 12,
    let_through: 6,
    tempo: 4,
    swap: 6,
    wrong: 4,
    panic: 2,
    reset: 2,
    seed: 2,
    note: 6,
    primer: 2,
    blend: 3,
    fill: 2,
    parts: 3,
    ask: 1,
    take: 2,
    wrong_take: 1,
    steps: 2,
    lookahead: 1,
    delete: 2,
}
"""What happens to one that exists, and how often."""
STILL: Mapping[Verb, int] = {start: 15, drive: 6}
"""Besides, to one that nothing makes sound."""
SOUNDING: Mapping[Verb, int] = {stop: 6}
"""Besides, to one that plays."""
BARE: Mapping[Verb, int] = {swap: 4, wrong: 2, turn: 2, note: 1, fill: 1, primer: 1, delete: 1}
"""To one that has no model yet."""


def verbs(player: Player) -> Mapping[Verb, int]:
    """What may happen to a player now, and how often."""
    if not player.exists:
        return {build: 1}
    if not player.model:
        return BARE
    return {**ALIVE, **(STILL if player.still else SOUNDING)}


def _to(player: Player, text: str, refusal: str = "") -> Line:
    return Line(f"to-{player.number}", text, refusal)
