import sys

import pytest

from training import progress as module
from training.progress import progress, say


class Clock:
    """Each piece of work takes four seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 4
        return self.now


@pytest.mark.parametrize("watched", [False, True])
def test_it_tells_how_long_it_may_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, watched: bool
) -> None:
    monkeypatch.setattr(module, "time", Clock())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    assert list(progress("scoring", range(6))) == [0, 1, 2, 3, 4, 5]
    told = capsys.readouterr().err
    if watched:
        assert "\r\033[Kscoring 4 of 6, 10 s left" in told
        assert told.endswith("\r\033[K")
    else:
        assert told == "scoring 2 of 6, 24 s left\nscoring 5 of 6, 5 s left\n"


def test_what_is_said_does_not_break_a_line_of_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say("one")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say("two")
    assert capsys.readouterr().err == "one\n\r\033[Ktwo\n"
