"""Music and its learning as pictures: PNG files, small enough to be shown on a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import matplotlib
import numpy as np
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import BoxStyle, FancyBboxPatch
from neuralmidi.kit import KIT
from neuralmidi.notes import note_name
from numpy.typing import NDArray

from training.bars import STEPS, STEPS_PER_BEAT, Bar
from training.statistics import Music

matplotlib.use("Agg")  # no window, whatever the machine has

INK: Final = "#2b2d33"
FAINT: Final = "#e3e3e0"
PAPER: Final = "#ffffff"
BLACK_KEYS: Final = (1, 3, 6, 8, 10)
LOUDNESS: Final = LinearSegmentedColormap.from_list("loudness", ("#9ecae1", "#2b7bba", "#08306b"))
"""Soft notes are light."""
LINES: Final = ("#2b7bba", "#d9632a", "#3a8f5a", "#7b5ea7", "#999999")
SOFTEST: Final = 20
LOUDEST: Final = 110
"""The velocities of the lightest and the darkest colour."""
UNSAID: Final = 80
"""The velocity of notes of which nobody says how loud they are."""
WIDTH: Final = 9.0
DPI: Final = 100
STYLE: Final[Mapping[str, Any]] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def roll(path: Path, music: Mapping[str, Music], bars: int = 8) -> None:
    """Draw piano rolls, one below the other, of the same pitches and the same length; darker is louder.

    Args:
        path: the PNG to write.
        music: by title.
        bars: how many of them are drawn, from the beginning.
    """
    beats = bars * max(each.bar for each in music.values())
    pitches = np.concatenate([_until(each, beats)[0] for each in music.values()])
    low, high = int(pitches.min(initial=60)) - 2, int(pitches.max(initial=60)) + 2
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, 0.55 + len(music) * (0.55 + 0.045 * (high - low))), DPI, layout="constrained")
        panels = np.atleast_1d(figure.subplots(len(music), 1, sharex=False))
        for panel, (title, each) in zip(panels, music.items(), strict=True):
            _draw_roll(panel, title, each, beats)
            panel.set_ylim(low, high + 1)
        panels[-1].set_xlabel("bar (the darker, the louder)")
        figure.savefig(path)


def _until(music: Music, beats: float) -> tuple[Any, ...]:
    """Return pitch, begin and end in beats, velocity of the notes that begin before then."""
    strokes, grid = music.strokes, music.steps_per_beat
    kept = strokes.start < beats * grid
    return (
        strokes.pitch[kept],
        strokes.start[kept] / grid,
        np.minimum(strokes.end[kept] / grid, beats),
        strokes.velocity[kept],
    )


def _draw_roll(panel: Any, title: str, music: Music, beats: float) -> None:
    pitch, start, end, velocity = _until(music, beats)
    for key in range(128):
        if key % 12 in BLACK_KEYS:
            panel.axhspan(key, key + 1, color="#f4f4f1", linewidth=0)
        elif key % 12 == 0:
            panel.axhline(key, color=FAINT, linewidth=0.8)
    lines = np.arange(0, beats + music.bar / 2, music.bar)
    for line in lines:
        panel.axvline(line, color="#b9b9b4", linewidth=0.8)
    gap = beats / 1500  # so that a note struck again is seen to be
    boxes = [
        ((a, p + 0.08), (b - gap, p + 0.08), (b - gap, p + 0.92), (a, p + 0.92))
        for p, a, b in zip(pitch, start, end, strict=True)
    ]
    loud = (np.where(velocity == 0, UNSAID, velocity) - SOFTEST) / (LOUDEST - SOFTEST)
    panel.add_collection(PolyCollection(boxes, facecolors=LOUDNESS(loud), linewidths=0))
    panel.set_title(title)
    panel.set_xlim(0, beats)
    panel.set_xticks(lines[:-1] + music.bar / 2, [str(bar) for bar in range(1, len(lines))])
    octaves = range(0, 128, 12)
    panel.set_yticks([key + 0.5 for key in octaves], [note_name(key) for key in octaves])
    panel.tick_params(length=0)
    panel.spines[["left", "bottom"]].set_visible(False)


def curves(
    path: Path, lines: Mapping[str, Sequence[float]], unit: str, marks: Mapping[str, float] | None = None
) -> None:
    """Draw how training went, epoch by epoch; the best epoch of the last line is marked.

    Args:
        path: the PNG to write.
        lines: by name the value after each epoch; the last one decides.
        unit: of the values.
        marks: values to compare with, by name, as level lines.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, 3.6), DPI, layout="constrained")
        panel = figure.subplots()
        for colour, (name, values) in zip(LINES, lines.items(), strict=False):
            panel.plot(range(1, len(values) + 1), values, color=colour, label=name, linewidth=1.8)
        *_, (name, values) = lines.items()
        best = int(np.argmin(values))
        panel.plot(best + 1, values[best], "o", color=LINES[len(lines) - 1], markersize=6)
        panel.annotate(
            f"{values[best]:.3f}", (best + 1, values[best]), (0, 8), textcoords="offset points", ha="center"
        )
        for name, value in (marks or {}).items():
            panel.axhline(value, color=LINES[-1], linewidth=1, linestyle=(0, (4, 3)))
            end = {"xytext": (0, 3), "textcoords": "offset points", "ha": "right"}
            panel.annotate(name, (len(values), value), color="#777777", **end)
        panel.set_xlabel("epoch")
        panel.set_ylabel(unit)
        panel.set_xlim(1 - 0.02 * len(values), len(values) * 1.02)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(axis="y", color=FAINT, linewidth=0.8)
        panel.legend()
        figure.savefig(path)


