"""How well a model predicts music it has not learnt from, and how its own music differs from that.

Example:
    python -m training.evaluate tflite_models/bach dataset/piano_pd/Bach --split valid

Each piece is scored as its composer's: whose folder it is in, if the model knows them, else as what the model
calls others, if it has such; else as nobody's in particular.

DATA is a folder of MIDI files, with a split.csv in it or above it; or the JSB chorales, their JSON or the
folder it is in; or the Groove MIDI Dataset, for a model that drums. The model's file is asked as it is asked
when it plays: one token at a time.

nats            -ln of the probability of what is there, given all before it in the piece; exact
pitches         of these: whether one more note begins, and which
hold            which notes end, and for how long nothing changes
velocity        how loud notes begin
timing          of drums: how early or late they are hit
accuracy        share of steps in which everything that happens was at every turn the likeliest
perplexity      exp(nats per step); of drums, as the accuracy, that of which are hit in a step
distance        share of notes that would have to be others for the same histogram as the real music's
copied          share of runs of 8 notes that are in the training music, too, in whatever key
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options
from neuralmidi.quiet import quiet
from neuralmidi.tokenizer import DrumTokenizer

from training import rhythm
from training.corpora import Corpus, read, single_bars
from training.dataset import SPLITS
from training.exam import examine
from training.likelihood import KINDS, Score
from training.progress import progress
from training.scores import score_pieces
from training.statistics import BARS, EXCERPTS, compare, generate, real


def evaluate(model: Bundle, corpus: Corpus, split: str) -> dict[str, Any]:
    """Return all figures of a model on one split: those of the score, ``clean`` and ``music``."""
    pieces, train = corpus.parts[split], corpus.parts.get("train", [])
    if isinstance(model.tokenizer, DrumTokenizer):
        found = examine(model, pieces, train)
        return {**found.scores[0], "baselines": found.scores[1:], "music": found.music}
    scores = score_pieces(model, pieces, train)
    report: dict[str, Any] = sum(scores, Score()).figures()
    if corpus.clean and split != "train":
        clean = (each for each, piece in zip(scores, pieces, strict=True) if piece.name in corpus.clean)
        report["clean"] = sum(clean, Score()).figures()
    unheard, learnt = ([real(piece, model.steps_per_beat) for piece in part] for part in (pieces, train))
    generated = [generate(model, seed) for seed in progress("composing", range(EXCERPTS))]
    report["music"] = compare(unheard, generated, [] if split == "train" else learnt)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        with quiet():
            model = bundle.load(bundle.find(str(options.model), [Path(), *bundle.default_directories()]))
        corpus = read(options.data, model.steps_per_beat, model.condition_names)
        if options.bars:
            corpus = single_bars(corpus)
        if options.split not in corpus.parts:
            there = ", ".join(f"{split} {len(part)}" for split, part in corpus.parts.items())
            why = f"no pieces of the split '{options.split}'; pieces there are: {there or 'none'}"
            raise NeuralMIDIError(str(options.data), why, "choose another --split, or other data")
        report = evaluate(model, corpus, options.split)
    except NeuralMIDIError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    print(f"{model.name} ({model.tokenizer.kind}) on {options.data}, {options.split}")
    print("\n".join(_lines(report)))
    if options.json:
        print(json.dumps({"model": model.name, "data": options.data.name, "split": options.split, **report}))
    return 0


def _lines(report: Mapping[str, Any]) -> list[str]:
    """Return the report for people."""
    lines = [f"{report['pieces']} pieces, {report['steps']} steps, {report['notes']} notes", ""]
    lines += [f"{'nats':22}{'per step':>10}{'per note':>10}{'per beat':>10}"]
    told = [kind for kind in KINDS if f"{kind}_nats_per_step" in report]
    for name, prefix in (("together", ""), *((kind, f"{kind}_") for kind in told)):
        values = (f"{report[f'{prefix}nats_per_{unit}']:10.4f}" for unit in ("step", "note", "beat"))
        lines.append(f"{name:22}{''.join(values)}")
    lines += ["", f"accuracy {report['accuracy']:.4f}, perplexity {report['perplexity']:.5g}"]
    lines += _drums(report) if "f1" in report else []
    if clean := report.get("clean"):
        lines.append(
            f"the {clean['pieces']} pieces whose melody is not in the training part: "
            f"{clean['nats_per_step']:.4f} nats per step, accuracy {clean['accuracy']:.4f}"
        )
    columns = ("real", "generated", "training")
    bars = rhythm.EXCERPTS * rhythm.BARS if "f1" in report else EXCERPTS * BARS
    lines += ["", f"{f'{bars} bars at temperature 1':28}" + "".join(f"{each:>10}" for each in columns)]
    for figure, values in report["music"].items():
        cells = (f"{values[each]:10.4f}" if each in values else f"{'':10}" for each in columns)
        lines.append(f"{figure.replace('_', ' '):28}{''.join(cells)}")
    return lines


def _drums(report: Mapping[str, Any]) -> list[str]:
    """Return what is told of drums alone; the perplexity and the accuracy above are of their hits."""
    f1 = ", ".join(f"{name} {value:.3f}" for name, value in report["f1"].items())
    lines = [f"exact bars {report['exact_bars']:.2%}; F1 of hits: {f1}"]
    for what, unit in (("velocity", "MIDI velocities"), ("timing", "steps")):
        error, flat = report[f"{what}_error"], report[f"{what}_error_flat"]
        lines.append(f"{what}: mean error {error:.4g} {unit}; if all were alike {flat:.4g}")
    if "published_perplexity" in report:
        lines.append(
            f"as published, single bars whose 16th target repeats the 15th: "
            f"perplexity {report['published_perplexity']:.4g}, accuracy {report['published_accuracy']:.4f}"
        )
    for each in report["baselines"]:
        perplexity = f"perplexity {each['perplexity']:.4g}, " if "perplexity" in each else ""
        lines.append(f"{each['model']}: {perplexity}accuracy {each['accuracy']:.4f}")
    return lines


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.evaluate", summary, rest)
    parser.add_argument("model", metavar="MODEL_DIR", help="the folder of a model, or its name")
    parser.add_argument("data", metavar="DATA", type=Path, help="music of which a part was not learnt from")
    parser.add_argument("--split", choices=[*SPLITS], default="valid", help="default valid")
    parser.add_argument(
        "--bars", action="store_true", help="of drums: cut to single bars, and as published for these"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as a last line of JSON, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
