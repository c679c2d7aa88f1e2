"""What some music is like, in numbers that show where a model's music differs from the real one."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
from neuralmidi.composer import Composer
from neuralmidi.grid import Strokes, on_grid, slot_of
from neuralmidi.notes import Note
from neuralmidi.reading import Score as Bundle
from numpy.typing import NDArray

from training.dataset import Piece

BAR: Final = 4
"""Beats of the bar that densities are told by, whatever the metre."""
WIDEST: Final = 12
"""Semitones: wider steps of a melody are counted as this wide."""
COPIED: Final = 8
"""Notes in a row that are looked for in the training music."""
EXCERPTS: Final = 10
"""Of generated music, with the seeds 0, 1, ..."""
BARS: Final = 20
"""Of each excerpt: 200 in all."""
STEP_MS: Final = 50.0
"""Nothing that is counted here depends on the tempo."""

DURATIONS: Final = 2.0 ** np.arange(-2.75, 4, 0.5)
"""Bounds in beats between classes of durations: a 32nd, a triplet 16th, a 16th, ... to four bars."""

MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key (Krumhansl and Kessler 1982)."""

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Music:
    """Strokes of keys on a grid.

    Attributes:
        strokes: see `neuralmidi.grid.Strokes`.
        steps: how many slots it lasts.
        steps_per_beat: the grid.
        bar: quarter notes in a bar, the first one if they change.
    """

    strokes: Strokes
    steps: int
    steps_per_beat: int
    bar: float = BAR

    def voices(self) -> Counts:
        """Return how many notes sound in each step, ``[steps]``."""
        change = np.zeros(self.steps + 1)
        np.add.at(change, np.minimum(self.strokes.start, self.steps), 1)
        np.add.at(change, np.minimum(self.strokes.end, self.steps), -1)
        return np.cumsum(change[:-1])


def generate(bundle: Bundle, seed: int, temperature: float = 1.0, *blend: object) -> Music:
    """Compose `BARS` bars of four beats, as a player hears them who turns no other control.

    Args:
        bundle: the model that plays.
        seed: of its draws.
        temperature: see `neuralmidi.controls`.
        blend: whose music, see `Composer.blend`; nothing: nobody's in particular.
    """
    composer = Composer(bundle, seed)
    composer.set("smooth", 0)
    composer.set("temperature", temperature)
    if blend:
        composer.blend(*blend)
    return play(composer, BARS * BAR * composer.state.steps_per_beat)


def play(composer: Composer, steps: int) -> Music:
    """Let a composer play for so many steps and write down what it plays."""
    grid, bar = composer.state.steps_per_beat, composer.state.steps_per_bar
    notes: list[Note] = []
    begun: dict[int, tuple[int, int]] = {}
    for slot in range(steps):
        for event in composer.step(STEP_MS).events:
            if event.kind == "on":
                begun[event.pitch] = slot, event.velocity
            elif event.kind == "off":
                start, velocity = begun.pop(event.pitch)
                notes.append(Note(start / grid, slot / grid, event.pitch, velocity))
    for pitch, (start, velocity) in begun.items():
        notes.append(Note(start / grid, steps / grid, pitch, velocity))
    return Music(on_grid(notes, grid), steps, grid, bar / grid)


def rests(music: Sequence[Music]) -> float:
    """Return the share of steps in which nothing sounds, 0 to 1."""
    return float(np.mean(np.concatenate([each.voices() for each in music]) == 0))


def polyphony(music: Sequence[Music]) -> float:
    """Return how many notes sound in a step, on average over the steps in which one does."""
    voices = np.concatenate([each.voices() for each in music])
    return float(voices[voices > 0].mean()) if voices.any() else 0.0


def density(music: Sequence[Music]) -> float:
    """Return how many notes begin in a bar of four beats."""
    beats = sum(each.steps / each.steps_per_beat for each in music)
    return sum(len(each.strokes.pitch) for each in music) / beats * BAR


def pitch_classes(music: Music) -> Counts:
    """Return how often each pitch class begins, ``[12]``, C first."""
    return np.bincount(music.strokes.pitch % 12, minlength=12).astype(float)


