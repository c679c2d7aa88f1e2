"""What drumming is like, in numbers that show where a model's differs from a drummer's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from neuralmidi.bundle import Bundle
from neuralmidi.composer import Composer
from neuralmidi.fills import FILL
from neuralmidi.kit import KIT, PLACES
from neuralmidi.notes import Step
from neuralmidi.tokenizer import DrumTokenizer
from neuralmidi.tokenizer.drums import PARTS, loudness
from numpy.typing import NDArray

from training.dataset import Piece
from training.likelihood import encoded
from training.pool import AND, condition
from training.progress import progress

BAR: Final = 16
"""Slots."""
WEIGHTS: Final = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])
"""How strong each 16th of a bar is (Longuet-Higgins and Lee 1984)."""
BACKBONE: Final = ("kick", "snare")
"""Whose syncopation counts: a hat on every 8th would hide it."""
EXCERPTS: Final = 25
BARS: Final = 20
"""Of each excerpt: 500 in all."""
FOURTH: Final = 4
STEP_MS: Final = 125.0
"""Nothing that is counted here depends on the tempo."""


@dataclass(frozen=True)
class Rhythm:
    """Bars of drums on a grid of 16ths.

    Attributes:
        hit: ``[slots, instruments]``, whether each of `KIT` is hit.
        velocity: ``[hits]``, in MIDI velocities.
        late: ``[hits]``, in slots.
    """

    hit: NDArray[np.bool_]
    velocity: NDArray[np.float64]
    late: NDArray[np.float64]


def real(piece: Piece, tokenizer: DrumTokenizer) -> Rhythm:
    """Return a drummer's performance, as a model is told of it."""
    hits, velocity, late = [], [], []
    for token in encoded(tokenizer, piece)[1:]:
        kind, value = tokenizer.actions[token]
        if kind == "velocity":
            velocity.append(loudness(value))
        elif kind == "late":
            late.append(value / PARTS)
        else:  # of what is unknown nothing is told
            hits.append([kind == "hit" and bool(value >> place & 1) for place in range(len(KIT))])
    return Rhythm(_table(hits), np.array(velocity), np.array(late))


def generate(bundle: Bundle, seed: int, style: Sequence[object] = (), every: int = 0) -> Rhythm:
    """Let a model drum `BARS` bars, as a player hears them who chooses a style and turns nothing else.

    Args:
        bundle: the model.
        seed: of its draws.
        style: names and weights; nothing: no style in particular.
        every: so many bars, the last one is a fill; 0: none.
    """
    composer = Composer(bundle, seed)
    composer.set("smooth", 0)
    composer.set("intensity", 0.7)
    if style:
        composer.blend(*style, wish="style")
    if every:
        composer.fill("every", every)
    return heard([composer.step(STEP_MS) for _ in range(BARS * BAR)])


def heard(steps: Sequence[Step]) -> Rhythm:
    """Return what a composer drummed without swing."""
    hits = np.zeros((len(steps), len(KIT)), bool)
    velocity, late = [], []
    for slot, step in enumerate(steps):
        hits[slot, [PLACES[pitch] for pitch in step.pitches]] = True
        for event in step.events:
            if event.kind == "on":
                velocity.append(float(event.velocity))
                early = event.pitch not in step.pitches or event.delay > 1 / 2
                late.append(event.delay - early)
    return Rhythm(hits, np.array(velocity), np.array(late))


def density(music: Sequence[Rhythm]) -> float:
    """Return how many drums are hit in a bar."""
    return float(_whole(music).sum() / len(_whole(music)) * BAR)


