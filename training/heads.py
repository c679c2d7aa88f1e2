"""Should velocity and timing be tokens for the whole network, or asked of heads? Trains what was not chosen.

Example:
    python -m training.heads --dataset dataset/drums --epochs 14

The network of `training.train_drums`, but its layers see the hits of each 16th only, with all velocities and
timing before it; what is told of a 16th is asked of a head, a layer of its own beside that output. Prints
after how many epochs which of the two is how good, the run that shipped being done already.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
from keras import ops
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import groove, prepare
from training.base import read_base
from training.concert import Concert, windows
from training.fit import fit, read_history
from training.model import build
from training.network import CONDITION, TOKEN, Network
from training.prepare import Music
from training.settings import Settings
from training.train_drums import NAME

RUN: Final = "drums_heads"


class Heads(keras.Model):
    """A drummer's network whose layers see one token per 16th.

    What tells more of a 16th comes to the layers as the token of the 16th itself once more, which is no news
    to them; what it says goes past them, into a head.

    Args:
        network: as it would be; its parts are used.
        first: the first token that tells how a drum is hit.
    """

    def __init__(self, network: Network, first: int) -> None:
        super().__init__()
        self.network, self.first = network, first
        self.inner = keras.layers.Dense(network.front.width, activation="relu", name="inner")
        self.head = keras.layers.Dense(network.front.units, name="head")

    def build(self, shape: Any = None) -> None:
        """Make the weights."""
        if not self.network.built:
            self.network.build()
        self.inner.build((None, None, self.network.front.width))
        self.head.build((None, None, self.network.front.width))
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> Any:
        """Return logits ``[batch, tokens, V]``."""
        front, tokens = self.network.front, inputs[TOKEN]
        seen, aside = front.window(tokens)
        places = ops.arange(tokens.shape[1])
        begins = ops.cast(tokens < self.first, "int32") * places  # where a 16th begins, and 0 elsewhere
        slot = ops.max(begins[:, None] * ops.cast(places <= places[:, None], "int32"), -1)
        whole = ops.matmul(ops.one_hot(slot, tokens.shape[1], dtype=seen.dtype), seen)
        whole = whole + self.network.style(inputs[CONDITION])[:, None]
        heard = self.network.trunk(whole, training=training)
        heard = heard + self.head(self.inner(seen))
        return front.logits(heard, aside)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error."""
    try:
        options = _parser().parse_args(arguments)
        shipped = read_base(options.runs / NAME)
        settings = replace(shipped.settings, **({"epochs": options.epochs} if options.epochs else {}))
        sources = groove.find(options.dataset)
        found = prepare.survey(sources, settings, options.runs / "notes")
        music = prepare.prepare(sources, found, settings, options.runs, base=shipped, together=True)
        _fit(settings, music, options.runs)
    except NeuralMIDIError as error:
        print(f"heads: {error}", file=sys.stderr)
        return 2
    rows = zip(read_history(shipped.folder), read_history(options.runs / RUN), strict=False)
    print("epoch, nats per token of the validation part: as tokens, as heads")
    for tokens, heads in rows:
        print(f"{tokens['epoch']:>5} {float(tokens['val_loss']):.4f} {float(heads['val_loss']):.4f}")
    return 0


def _fit(settings: Settings, music: Music, runs: Path) -> None:
    keras.utils.set_random_seed(settings.seed)
    valid = windows(music.corpus("valid"), music.representation, music.conditions)
    concert = Concert(music.corpus("train"), music.representation, music.conditions, settings)
    fit(lambda: _heads(settings, music), concert, valid, runs / RUN, music.facts())


def _network(settings: Settings, music: Music) -> Network:
    return build(settings, music.representation.tokenizer, len(music.composers))


def _heads(settings: Settings, music: Music) -> Heads:
    model = Heads(_network(settings, music), _first(music))
    model.build()
    return model


def _first(music: Music) -> int:
    """Return the first token that tells how a drum is hit."""
    tokenizer: Any = music.representation.tokenizer
    return int(tokenizer.levels.start)


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.heads", summary, rest)
    parser.add_argument("--dataset", type=Path, required=True, metavar="DIR", help="the Groove MIDI Dataset")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="default runs")
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="most of them, if not those of the run that shipped"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
