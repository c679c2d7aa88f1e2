"""From the JSB chorales to a benchmark: OUT_MODELS/benchmark_jsb16, or benchmark_jsb4 on the quarter grid.

Examples:
    python -m training.train_chorales --dataset dataset/jsb --out_models tflite_models --members 4
    python -m training.train_chorales --dataset dataset/jsb --out_models tflite_models --steps_per_beat 1
    python -m training.evaluate tflite_models/benchmark_jsb16 dataset/jsb --split valid

Trains on the training part, watches the validation part, never looks at the test part. Press Ctrl-C to
stop; the same command goes on where it was. The models are there to compare figures with other people's,
not to play: `neuralmidi models` does not list them.

    ... --base runs/all             begins with what that model knows, on whatever grid it knows it
    ... --beside dataset/quartet    hears that music, too, as much of it as of the chorales
    ... --ensemble RUN RUN          trains nothing: these runs, trained before, decide together
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import chorales, command
from training.base import read_base, run_name
from training.dataset import Source, find
from training.job import Job, Plan
from training.settings import CHORALES, FINE, SMOKE, settings_from
from training.sources import read_table

LONGEST_WAIT: Final = 4
"""Beats that one ``wait`` token can say: a bar, in which hardly ever nothing changes."""
BESIDE: Final = "beside"
"""Whom other music counts as: one more composer, who takes turns with the chorales'."""
IN_C: Final[Mapping[int, Mapping[str, Any]]] = {1: {"keys": 1}}
"""The quarter grid's file has nearly all pieces moved to C: to hear them in other keys would unlearn that."""
CREDITS: Final[Mapping[str, str]] = {
    "name": "JSB Chorales, https://github.com/czhuang/JSB-Chorales-dataset, in the split of "
    "Boulanger-Lewandowski, Bengio and Vincent (ICML 2012)",
    "licence": "none named; a benchmark only",
    "attribution": "J. S. Bach; prepared by C.-Z. A. Huang and T. Cooijmans",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when the model is there, 1 if it is not, 2 for an error."""
    return command.carry_out("train_chorales", _parser(), _jobs, arguments)


def _jobs(options: Any) -> list[Job]:
    """Return what is to be done: one model."""
    base = read_base(options.base) if options.base else None
    asked = {name: value for name, value in command.given(options).items() if value is not None}
    grid = asked.get("steps_per_beat", CHORALES["steps_per_beat"])
    fine = {**FINE, "slots": base.settings.slots} if base else {}
    usual = {**CHORALES, **IN_C.get(grid, {}), **fine, **(SMOKE if options.smoke else {})}
    settings = settings_from({**usual, "longest_wait": LONGEST_WAIT * grid, **asked})
    if base:
        settings = base.settings_for(settings, own_grid=True)
    path = chorales.find(options.dataset, grid)
    if path is None:
        wanted = f"get {' and '.join(chorales.FILES.values())}"
        raise NeuralMIDIError(str(options.dataset), "no chorales in it", wanted)
    sources: list[Source] = [*chorales.sources(path, grid)]
    for each in find(options.beside or (), {}):
        sources.append(chorales.Beside(each.path, each.name, BESIDE, "train", each.folder))
    plan = Plan(
        options.out_models,
        options.runs,
        settings,
        base,
        {**read_table(options.sources), path.parent.name: CREDITS},
        _command(options),
        options.smoke,
        benchmark=True,
        members=options.members or 1,
        ensemble=[read_base(run) for run in options.ensemble or ()],
    )
    return [Job(plan, f"benchmark_jsb{4 * grid}", sources, together=False)]


def _command(options: Any) -> str:
    """Return the command that makes the model again, with the folders of any machine."""
    words = ["python", "-m", "training.train_chorales", "--dataset", "dataset/jsb"]
    words += ["--out_models", "tflite_models"]
    if options.beside:
        words += ["--beside", *(f"dataset/{folder.resolve().name}" for folder in options.beside)]
    if options.ensemble:
        words += ["--ensemble", *(f"runs/{run_name(run, options.runs)}" for run in options.ensemble)]
    return " ".join([*words, *command.words(options)])


def _parser() -> Options:
    summary, example = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.train_chorales", summary, example)
    add = parser.add_argument
    add("--dataset", type=Path, required=True, metavar="DIR", help="with the chorales' JSON files")
    add("--beside", type=Path, nargs="+", metavar="DIR", help="with folders of other music to hear besides")
    add("--ensemble", type=Path, nargs="+", metavar="RUN", help="train nothing, let these decide together")
    command.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
