"""What may be asked of a composer over OSC: the addresses, and the check of what comes with them.

`osc_remote.pd` has the same table, for the patch; `pd_patches/OSC.md` is the page for those who send.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .controls import CONTROLS, PITCH, SEED, TEMPO, VELOCITY, Control
from .errors import NeuralMIDIError
from .kit import NAMES

Atom = float | str

_TURNED = (
    "temperature",
    "density",
    "intensity",
    "smooth",
    "top_k",
    "top_p",
    "repeats",
    "humanize",
    "swing",
)
NUMBERS: Mapping[str, Control] = {
    **{name: CONTROLS[name] for name in _TURNED},
    "tempo": TEMPO,
    "seed": replace(SEED, high=2**24 - 1),  # a patch's own numbers, float32, tell no more apart
    "play": Control("play", 0, 1, 0, "1: by its own clock; 0: stop, and end every note", whole=True),
}
"""Those that take one number, with its range."""
WORDS = ("blend", "style", "fill", "mute", "unmute")
"""Those whose words the composer itself checks."""
BARE = ("panic", "reset", "models", "info")
"""Those that take nothing; what a button sends along is not looked at."""
ADDRESSES = ("composer", *NUMBERS, *WORDS, *BARE, "note")
"""All of them, without the slash."""
LONGEST = 16
"""Words that may come with an address."""


def checked(path: str, arguments: Sequence[Atom], composers: Sequence[str]) -> tuple[str, tuple[Atom, ...]]:
    """Return what an OSC message asks for as a message of ``[composer]``: its selector and atoms.

    Args:
        path: OSC address, with its slash.
        arguments: of the message.
        composers: the names that may be asked for; a path is none, so that nobody outside looks at files.

    Raises:
        NeuralMIDIError: there is no such address, or its arguments are not legal.
    """
    wish = path.removeprefix("/")
    if wish not in ADDRESSES or not path.startswith("/"):
        raise NeuralMIDIError(path[:40], "there is no such address", f"use one of {', '.join(ADDRESSES)}")
    if wish in BARE:
        return wish, ()
    if len(arguments) > LONGEST:
        raise NeuralMIDIError(wish, f"{len(arguments)} words came with it", f"send at most {LONGEST}")
    if wish == "composer":
        return wish, (_name(arguments, composers),)
    if wish == "note":
        pitch, velocity = _values(wish, arguments, 2)
        return wish, (PITCH.check(pitch), VELOCITY.check(velocity))
    if wish == "density" and arguments and arguments[0] in NAMES:
        instrument, density = _values(wish, arguments, 2)
        return wish, (str(instrument), NUMBERS[wish].check(density))
    if wish in NUMBERS:
        return wish, (NUMBERS[wish].check(*_values(wish, arguments, 1)),)
    return wish, tuple(arguments)


def _values(wish: str, arguments: Sequence[Atom], count: int) -> list[Atom | None]:
    """As many as are wanted; what is missing is None, which no control takes."""
    if len(arguments) > count:
        raise NeuralMIDIError(wish, f"{len(arguments)} values came with it", f"send {count}")
    return [*arguments, *[None] * (count - len(arguments))]


def _name(arguments: Sequence[Atom], composers: Sequence[str]) -> str:
    if len(arguments) == 1 and isinstance(arguments[0], str) and arguments[0] in composers:
        return arguments[0]
    why = f"{' '.join(map(str, arguments))[:40]} is none of them" if arguments else "its name is missing"
    raise NeuralMIDIError("composer", why, f"choose among {', '.join(composers) or 'none: none is here'}")
