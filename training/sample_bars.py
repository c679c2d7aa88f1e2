"""Bars of drums from a model, one bar per line of a text file: training/bars.py says what is in a line.

Examples:
    python -m training.sample_bars --model drums --style rock --out bars.jsonl
    python -m training.sample_bars --model drums --style funk 0.7 latin 0.3 --num_bars 8 --seed 7
    python -m training.sample_bars --model drums --temperature 0.9 --top_k 10 --out bars.jsonl
    python -m training.bars_to_midi bars.jsonl out.mid

The music begins with the first step of the first bar, and each bar follows from all before it.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
from neuralmidi import bundle
from neuralmidi.blend import Blend
from neuralmidi.bundle import Bundle
from neuralmidi.controls import CONTROLS, SEED, Control
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.fills import FILL
from neuralmidi.hands import Hands
from neuralmidi.kit import PLACES
from neuralmidi.options import Options, number
from neuralmidi.quiet import quiet
from neuralmidi.sampling import sample
from neuralmidi.tokenizer import DrumTokenizer
from numpy.typing import NDArray

from training.bars import MOST_BARS, STEPS, STEPS_PER_BEAT, Bar, Hit, text, write_whole
from training.flags import add_numbers, checked
from training.progress import progress

NUM_BARS: Final = Control("num_bars", 1, MOST_BARS, 32, "how many bars", whole=True)
CUTS: Final = ("temperature", "top_k", "top_p")
TERMINAL: Final = "-"


def load(name: str) -> Bundle:
    """Load a model by its name or its folder.

    Raises:
        NeuralMIDIError: there is none of that name, or something is wrong with it.
    """
    with quiet():
        return bundle.load(bundle.find(name, [Path(), *bundle.default_directories()]))


def sample_bars(
    model: Bundle,
    style: Sequence[object] = (),
    seed: int = int(SEED.default),
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Iterator[Bar]:
    """Return bars without end, each of which follows from those before it.

    Args:
        model: of the tokenizer drums, with 16 steps in a bar.
        style: names and weights, ``["funk", 0.7, "latin", 0.3]``; a name alone weighs 1. Empty: no style in
            particular.
        seed: the same seed gives the same bars.
        temperature: divides the logits, above 0.
        top_k: choose among the k likeliest tokens; 0: among all.
        top_p: choose among the likeliest tokens up to this probability.

    Raises:
        NeuralMIDIError: the model plays no drums, or knows no such style, or a weight is not legal.
    """
    cuts = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    drummer = _Drummer(model, _tokenizer(model), _condition(model, style), seed, cuts)
    named = " ".join(str(word) for word in style)
    return (drummer.bar(named) for _ in iter(int, 1))  # int() is never 1


class _Drummer:
    """Says tokens, of which all that could follow are those of the kind that it is asked for.

    What is hit in a step comes first, then each hit's velocity and lateness: so a step always ends, whatever
    the model wants.
    """

    def __init__(
        self,
        model: Bundle,
        tokenizer: DrumTokenizer,
        condition: NDArray[np.float32] | None,
        seed: int,
        cuts: dict[str, Any],
    ) -> None:
        self._bundle, self._tokenizer, self._condition, self._cuts = model, tokenizer, condition, cuts
        self._random = np.random.default_rng(seed)
        self._state = model.model.initial_state()
        *given, self._last = tokenizer.beginning
        for token in given:
            _, self._state = model.model.step(self._state, token, condition)

    def bar(self, style: str) -> Bar:
        """Play the next bar."""
        said = [self._step() for _ in range(STEPS)]
        words = tuple(self._tokenizer.vocabulary[token] for tokens in said for token in tokens)
        return Bar(tuple(map(self._hits, said)), style, self._bundle.name, words)

    def _step(self) -> list[int]:
        tokens = [self._say(self._tokenizer.hits)]
        for _ in range((self._tokenizer.mask(tokens[0]) or 0).bit_count()):
            tokens += [self._say(self._tokenizer.levels), self._say(self._tokenizer.lateness)]
        return tokens

    def _say(self, kind: slice) -> int:
        logits, self._state = self._bundle.model.step(self._state, self._last, self._condition)
        allowed = np.full_like(logits, -np.inf)
        allowed[kind] = logits[kind]
        if self._last == self._tokenizer.start:  # drummers like to wait there, as the player would not
            allowed[list(self._tokenizer.pauses)] = -np.inf
        self._last = sample(allowed, uniform=self._random.random(), **self._cuts)
        return self._last

    def _hits(self, tokens: Sequence[int]) -> tuple[Hit, ...]:
        hands = reduce(self._tokenizer.read, tokens, Hands())
        return tuple(
            Hit(PLACES[pitch], velocity, hands.late[pitch])
            for pitch, velocity in sorted(hands.sounding.items(), key=lambda hit: PLACES[hit[0]])
        )


def _tokenizer(model: Bundle) -> DrumTokenizer:
    tokenizer = model.tokenizer
    if not isinstance(tokenizer, DrumTokenizer):
        why = f"plays no drums: its tokens are of the kind {tokenizer.kind}"
        raise NeuralMIDIError(f"model {model.name}", why, "choose one that training.train_drums has made")
    if tokenizer.steps_per_beat != STEPS_PER_BEAT:
        why = f"has {4 * tokenizer.steps_per_beat} steps in a bar, not {STEPS}"
        raise NeuralMIDIError(f"model {model.name}", why, "train it on a grid of 4 steps per beat")
    return tokenizer


def _condition(model: Bundle, style: Sequence[object]) -> NDArray[np.float32] | None:
    """Return what the model is told of the style; a fill is no style, and is not asked for."""
    if not style:
        return None
    styles = [name for name in model.condition_names if name != FILL]
    chosen = Blend().among(styles).toward(style, 0, "style")
    return chosen.among(model.condition_names).condition


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        count, seed = int(checked(options, NUM_BARS)), int(checked(options, SEED))
        temperature, top_k, top_p = (checked(options, CONTROLS[name]) for name in CUTS)
        bars = sample_bars(load(options.model), options.style, seed, temperature, int(top_k), top_p)
        written = text(next(bars) for _ in progress("sampling bar", range(count)))
        if options.out == TERMINAL:
            _print(written)
        else:
            write_whole(Path(options.out), written.encode())
    except NeuralMIDIError as error:
        print(f"sample_bars: {error}", file=sys.stderr)
        return 2
    return 0


def _print(written: str) -> None:
    try:
        sys.stdout.write(written)
        sys.stdout.flush()
    except BrokenPipeError:  # `... | head` has seen enough; Python would write what is left when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.sample_bars", summary, rest)
    add = parser.add_argument
    add("--model", required=True, metavar="NAME", help="the name of a model, or its folder")
    add(
        "--style",
        nargs="+",
        type=number,
        default=(),
        metavar="NAME",
        help="one, or NAME WEIGHT NAME WEIGHT ...; default: none in particular",
    )
    add("--out", default=TERMINAL, metavar="FILE", help="the file to write, default -: the terminal")
    add_numbers(parser, NUM_BARS, *(CONTROLS[name] for name in CUTS), SEED)
    return parser


if __name__ == "__main__":
    sys.exit(main())
