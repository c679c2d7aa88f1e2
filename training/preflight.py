"""Before training: what the music is like, what will go wrong with it, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from training.dataset import SPLITS, Piece, Report, Split

FEW_PIECES: Final = 10
FEW_NOTES: Final = 10_000
OFF_GRID: Final = 0.1
"""A share of onsets more than a tenth of a slot off the grid from which on it is worth a word."""
LOST_GRID: Final = 0.4
"""The share from which on the music was played, not written: hands that follow no beat land anywhere."""
PITCHED: Final = "add files with pitched instruments, or use training.train_drums"
NAMED: Final = 3
"""Files that are named in a line about many."""


@dataclass
class Count:
    """How much there is of a split."""

    pieces: int = 0
    notes: int = 0


@dataclass
class Survey:
    """What some music is like, piece by piece.

    Args:
        steps_per_beat: of the grid that it is to be put on.
        timed: whether the tokens tell how early or late each note is.

    Attributes:
        counts: pieces and notes of each split.
        composers: training notes of each composer.
        remarks: what was said of files, and of which.
    """

    steps_per_beat: int
    timed: bool = False
    counts: dict[Split, Count] = field(default_factory=lambda: {split: Count() for split in SPLITS.values()})
    composers: dict[str, int] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    _off_grid: int = 0
    _equally_loud: int = 0

    def hear(self, line: str) -> None:
        """Take a remark, ``FILE: what``."""
        name, _, remark = line.partition(": ")
        self.remarks.setdefault(remark, []).append(name)

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        count = self.counts[piece.split]
        count.pieces += 1
        count.notes += len(piece.notes)
        if piece.split == "train":
            self.composers[piece.composer] = self.composers.get(piece.composer, 0) + len(piece.notes)
        slots = piece.notes[:, 0] * self.steps_per_beat
        self._off_grid += int((np.abs(slots - np.round(slots)) > 0.1).sum())
        self._equally_loud += not piece.notes[:, 3].any()

    @property
    def off_grid(self) -> float:
        """Share of notes that begin more than a tenth of a slot off the grid."""
        return self._off_grid / max(1, sum(count.notes for count in self.counts.values()))

    @property
    def usable(self) -> bool:
        """Whether there is anything to train and to validate on."""
        return all(self.counts[split].pieces for split in ("train", "valid"))

    def summary(self) -> str:
        """Return one line on how much there is."""
        counts = (
            f"{split} {count.pieces} pieces, {count.notes:,} notes" for split, count in self.counts.items()
        )
        return f"{'; '.join(counts)}; {self.off_grid:.1%} off a grid of {self.steps_per_beat} a beat"

    def told(self) -> list[str]:
        """Return the remarks, those on one file by name, those on many together."""
        lines = []
        for remark, names in self.remarks.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(f"{', '.join(names[:NAMED])}{more}: {remark}")
        return lines

    def advice(self) -> list[str]:
        """Return what will go wrong, and what to do, ``what / what to do`` each."""
        return [line for line in (self._missing(), self._few(), self._crooked(), self._flat()) if line]

    def _missing(self) -> str:
        if self.usable:
            return ""
        left_out = {
            name for remark, names in self.remarks.items() if "left out, it" in remark for name in names
        }
        if any("drums only" in remark for remark in self.remarks):
            return f"there is nothing to learn from, drums are left out / {PITCHED}"
        many = f"{len(left_out)} of its files hold no music" if left_out else "it has too few files"
        return f"it needs pieces to train and to validate on, {many} / add MIDI files, three at least"

    def _few(self) -> str:
        train = self.counts["train"]
        if not self.usable or (train.pieces >= FEW_PIECES and train.notes >= FEW_NOTES):
            return ""
        much = f"{train.pieces} pieces with {train.notes:,} notes are little"
        return f"{much}: it will learn them by heart / add files, or begin with what a --base knows"

    def _crooked(self) -> str:
        if self.timed or self.off_grid < OFF_GRID:
            return ""
        share = f"{self.off_grid:.0%} of the notes begin off the grid and are moved there"
        if self.off_grid < LOST_GRID:
            return f"{share} / try --steps_per_beat {2 * self.steps_per_beat}"
        return f"{share}: played by hand to no click / quantise the files in a sequencer first"

    def _flat(self) -> str:
        pieces = sum(count.pieces for count in self.counts.values())
        if not pieces or self._equally_loud < pieces:
            return ""
        return "every note is equally loud: the model will not say how loud / intensity and accents still act"


def survey(pieces: Iterable[Piece], steps_per_beat: int) -> Survey:
    """Return what some music is like."""
    found = Survey(steps_per_beat)
    for piece in pieces:
        found.add(piece)
    return found


def report_on(found: Survey, report: Report) -> None:
    """Say it all."""
    for line in [*found.told(), found.summary(), *found.advice()]:
        report(line)
