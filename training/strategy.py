"""Who shares the work: one process, several devices, several machines. TensorFlow's own distribution."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import keras
from neuralmidi.errors import NeuralMIDIError

from training.concert import Concert
from training.fit import Team, arguments, rehearsals

STRATEGIES: Final = ("none", "mirrored", "multiworker")


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

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    if name == "none":
        yield Team()
    elif name == "mirrored":
        yield Team(tf.distribute.MirroredStrategy().scope, stream, adapt=_adapt)
    else:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        if not config.get("cluster", {}).get("worker") or "index" not in config.get("task", {}):
            why = "the environment has no TF_CONFIG with cluster.worker and task.index"
            raise NeuralMIDIError("--strategy multiworker", why, "set it, on each machine with its own index")
        cluster = tf.distribute.MultiWorkerMirroredStrategy()

        def meet() -> tf.Tensor:
            return cluster.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(())))

        yield Team(cluster.scope, stream, config["task"]["index"] == 0, tf.function(meet), _adapt_to_cluster)


def stream(concert: Concert, epoch: int) -> Any:
    """Return a concert as ``tf.data``, prepared while the batch before is learnt.

    All workers hear the same concert, each its own rows of a batch: so a model comes out as from one worker,
    whatever their number.
    """
    import tensorflow as tf

    inputs, targets, weights = arguments(concert.batch(0, 0))

    def shape(array: Any) -> tf.TensorSpec:
        return tf.TensorSpec(array.shape, array.dtype)

    signature = ({name: shape(array) for name, array in inputs.items()}, shape(targets), shape(weights))
    data = tf.data.Dataset.from_generator(lambda: rehearsals(concert, epoch), output_signature=signature)
    options = tf.data.Options()
    # The batches come from one generator, so each worker takes its rows of every batch.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.prefetch(2).with_options(options)


def _adapt(model: keras.Model) -> None:
    """Keep Keras 3.15 from building again what is built: it fails where inputs have names.

    The network has been made in the scope of its strategy, and is trained in it.
    """
    model._distribute_strategy = None


def _adapt_to_cluster(model: keras.Model) -> None:
    """Let Keras 3.15 take the mean of what several machines say: it can of lists, not of numbers."""
    _adapt(model)
    for name in ("train_step", "test_step"):
        setattr(model, name, _as_lists(getattr(model, name)))


def _as_lists(step: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda data: {name: value[None] for name, value in step(data).items()}
