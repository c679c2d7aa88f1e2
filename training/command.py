"""What the commands that train have in common: their flags, and how they are carried out."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import strategy
from training.base import run_name
from training.job import Job
from training.settings import CHOICES, Settings
from training.table import print_table

MOST_MEMBERS: Final = 16
"""Networks of one model: with more no file is small enough to travel with a patch."""


def carry_out(
    name: str, parser: Options, jobs: Callable[[Any], Sequence[Job]], arguments: Sequence[str] | None
) -> int:
    """Do what a command line says; 0 when all models are there, 1 if one is not, 2 for an error.

    Args:
        name: of the command, as its errors begin.
        parser: with `add_options`.
        jobs: returns what is to be done, given the options.
        arguments: the command line; None: that of the process.
    """
    try:
        options = parser.parse_args(arguments)
        if options.members is not None and not 1 <= options.members <= MOST_MEMBERS:
            why = f"{options.members} is not from 1 to {MOST_MEMBERS}"
            raise NeuralMIDIError("--members", why, "each is a whole training")
        todo = jobs(options)
        with strategy.workers(options.strategy, options.threads) as team:
            if not team.chief:  # what it has to say, the first of them says
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115  until the process ends
            done = [job.run(team) for job in todo]
    except NeuralMIDIError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it was")
        return 130
    print_table([row for row in done if row])
    return 0 if all(done) else 1


def given(options: Any) -> dict[str, Any]:
    """Return the settings that the user gave by name; None: not given."""
    return {each.name: getattr(options, each.name) for each in fields(Settings)}


def words(options: Any) -> list[str]:
    """Return those of the common flags that decide what comes out, for model.json."""
    told = ["--base", f"runs/{run_name(options.base, options.runs)}"] if options.base else []
    for name, value in {"members": options.members, **given(options)}.items():
        if value is not None:
            told += [f"--{name}", str(value)]
    return [*told, "--smoke"] if options.smoke else told


def add_options(parser: Options) -> None:
    """Add the flags that all of these commands have."""
    add = parser.add_argument
    add("--out_models", type=Path, required=True, metavar="DIR", help="where OUT_MODELS/NAME is written")
    add(
        "--sources",
        type=Path,
        metavar="JSON",
        help="licences and attributions of whole datasets, for model.json",
    )
    add("--base", type=Path, metavar="RUN", help="begin with what this run has learnt, like runs/all")
    add(
        "--members",
        type=int,
        metavar="N",
        help="train N networks with a seed each that decide together: better, and N times the work",
    )
    add(
        "--smoke",
        action="store_true",
        help="a few files, a small network, two minutes: shows that all is in place",
    )
    add(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where unfinished work lies (default: runs)",
    )
    add(
        "--strategy",
        choices=strategy.STRATEGIES,
        default="none",
        help="how to share the work (default: none)",
    )
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: TensorFlow decides)")
    for each in fields(Settings):
        hint = f"(usually {each.default}, see training/settings.py)"
        add(f"--{each.name}", type=type(each.default), choices=CHOICES.get(each.name), metavar="X", help=hint)
