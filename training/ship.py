"""A trained network as a model that plays: exported, proven, scored, described."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.step_model import StepModel
from neuralmidi.tokenizer import PolyTokenizer
from numpy.typing import NDArray

from training import statistics
from training.baselines import ChordCounts, EventCounts
from training.dataset import Piece
from training.export import ExportError, described, require_same_as_keras, step_model
from training.fit import read_history
from training.likelihood import Score, encoded, score_events, sounding
from training.network import Network
from training.pictures import curves, roll
from training.prepare import Music
from training.progress import progress
from training.quantised import exports
from training.scores import score_pieces
from training.sources import credited
from training.table import Row

if TYPE_CHECKING:
    from training.job import Job, Member

LARGEST: Final = 10 << 20
"""Bytes a model may have: it travels with the patch."""
COSTLY: Final = 0.005
"""Share of its nats that 8-bit weights may cost; beyond, the file holds float32."""
TRIED: Final = 20_000
"""Tokens on which both are compared."""
SCORED: Final = 150_000
"""Tokens of validation pieces that are scored, and five times as many of training pieces that are counted:
with more of them every so manieth piece is taken."""
GRID_OF_CHORDS: Final = 4
"""Steps a beat on which chords are counted, if the model's grid has as many."""


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
    valid = thinned([*music.pieces("valid")], SCORED)
    train = thinned([*music.pieces("train")], 5 * SCORED)
    scores = _scores(loaded, valid, train)
    learnt, heard, played = _played(job, loaded, valid, train)
    compared = statistics.compare(heard, played, learnt)
    told = {"scores": _told(scores, job, music, valid), "music": compared}
    bundle.write(directory, tflite, description | told)
    _draw(job, members, heard, played)
    print(f"written: {directory}; pictures and the whole network: {job.folder}")
    return {
        "model": job.name,
        "nats/step": scores["this model"].nats_per_step,
        "nats/note": scores["this model"].nats_per_note,
        **{f"{name}": each.nats_per_note for name, each in scores.items() if name != "this model"},
        "accuracy": scores["this model"].accuracy,
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


def _scores(loaded: Bundle, valid: Sequence[Piece], train: Sequence[Piece]) -> dict[str, Score]:
    """Return the scores of the model and of what counting achieves on the same pieces."""
    scores = {"this model": sum(score_pieces(loaded, valid, train), Score())}
    grid = min(GRID_OF_CHORDS, loaded.steps_per_beat)
    chords = ChordCounts([sounding(piece, grid) for piece in train])
    counted = (chords.score(sounding(piece, grid), grid) for piece in valid)
    scores["chord 6-gram"] = sum(counted, Score())
    if isinstance(loaded.tokenizer, PolyTokenizer):
        tokenizer = loaded.tokenizer
        events = EventCounts(tokenizer, [encoded(tokenizer, piece) for piece in train])
        some = thinned(valid, TRIED)
        pieces = (encoded(tokenizer, piece) for piece in progress("counting", some))
        scores["event 6-gram"] = sum((score_events(events, tokenizer, each) for each in pieces), Score())
    return scores


def _played(
    job: "Job", loaded: Bundle, valid: Sequence[Piece], train: Sequence[Piece]
) -> tuple[list[statistics.Music], ...]:
    """Return training music, unheard music and what the model plays by itself."""
    learnt, heard = (
        [statistics.real(piece, loaded.steps_per_beat) for piece in part] for part in (train, valid)
    )
    excerpts = range(1 if job.plan.smoke else statistics.EXCERPTS)
    return learnt, heard, [statistics.generate(loaded, seed) for seed in progress("composing", excerpts)]


def _draw(
    job: "Job",
    members: "Sequence[Member]",
    heard: Sequence[statistics.Music],
    played: Sequence[statistics.Music],
) -> None:
    """Draw how each training went, and real beside generated music."""
    for member in members:
        history = read_history(member.run)
        lines = {
            part: [float(row[key]) for row in history]
            for part, key in (("train", "loss"), ("valid", "val_loss"))
        }
        curves(member.run / "curves.png", lines, "nats per token")
    music = {f"{job.name}: unheard real music": heard[0], f"{job.name}: generated": played[0]}
    roll(job.folder / "roll.png", music)


def _told(
    scores: Mapping[str, Score], job: "Job", music: Music, pieces: Sequence[Piece]
) -> list[dict[str, Any]]:
    """Return the scores as model.json lists them."""
    folders = sorted({source.folder.name for source in music.sources})
    whole = sum(source.split == "valid" for source in music.sources)
    common = {"data": ", ".join(folders), "composers": job.name, "split": "valid", "of_pieces": whole}
    return [common | {"model": name} | each.figures() for name, each in scores.items()]


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


def thinned(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """Return every so manieth piece, so that all together have about so many tokens at most.

    It counts notes, not tokens, so that it takes the same pieces on every grid.
    """
    tokens = 3 * sum(len(piece.notes) for piece in pieces)  # an attack, an end and a wait
    return [*pieces[:: max(1, -(-tokens // most))]]


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
