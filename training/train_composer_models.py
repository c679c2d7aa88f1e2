"""From ``dataset/<Composer>/*.mid`` to models that ``[composer NAME]`` loads: one per composer folder.

Example:
    python -m training.train_composer_models --dataset dataset --out_models tflite_models --epochs 30

Reads every folder of the dataset as one composer, trains, proves the export and writes OUT_MODELS/<composer>.
Press Ctrl-C to stop; the same command goes on where it was.
"""

import argparse
import csv
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up notes say nothing to a musician

import keras
import numpy as np
import tensorflow as tf
from neuralmidi import bundle
from neuralmidi.step_model import StepModel
from neuralmidi.tokenizer import ChordTokenizer

from training.dataset import STEPS_PER_BEAT, Piece, Split, read_composer, read_splits
from training.export import ExportError, export_lstm
from training.fit import Fitted, Settings, fit
from training.model import ChordLSTM, StepWeights, step_weights
from training.proof import (
    CountingModel,
    Score,
    describe_all,
    generate,
    require_same_as_keras,
    score,
)
from training.tokens import Tokens, build_tokenizer, chord_features, coverage, encode, transpositions

THINNED = "those beyond the vocabulary thinned out until they are in it; see coverage"
LARGEST = 10 << 20
"""Bytes a model may have: it travels with the patch."""


def main() -> int:
    """Train what the command line asks for; return the exit status."""
    options = _parser().parse_args()
    settings = Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    splits = read_splits(options.split) if options.split else {}
    composers = options.composers or _composers(options.dataset)
    if not composers:
        print(f"{options.dataset}: no folder with MIDI files in it / make {options.dataset}/<Composer>/*.mid")
        return 1
    done = [_train(options, composer, settings, splits) for composer in composers]
    return 0 if all(done) else 1


def _train(
    options: argparse.Namespace, composer: str, settings: Settings, splits: Mapping[Path, Split]
) -> bool:
    """Train, prove and write one composer's model; return whether there is one now."""
    print(f"\n{composer}")
    pieces = read_composer(options.dataset / composer, splits)
    parts = {
        split: [piece for piece in pieces if piece.split == split] for split in ("train", "valid", "test")
    }
    print(", ".join(f"{split} {len(part)} pieces" for split, part in parts.items()))
    if not parts["train"] or not parts["valid"]:
        print(f"{composer}: not trained, it needs pieces to train and to validate on / add MIDI files")
        return False
    tokenizer = build_tokenizer(parts["train"], settings.vocabulary)
    covered = {split: coverage(tokenizer, part) for split, part in parts.items() if part}
    shares = ", ".join(f"{share:.1%} of {split}" for split, share in covered.items())
    print(f"vocabulary of {len(tokenizer.vocabulary)} covers {shares}")
    keys = [[encode(tokenizer, steps) for steps in transpositions(piece.steps)] for piece in parts["train"]]
    tokens = {split: [encode(tokenizer, piece.steps) for piece in part] for split, part in parts.items()}

    keras.utils.set_random_seed(settings.seed)
    model = ChordLSTM(
        chord_features(tokenizer.vocabulary),
        settings.units,
        settings.layers,
        settings.width,
        settings.dropout,
    )
    model.build()
    fitted = fit(model, keys, tokens["valid"], settings, options.runs / composer)
    try:
        tflite, quantisation = _export(model, tokenizer, tokens["valid"])
    except ExportError as error:
        print(f"{composer}: not exported, {error}")
        return False
    states = step_weights(model).states
    step_model = StepModel(tflite, list(states))
    counting = CountingModel((each for piece in keys for each in piece), len(tokenizer.vocabulary))
    description = {
        "name": composer.lower(),
        "title": composer,
        "tokenizer": {"kind": tokenizer.kind, "vocabulary": tokenizer.vocabulary},
        "grid": {"steps_per_beat": STEPS_PER_BEAT},
        "states": [{"name": name, "shape": shape, "kind": "carried"} for name, shape in states.items()],
        "scores": _scores(options, composer, step_model, counting, tokenizer, tokens),
        "coverage": {split: round(share, 4) for split, share in covered.items()},
        "music": _music(step_model, tokenizer, parts["valid"]),
        "sources": _sources(options, composer, [*parts["train"], *parts["valid"]]),
        "training": _training(options, composer, settings, fitted),
        "quantisation": quantisation,
    }
    bundle.write(options.out_models / composer.lower(), tflite, description)
    bundle.load(options.out_models / composer.lower())  # what the player will do
    size = f"{len(tflite) / 2**20:.1f} MB, {model.count_params():,} weights in training"
    print(
        f"written: {options.out_models / composer.lower()}, {size}, {_pace(step_model):.3f} ms per token here"
    )
    return True


