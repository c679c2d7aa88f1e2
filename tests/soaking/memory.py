"""How much memory Pd takes, and whether that grows."""

from dataclasses import dataclass, field

SAMPLES = 200
"""How often a run is looked at."""
WARMING = 0.25
"""Of a run that never gets warm: the share after which it is looked at."""
FLAT = 0.5
"""MB that may come in an hour of logical time once it is warm: 140 bytes for each act of the day."""
NOISE, COLD = 12.0, 100.0
"""MB by which it may differ at any time, as models come and go; and, until it is warm, what they all take."""


@dataclass
class Memory:
    """Resident memory of a run.

    Attributes:
        every: ms of logical time from one sample to the next.
        warm_at: ms until every model has been played and every word been said.
        samples: ms of logical time, and MB.
    """

    every: float
    warm_at: float
    samples: list[tuple[float, float]] = field(default_factory=list)

    def is_due(self, now: float) -> bool:
        """It is time for a sample."""
        return not self.samples or now - self.samples[-1][0] >= self.every

    @property
    def warm(self) -> float:
        """MB at most until it is warm."""
        return max((mb for ms, mb in self.samples if ms <= self._from), default=0.0)

    @property
    def end(self) -> float:
        """MB in the end."""
        return self.samples[-1][1] if self.samples else 0.0

    @property
    def hours(self) -> float:
        """Of logical time from where it is warm to the end."""
        return (self._until - self._from) / 3.6e6

    @property
    def grows(self) -> bool:
        """It has grown by more than it may."""
        once = NOISE if self._is_warm else COLD
        return self.end - self.warm > once + FLAT * self.hours

    def __str__(self) -> str:
        grown = self.end - self.warm
        told = f"{grown / self.hours:+.2f} MB an hour" if self._is_warm else f"{grown:+.1f} MB, not warm yet"
        return f"{self.warm:.1f} MB, {self.end:.1f} MB at the end: {told}"

    @property
    def _is_warm(self) -> bool:
        return self.warm_at < self._until

    @property
    def _until(self) -> float:
        return self.samples[-1][0] if self.samples else 0.0

    @property
    def _from(self) -> float:
        return self.warm_at if self._is_warm else WARMING * self._until