def syncopation(music: Sequence[Rhythm]) -> float:
    """Return how syncopated kick and snare are, per bar (Longuet-Higgins and Lee 1984).

    A hit is syncopated if a stronger 16th than its own goes by before the next hit; by how much stronger it
    is, is added up.
    """
    places = [place for place, each in enumerate(KIT) if each.name in BACKBONE]
    total = 0
    for rhythm in music:
        slots = np.flatnonzero(rhythm.hit[:, places].any(1))
        for slot, after in pairwise([*slots, len(rhythm.hit)]):
            passed = WEIGHTS[np.arange(slot + 1, after) % BAR]
            total += max(0, int(passed.max(initial=WEIGHTS[slot % BAR])) - int(WEIGHTS[slot % BAR]))
    return total / len(_whole(music)) * BAR


def mix(music: Sequence[Rhythm]) -> NDArray[np.float64]:
    """Return which share of the hits is on each instrument."""
    counts = _whole(music).sum(0, dtype=np.float64)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


def toms(music: Sequence[Rhythm]) -> float:
    """Return which share of the hits is on toms: fills have most of them."""
    return float(sum(share for each, share in zip(KIT, mix(music), strict=True) if each.name.endswith("tom")))


def figures(music: Sequence[Rhythm]) -> dict[str, float]:
    """Return what some drumming is like, ready for JSON."""
    velocity, late = (
        np.concatenate([getattr(each, name) for each in music]) for name in ("velocity", "late")
    )
    told = {
        "hits_per_bar": density(music),
        "syncopation_per_bar": syncopation(music),
        "toms": toms(music),
        "empty_steps": 1 - _whole(music).any(1).mean(),
        "velocity_mean": velocity.mean(),
        "velocity_deviation": velocity.std(),
        "late_mean": late.mean(),
        "late_deviation": late.std(),
    }
    return {name: round(float(value), 4) for name, value in told.items()}


def compare(music: Mapping[str, Sequence[Rhythm]]) -> dict[str, dict[str, float]]:
    """Set drumming side by side.

    Args:
        music: by name; ``real`` is what the others are compared with.

    Returns:
        By figure, its value by name; ``instruments_distance``: the share of hits that would have to be on
        another instrument for the same mix as the real one's.
    """
    each = {name: figures(bars) for name, bars in music.items()}
    table = {figure: {name: told[figure] for name, told in each.items()} for figure in each["real"]}
    table["instruments_distance"] = {
        name: round(float(np.abs(mix(bars) - mix(music["real"])).sum() / 2), 4)
        for name, bars in music.items()
        if name != "real"
    }
    return table


def fills(bundle: Bundle, like: Sequence[Piece], count: int = EXCERPTS) -> list[Rhythm]:
    """Let a model drum like `excerpts`, but every fourth bar is to be a fill; returns these bars."""
    found = excerpts(bundle, like, count, FOURTH)
    bars = [each.hit.reshape(-1, BAR, len(KIT))[FOURTH - 1 :: FOURTH] for each in found]
    nothing = np.zeros(0)
    return [Rhythm(each.reshape(-1, len(KIT)), nothing, nothing) for each in bars]


def excerpts(bundle: Bundle, like: Sequence[Piece], count: int = EXCERPTS, every: int = 0) -> list[Rhythm]:
    """Let a model drum as long in each style, about, as some pieces are in it.

    Args:
        bundle: the model.
        like: the pieces.
        count: of excerpts.
        every: see `generate`.
    """
    beats = [piece for piece in like if FILL not in piece.composer.split(AND)] or [*like]
    ends = np.cumsum([piece.end for piece in beats])
    places = np.searchsorted(ends, (np.arange(count) + 0.5) / count * ends[-1])
    styles = [beats[place].composer for place in places]
    known = [[style] if condition(style, bundle.condition_names).any() else [] for style in styles]
    return [generate(bundle, seed, known[seed], every) for seed in progress("drumming", range(count))]


def _whole(music: Sequence[Rhythm]) -> NDArray[np.bool_]:
    return np.concatenate([each.hit for each in music])


def _table(hits: Sequence[Sequence[bool]]) -> NDArray[np.bool_]:
    return np.array(hits, bool).reshape(-1, len(KIT))
