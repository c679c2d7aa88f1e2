"""What a run of the benchmark measures, and for how long."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Attributes:
        model: folder of the model that plays.
        seconds: how long each row is measured.
        realtime: Pd may take real-time priority. Without it the figures do not depend on who runs it.
    """

    model: Path
    seconds: float
    realtime: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """What Pd is started with."""
        return ("-rt",) if self.realtime else ("-nrt",)
