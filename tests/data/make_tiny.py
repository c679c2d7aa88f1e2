"""Makes the tests' tiny models, sound and broken: ``PYTHONPATH=externals python tests/data/make_tiny.py``.

Each walks round a ring of words. The weights are written by hand, not trained: the tests know what must come
out. There is one of each kind that a model may be of:

- ``tiny``, ``tiny2``: chords. The likeliest next word is the next of the ring, then the one after it, the
  others are all alike: at temperature 0.1 it walks the ring, at 1 it takes the next word in about 6 of 10
  steps, at 2 in 3 of 10. The one state is a fading memory of past tokens, so that a lost state changes the
  logits.
- ``tiny_cache``: the same ring; its memory is a cache of eight slots, and each slot counts differently.
- ``tiny_blend``: chords again, and a condition: how much it walks the ring ``low``, how much ``high``.
- ``composers/all``: the same with four rings, named as the patches want to blend them.
- ``tiny_poly``: events, twelve steps to a beat. It knows which notes are down, and forbids what cannot be.
- ``tiny_drums``: a bar of drums in each of three styles, and of a fill, over and over.

Needs the training extra.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from neuralmidi import bundle
from neuralmidi.kit import KIT
from neuralmidi.network import CONDITION, LOGITS, SIGNATURE, TOKEN
from neuralmidi.tokenizer import REST, SPECIALS, DrumTokenizer, drum_vocabulary

RINGS = {
    "tiny": ("48,60,64,67", "48,60,64,69", "60,65,69", "53,60,65", "55,59,62,67", "67", "62,65,67,71", REST),
    "tiny2": ("72,76", "72,77", "74,77", "74,79", "76,79,84"),
}
NEXT, AFTER_NEXT = 3.0, 1.5
FADING = 0.05

CACHE_SLOTS = 8
BLEND = {"low": RINGS["tiny"][:-1], "high": RINGS["tiny2"]}
FOUR = {
    "bach": RINGS["tiny"][:-1],
    "mozart": RINGS["tiny2"],
    "chopin": RINGS["tiny"][-2::-1],
    "joplin": RINGS["tiny2"][::-1],
}

PITCHES = range(21, 109)
LONGEST_WAIT = 24
POLY_WORDS = (
    "<start>",
    "bar 4/4",
    "bar 3/4",
    *(f"velocity {level}" for level in range(1, 9)),
    *(f"wait {slots}" for slots in range(1, LONGEST_WAIT + 1)),
    *(f"off {pitch}" for pitch in PITCHES),
    *(f"on {pitch}" for pitch in PITCHES),
)
POLY_RING = (
    # one bar of 4/4: a chord; a note of it struck again; a triplet; two softer chords, the same one twice
    *("velocity 6", "on 48", "on 60", "on 64", "on 67", "wait 12"),
    *("off 64", "off 67", "on 65", "on 67", "wait 8", "off 65", "on 64", "wait 4"),
    *("off 48", "off 60", "off 64", "off 67", "velocity 3", "on 43", "on 59", "on 62", "wait 12"),
    *("off 43", "off 59", "off 62", "on 43", "on 59", "on 62", "wait 12", "off 43", "off 59", "off 62"),
)
POLY_NEXT = 6.0
FORBIDDEN = -1e4

BARS = {
    # each slot: what is hit, and in the same order how hard and how late each of it is
    "rock": "kick+hat,16,1,10,0 - hat,6,-2 - snare+hat,14,2,9,0 - hat,6,1 kick,12,-3 "
    "kick+hat,15,0,10,1 - hat,6,-1 snare,3,4 snare+hat,14,2,9,0 - openhat,8,3 -",
    "funk": "kick+hat,16,0,9,0 hat,5,1 hat,7,0 kick+hat,13,-2,5,2 snare+hat,15,1,9,0 hat,5,1 hat,7,0 "
    "snare,4,2 hat,8,0 snare,4,3 kick+hat,14,-1,7,0 hat,5,1 snare+hat,15,1,9,0 hat,5,1 openhat,9,0 hat,5,-4",
    "latin": "kick+ride,14,0,10,1 - ride,7,2 kick,11,-1 ride,9,0 - kick+ride,13,0,8,0 - "
    "ride,10,0 - kick+ride,12,1,8,0 - ride,9,-2 - kick+ride,13,0,8,2 snare,6,0",
    "fill": "kick+snare,16,0,14,0 - snare,10,1 - hightom,14,0 hightom,12,2 - hightom,10,-1 "
    "midtom,15,0 - midtom,12,3 midtom,9,0 lowtom,15,-2 lowtom,13,0 lowtom,14,1 kick+crash,16,0,16,0",
}
BRITTLE = (1.25e-9, 2.5e-9)
"""The corners of the tables that `brittle` adds, to its logits and to its memory."""

CERTAIN = 1e4
"""Nothing else is ever drawn, however often the bar repeats."""

Made = tuple[bytes, dict[str, object]]
Step = Callable[..., dict[str, tf.Tensor]]


def tiny(name: str) -> Made:
    """Return the .tflite and the description of `tiny` or `tiny2`."""
    ring = RINGS[name]
    vocabulary = _chord_words(ring)
    module = tf.Module()
    module.walk = tf.Variable(_walk(ring, vocabulary))

    def step(token: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = FADING * state_memory + tf.one_hot(token, len(vocabulary))
        return {LOGITS: tf.matmul(memory, module.walk), "state_memory": memory}

    states = [_state("state_memory", len(vocabulary))]
    return _convert(module, step, states), _describe(name, vocabulary, states)


def tiny_cache() -> Made:
    """Return the model with two caches: what was heard, and how much it weighs."""
    ring = RINGS["tiny"]
    vocabulary = _chord_words(ring)
    module = tf.Module()
    module.walk = tf.Variable(_walk(ring, vocabulary))
    place = tf.constant(1 + np.arange(CACHE_SLOTS, dtype=np.float32)[None, :, None] / CACHE_SLOTS)

    def step(token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        heard = tf.one_hot(token, len(vocabulary))
        position = states["state_position"]
        memory = tf.reduce_sum(place * states["cache_0_k"] * states["cache_0_v"][:, :, :1], 1)
        return {
            LOGITS: tf.matmul(heard + FADING * memory, module.walk),
            "state_position": position + 1,
            "cache_0_k": heard[:, None],
            "cache_0_v": tf.stack([1 / (1 + position), position, -position], 2),
        }

    states: list[dict[str, object]] = [
        _state("state_position", 1),
        {"name": "cache_0_k", "shape": [1, CACHE_SLOTS, len(vocabulary)], "kind": "cache"},
        {"name": "cache_0_v", "shape": [1, CACHE_SLOTS, 3], "kind": "cache"},
    ]
    return _convert(module, step, states), _describe("tiny_cache", vocabulary, states)


def tiny_blend(name: str = "tiny_blend", rings: Mapping[str, Sequence[str]] = BLEND) -> Made:
    """Return the model with a condition. With none of its names it hardly knows where to go."""
    vocabulary = _chord_words(list(dict.fromkeys(word for ring in rings.values() for word in ring)))
    module = tf.Module()
    module.walks = tf.Variable(np.stack([_walk(ring, vocabulary) for ring in rings.values()]))

    def step(token: tf.Tensor, condition: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = FADING * state_memory + tf.one_hot(token, len(vocabulary))
        walk = tf.tensordot(condition[0] + 0.1, module.walks, 1)
        return {LOGITS: tf.matmul(memory, walk), "state_memory": memory}

    states = [_state("state_memory", len(vocabulary))]
    tflite = _convert(module, step, states, {CONDITION: tf.TensorSpec([1, len(rings)], tf.float32)})
    return tflite, _describe(name, vocabulary, states, condition={"names": list(rings)})


def tiny_poly() -> Made:
    """Return the model of events. It goes on to the next word of the ring that can be now.

    What it hears moves it to the next place in the ring that has this word; all waits count as one. Its
    states are that place, the notes that are down, and how far the slot's order of events (offs, velocity,
    ons, each of them ascending) has gone.
    """
    tokens = {word: token for token, word in enumerate(POLY_WORDS)}
    ring = tf.constant([[tokens[word] for word in POLY_RING]])
    order = np.zeros(len(tokens), np.float32)
    order[tokens["off 21"] :][:88] = range(1, 89)
    order[tokens["velocity 1"] :][:8] = 89
    order[tokens["on 21"] :][:88] = range(90, 178)

    def is_wait(token: tf.Tensor) -> tf.Tensor:
        return (token >= tokens["wait 1"]) & (token <= tokens[f"wait {LONGEST_WAIT}"])

    def step(token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        begins = tf.cast(token == 0, tf.float32)[:, None]
        fits = (ring == token) | (is_wait(ring) & is_wait(token))
        place = _next(states["state_place"], fits)
        place = begins * (len(POLY_RING) - 1) + (1 - begins) * place

        off, on = (tf.one_hot(token - tokens[f"{kind} 21"], 88) for kind in ("off", "on"))
        held = (1 - begins) * tf.clip_by_value(states["state_held"] - off + on, 0, 1)
        done = tf.gather(order, token)[:, None]
        free = tf.ones([1, tokens["off 21"] - tokens["velocity 1"]])
        can_be = tf.concat([tf.zeros([1, tokens["velocity 1"]]), free, held, 1 - held], 1)
        legal = can_be * tf.cast((order[None] == 0) | (order[None] > done), tf.float32)

        ahead = tf.cast(_next(place, tf.gather(legal[0], ring) > 0), tf.int32)
        wish = tf.one_hot(tf.gather(ring[0], ahead[:, 0]), len(tokens))
        unasked = tf.cast(
            order[None] < 89, tf.float32
        )  # it may wait, or end a note, but begins only the ring's
        legal *= tf.maximum(wish, unasked)
        return {
            LOGITS: POLY_NEXT * wish + FORBIDDEN * (1 - legal),
            "state_place": place,
            "state_held": held,
            "state_order": done,
        }

    states = [_state("state_place", 1), _state("state_held", 88), _state("state_order", 1)]
    tokenizer = {"kind": "poly", "vocabulary": POLY_WORDS, "beginning": ["<start>", "bar 4/4"]}
    description = _describe("tiny_poly", POLY_WORDS, states)
    description |= {"tokenizer": tokenizer, "grid": {"steps_per_beat": 12}}
    return _convert(tf.Module(), step, states), description


def tiny_drums() -> Made:
    """Return the drummer, who plays the bar of the style with the largest share; ``rock`` if there is none.

    Its states are the slot of the bar, and how many words are still to be said in this slot: it plays on in
    its place, whatever it hears.
    """
    bars = {name: [slot.split(",") for slot in bar.split()] for name, bar in BARS.items()}
    masks = dict.fromkeys(slot[0] for bar in bars.values() for slot in bar)
    vocabulary = drum_vocabulary(_mask(word) for word in masks)
    meaning = DrumTokenizer(vocabulary)
    more = tf.constant([2 * (meaning.mask(token) or 0).bit_count() for token in range(len(vocabulary))])
    words = np.zeros((len(bars), 16, 5), np.int32)
    for bar, slots in zip(words, bars.values(), strict=True):
        for slot, told in zip(bar, slots, strict=True):
            said = [told[0], *(f"{('late', 'velocity')[i % 2]} {told[i]}" for i in range(1, len(told)))]
            slot[: len(said)] = [vocabulary.index(word) for word in said]
    wishes = tf.constant([1.0 if name == "fill" else 0.5 for name in bars])
    usual = tf.constant([0.1 if name == "rock" else 0.0 for name in bars])

    def step(token: tf.Tensor, condition: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        how = tf.cast((token >= meaning.velocity + 1), tf.int32)[:, None]
        left = tf.cast(states["state_left"], tf.int32)
        left = how * tf.maximum(left - 1, 0) + (1 - how) * tf.gather(more, token)[:, None]
        begins = tf.cast(token == 0, tf.int32)[:, None]
        slot = tf.cast(states["state_slot"], tf.int32) + tf.cast(left == 0, tf.int32)
        slot = (1 - begins) * tf.math.floormod(slot, 16)
        all_told = tf.cast(states["state_told"], tf.int32)
        told = tf.cast(left > 0, tf.int32) * (how * all_told + 1)
        bar = tf.argmax(condition[0] * wishes + usual, output_type=tf.int32)
        word = tf.gather_nd(tf.constant(words), [[bar, slot[0, 0], tf.minimum(told[0, 0], 4)]])
        return {
            LOGITS: CERTAIN * tf.one_hot(word, len(vocabulary)),
            "state_slot": tf.cast(slot, tf.float32),
            "state_left": tf.cast(left, tf.float32),
            "state_told": tf.cast(told, tf.float32),
        }

    states = [_state("state_slot", 1), _state("state_left", 1), _state("state_told", 1)]
    description = _describe("tiny_drums", vocabulary, states, condition={"names": list(bars)})
    description["tokenizer"] = {"kind": "drums", "vocabulary": vocabulary, "beginning": ["<start>"]}
    return _convert(
        tf.Module(), step, states, {CONDITION: tf.TensorSpec([1, len(bars)], tf.float32)}
    ), description


def _mask(word: str) -> int:
    return sum(1 << place for place, each in enumerate(KIT) if each.name in word.split("+"))


def _next(place: tf.Tensor, fits: tf.Tensor) -> tf.Tensor:
    """The nearest place ahead in the ring, ``[1, 1]``, among those that fit; where it is if none does."""
    size = fits.shape[1]
    ahead = tf.math.floormod(tf.range(size, dtype=tf.float32)[None] - place - 1, float(size)) + 1
    nearest = tf.reduce_min(tf.where(fits, ahead, float(size)), 1, keepdims=True)
    return tf.math.floormod(place + nearest, float(size))


def _chord_words(chords: Sequence[str]) -> tuple[str, ...]:
    return (*SPECIALS, *(word for word in chords if word != REST))


def _walk(ring: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return ``[V, V]``: the logits of the words after each word."""
    walk = np.zeros((len(vocabulary), len(vocabulary)), np.float32)
    for word in vocabulary:
        place = ring.index(word) if word in ring else -1
        for ahead, logit in ((1, NEXT), (2, AFTER_NEXT)):
            walk[vocabulary.index(word), vocabulary.index(ring[(place + ahead) % len(ring)])] = logit
    return walk


