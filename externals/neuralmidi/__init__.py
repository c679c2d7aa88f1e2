"""Neural composers that play live inside Pure Data: the runtime (numpy and LiteRT, never TensorFlow)."""

__version__ = "0.1.0"
