"""Who shares the work: one process, several devices, several machines. TensorFlow's own distribution."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import keras
from neuralmidi.errors import NeuralMIDIError

from training.concert import Concert
from training.fit import Feed, arguments, rehearsals

STRATEGIES: Final = ("none", "mirrored", "multiworker")


@dataclass(frozen=True)
class Team:
    """Who trains a model together.

    Attributes:
        scope: in which it must be made and trained.
        feed: what gives each of them its batches.
        chief: whether this process is the one that writes and exports.
    """

    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    feed: Feed = rehearsals
    chief: bool = True


@contextmanager
def workers(name: str, threads: int = 0) -> Iterator[Team]:
    """Set up a strategy.

    Args:
        name: ``none``; ``mirrored``: all GPUs of this machine, or its CPU; ``multiworker``: all machines in
            the environment's ``TF_CONFIG``, each of which runs the same command.
        threads: of the CPU, 0: as TensorFlow likes.

    Raises:
        NeuralMIDIError: it needs another backend, or ``TF_CONFIG`` is missing.
    """
    if keras.backend.backend() != "tensorflow":
        if name != "none":
            why = f"needs TensorFlow, this is {keras.backend.backend()}"
            raise NeuralMIDIError(f"--strategy {name}", why, "set KERAS_BACKEND=tensorflow, or leave it out")
        yield Team()
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    if name == "none":
        yield Team()
    elif name == "mirrored":
        yield Team(tf.distribute.MirroredStrategy().scope, stream)
    else:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        if not config.get("cluster", {}).get("worker") or "index" not in config.get("task", {}):
            why = "the environment has no TF_CONFIG with cluster.worker and task.index"
            raise NeuralMIDIError("--strategy multiworker", why, "set it, on each machine with its own index")
        cluster = tf.distribute.MultiWorkerMirroredStrategy()
        yield Team(cluster.scope, stream, chief=config["task"]["index"] == 0)


def stream(concert: Concert, epoch: int) -> Any:
    """Return a concert as ``tf.data``, prepared while the batch before is learnt.

    All workers hear the same concert, each its own rows of a batch: so a model comes out as from one worker,
    whatever their number.
    """
    import tensorflow as tf

    inputs, targets, weights = arguments(concert.batch(0, 0))
    batch = concert.settings.batch

    def shape(array: Any) -> tf.TensorSpec:
        return tf.TensorSpec((batch, *array.shape[1:]), array.dtype)

    signature = ({name: shape(array) for name, array in inputs.items()}, shape(targets), shape(weights))
    data = tf.data.Dataset.from_generator(lambda: rehearsals(concert, epoch), output_signature=signature)
    options = tf.data.Options()
    # The batches come from one generator, so each worker takes its rows of every batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.unbatch().batch(batch, drop_remainder=True).prefetch(2).with_options(options)
