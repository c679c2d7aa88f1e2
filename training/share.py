"""Makes composers out of a model of many: each plays it in one manner and needs no weights of its own.

Example:
    python -m training.share tflite_models/all --composers bach handel --dataset dataset/piano_pd

Writes a model.json beside MODEL for each of them, with its scores on its own validation pieces.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options
from neuralmidi.quiet import quiet

from training.dataset import Piece, Source, Split, find, read_all, read_splits, silent
from training.likelihood import Score
from training.progress import progress, say
from training.scores import score_pieces
from training.statistics import EXCERPTS, Music, compare, generate, real
from training.table import Row, print_table


def share(model: Bundle, name: str, sources: Sequence[Source]) -> Row:
    """Write one composer's model.json; returns its row of the table.

    Args:
        model: of many composers.
        name: one of them.
        sources: the files of that composer.

    Raises:
        NeuralMIDIError: the model does not know the composer, or there is nothing to validate on.
    """
    if name not in model.condition_names:
        known = ", ".join(model.condition_names) or "nobody"
        raise NeuralMIDIError(name, f"{model.name} does not know them", f"choose among {known}")
    valid, train = ([*_pieces(sources, split)] for split in ("valid", "train"))
    if not valid:
        raise NeuralMIDIError(name, "no pieces to validate on", "name the --dataset that holds their music")
    scored = sum(score_pieces(model, valid), Score())
    folder = model.directory.parent / name
    description = {
        "name": name,
        "title": name.replace("_", " ").title(),
        "weights": {"of": model.directory.name, "condition": {name: 1}},
        "sources": [_briefly(source) for source in model.description["sources"]],
        "training": model.description["training"],
    }
    tflite = (model.directory / bundle.WEIGHTS).read_bytes()
    bundle.write(folder, tflite, description)
    with quiet():
        made = bundle.load(folder)
    learnt, unheard = (_music(made, part) for part in (train, valid))
    played = [generate(made, seed) for seed in progress("composing", range(EXCERPTS))]
    data = ", ".join(sorted({source.folder.name for source in sources}))
    told = {"data": data, "composers": name, "split": "valid", "model": "this model"}
    scores = {"scores": [told | scored.figures()], "music": compare(unheard, played, learnt)}
    bundle.write(folder, tflite, description | scores)
    return {"model": name, "nats/note": scored.nats_per_note, "accuracy": scored.accuracy}


def _pieces(sources: Sequence[Source], split: Split) -> Iterator[Piece]:
    """Read the pieces of a split; which of them are doubtful is for those who train."""
    for source in progress(f"reading {split}", [each for each in sources if each.split == split]):
        yield from read_all([source], report=silent)


def _music(model: Bundle, pieces: Sequence[Piece]) -> list[Music]:
    return [real(piece, model.steps_per_beat) for piece in pieces]


def _briefly(source: dict[str, Any]) -> dict[str, Any]:
    """Return a source without its list of files, which stands with the weights."""
    return {key: value for key, value in source.items() if key != "files"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    options = _parser().parse_args(arguments)
    rows = []
    try:
        with quiet():
            model = bundle.load(bundle.find(str(options.model), [Path(), *bundle.default_directories()]))
        splits = read_splits(options.split) if options.split else {}
        for name in options.composers or model.condition_names:
            say(name)
            sources = find(options.dataset, splits, [name], options.without or ())
            rows.append(share(model, name, sources))
    except (NeuralMIDIError, ValueError) as error:
        print(f"share: {error}", file=sys.stderr)
        return 2
    finally:
        print_table(rows)
    return 0


def _parser() -> Options:
    summary, example = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.share", summary, example)
    add = parser.add_argument
    add("model", metavar="MODEL", help="the folder of a model of many composers, or its name")
    add("--composers", nargs="+", metavar="NAME", help="whom to make (default: all it knows)")
    add("--dataset", type=Path, nargs="+", required=True, metavar="DIR", help="with a folder per composer")
    add("--split", type=Path, metavar="CSV", help="columns file, split (default: a tenth each is held out)")
    add("--without", nargs="+", type=Path, metavar="PATH", help="folders or files to leave out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
