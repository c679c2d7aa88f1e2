"""The real Pd with all players on it, which plays a score and prints what comes of it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.pd_runner import DATA, EXTERNALS, Patch
from tests.soaking.score import PLAYERS, Act, written

HERE = Path(__file__).parent
PLAYER = "player.pd"
LATE_EVERY = 100
"""Ms of logical time from one look at the clock to the next, in real time."""
FLAGS = {True: ("-batch", "-nrt"), False: ("-nogui", "-nosound", "-nrt")}
"""By whether it is in batch mode. Without -nrt a watchdog barks at whatever takes a while."""
ASIDE = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
"""What LiteRT says, which may fall into the midst of a line of Pd's."""


@contextmanager
def pd(acts: Sequence[Act], *, batch: bool) -> Iterator[subprocess.Popen[str]]:
    """A Pd that plays a score; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HERE / PLAYER, folder)  # beside the patch: there the recorder writes
        (folder / "score.txt").write_text(written(acts))
        (folder / "stage.pd").write_text(_patch(batch=batch).text())
        paths = [word for path in (EXTERNALS, DATA) for word in ("-path", str(path))]
        command = ["pd", "-noprefs", "-stderr", *FLAGS[batch], *paths, "-lib", "neuralmidi", "stage.pd"]
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for whoever reads
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(2)
                process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def lines(output: Iterable[str]) -> Iterator[str]:
    """What Pd prints, line by line."""
    head = ""
    for line in output:
        if line.endswith(ASIDE):
            head += line.removesuffix(ASIDE)
        else:
            yield (head + line).rstrip("\n")
            head = ""


def _patch(*, batch: bool) -> Patch:
    patch = Patch()
    for number in range(1, PLAYERS + 1):
        patch.obj(f"player {number}")
    patch.connect((patch.obj("r act"), 0, patch.obj("print act"), 0))
    begin, score = patch.msg("read score.txt, bang"), patch.obj("qlist")
    patch.connect((patch.obj("loadbang"), 0, begin, 0), (begin, 0, score, 0))
    if not batch:
        _clock(patch)
    return patch


def _clock(patch: Patch) -> None:
    """Print how late logical time is against real time, over and over."""
    start, metro, both, late = (
        patch.obj(text) for text in ("loadbang", f"metro {LATE_EVERY}", "t b b", "print late")
    )
    begin, real, logical, less = (patch.obj(text) for text in ("t b b", "realtime", "timer", "-"))
    patch.connect((start, 0, begin, 0), (begin, 0, metro, 0), (begin, 1, real, 0), (begin, 1, logical, 0))
    patch.connect((metro, 0, both, 0), (both, 0, real, 1), (both, 1, logical, 1))
    patch.connect((real, 0, less, 0), (logical, 0, less, 1), (less, 0, late, 0))
