"""[ear]: prints what comes in, and the logical time at which it came, in full."""

import sys
from collections.abc import Sequence

from neuralmidi.pd import Atom, Object


class Ear(Object):
    """Prints lines ``ear: MS selector atoms...``, MS counted from Pd's start."""

    name = "ear"
    outlets = 0

    def receive(self, inlet: int, selector: str, atoms: Sequence[Atom]) -> None:
        """Anything at all."""
        words = (f"{atom:g}" if isinstance(atom, float) else atom for atom in atoms)
        print("ear:", repr(self.time), selector, *words, file=sys.stderr, flush=True)
