"""Shows that a blend acts: how likely music from between two composers is to the model of each.

Example:
    python -m training.between bach chopin --out between.png

The model of many composers plays on nine places of the way from one to the other, and the models of both
score what it plays. Printed are nats per note, lower is likelier; drawn is how much likelier it is to
the first.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.notes import Metre
from neuralmidi.options import Options
from neuralmidi.quiet import quiet
from numpy.typing import NDArray

from training.dataset import Piece
from training.likelihood import Score
from training.pictures import blend
from training.progress import progress
from training.scores import score_pieces
from training.statistics import Music, generate

SHARES = tuple(place / 8 for place in range(9))
"""Of the second composer."""


def between(base: Bundle, models: Sequence[Bundle], excerpts: int) -> NDArray[np.float64]:
    """Return the nats per note of what is played under each model, ``[2, places, excerpts]``."""
    first, second = (model.name for model in models)
    nats = np.zeros((2, len(SHARES), excerpts))
    for place, share in enumerate(progress("composing", SHARES)):
        for seed in range(excerpts):
            piece = written(generate(base, seed, 1.0, first, 1 - share, second, share))
            for row, model in enumerate(models):
                nats[row, place, seed] = sum(score_pieces(model, [piece]), Score()).nats_per_note
    return nats


def written(music: Music) -> Piece:
    """Return what was played as a piece in 4/4."""
    columns = (music.strokes.start, music.strokes.end, music.strokes.pitch, music.strokes.velocity)
    notes = np.stack(columns, 1) / (music.steps_per_beat, music.steps_per_beat, 1, 1)
    end = music.steps / music.steps_per_beat
    return Piece(
        "composed", "", "valid", notes[np.argsort(notes[:, 0], kind="stable")], (Metre(0, 4, 4),), end
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        places = [Path(), *bundle.default_directories()]
        with quiet():
            base, *models = (
                bundle.load(bundle.find(name, places))
                for name in (options.base, options.first, options.second)
            )
        nats = between(base, models, options.excerpts)
        blend(options.out, SHARES, nats[1] - nats[0], [model.name for model in models])
    except (NeuralMIDIError, OSError) as error:
        print(f"between: {error}", file=sys.stderr)
        return 2
    rows = {model.name: each for model, each in zip(models, nats, strict=True)}
    for name, values in {**rows, "difference": nats[1] - nats[0]}.items():
        print(f"{name:<12} {' '.join(f'{value:6.3f}' for value in values.mean(1))}")
    return 0


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.between", summary, rest)
    parser.add_argument("first", help="name of a composer")
    parser.add_argument("second", help="name of another")
    parser.add_argument("--base", default="all", help="the model of many composers, default all")
    parser.add_argument("--excerpts", type=int, default=5, help="of 20 bars, at each place; default 5")
    parser.add_argument(
        "--out", type=Path, default=Path("between.png"), help="the picture, default between.png"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
