"""From human drummers to a drummer that plays: OUT_MODELS/drums.

Examples:
    python -m training.train_drums --dataset dataset/drums --out_models tflite_models --sources sources.json
    python -m training.train_drums --dataset dataset/drums --out_models tflite_models --smoke

The dataset is the Groove MIDI Dataset, found by its info.csv, which tells style and split of each
performance. Trains on the training part, watches the validation part, never looks at the test part. Press
Ctrl-C to stop; the same command goes on where it was.

    ... --bars                      a benchmark: single bars, as other people have trained on them
    ... --ensemble RUN RUN          trains nothing: these runs, trained before, decide together
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import command, groove
from training.base import read_base, run_name
from training.job import Job, Plan
from training.settings import SINGLE_BARS, settings_from
from training.sources import read_table

NAME: Final = "drums"
BARS: Final = "benchmark_groove"
TOKENIZER: Final = "drums"
SMOKE_PASSES: Final = 0.1
"""There is so much of it that this shows that all is in place."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when the model is there, 1 if it is not, 2 for an error."""
    return command.carry_out("train_drums", _parser(), _jobs, arguments)


def _jobs(options: Any) -> list[Job]:
    """Return what is to be done: one model."""
    if options.base:
        raise NeuralMIDIError("--base", "nobody else's model plays drums", "leave it out")
    usual = SINGLE_BARS if options.bars and not options.smoke else {}
    asked = {name: value for name, value in command.given(options).items() if value is not None}
    settings = settings_from({**usual, **asked, "tokenizer": TOKENIZER}, smoke=options.smoke)
    if options.smoke:
        settings = replace(settings, passes=SMOKE_PASSES)
    plan = Plan(
        options.out_models,
        options.runs,
        settings,
        None,
        read_table(options.sources),
        _command(options),
        options.smoke,
        members=options.members,
        ensemble=[read_base(run) for run in options.ensemble or ()],
    )
    performances = groove.find(options.dataset)
    if options.bars:
        return [Job(replace(plan, benchmark=True), BARS, groove.bars(performances), together=False)]
    return [Job(plan, NAME, performances, together=True)]


def _command(options: Any) -> str:
    """Return the command that makes the model again, with the folders of any machine."""
    words = ["python", "-m", "training.train_drums", "--dataset", "dataset/drums"]
    words += ["--out_models", "tflite_models", "--sources", "training/sources.json"]
    if options.bars:
        words.append("--bars")
    if options.ensemble:
        words += ["--ensemble", *(f"runs/{run_name(run, options.runs)}" for run in options.ensemble)]
    return " ".join([*words, *command.words(options)])


def _parser() -> Options:
    summary, example = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.train_drums", summary, example)
    add = parser.add_argument
    add("--dataset", type=Path, required=True, metavar="DIR", help="the Groove MIDI Dataset, with info.csv")
    add("--bars", action="store_true", help=f"train {BARS} instead, which hears single bars only")
    add("--ensemble", type=Path, nargs="+", metavar="RUN", help="train nothing, let these decide together")
    command.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
