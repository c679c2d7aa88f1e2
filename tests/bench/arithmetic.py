"""A token of each network in LiteRT, and in numpy the same products, and no more; see `turns`."""

import sys
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from neuralmidi import bundle
from neuralmidi.quiet import quiet
from numpy.typing import NDArray

from tests.bench.turns import Act, serve

TOKEN, WEIGHTS, PRODUCTS, READING = "token", "weights", "products", "reading"
"""A step of the model; its weights times vectors; the same and the products of attention; one look at each
byte of weights and caches as they are stored."""

Array = NDArray[np.float32]
Shape = tuple[int, ...]


def acts_of(folder: Path) -> Mapping[str, Act]:
    """What is timed of a model, by one of the words above and its name."""
    with quiet():
        music = bundle.load(folder)
    weights, attention, stored = shapes(folder / bundle.WEIGHTS)
    acts = {
        TOKEN: _token(music.model),
        WEIGHTS: _products(weights),
        PRODUCTS: _products(weights + attention),
        READING: _reading(stored),
    }
    return {f"{what} {folder.name}": act for what, act in acts.items()}


def shapes(file: Path) -> tuple[list[tuple[Shape, Shape]], list[tuple[Shape, Shape]], int]:
    """The shapes of a network's products, read from its .tflite.

    Returns:
        Those of constant weights with a vector, those of two activations, and the bytes of all large
        operands as they are stored.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}
    found: dict[str, list[tuple[Shape, Shape]]] = {"FULLY_CONNECTED": [], "BATCH_MATMUL": []}
    stored = 0
    for operator in interpreter._get_ops_details():  # nothing public tells which tensor is a weight
        if (kind := operator["op_name"]) in found:
            one, other = (tensors[index] for index in operator["inputs"][:2])
            found[kind].append((_shape(one), _shape(other)))
            stored += int(np.prod(other["shape"])) * np.dtype(other["dtype"]).itemsize
    return found["FULLY_CONNECTED"], found["BATCH_MATMUL"], stored


def _shape(tensor: Mapping[str, Any]) -> Shape:
    return tuple(int(size) for size in tensor["shape"])


def _token(model: Any) -> Act:
    state, tokens = model.initial_state(), cycle(range(1, model.vocabulary_size))

    def token() -> None:
        nonlocal state
        _, state = model.step(state, next(tokens))

    return token


def _products(pairs: Sequence[tuple[Shape, Shape]]) -> Act:
    """Each vector times its matrix; for attention many small ones at once."""
    draw = np.random.default_rng(1)
    operands: list[tuple[Array, Array]] = []
    for one, other in pairs:
        left, right = (draw.random(shape, dtype=np.float32) for shape in (one, other))
        operands.append((left, right) if right.ndim > 2 else (right, left.ravel()))  # [out, in] x [in]

    def products() -> None:
        for left, right in operands:
            np.matmul(left, right)

    return products


def _reading(stored: int) -> Act:
    words = np.ones(max(1, stored // 4), np.float32)

    def read() -> None:
        np.dot(words, words)

    return read


if __name__ == "__main__":
    serve({name: act for folder in sys.argv[1:] for name, act in acts_of(Path(folder)).items()})
