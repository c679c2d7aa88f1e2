"""Everything that decides what a training run gives, with the reason for each default."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError


@dataclass(frozen=True)
class Settings:
    """The settings of a run; every one is a flag of the command line and stands in ``hparams.json``.

    Attributes:
        tokenizer: ``poly``, note after note, or ``chords``, one sounding set per step; ``drums``, hits.
        steps_per_beat: slots of the grid in a quarter note; 12 carry 16ths and triplets.
        longest_wait: slots that one ``wait`` token of ``poly`` can say; longer rests take several.
        vocabulary: words of ``chords``, the specials included; 8192 cover 91 % of Bach's training steps.
        architecture: ``lstm``, ``gru`` or ``attention``.
        units: of each layer.
        layers: how many; 2 x 256 is far below 0.35 ms a token.
        width: length of a token's vector.
        slots: tokens that ``attention`` looks back on.
        dropout: share of values dropped while training.
        unseen: share of what the network sees of the music, before its layers, that is dropped besides while
            training; for little music, which is else known by heart by what it looks like.
        seq_len: tokens per excerpt; gradients reach that far.
        batch: excerpts per update.
        epochs: most of them.
        passes: how often an epoch hears as many tokens as there are, in random keys.
        learning_rate: reached after ``warmup`` updates, then down to a fiftieth along a cosine.
        warmup: updates until the learning rate is reached.
        weight_decay: of AdamW.
        average: how much of the running average of the weights stays at each update; it is the average that
            is validated and kept.
        smoothing: share of the probability that a target leaves to all other tokens that could follow; what
            is validated has none.
        plateau: epochs without a better validation score after which the learning rate is halved; 0: it goes
            down along the cosine instead.
        patience: epochs without a better validation score before it stops.
        balance: how a composer's share of the excerpts grows with how much there is of their music: 1 in
            proportion, 0 not at all. Only for a model of many.
        nobody: share of the excerpts heard without a composer's name, so that none at all is a style, too.
        keys: in how many keys each piece is heard, its own in their middle; 1 for music that is all in one
            key already, which then need not be guessed.
        segue: share of the pieces that follow another without ``<start>``, so that a model that has come to
            an end knows how to go on.
        least_notes: training notes that make a composer worth a name of their own in a model of many.
        seed: of weights, dropout and excerpts.
    """

    tokenizer: str = "poly"
    steps_per_beat: int = 12
    longest_wait: int = 24
    vocabulary: int = 8192
    architecture: str = "lstm"
    units: int = 256
    layers: int = 2
    width: int = 256
    slots: int = 256
    dropout: float = 0.2
    unseen: float = 0.0
    seq_len: int = 256
    batch: int = 64
    epochs: int = 20
    passes: float = 1.0
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.02
    average: float = 0.998
    smoothing: float = 0.0
    plateau: int = 0
    patience: int = 4
    balance: float = 0.7
    nobody: float = 0.1
    keys: int = 12
    segue: float = 0.2
    least_notes: int = 5000
    seed: int = 1


USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "poly": {},
    "chords": {
        "steps_per_beat": 4,
        "seq_len": 64,
        "batch": 32,
        "width": 128,
        "dropout": 0.1,
        "passes": 8.0,
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
    },
    "drums": {
        "steps_per_beat": 4,
        "vocabulary": 128,
        "architecture": "attention",
        "units": 192,
        "layers": 4,
        "width": 192,
        "dropout": 0.3,
        "smoothing": 0.02,
        "plateau": 1,
        "balance": 0.85,
        "keys": 1,
        "segue": 0.0,
        "least_notes": 1,
        "epochs": 11,
        "learning_rate": 1e-3,
        "batch": 32,
        "average": 0.995,
    },
}
"""What each tokenizer has other than the defaults above."""

SINGLE_BARS: Final[Mapping[str, Any]] = {
    "units": 128,
    "width": 128,
    "unseen": 0.05,
    "seq_len": 72,
    "batch": 96,
    "learning_rate": 1.5e-3,
    "smoothing": 0.01,
    "epochs": 14,
}
"""What drummers' bars by themselves need: an excerpt is one of them, and a glimpse of another."""

SMOKE: Final[Mapping[str, Any]] = {
    "units": 32,
    "layers": 1,
    "width": 32,
    "batch": 8,
    "seq_len": 64,
    "epochs": 3,
    "passes": 8.0,
    "warmup": 10,
    "average": 0.9,
}
"""A network that learns hardly anything, fast."""


FINE: Final[Mapping[str, Any]] = {
    "learning_rate": 4e-4,
    "warmup": 20,
    "epochs": 12,
    "passes": 2.0,
    "average": 0.99,
}
"""What a model that begins with what another knows has other than the usual: it must not forget it."""

CHORALES: Final[Mapping[str, Any]] = {
    "steps_per_beat": 4,
    "dropout": 0.5,
    "passes": 6.0,
    "learning_rate": 1.5e-3,
    "warmup": 50,
    "average": 0.98,
    "segue": 0.0,
}
"""What the chorales need: so little music is soon known by heart, an epoch of one pass has 7 updates only,
and nobody asks such a model how to go on after the end."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "tokenizer": ("poly", "chords"),  # drums has a command of its own
    "architecture": ("lstm", "gru", "attention"),
}
"""What the settings that are words may be."""

LEGAL: Final[Mapping[str, tuple[float, float]]] = {
    "steps_per_beat": (1, 96),
    "longest_wait": (1, 960),
    "vocabulary": (3, 65_536),
    "units": (1, 4096),
    "layers": (1, 24),
    "width": (1, 4096),
    "slots": (1, 4096),
    "dropout": (0, 0.9),
    "unseen": (0, 0.9),
    "seq_len": (1, 16_384),
    "batch": (1, 4096),
    "epochs": (1, 10_000),
    "passes": (0.001, 1000),
    "learning_rate": (0, 1),
    "warmup": (0, 1_000_000),
    "weight_decay": (0, 1),
    "average": (0, 0.99999),
    "smoothing": (0, 0.5),
    "plateau": (0, 10_000),
    "patience": (1, 10_000),
    "balance": (0, 1),
    "nobody": (0, 1),
    "keys": (1, 12),
    "segue": (0, 1),
    "least_notes": (0, 1_000_000_000),
    "seed": (0, (1 << 31) - 1),
}
"""The range of each that is a number."""


def settings_from(given: Mapping[str, Any], *, fine: bool = False, smoke: bool = False) -> Settings:
    """Return the settings of a run.

    Args:
        given: what the user asked for by name; None: the usual.
        fine: it begins with what another model knows.
        smoke: it is only to show that all is in place.

    Raises:
        NeuralMIDIError: one is out of its range.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    for name, (low, high) in LEGAL.items():
        if not low <= asked.get(name, low) <= high:
            why = f"{asked[name]} is not from {low} to {high}"
            raise NeuralMIDIError(f"--{name}", why, "see training/settings.py for what it means")
    usual = USUAL[asked.get("tokenizer", Settings.tokenizer)]
    return replace(Settings(), **{**usual, **(FINE if fine else {}), **(SMOKE if smoke else {}), **asked})
