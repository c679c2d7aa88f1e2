"""Messages that nobody should send to an object in Pd, as lines of a text that [text sequence] sends.

The line of a number is always the same for the same seed. Not among them, because Pd itself does not survive
it: a message that deletes, along a cord, the object that it comes from.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from neuralmidi.controls import CONTROLS
from neuralmidi.kit import NAMES

from tests.fuzz.draws import draw_of, one_of
from tests.fuzz.midi_files import Draw

Atom = float | str | bytes
BREAK = object()
"""Between two messages of a line."""

COMPOSERS: Mapping[str, str] = {
    "chords": "composer tiny",
    "poly": "composer tiny_poly",
    "drums": "composer tiny_drums",
    "blend": "composer tiny_blend",
}
RECORDERS: Mapping[str, str] = {"recorder": "recorder take.mid"}
STAGE = "stage"
"""An object that is made and deleted all the time."""
TARGETS = (*COMPOSERS, *RECORDERS, STAGE)
"""What messages are sent to: the names of receivers."""
SPECIAL = ("nan", "long", "empty", "pointer")
"""What no text can hold. A message to ``poly-nan`` reaches ``poly`` with that behind it."""

MODELS = ("tiny", "tiny2", "tiny_poly", "tiny_drums", "tiny_blend", "high", "low")
FILES = ("waltz.mid", "take.mid", "damaged.mid", "empty.mid", b"caf\xe9.mid", "two words.mid")
"""In the folder that Pd runs in."""
NO_FILES = (
    *("nothing.mid", "folder", "folder.mid", "pipe", "pipe.mid", ".", "..", "/", "~", "~nobody-at-all/a.mid"),
    *("/dev/zero", "/dev/full", "/dev/null", "../../etc/passwd", "../tiny", "a" * 300, "a/" * 300, "x.mid/y"),
)
"""Nothing that could be read, and nothing that could be written."""
SECRETS = ("/etc/passwd", "/etc/shadow", "/proc/self/mem", "/proc/self/environ", "/proc/kmsg")
"""For objects that only read."""
NUMBERS = (
    0,
    1,
    -1,
    0.5,
    2,
    4,
    16,
    17,
    60,
    127,
    128,
    1000,
    1e-38,
    1e-45,
    1e19,
    1e38,
    -1e38,
    1e39,
    -1e39,
    2**24,
)
"""The largest are infinite in Pd."""
WORDS: tuple[Atom, ...] = (
    *("loud", "kick", "hat", "low", "high", "now", "every", "off", "tiny", "list", "float", "symbol", "bang"),
    *(
        "$1",
        "$0-x",
        ";",
        ",",
        "; pd quit",
        "\\",
        "\\\\",
        "{}",
        "%s%n%d%100000d",
        "-",
        "/",
        "nan",
        "inf",
        "a b",
    ),
    *(
        "\n",
        "a\nb",
        "\t",
        "\x01\x1f",
        "\x1f",
        "\x7f",
        "ä",
        "\U0001f941",
        "\u202e",
        b"\xff\xfe",
        b"\xc3",
        "x" * 900,
    ),
)
UNKNOWN = (
    "",
    "x",
    "Play",
    "free",
    "__init__",
    "start",
    "close",
    "receive",
    "silenced",
    "read",
    "path",
    "obj",
)
MANY = (50, 1000, 4000)
"""Atoms of a long message."""


# --- what is legal


def _number(name: str) -> Callable[[Draw], Sequence[Atom]]:
    control = CONTROLS[name]

    def draw_number(draw: Draw) -> Sequence[Atom]:
        value = draw.uniform(control.low, control.high)
        return [round(value) if control.whole else value]

    return draw_number


def _nothing(draw: Draw) -> Sequence[Atom]:
    return ()


def _of(*atoms: Atom) -> Callable[[Draw], Sequence[Atom]]:
    return lambda draw: [draw.choice(atoms)]


def _named_weights(*names: str) -> Callable[[Draw], Sequence[Atom]]:
    def draw_weights(draw: Draw) -> Sequence[Atom]:
        some = draw.sample(names, draw.randrange(1, len(names) + 1))
        return [atom for name in some for atom in (name, round(draw.random(), 2))]

    return draw_weights


def _note(draw: Draw) -> Sequence[Atom]:
    return [draw.randrange(128), draw.choice((0, 0, draw.randrange(128)))]


def _played(draw: Draw) -> Sequence[Atom]:
    return [*_note(draw), draw.randrange(1, 17)]


COMPOSING: Mapping[str, Callable[[Draw], Sequence[Atom]]] = {
    **{name: _number(name) for name in CONTROLS},
    "composer": _of(*MODELS),
    "seed": _of(0, 1, 2, 77, 2**20),
    "reset": _nothing,
    "blend": _named_weights("low", "high"),
    "style": _named_weights("rock", "funk", "latin"),
    "fill": _of("now", "off"),
    "mute": _of(*NAMES),
    "unmute": _of(*NAMES),
    "primer": _of("waltz.mid", "round_in_two_voices.mid"),
    "note": _note,
    "models": _nothing,
    "info": _nothing,
    "lookahead": _of(1, 4, 32),
    "play": _of(1, 1, 0),
    "bang": _nothing,
    "tempo": _of(30, 120, 240, 1000),
    "steps": _of(1, 3, 4, 12, 48),
    "sync": _of(1, 1, 1, 0),
    "panic": _nothing,
}
"""What [composer] understands, with what may come with it."""
RECORDING: Mapping[str, Callable[[Draw], Sequence[Atom]]] = {
    "list": _played,
    "start": _nothing,
    "clear": _nothing,
    "tempo": _of(30, 120, 1000),
    "grid": lambda draw: draw.choice(((4, 16), (12, 48), (4, 12))),
    "write": _of("take.mid", "other.mid"),
    "info": _nothing,
}
"""What [recorder] understands."""


def _understood(draw: Draw, target: str) -> Mapping[str, Callable[[Draw], Sequence[Atom]]]:
    return RECORDING if target in RECORDERS or (target == STAGE and draw.random() < 0.2) else COMPOSING


# --- what is sent


def _legal(draw: Draw, target: str) -> list[Atom]:
    words = _understood(draw, target)
    selector = draw.choice([*words])
    return [target, selector, *words[selector](draw)]


def _atoms(draw: Draw, target: str) -> list[Atom]:
    names = (*FILES, *NO_FILES, *(SECRETS if target in COMPOSERS else ()))
    kinds: dict[tuple[Atom, ...], int] = {NUMBERS: 4, WORDS: 3, names: 3}
    chosen = [one_of(draw, kinds) for _ in range(draw.choice((0, 1, 1, 2, 3, 6)))]
    return [draw.choice(atoms) for atoms in chosen]


def _wrong(draw: Draw, target: str) -> list[Atom]:
    """A message that there is, and what is not for it."""
    selector = draw.choice([*_understood(draw, target)])
    return [target, selector, *_atoms(draw, target)]


def _file(draw: Draw, target: str) -> list[Atom]:
    """A file is named that is none, or not one of this kind."""
    selector = "write" if target in RECORDERS else draw.choice(("primer", "composer"))
    names: Sequence[Atom] = (*FILES, *NO_FILES, *(SECRETS if target in COMPOSERS else ()))
    return [target, selector, draw.choice(names)]


def _unknown(draw: Draw, target: str) -> list[Atom]:
    return [target, draw.choice((*UNKNOWN[1:], *WORDS)), *_atoms(draw, target)]


def _plain(draw: Draw, target: str) -> list[Atom]:
    """Not a message of the object, but one of Pd."""
    selector = draw.choice(("bang", "float", "symbol", "list", "pointer", "anything"))
    return draw.choice(([target, *_atoms(draw, target)], [target, selector, *_atoms(draw, target)]))


def _special(draw: Draw, target: str) -> list[Atom]:
    """A message with what no text can hold at its end."""
    selector = draw.choice([*_understood(draw, target)])
    before: list[Atom] = [selector, 60]
    return [f"{target}-{draw.choice(SPECIAL)}", *before[: draw.randrange(3)]]


def _many(draw: Draw, target: str) -> list[Atom]:
    selector = draw.choice([*_understood(draw, target)])
    atoms: list[Atom] = [60, 1e39, *NAMES]
    return [target, selector, *[draw.choice(atoms)] * draw.choice(MANY)]


def _loop(draw: Draw, target: str) -> list[Atom]:
    """The notes and the steps that leave an object come back to it, for some time."""
    return [f"{target}-loop", draw.choice((0, 0, 1))]


def _echo(draw: Draw, target: str) -> list[object]:
    """So does what it says, its refusals too; not for long, for it would say nothing else."""
    return [f"{target}-echo", 1, BREAK, target, "info", BREAK, 1, f"{target}-echo", 0]


def _made(draw: Draw, target: str) -> list[object]:
    """The object on the stage is deleted, and another is there, with any arguments."""
    name = draw.choice(("composer", "composer", "recorder"))
    usual = draw.choice(((draw.choice(MODELS),), ()))
    arguments = draw.choice((usual, _atoms(draw, STAGE))) if name == "composer" else _atoms(draw, STAGE)
    made: list[object] = ["pd-stage", "clear"]
    for box in (["r", STAGE], [name, *arguments], ["route", "list"], ["print", "stage-note"]):
        made += [BREAK, "pd-stage", "obj", 10, 10, *box]
    for cord in ((0, 0, 1, 0), (1, 0, 2, 0), (2, 0, 3, 0)):
        made += [BREAK, "pd-stage", "connect", *cord]
    return made


SENT: dict[Callable[[Draw, str], Sequence[object]], int] = {
    _legal: 40,
    _wrong: 30,
    _file: 6,
    _unknown: 8,
    _plain: 6,
    _special: 6,
    _many: 1,
    _loop: 2,
    _echo: 1,
    _made: 3,
}
"""How often what is sent."""
WAITS = (0, 0, 0, 0, 0.1, 1, 5, 20)
"""Ms until the next message."""


def line(seed: int, number: int, slower: float) -> bytes:
    """The message of a number, with the time before it.

    Args:
        seed: of all that is drawn.
        number: which one.
        slower: how much longer than `WAITS` the time is.
    """
    draw = draw_of(seed, number)
    target = draw.choice(TARGETS)
    return text([slower * draw.choice(WAITS), *one_of(draw, SENT)(draw, target)])


def text(atoms: Sequence[object]) -> bytes:
    """Messages as a line of a text."""
    return b" ".join(b";\n" if atom is BREAK else _word(atom) for atom in atoms) + b";\n"


def _word(atom: object) -> bytes:
    if isinstance(atom, (int, float)):
        return f"{atom:.8g}".encode()
    content = atom if isinstance(atom, bytes) else str(atom).encode()
    return re.sub(rb"([\s;,$\\])", rb"\\\1", content)