def _export(
    model: ChordLSTM, tokenizer: ChordTokenizer, valid: Sequence[Tokens]
) -> tuple[bytes, dict[str, Any]]:
    """Return the file that ships (int8, unless that costs much and float32 is small) and the cost."""
    weights: StepWeights = step_weights(model)
    files = {kind: export_lstm(weights, int8=kind == "int8") for kind in ("float32", "int8")}
    models = {kind: StepModel(tflite, list(weights.states)) for kind, tflite in files.items()}
    worst = require_same_as_keras(model, models["float32"], np.concatenate(valid))
    print(f"256 streamed steps through LiteRT equal Keras within {worst:.1g}")
    nats = {kind: score(each, tokenizer.start, valid).nats_per_step for kind, each in models.items()}
    loss = nats["int8"] - nats["float32"]
    print(f"int8 costs {loss:+.4f} nats per step on the validation pieces")
    kind = "float32" if loss > 0.01 and len(files["float32"]) <= LARGEST else "int8"
    if len(files[kind]) > LARGEST:
        raise ExportError(
            f"{len(files[kind])} bytes, more than 10 MB: choose a smaller --vocabulary or --units"
        )
    note = (
        {"kind": "int8 dynamic range", "loss_nats": round(loss, 4)}
        if kind == "int8"
        else {"kind": kind, "loss_nats": 0}
    )
    return files[kind], note | {"float32_equals_keras_within": float(f"{worst:.1g}")}


def _scores(
    options: argparse.Namespace,
    composer: str,
    step_model: StepModel,
    counting: CountingModel,
    tokenizer: ChordTokenizer,
    tokens: Mapping[str, Sequence[Tokens]],
) -> list[dict[str, Any]]:
    """Return the scores of this model and of the counting baseline, and print them."""
    rows = []
    for split in ("valid", "test"):
        if not tokens[split]:
            continue
        scored = {
            "this model": score(step_model, tokenizer.start, tokens[split]),
            "chord 6-gram": counting.score(tokens[split]),
        }
        for name, each in scored.items():
            print(f"{split:5} {name:12} {each.nats_per_step:.3f} nats per step, accuracy {each.accuracy:.3f}")
            rows += _rows(f"{options.dataset.name}/{composer}", split, name, each)
    return rows


def _rows(data: str, split: str, model: str, scored: Score) -> list[dict[str, Any]]:
    common = {"data": data, "split": split, "steps": scored.steps, "model": model, "chords": THINNED}
    return [
        common | {"metric": "nats_per_step", "value": round(scored.nats_per_step, 4), "unit": "nats"},
        common | {"metric": "accuracy", "value": round(scored.accuracy, 4), "unit": "share of steps"},
    ]


def _music(step_model: StepModel, tokenizer: ChordTokenizer, valid: Sequence[Piece]) -> dict[str, Any]:
    """Return what real and generated music is like side by side, 8 excerpts of 32 bars each, and print it."""
    music = {"real, validation pieces": describe_all([piece.steps for piece in valid])}
    for temperature in (1.0, 0.8):
        played = [generate(step_model, tokenizer, 512, temperature, seed) for seed in range(8)]
        music[f"generated, temperature {temperature}"] = describe_all(played)
    for name, figures in music.items():
        print(f"{name}: " + ", ".join(f"{key} {value:g}" for key, value in figures.items()))
    return music


