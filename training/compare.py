"""Networks and grids side by side: each trained on as many tokens of the same music, and what it costs.

Examples:
    python -m training.compare architectures --dataset dataset --tokens 2000000
    python -m training.compare grids --dataset dataset --composers bach haydn --markdown
    python -m training.compare lstm-2x256 lstm-3x256@24 chords-lstm-2x256 --dataset dataset --batch 32

A variant is [chords-]ARCHITECTURE-LAYERSxUNITS[-SLOTS][@STEPS_PER_BEAT]. Press Ctrl-C to stop; the same
command goes on where it was, and variants that are done are not done again. How long a token takes is
measured at the end, for all of them in turns: leave the computer alone meanwhile.

nats            -ln of the probability of the validation pieces, through LiteRT, by the float32 file
int8 costs      nats per note that the 8-bit weights add
hot, paced      ms of a token in LiteRT, one thread: in a loop, and one every 25 ms, as in playing; medians
minutes         of training, all validation included
moved           share of notes that the grid moves by more than a tenth of a 16th
lost            share of notes that the grid puts on another of the same key

Nats per step compare on one grid only. A coarse grid has less to predict, for it moves and loses notes;
chords tell neither a struck note from a held one nor how loud it is: look at all columns.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options

from training import preflight, prepare
from training.bench.machine import load, machine
from training.bench.pace import player, token_times
from training.dataset import find, read_splits
from training.export import ExportError
from training.fit import DivergedError, read_machine
from training.progress import say
from training.quantised import KINDS
from training.settings import Settings
from training.table import Columns, Row, heading, lines
from training.trial import Budget, players, trial
from training.variants import Variant, variant

SETS: Final = {
    "architectures": (
        "lstm-2x256",
        "gru-2x256",
        "attention-4x192-256",
        "attention-4x256-256",
        "chords-lstm-2x256",
    ),
    "grids": ("lstm-2x256@4", "lstm-2x256@12", "lstm-2x256@24"),
}
"""What is compared by one word."""
TOKENS: Final = 2_000_000
SECONDS: Final = 10.0
"""For each time of a token."""
SAME: Final = ("seq_len", "batch", "learning_rate", "dropout", "width", "vocabulary", "least_notes", "seed")
"""Settings that may be given for all variants alike."""
COLUMNS: Final[Columns] = {
    "variant": "{}",
    "nats/step": "{:.3f}",
    "nats/note": "{:.3f}",
    "nats/beat": "{:.3f}",
    "int8 costs": "{:+.4f}",
    "moved": "{:.2%}",
    "lost": "{:.2%}",
    "parameters": "{:,}",
    "MB float32": "{:.2f}",
    "MB int8": "{:.2f}",
    "hot float32": "{:.3f}",
    "hot int8": "{:.3f}",
    "paced float32": "{:.3f}",
    "paced int8": "{:.3f}",
    "minutes": "{:.1f}",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when all is compared, 1 if a variant is not, 2 for an error."""
    try:
        options = _parser().parse_args(arguments)
        variants = _variants(options.variants)
        budget = _budget(options)
        done = [figures for each in variants if (figures := _tried(each, budget))]
        if not done:
            raise NeuralMIDIError("compare", "no variant came to anything", "see what is said of each above")
        say("timing a token of each")
        head = machine()
        rows = with_times(done, budget.runs, options.seconds)
    except NeuralMIDIError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it was", file=sys.stderr)
        return 130
    trained = sorted({read_machine(budget.runs / row["variant"]) for row in rows})
    facts = {
        "music": f"{', '.join(sorted(budget.found.composers))}; {budget.found.summary()}",
        "each trained on": f"about {budget.tokens:,} tokens",
        "trained by": "; ".join(trained),
        **head,
        "load average after": load(),
    }
    print("\n".join(heading(facts, markdown=options.markdown)), end="\n\n")
    print("\n".join(lines(COLUMNS, rows, markdown=options.markdown)))
    return 0 if len(done) == len(variants) else 1


def with_times(done: Sequence[dict[str, Any]], runs: Path, seconds: float) -> list[Row]:
    """Return the rows of the table: the figures of each trial, and what a token of each takes, in turns."""
    bundles = {figures["variant"]: players(runs / figures["variant"]) for figures in done}
    feeds = {
        f"{name} {kind}": player(each.model, range(len(each.tokenizer.vocabulary)))
        for name, kinds in bundles.items()
        for kind, each in kinds.items()
    }
    times = token_times(feeds, seconds)
    return [_row(figures, times) for figures in done]


def _row(figures: dict[str, Any], times: dict[str, dict[str, float]]) -> Row:
    scores, name = figures["scores"], figures["variant"]
    whole = scores["float32"]
    row = {f"nats/{unit}": whole[f"nats_per_{unit}"] for unit in ("step", "note", "beat")}
    row["int8 costs"] = scores["int8"]["nats_per_note"] - whole["nats_per_note"]
    for kind in KINDS:
        row[f"MB {kind}"] = figures["megabytes"][kind]
        row |= {f"{how} {kind}": times[f"{name} {kind}"][how] for how in ("hot", "paced")}
    return {**figures, **row}


def _tried(each: Variant, budget: Budget) -> dict[str, Any] | None:
    """Return the figures of a variant; None if it came to nothing."""
    say(each.name)
    try:
        return trial(each, budget)
    except (DivergedError, ExportError) as error:
        say(f"{each.name}: {error}")
        return None


def _variants(words: Sequence[str]) -> list[Variant]:
    """Return what is meant by names of variants and of `SETS`, each once."""
    meant = [variant(name) for word in words for name in SETS.get(word, (word,))]
    return list({each.name: each for each in meant}.values())


def _budget(options: Any) -> Budget:
    try:
        splits = read_splits(options.split) if options.split else {}
    except ValueError as error:
        raise NeuralMIDIError("--split", str(error), "correct the file") from error
    sources = find(options.dataset, splits, options.composers or (), options.without or (), say)
    found = prepare.survey(sources, Settings(), options.runs / "notes")
    preflight.report_on(found, say)
    if not found.usable:
        folders = ", ".join(map(str, options.dataset))
        raise NeuralMIDIError(folders, "not enough music to compare anything on", "see what is said above")
    given = {name: getattr(options, name) for name in SAME}
    return Budget(sources, found, options.runs, options.tokens, given)


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.compare", summary, rest)
    add = parser.add_argument
    add("variants", nargs="+", metavar="VARIANT", help=f"names, or one of the sets {' and '.join(SETS)}")
    add("--dataset", type=Path, nargs="+", required=True, metavar="DIR", help="a folder of MIDI files each")
    add("--composers", nargs="+", metavar="NAME", help="whom to train on (default: all)")
    add("--without", nargs="+", type=Path, metavar="PATH", help="folders or files to leave out")
    add("--split", type=Path, metavar="CSV", help="columns file, split (default: a tenth each is held out)")
    add("--tokens", type=int, default=TOKENS, metavar="N", help=f"to train on; default {TOKENS:,}")
    add("--runs", type=Path, default=Path("runs", "compare"), metavar="DIR", help="default runs/compare")
    add("--seconds", type=float, default=SECONDS, metavar="X", help=f"a time takes; default {SECONDS:g}")
    for name in SAME:
        usual = getattr(Settings, name)
        add(f"--{name}", type=type(usual), metavar="X", help=f"(usually {usual}, see training/settings.py)")
    add("--markdown", action="store_true", help="print the table for the README")
    return parser


if __name__ == "__main__":
    sys.exit(main())
