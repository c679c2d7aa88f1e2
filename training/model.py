"""Which network the settings ask for."""

from typing import Any

import keras
from neuralmidi.tokenizer import DrumTokenizer, PolyTokenizer, Tokenizer

from training.fronts import ChordFront, DrumFront, PolyFront
from training.network import Network
from training.settings import Settings
from training.tokens import chord_features
from training.trunks import Attention, Recurrent


def build(settings: Settings, tokenizer: Tokenizer, composers: int = 0) -> Network:
    """Return an untrained network for a tokenizer.

    Args:
        settings: architecture and sizes.
        tokenizer: its kind decides how the network sees tokens.
        composers: how many it is to know apart; 0: it has no such input.
    """
    network = Network(_front(settings, tokenizer), _trunk(settings), composers, settings.unseen)
    network.build()
    return network


def _front(settings: Settings, tokenizer: Tokenizer) -> keras.layers.Layer:
    fronts: dict[str, Any] = {
        "chords": _chord_front,
        "poly": _playing_front,
        "drums": _playing_front,
    }
    return fronts[tokenizer.kind](settings, tokenizer)


def _chord_front(settings: Settings, tokenizer: Tokenizer) -> ChordFront:
    return ChordFront(chord_features(tokenizer.vocabulary), settings.width, settings.units, name="front")


def _playing_front(settings: Settings, tokenizer: Any) -> PolyFront | DrumFront:
    """Return a front that plays its tokens to see them."""
    kinds: dict[str, Any] = {PolyTokenizer.kind: PolyFront, DrumTokenizer.kind: DrumFront}
    actions = [tuple(action) for action in tokenizer.actions]
    front: PolyFront | DrumFront = kinds[tokenizer.kind](
        actions, settings.steps_per_beat, settings.width, settings.units, name="front"
    )
    return front


def _trunk(settings: Settings) -> Recurrent | Attention:
    sizes = (settings.units, settings.layers, settings.dropout)
    if settings.architecture == "attention":
        return Attention(*sizes, settings.slots, name="trunk")
    return Recurrent(settings.architecture, *sizes, name="trunk")
