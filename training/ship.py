"""A trained network as a model that plays: exported, proven, scored, described."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.step_model import StepModel
from numpy.typing import NDArray

from training.dataset import Piece
from training.exam import examine
from training.export import ExportError, described, require_same_as_keras, step_model
from training.fit import read_history
from training.likelihood import Score, encoded
from training.network import Network
from training.pictures import curves
from training.prepare import Music
from training.quantised import exports
from training.scores import TRIED, score_pieces, thinned
from training.sources import credited
from training.table import Row

if TYPE_CHECKING:
    from training.job import Job, Member

LARGEST: Final = 10 << 20
"""Bytes a model may have: it travels with the patch."""
COSTLY: Final = 0.005
"""Share of its nats that 8-bit weights may cost; beyond, the file holds float32."""


def ship(job: "Job", music: Music, members: "Sequence[Member]") -> Row | None:
    """Write the model; returns its row of the table, or None if it must not be shipped.

    Args:
        job: what the model is to be.
        music: what it learnt from.
        members: the network, or several that decide together.
    """
    networks = [member.network for member in members]
    try:
        tflite, quantisation = _export(networks, music)
    except ExportError as error:
        print(f"{job.name}: not exported, {error}")
        return None
    directory = job.plan.out_models / job.name
    description = _description(job, music, members) | {"quantisation": quantisation}
    bundle.write(directory, tflite, description)
    loaded = bundle.load(directory)  # what the player will do
    valid, train = [*music.pieces("valid")], [*music.pieces("train")]
    report = examine(loaded, valid, train, smoke=job.plan.smoke)
    scores = [_common(job, music) | score for score in report.scores]
    bundle.write(directory, tflite, description | {"scores": scores, "music": report.music})
    _draw(members)
    report.draw(job.folder / "roll.png")
    print(f"written: {directory}; pictures and the whole network: {job.folder}")
    return {
        "model": job.name,
        **report.row,
        "parameters": _parameters(networks),
        "MB": len(tflite) / 2**20,
        "ms/token": _pace(loaded.model, _tokens(music, valid[0])),
        "epochs": sum(member.fitted.epochs for member in members),
        "minutes": sum(member.fitted.minutes for member in members),
    }


def _export(networks: Sequence[Network], music: Music) -> tuple[bytes, dict[str, Any]]:
    """Return the file that ships (8-bit, unless that costs much and float32 is small) and what that costs."""
    files = exports(networks)
    models = {kind: step_model(tflite, networks) for kind, tflite in files.items()}
    pieces = thinned([*music.pieces("valid")], TRIED)
    tokens = np.concatenate([_tokens(music, piece) for piece in pieces])
    worst = require_same_as_keras(networks, models["float32"], np.resize(tokens, max(256, len(tokens))))
    print(f"256 streamed steps through LiteRT equal Keras within {worst:.1g}")
    asked = {kind: _unwritten(each, music) for kind, each in models.items()}
    scores = {kind: sum(score_pieces(each, pieces), Score()) for kind, each in asked.items()}
    cost = scores["int8"].nats_per_note - scores["float32"].nats_per_note
    print(f"8-bit weights cost {cost:+.4f} of {scores['float32'].nats_per_note:.3f} nats per note")
    dear = cost > COSTLY * scores["float32"].nats_per_note and len(files["float32"]) <= LARGEST
    kind = "float32" if dear else "int8"
    if len(files[kind]) > LARGEST:
        raise ExportError(f"{len(files[kind])} bytes are more than 10 MB: choose fewer --units or --layers")
    names = {"float32": "float32", "int8": "int8 dynamic range"}
    note = {"kind": names[kind], "loss_nats_per_note": round(cost, 4) if kind == "int8" else 0}
    return files[kind], note | {"float32_equals_keras_within": float(f"{worst:.1g}")}


def _unwritten(model: StepModel, music: Music) -> Bundle:
    """Return a file as the player will have it, before it is known which one is written."""
    tokenizer = music.representation.tokenizer
    return Bundle(Path(), "", "", tokenizer, tokenizer.steps_per_beat, model, music.composers, None, {})


def _draw(members: "Sequence[Member]") -> None:
    """Draw how each training went."""
    for member in members:
        history = read_history(member.run)
        lines = {
            part: [float(row[key]) for row in history]
            for part, key in (("train", "loss"), ("valid", "val_loss"))
        }
        curves(member.run / "curves.png", lines, "nats per token")


def _common(job: "Job", music: Music) -> dict[str, Any]:
    """Return what model.json says of every score."""
    folders = sorted({source.folder.name for source in music.sources})
    whole = sum(source.split == "valid" for source in music.sources)
    return {"data": ", ".join(folders), "composers": job.name, "split": "valid", "of_pieces": whole}


def _description(job: "Job", music: Music, members: "Sequence[Member]") -> dict[str, Any]:
    """Return model.json, but for what is only known when it plays."""
    learnt = {*music.corpus("train").names, *music.corpus("valid").names}
    used = [source for source in music.sources if source.name in learnt]
    networks = [member.network for member in members]
    return {
        "name": job.name,
        "title": job.name.replace("_", " ").title(),
        **interface(music, networks),
        "parameters": _parameters(networks),
        **({"benchmark": True} if job.plan.benchmark else {}),
        "sources": credited(used, job.plan.credits),
        "training": _training(job, members),
    }


def _training(job: "Job", members: "Sequence[Member]") -> dict[str, Any]:
    """Return how the network was trained, or how each of several was."""
    records = [member.record for member in members]
    if len(records) == 1:
        return records[0]
    minutes = round(sum(record["minutes"] for record in records), 1)
    return {"command": job.plan.command, "minutes": minutes, "members": records}


def interface(music: Music, networks: Sequence[Network]) -> dict[str, Any]:
    """Return what of model.json the player must know to run the networks' file."""
    return {
        "tokenizer": music.facts()["tokenizer"],
        "grid": {"steps_per_beat": music.representation.tokenizer.steps_per_beat},
        "states": described(networks),
        **({"condition": {"names": list(music.composers)}} if music.composers else {}),
    }


def _parameters(networks: Sequence[Network]) -> int:
    return sum(network.count_params() for network in networks)


def _tokens(music: Music, piece: Piece) -> NDArray[np.int32]:
    return np.array(encoded(music.representation.tokenizer, piece), np.int32)


def _pace(model: StepModel, tokens: NDArray[np.int32], steps: int = 500) -> float:
    """Return the median milliseconds of a token, one after the other."""
    state = model.initial_state()
    times = []
    for token in np.resize(tokens, steps).tolist():
        begun = time.perf_counter()
        _, state = model.step(state, token)
        times.append(time.perf_counter() - begun)
    return float(np.median(times)) * 1000
