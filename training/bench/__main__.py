"""What a network costs while it plays and while it is trained, beside how it was done at first.

Examples:
    python -m training.bench --quick        a first impression, in a few minutes
    python -m training.bench --markdown     the tables for the README; leave the computer alone meanwhile
    python -m training.bench lstm-3x256 attention-4x128-512@24

A variant is ARCHITECTURE-LAYERSxUNITS[-SLOTS][@STEPS_PER_BEAT]. The weights are random: they cost the same.

hot             a token in LiteRT, one thread, in a loop; ms, the median
paced           the same, a token every 25 ms, as in playing
p99             the 99th percentile of it
predict         Keras `predict` of one window of 64 tokens: how the first version found each token
x predict       how many times as long as a token in LiteRT, hot, that takes with plain Keras layers of the
                size of --original; x own predict: with the network itself
targets         tokens that a training learns to predict
x               how many times as many targets per second learning from every token of an excerpt gives
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options
from neuralmidi.quiet import quiet

from training.bench.machine import load, machine
from training.bench.music import music
from training.bench.subjects import PLAIN, predict_times, subject, token_rows
from training.bench.throughput import throughput
from training.bench.windows import WINDOW, Original
from training.progress import say
from training.table import Columns, Row, heading, lines
from training.variants import Variant, variant

VARIANTS: Final = ("lstm-2x256", "gru-2x256", "attention-4x192-256", "attention-4x256-256")
ORIGINAL: Final = VARIANTS[0]
TOKENS: Final[Columns] = {
    "network": "{}",
    "weights": "{}",
    "parameters": "{:,}",
    "MB": "{:.2f}",
    "hot": "{:.3f}",
    "hot p99": "{:.3f}",
    "paced": "{:.3f}",
    "paced p99": "{:.3f}",
    "x predict": "{:,.0f}",
    "x own predict": "{:,.0f}",
}
PREDICT: Final[Columns] = {"predict": "{}", "ms": "{:.1f}", "p99": "{:.1f}"}
TRAINING: Final[Columns] = {
    "training on": "{}",
    "targets/update": "{:,}",
    "ms/update": "{:,.0f}",
    "targets/s": "{:,.0f}",
    "x": "{:.1f}",
}


@dataclass(frozen=True)
class Length:
    """How long to measure: ``seconds`` of each time, ``updates`` of each epoch."""

    seconds: float
    updates: int


FULL: Final = Length(15.0, 5)
QUICK: Final = Length(1.0, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        variants = [_poly(each) for each in options.variants or map(variant, VARIANTS)]
        head = {**machine(), "each time": f"{options.length.seconds:g} s"}
        tables = measure(variants, _poly(options.original), options.length)
    except NeuralMIDIError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    parts = [heading({**head, "load average after": load()}, markdown=options.markdown)]
    parts += [lines(columns, rows, markdown=options.markdown) for columns, rows in tables]
    print("\n\n".join("\n".join(part) for part in parts))
    return 0


def measure(
    variants: Sequence[Variant], original: Variant, length: Length
) -> list[tuple[Columns, Sequence[Row]]]:
    """Return the tables: tokens in LiteRT, windows in Keras, training.

    Args:
        variants: whose tokens are timed.
        original: what is trained, and what `predict` is asked of, as in the first version.
        length: how long.
    """
    settings = original.settings()
    with TemporaryDirectory() as name:
        folder = Path(name)
        heard = music(settings, folder)
        plain = Original(settings, len(heard.representation.tokenizer.vocabulary))
        _tell(1, "building and exporting")
        with quiet():
            subjects = [subject(each, folder) for each in {each.name: each for each in variants}.values()]
        times = 5 * len(subjects) + 1
        _tell(2, f"timing tokens and windows, about {times * length.seconds / 60:.0f} min")
        asked = {PLAIN: (plain, heard.corpus("train").ids(0).tolist())}
        asked |= {each.name: (each.network, each.tokens) for each in subjects}
        predicted = predict_times(asked, length.seconds)
        tokens = token_rows(subjects, predicted, length.seconds)
        _tell(3, f"training {original.name}")
        training = throughput(settings, heard, length.updates, folder)
    return [(TOKENS, tokens), (PREDICT, _predict_rows(predicted)), (TRAINING, training)]


def _predict_rows(predicted: Mapping[str, Sequence[float]]) -> list[Row]:
    percentiles = {name: np.percentile(times, (50, 99)) for name, times in predicted.items()}
    return [
        {"predict": f"a window of {WINDOW}, {name}", "ms": p50, "p99": p99}
        for name, (p50, p99) in percentiles.items()
    ]


def _tell(part: int, what: str) -> None:
    say(f"[{part}/3] {what}")


def _poly(each: Variant) -> Variant:
    """Return a variant that can be timed without any music.

    Raises:
        NeuralMIDIError: it cannot.
    """
    if each.settings().tokenizer != "poly":
        why = "what it costs depends on the chords of a dataset"
        raise NeuralMIDIError(f"variant '{each.name}'", why, "measure it with python -m training.compare")
    return each


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.bench", summary, rest)
    add = parser.add_argument
    add("variants", nargs="*", type=variant, metavar="VARIANT", help=f"default: {' '.join(VARIANTS)}")
    add(
        "--original",
        type=variant,
        default=variant(ORIGINAL),
        metavar="VARIANT",
        help=f"lstm or gru that is trained and predicts as in the first version; default {ORIGINAL}",
    )
    add("--quick", action="store_const", dest="length", const=QUICK, default=FULL, help="measure briefly")
    add("--markdown", action="store_true", help="print the tables for the README")
    return parser


if __name__ == "__main__":
    sys.exit(main())
