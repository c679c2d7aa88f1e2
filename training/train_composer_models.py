"""From ``dataset/<Composer>/*.mid`` to models that ``[composer NAME]`` loads: one per composer folder.

Example:
    python -m training.train_composer_models --dataset dataset --out_models tflite_models --epochs 20

Reads every folder of the dataset as one composer, says what will go wrong, trains, proves the export and
writes OUT_MODELS/<composer>. Press Ctrl-C to stop; the same command goes on where it was.

    ... --smoke                     all of it in two minutes, on a few files
    ... --together all              one model of all composers, told apart by name
    ... --base runs/all             each composer begins with what that model knows
    ... --members 4                 four networks of each that decide together: better, four times the work
    ... --tokenizer chords          the sounding set of each 16th as one token, as in the first version
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import command
from training.base import Base, read_base
from training.dataset import Source, find, read_splits
from training.job import Job, Plan
from training.settings import Settings, settings_from
from training.sources import read_table

SMOKE_COMPOSERS: Final = 2
SMOKE_FILES: Final = {"train": 4, "valid": 1, "test": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when all models are there, 1 if one is not, 2 for an error."""
    return command.carry_out("train_composer_models", _parser(), _jobs, arguments)


def _jobs(options: Any) -> list[Job]:
    """Return what is to be done: a model per composer, or one together."""
    for folder in options.dataset:
        if not folder.is_dir():
            raise NeuralMIDIError(str(folder), "no such folder", "make DATASET/<Composer>/*.mid")
    splits = read_splits(options.split) if options.split else {}
    sources = find(options.dataset, splits, options.composers or (), options.without or ())
    if not sources:
        folders = ", ".join(map(str, options.dataset))
        why = (
            "no MIDI files of these composers in it"
            if options.composers
            else "no folder with MIDI files in it"
        )
        raise NeuralMIDIError(folders, why, f"make {options.dataset[0]}/<Composer>/*.mid")
    base = read_base(options.base) if options.base else None
    settings = _settings(options, base)
    names = [options.together] if options.together else sorted({source.composer for source in sources})
    names = names[:SMOKE_COMPOSERS] if options.smoke else names
    plan = Plan(
        options.out_models,
        options.runs,
        settings,
        base,
        read_table(options.sources),
        _command(options),
        options.smoke,
        members=options.members,
    )
    jobs = []
    for name in names:
        own = [source for source in sources if options.together or source.composer == name]
        jobs.append(Job(plan, name, _few(own) if options.smoke else own, together=bool(options.together)))
    return jobs


def _settings(options: Any, base: Base | None) -> Settings:
    given = command.given(options)
    if not base:
        return settings_from(given, smoke=options.smoke)
    given["tokenizer"] = base.settings.tokenizer
    given["slots"] = given["slots"] or base.settings.slots
    return base.settings_for(settings_from(given, fine=True, smoke=options.smoke))


def _few(sources: Sequence[Source]) -> list[Source]:
    """Return some files of each split."""
    parts = {split: [source for source in sources if source.split == split] for split in SMOKE_FILES}
    return [source for split, part in parts.items() for source in part[: SMOKE_FILES[split]]]


def _command(options: Any) -> str:
    """Return the command that makes the models again, with the folders of any machine."""
    words = ["python", "-m", "training.train_composer_models", "--dataset"]
    words += [f"dataset/{folder.resolve().name}" for folder in options.dataset]
    if options.split:
        words += ["--split", f"dataset/{options.split.name}"]
    words += ["--out_models", "tflite_models"]
    for name in ("composers", "without"):
        chosen = getattr(options, name)
        if chosen:
            words += [f"--{name}", *("/".join(Path(each).parts[-2:]) for each in chosen)]
    if options.together:
        words += ["--together", options.together]
    return " ".join([*words, *command.words(options)])


def _parser() -> Options:
    summary, example = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.train_composer_models", summary, example)
    add = parser.add_argument
    add(
        "--dataset",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="with a folder of MIDI files per composer",
    )
    add("--composers", nargs="+", metavar="NAME", help="whom to train on (default: all)")
    add("--without", nargs="+", type=Path, metavar="PATH", help="folders or files to leave out")
    add("--split", type=Path, metavar="CSV", help="columns file, split (default: a tenth each is held out)")
    add("--together", metavar="NAME", help="train one model of all composers instead, called NAME")
    command.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