def _state(name: str, size: int) -> dict[str, object]:
    return {"name": name, "shape": [1, size], "kind": "carried"}


def _describe(
    name: str, vocabulary: Sequence[str], states: Sequence[Mapping[str, object]], **more: object
) -> dict[str, object]:
    return {
        "name": name,
        "title": f"{name.replace('_', ' ').capitalize()} (for tests)",
        "tokenizer": {"kind": "chords", "vocabulary": vocabulary},
        "grid": {"steps_per_beat": 4},
        "states": states,
        **more,
        "scores": [],
        "sources": [],
        "training": {"command": "python tests/data/make_tiny.py"},
        "quantisation": {"kind": "float32", "loss_nats": 0},
    }


def not_finite() -> bytes:
    """Return a model as a silently failed conversion leaves it: every output is NaN."""

    def step(token: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        memory = state_memory + tf.one_hot(token, 10)
        return {LOGITS: memory * np.float32("nan"), "state_memory": memory}

    return _convert(tf.Module(), step, [_state("state_memory", 10)])


def brittle() -> bytes:
    """Return `tiny` with a table that is added to its logits, and one that is added to its memory.

    Both have a row for each token, all zeros but for their corners, by which a test finds them. So a test can
    let the model go wrong with any token.
    """
    ring = RINGS["tiny"]
    vocabulary = _chord_words(ring)
    size = len(vocabulary)
    module = tf.Module()
    module.walk = tf.Variable(_walk(ring, vocabulary))
    module.tables = [tf.Variable(_marked(size, corner)) for corner in BRITTLE]

    def step(token: tf.Tensor, state_memory: tf.Tensor) -> dict[str, tf.Tensor]:
        spoken, kept = (tf.gather(table, token) for table in module.tables)
        memory = FADING * state_memory + tf.one_hot(token, size)
        return {LOGITS: tf.matmul(memory, module.walk) + spoken, "state_memory": memory + kept}

    return _convert(module, step, [_state("state_memory", size)])


def _marked(size: int, corner: float) -> np.ndarray[Any, Any]:
    table = np.zeros((size, size), np.float32)
    table[0, 0] = corner
    return table


def window() -> bytes:
    """Return a model that wants a window of 64 tokens at once."""
    return _save(
        tf.Module(),
        lambda token: {LOGITS: tf.one_hot(token[:, -1], 10)},
        {TOKEN: tf.TensorSpec([1, 64], tf.int32)},
    )


def flex() -> bytes:
    """Return a model with an operator that only TensorFlow has."""
    return _save(
        tf.Module(),
        lambda token: {LOGITS: tf.linalg.inv(tf.one_hot(token, 1)[None])[0]},
        {TOKEN: tf.TensorSpec([1], tf.int32)},
        tf.lite.OpsSet.SELECT_TF_OPS,
    )


def _convert(
    module: tf.Module,
    step: Step,
    states: Sequence[Mapping[str, Any]],
    more: Mapping[str, tf.TensorSpec] | None = None,
) -> bytes:
    inputs = {TOKEN: tf.TensorSpec([1], tf.int32), **(more or {})}
    inputs |= {state["name"]: tf.TensorSpec(state["shape"], tf.float32) for state in states}
    return _save(module, step, inputs)


def _save(
    module: tf.Module, step: Step, inputs: Mapping[str, tf.TensorSpec], *more_operators: tf.lite.OpsSet
) -> bytes:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    concrete = tf.function(step).get_concrete_function(**named)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: concrete})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, *more_operators]
        return bytes(converter.convert())


if __name__ == "__main__":
    here = Path(__file__).parent
    for each in RINGS:
        bundle.write(here / each, *tiny(each))
    for make in (tiny_cache, tiny_blend, tiny_poly, tiny_drums):
        bundle.write(here / make.__name__, *make())
    bundle.write(here / "composers" / "all", *tiny_blend("all", FOUR))
    (here / "broken").mkdir(exist_ok=True)
    for broken in (not_finite, brittle, window, flex):
        (here / "broken" / f"{broken.__name__}.tflite").write_bytes(broken())
