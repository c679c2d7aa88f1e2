"""A network on another grid: what it knows of a word goes with the word."""

from collections import Counter

import numpy as np
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.tokenizer import PolyTokenizer, Tokenizer

from training.fronts import PolyFront
from training.model import build
from training.network import Network
from training.settings import Settings


def regridded(network: Network, settings: Settings, before: Tokenizer, after: Tokenizer) -> Network:
    """Return a network that says of music on a coarser grid what this one says of it, as far as it can.

    Where both have the words, it gives them the same share of what is left without the words that the
    coarser grid lacks. Waits that are longer than any it knew share what its longest had.

    Args:
        network: trained.
        settings: its sizes, the other grid.
        before: its tokenizer.
        after: the tokenizer of the other grid.

    Raises:
        NeuralMIDIError: one of them is no ``poly``, the grids do not fit, or it lacks a word.
    """
    if not (isinstance(before, PolyTokenizer) and isinstance(after, PolyTokenizer)):
        raise NeuralMIDIError("base", "only a model of the tokenizer poly can move", "begin without a base")
    words = _words(before, after)
    shared = np.log([Counter(words)[word] for word in words])
    moved = build(settings, after, network.composers)
    old, new = network.front, moved.front
    assert isinstance(old, PolyFront)  # its tokenizer is poly
    place, larger = new.hands.found_in(old.hands)
    (vectors,), (seen, seen_bias), (said, said_bias) = (
        layer.get_weights() for layer in (old.token, old.seen, old.said)
    )
    new.token.set_weights([vectors[words]])
    new.seen.set_weights([seen[place] / larger[:, None], seen_bias])
    new.said.set_weights([said[:, words], said_bias[words] - shared])
    same = [(new.moved, old.moved), (moved.trunk, network.trunk)]
    same += [(moved.style, network.style)] if network.composers else []
    for layer, trained in same:
        layer.set_weights(trained.get_weights())
    return moved


def _words(before: PolyTokenizer, after: PolyTokenizer) -> list[int]:
    """Return the token before of each word after."""
    finer, rest = divmod(before.steps_per_beat, after.steps_per_beat)
    if rest:
        grids = f"{before.steps_per_beat} steps a beat are no whole number for each of {after.steps_per_beat}"
        raise NeuralMIDIError("base", grids, "take a base whose grid is as fine, or begin without")
    tokens = {word: token for token, word in enumerate(before.vocabulary)}
    words = [
        f"wait {min(action.value * finer, before.longest_wait)}" if action.kind == "wait" else word
        for word, action in zip(after.vocabulary, after.actions, strict=True)
    ]
    unknown = [word for word in words if word not in tokens]
    if unknown:
        raise NeuralMIDIError("base", f"it does not know {unknown[0]!r}", "begin without a base")
    return [tokens[word] for word in words]