def degrees(music: Music) -> Counts:
    """Return how often each degree of the scale begins, ``[12]``, the key note first.

    The key is the one whose profile fits the time that each pitch class sounds best (Krumhansl 1990). A
    model that was trained in all keys plays in any: here its keys do not count, as they do for
    `pitch_classes`.
    """
    strokes = music.strokes
    sounds = np.bincount(strokes.pitch % 12, strokes.end - strokes.start, minlength=12)
    fits = [
        (np.corrcoef(np.roll(profile, key), sounds)[0, 1], key)
        for profile in (MAJOR, MINOR)
        for key in range(12)
        if np.ptp(sounds)
    ]
    return np.roll(pitch_classes(music), -max(fits, default=(0, 0))[1])


def intervals(music: Music) -> Counts:
    """Return how often the melody takes each interval, ``[25]``: an octave or more down first.

    The melody is the highest note of those that begin together.
    """
    order = np.lexsort((music.strokes.pitch, music.strokes.start))
    start, pitch = music.strokes.start[order], music.strokes.pitch[order]
    melody = pitch[np.flatnonzero(np.diff(start, append=-1))]
    steps = np.clip(np.diff(melody), -WIDEST, WIDEST) + WIDEST
    return np.bincount(steps, minlength=2 * WIDEST + 1).astype(float)


def durations(music: Music) -> Counts:
    """Return how often notes are how long, ``[15]``: up to a 32nd, ..., four bars or more (`DURATIONS`)."""
    beats = (music.strokes.end - music.strokes.start) / music.steps_per_beat
    return np.bincount(np.digitize(beats, DURATIONS), minlength=len(DURATIONS) + 1).astype(float)


FIGURES: Final = {"rests": rests, "polyphony": polyphony, "notes_per_bar": density}
HISTOGRAMS: Final = {
    "pitch_classes": pitch_classes,
    "degrees": degrees,
    "intervals": intervals,
    "durations": durations,
}


def distance(one: Counts, other: Counts) -> float:
    """Return the total variation distance of two histograms, 0 to 1.

    It is the share of notes that would have to be in another class for both to be alike.
    """
    return float(np.abs(one / max(one.sum(), 1) - other / max(other.sum(), 1)).sum() / 2)


def real(piece: Piece, steps_per_beat: int) -> Music:
    """Return a piece on a grid."""
    strokes, steps = on_grid(piece.notes, steps_per_beat), slot_of(piece.end, steps_per_beat)
    bar = 4 * piece.metres[0].numerator / piece.metres[0].denominator if piece.metres else BAR
    return Music(strokes, steps, steps_per_beat, bar)


def runs(music: Music) -> list[bytes]:
    """Return every run of `COPIED` notes, ordered by beginning and pitch, as what is the same in all keys.

    That is 7 times the interval to the next note in semitones and the slots until it begins.
    """
    order = np.lexsort((music.strokes.pitch, music.strokes.start))
    moves = np.diff([music.strokes.pitch[order], music.strokes.start[order]]).astype(np.int32).T
    return [moves[first : first + COPIED - 1].tobytes() for first in range(len(moves) - COPIED + 2)]


def copied(music: Iterable[Music], known: AbstractSet[bytes]) -> float:
    """Return the share of `runs` that also occur in the training music, 0 to 1.

    Real music repeats turns of phrase, too: only what is far above the share of real unheard music is a sign
    of learning by heart.
    """
    found = [run in known for each in music for run in runs(each)]
    return float(np.mean(found)) if found else 0.0


def compare(
    unheard: Sequence[Music], generated: Sequence[Music], train: Sequence[Music]
) -> dict[str, dict[str, float]]:
    """Set generated music beside real music.

    Args:
        unheard: real pieces.
        generated: what it plays.
        train: what it was trained on; may be empty.

    Returns:
        By name of a figure its value by name of the music. `FIGURES` and ``copied`` are of each by itself.
        `HISTOGRAMS` are compared with the real one; how far the training music is from it shows which
        distances say nothing.
    """
    music = {"real": unheard, "generated": generated, "training": train}
    music = {name: pieces for name, pieces in music.items() if pieces}
    table = {
        figure: {name: round(of(pieces), 4) for name, pieces in music.items()}
        for figure, of in FIGURES.items()
    }
    known = {run for each in train for run in runs(each)}
    if known:
        table["copied"] = {name: round(copied(music[name], known), 4) for name in ("real", "generated")}
    for figure, of in HISTOGRAMS.items():
        histograms = {name: np.sum([of(each) for each in pieces], 0) for name, pieces in music.items()}
        table[f"{figure}_distance"] = {
            name: round(distance(histogram, histograms["real"]), 4)
            for name, histogram in histograms.items()
            if name != "real"
        }
    return table
