"""What `externals/bridge/module.c` gives to `pd.py` and `server.py`; outside Pd, `host.py` is the same."""

from collections.abc import Sequence

REQUEST_NEW: int
REQUEST_FREE: int
REQUEST_MESSAGE: int
REQUEST_STEP: int
REQUEST_SILENCED: int
HANDOVER_LOOKAHEAD: int

Request = tuple[int, int, int, float, str, tuple[float | str, ...]]
"""Kind, object, inlet, logical time in ms, selector, atoms."""

Message = tuple[int, str, Sequence[float | str]]
"""Outlet, selector, atoms."""

Delayed = tuple[int, str, Sequence[float | str], float]
"""The same, and how long after its step it leaves, in lengths of the step: 0 or more."""

class Gone(Exception):  # noqa: N818 - it is said of an object, and it is no error
    """The object has been deleted in Pd."""

def declare(
    name: str,
    inlets: int,
    outlets: int,
    stepped: bool,
    notes_outlet: int,
    status_outlet: int,
    revives: str,
) -> None: ...
def ready(banner: str) -> None: ...
def wait() -> list[Request]: ...
def poll() -> list[Request]: ...
def answered(count: int) -> None: ...
def view(number: int) -> tuple[int, int, float]: ...
def counters(number: int) -> dict[str, int]: ...
def send(number: int, messages: Sequence[Message]) -> None: ...
def step(
    number: int,
    step: int,
    previous: int,
    per_beat: float,
    forgets: float,
    messages: Sequence[Message | Delayed],
) -> None: ...
def error(number: int, text: str) -> None: ...
def failed(number: int, text: str) -> None: ...