def _sources(options: argparse.Namespace, composer: str, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """Return what the model was trained on, per licence, from the dataset's metadata.csv if it has one."""
    metadata = options.dataset / "metadata.csv"
    if not metadata.exists():
        return [
            {"name": f"{options.source}: {composer}", "licence": "not stated", "attribution": "not stated"}
        ]
    with metadata.open(newline="", encoding="utf-8") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file) if row["composer"] == composer}
    sources: dict[str, dict[str, Any]] = {}
    for piece in pieces:
        row = rows[Path(piece.file).name]
        source = sources.setdefault(
            row["licence_text"],
            {
                "name": f"{options.source}: {composer}",
                "licence": row["licence_text"],
                "attribution": set(),
                "files": [],
            },
        )
        source["attribution"].add(row["maintainer"])
        source["files"].append(
            {"file": Path(piece.file).name, "title": row["title"], "by": row["maintainer"]}
        )
    for source in sources.values():
        source["attribution"] = "Typeset by " + ", ".join(sorted(source["attribution"] - {""}))
    return list(sources.values())


def _training(
    options: argparse.Namespace, composer: str, settings: Settings, fitted: Fitted
) -> dict[str, Any]:
    """Return how to make this model again, and what making it took."""
    dataset = Path("dataset") / options.dataset.name
    command = [
        "python",
        "-m",
        "training.train_composer_models",
        "--dataset",
        str(dataset),
        "--composers",
        composer,
    ]
    command += ["--split", "dataset/split.csv"] if options.split else []
    command += ["--out_models", "tflite_models", "--source", options.source]
    for name, value in asdict(settings).items():
        command += [f"--{name}", str(value)] if value != getattr(Settings, name) else []
    device = "a GPU" if tf.config.list_physical_devices("GPU") else f"{os.cpu_count()} CPU cores"
    software = f"TensorFlow {tf.__version__}, Keras {keras.__version__} ({keras.backend.backend()})"
    return {
        "command": shlex.join(command),
        "seed": settings.seed,
        "where": f"{device}, {software}",
        "minutes": round(fitted.minutes, 1),
        "epochs": fitted.epochs,
        "best_epoch": fitted.best,
        "hparams": asdict(settings),
    }


def _pace(step_model: StepModel, steps: int = 500) -> float:
    """Return the median milliseconds of a step, one after the other."""
    state = step_model.initial_state()
    times = []
    for step in range(steps):
        begun = time.perf_counter()
        _, state = step_model.step(state, step % step_model.vocabulary_size)
        times.append(time.perf_counter() - begun)
    return float(np.median(times)) * 1000


def _composers(dataset: Path) -> list[str]:
    """Return the folders of a dataset that hold MIDI files, by name."""
    return sorted(
        folder.name
        for folder in dataset.iterdir()
        if folder.is_dir() and any(path.suffix.lower() in (".mid", ".midi") for path in folder.rglob("*"))
    )


def _parser() -> argparse.ArgumentParser:
    summary, example = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="python -m training.train_composer_models",
        description=summary,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dataset", type=Path, required=True, help="folder with a folder of MIDI files per composer"
    )
    parser.add_argument(
        "--out_models", type=Path, required=True, help="where OUT_MODELS/<composer> is written"
    )
    parser.add_argument("--composers", nargs="+", help="folders to train on (default: all)")
    parser.add_argument(
        "--split", type=Path, help="csv with columns file, split (default: a tenth each held out)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where unfinished work lies (default: runs)"
    )
    parser.add_argument("--source", default="dataset", help="name of the data's source, for model.json")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: TensorFlow decides)")
    for each in fields(Settings):
        kind = type(each.default)
        parser.add_argument(
            f"--{each.name}", type=kind, default=each.default, help=f"(default: {each.default})"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