def blend(path: Path, shares: Sequence[float], likelier: NDArray[np.float64], names: Sequence[str]) -> None:
    """Draw how much likelier music from between two composers is to the model of the first.

    Args:
        path: the PNG to write.
        shares: of the second composer, 0 to 1, ``[P]``.
        likelier: nats per note of each excerpt under the second's model less those under the first's,
            ``[P, E]``; drawn are their mean and its standard error.
        names: of both.
    """
    first, second = names
    error = likelier.std(1, ddof=min(1, likelier.shape[1] - 1)) / likelier.shape[1] ** 0.5
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH * 0.72, 3.8), DPI, layout="constrained")
        panel = figure.subplots()
        style = {"color": LINES[0], "linewidth": 1.8, "markersize": 4, "capsize": 3}
        panel.errorbar(shares, likelier.mean(1), error, fmt="o-", **style)
        panel.axhline(0, color=FAINT, linewidth=1.8)
        panel.set_xticks(
            [0, 0.25, 0.5, 0.75, 1],
            [f"{first}\nalone", "3 to 1", "half and half", "1 to 3", f"{second}\nalone"],
        )
        panel.set_ylabel(f"nats per note, {first}'s model\nbetter than {second}'s by")
        panel.grid(axis="y", color=FAINT, linewidth=0.8)
        figure.savefig(path)


def drum_grid(path: Path | IO[bytes], bars: Sequence[Bar], most: int = 8) -> None:
    """Draw bars of drums as a drum machine shows them, a pad for each step: the darker, the louder.

    A pad that is lit lies as far from its place as the hit is early (left) or late (right).

    Args:
        path: the PNG to write.
        bars: two of them in a row.
        most: how many of them are drawn, from the beginning.
    """
    drawn = bars[:most]
    rows = -(-len(drawn) // 2)
    with matplotlib.rc_context(STYLE):
        figure = Figure((WIDTH, 0.3 + 1.95 * rows), DPI, layout="constrained")
        panels = figure.subplots(rows, 2, sharey=True, squeeze=False).flat
        for number, panel in enumerate(panels):
            panel.set_axis_off() if number >= len(drawn) else _draw_pads(panel, number, drawn[number])
        figure.supxlabel("the darker, the louder; left of its place: early, right of it: late", fontsize=9)
        figure.savefig(path)


def _draw_pads(panel: Any, number: int, bar: Bar) -> None:
    rest = ("#f1f1ee", "#e4e4e0")  # two greys, so that the beats are seen
    dark = [rest[step // STEPS_PER_BEAT % 2] for step in range(STEPS) for _ in KIT]
    pads = [_pad(step, place) for step in range(STEPS) for place in range(len(KIT))]
    panel.add_collection(PatchCollection(pads, facecolors=dark, linewidths=0))
    hits = [(step, hit) for step, hits in enumerate(bar.steps) for hit in hits]
    loud = (np.array([hit.velocity for _, hit in hits]) - SOFTEST) / (LOUDEST - SOFTEST)
    lit = [_pad(step + hit.late, hit.place) for step, hit in hits]
    panel.add_collection(PatchCollection(lit, facecolors=LOUDNESS(loud), linewidths=0))
    panel.set_title(f"bar {number + 1}{f', {bar.style}' if bar.style else ''}")
    panel.set_xlim(-0.5, STEPS + 0.5)
    panel.set_ylim(-0.1, len(KIT) + 0.1)
    beats = range(0, STEPS, STEPS_PER_BEAT)
    panel.set_xticks([beat + 0.5 for beat in beats], [str(beat // STEPS_PER_BEAT + 1) for beat in beats])
    panel.set_yticks([place + 0.5 for place in range(len(KIT))], [each.name for each in KIT])
    panel.tick_params(length=0)
    panel.spines[["left", "bottom"]].set_visible(False)


def _pad(step: float, place: int) -> FancyBboxPatch:
    corners = BoxStyle("round", pad=0, rounding_size=0.18)
    return FancyBboxPatch((step + 0.07, place + 0.1), 0.86, 0.8, boxstyle=corners)
