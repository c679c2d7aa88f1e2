"""The one exception a player sees: what went wrong, why, and what to do about it."""


class NeuralMIDIError(Exception):
    """An error meant for a musician: ``what: why / what to do``.

    Args:
        what: the file, message or object that is at fault, by name.
        why: the reason, in words.
        remedy: what the player can do.
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what}: {why} / {remedy}")
        self.what = what
        self.why = why
        self.remedy = remedy
