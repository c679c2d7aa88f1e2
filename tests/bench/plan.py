"""What a run of the benchmark measures, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXTERNALS = Path(__file__).parents[2] / "externals"


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Attributes:
        model: folder of the model that plays.
        seconds: how long each row is measured.
        realtime: Pd may take real-time priority. Without it the figures do not depend on who runs it.
        against: the ``externals`` of another checkout; what they do is measured in turns with ours.
    """

    model: Path
    seconds: float
    realtime: bool
    against: Path | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What Pd is started with."""
        return ("-rt",) if self.realtime else ("-nrt",)

    @property
    def sides(self) -> Mapping[str, Path]:
        """Whose Pd objects are measured, by what is added to the name of a row."""
        return {"": EXTERNALS} if self.against is None else {"": EXTERNALS, ", against": self.against}
