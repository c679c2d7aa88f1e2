"""How one token is drawn from a model's logits."""

import numpy as np
from numpy.typing import NDArray

from .errors import NeuralMIDIError


def sample(
    logits: NDArray[np.float32], *, temperature: float, top_k: int = 0, top_p: float = 1.0, uniform: float
) -> int:
    """Draw a token; a pure function, so that the same numbers give the same note.

    Temperature comes first, then top-k, then top-p. Both are cuts by value: tokens exactly as likely as the
    last one kept are kept too, so the result does not depend on how a sort breaks ties.

    Args:
        logits: ``[V]`` float32; a forbidden token is ``-inf``.
        temperature: divides the logits, above 0.
        top_k: keep the k likeliest tokens; 0 keeps all.
        top_p: keep the likeliest tokens that together reach this probability (Holtzman et al. 2020,
            "The Curious Case of Neural Text Degeneration"); 1 keeps all.
        uniform: the draw, in [0, 1).

    Returns:
        A token, 0 to V - 1, never a forbidden one.

    Raises:
        NeuralMIDIError: every token is forbidden.
    """
    likeliest = logits.max()
    if likeliest == -np.inf:
        raise NeuralMIDIError("sampling", "the model allows no token at all", "use another model")
    weights = np.exp((logits - likeliest) / np.float32(temperature))
    if 0 < top_k < len(weights):
        weights[weights < np.partition(weights, -top_k)[-top_k]] = 0
    if top_p < 1:
        weights[weights < _nucleus_floor(weights, top_p)] = 0
    # float64: 4096 float32 terms would lose the rare tokens in the sum.
    cumulative = weights.cumsum(dtype=np.float64)
    # side="right" steps over tokens of weight 0: they repeat the sum of the token before them.
    return int(cumulative.searchsorted(uniform * cumulative[-1], side="right"))


def _nucleus_floor(weights: NDArray[np.float32], top_p: float) -> np.float32:
    """The smallest weight inside the nucleus of mass ``top_p``."""
    descending = np.sort(weights)[::-1]
    mass = np.cumsum(descending, dtype=np.float64)
    floor: np.float32 = descending[np.searchsorted(mass, top_p * mass[-1])]
    return floor
