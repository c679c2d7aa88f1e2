"""What is fuzzed: name and target."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.instruments import Instrument, free_address, streamer
from tests.fuzz.osc import Target, composes
from tests.pd_runner import DATA


@contextmanager
def _streamer(folder: Path) -> Iterator[Instrument]:
    with streamer(DATA / "tiny2", free_address(), folder) as instrument:
        yield instrument


TARGETS = {"streamer": Target(_streamer, composes)}
