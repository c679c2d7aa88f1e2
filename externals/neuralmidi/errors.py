"""The one exception a player sees: what went wrong, why, and what to do about it."""

LONGEST = 450
"""Characters of what is at fault, or of the reason: a console cuts longer lines, and the remedy with them."""


class NeuralMIDIError(Exception):
    """An error meant for a musician: ``what: why / what to do``.

    Args:
        what: the file, message or object that is at fault, by name.
        why: the reason, in words.
        remedy: what the player can do.
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{_shown(what)}: {_shown(why)} / {remedy}")
        self.what = what
        self.why = why
        self.remedy = remedy


def printable(text: str) -> str:
    """Return a text from outside, fit to be shown in one line: a terminal would obey control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _shown(text: str) -> str:
    line = printable(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}...{line[-LONGEST // 2 :]}"
