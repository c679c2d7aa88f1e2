"""MIDI files that nobody should have: a composer, and the trainer, take them or say why not.

Where the training's packages are, it is ``.venv-training/bin/python -m tests.fuzz midi``: elsewhere the
trainer is left out, and the command says so.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import Any

from neuralmidi import bundle, midi_file
from neuralmidi.composer import Composer
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import CHANNEL
from neuralmidi.notes import PITCHES, Note, NoteEvent

from tests.fuzz import workers
from tests.fuzz.draws import draw_of
from tests.fuzz.kinds import Kind, Outcome
from tests.fuzz.midi_files import REAL, Draw, midi, spoil
from tests.pd_runner import DATA

MODELS = ("tiny", "tiny_poly", "tiny_drums")
"""One for each kind of tokenizer."""
STEPS = 3
MESSAGE = 500
"""Characters that a refusal may be long."""
SMALL = 20_000
"""Bytes of a file whose way through the reader is looked at line by line."""
WATCHED = re.compile(r"/(midi_file|history|grid|tokenizer/\w+|mido/.*)\.py$")
"""Whose lines a file is kept for, if no other reached them."""
KEPT = "kept"
MINUTE = 60_000.0
"""In ms."""

Check = Callable[[bytes], str | None]
"""Takes the bytes of a file: why it is refused; None: it is not. An error: what must not happen happened."""


# --- a composer begins from it


def _reader(folder: Path) -> Check:
    """Whether one of the composers begins from a file."""
    composers = [Composer(bundle.load(DATA / name)) for name in MODELS]
    file = folder / "case.mid"

    def check(content: bytes) -> str | None:
        file.write_bytes(content)
        reasons = [_primed(composer, file) for composer in composers]
        return None if None in reasons else reasons[0]

    for path in REAL:
        check(path.read_bytes())
    return check


def _primed(composer: Composer, file: Path) -> str | None:
    """Let a composer begin from a file, as ``primer`` does; returns why not."""
    composer.reset()
    try:
        piece = midi_file.read(file, drums=composer.state.bundle.tokenizer.percussive)
        wrong = [note for note in piece.notes if not _can_be(note)]
        assert not wrong, f"read as a note: {wrong[0]}"
        composer.prime(*piece)
        for _ in range(STEPS):
            composer.step(125.0)
    except NeuralMIDIError as error:
        return _refusal(error)
    return None


def _refusal(error: NeuralMIDIError) -> str:
    assert error.why, f"no reason: {error}"
    assert error.remedy, f"no remedy: {error}"
    assert len(str(error)) < MESSAGE, f"nobody reads this: {error}"
    assert not isinstance(error.__cause__, MemoryError), "it needs too much memory"
    return _reason(error.why)


def _can_be(note: Note) -> bool:
    return 0 <= note.start <= note.end and isfinite(note.end) and note.pitch in PITCHES


def _reason(why: str) -> str:
    """Why, without what differs from file to file."""
    return re.sub(r"\d+|'.*'", "_", re.sub(r" ?\(.*\)?", "", why))[:60]


# --- the trainer reads it


def _trainer(folder: Path) -> Check:
    """Whether the trainer takes a file, among others of which one is good."""
    from neuralmidi.tokenizer import TOKENIZERS

    from training.dataset import Source
    from training.groove import Performance
    from training.settings import settings_from

    settings = [settings_from({"tokenizer": kind, "vocabulary": 200}) for kind in TOKENIZERS]
    name = "nobody/case.mid"
    good = Source(REAL[0], REAL[0].name, "nobody", "train")
    (folder / name).parent.mkdir()

    def check(content: bytes) -> str | None:
        (folder / name).write_bytes(content)
        reasons = []
        for kind in (Source, Performance):
            lines, pieces = _read_with(kind(folder / name, name, "nobody", "train"), good)
            _learnt(pieces, [each for each in settings if (each.tokenizer == "drums") == (kind != Source)])
            left_out = [line for line in lines if line.startswith(f"{name}: left out, ")]
            assert len(left_out) == 2 - len(pieces), f"{len(pieces)} pieces, but {lines}"
            reasons += [line.partition(": left out, ")[2] for line in left_out]
        return _reason(reasons[0]) if len(reasons) == 2 else None

    for path in REAL:
        check(path.read_bytes())
    return check


def _read_with(bad: Any, good: Any) -> tuple[list[str], list[Any]]:
    """Read a file, then a good one; returns what is said, and the pieces."""
    from training.dataset import read_all

    lines: list[str] = []
    pieces = [*read_all([bad, good], report=lines.append)]
    assert pieces[-1].name == good.name, "the next file is not read"
    assert all("\n" not in line and len(line) < MESSAGE for line in lines), f"nobody reads this: {lines}"
    return lines, pieces


def _learnt(pieces: Sequence[Any], settings: Sequence[Any]) -> None:
    """Survey pieces and turn them into tokens, as the trainer does before it trains."""
    from training import preflight
    from training.tokens import representation

    for each in settings:
        preflight.report_on(preflight.survey(pieces, each.steps_per_beat), lambda line: None)
        spoken = representation(each, lambda: pieces)
        for piece in pieces:
            ids = spoken.encode(piece).ids
            assert ids.min() >= 0
            assert ids.max() < len(spoken.tokenizer.vocabulary)


# --- what is written is read back


def _writer(folder: Path) -> Callable[[Draw], None]:
    """Whether notes are the same when they have been written and read."""
    models = [bundle.load(DATA / name) for name in MODELS]
    file = folder / "take.mid"

    def check(draw: Draw) -> None:
        played = draw.random() < 0.2
        events = _performance(draw, draw.choice(models)) if played else _notes(draw)
        tempo, beats = draw.choice((1, 30, 120, 137.3, 1000)), draw.choice((4, 3, 1.5, 0.75, 2.25))
        midi_file.write(file, events, tempo, beats)
        for drums in (False, True):
            wanted = _wanted(events, tempo, drums)
            if not wanted:
                continue
            notes, ((_, numerator, denominator),) = midi_file.read(file, drums=drums)
            lost = [note for note in wanted if note not in notes]
            assert notes == wanted, f"written {len(wanted)}, read {len(notes)}; not read: {lost[:1]}"
            assert 4 * numerator / denominator == beats

    check(draw_of(0, 0))
    return check


def _performance(draw: Draw, model: bundle.Bundle) -> list[midi_file.Timed]:
    """What a composer plays, as ``neuralmidi NAME --midi`` writes it."""
    composer = Composer(model, draw.randrange(1000))
    composer.set("smooth", 0)
    for control, value in (("temperature", draw.uniform(0.5, 2)), ("humanize", draw.random())):
        composer.set(control, value)
    step_ms = draw.uniform(20, 200)
    return [*midi_file.timeline((composer.step(step_ms) for _ in range(draw.choice((1, 20, 100)))), step_ms)]


def _notes(draw: Draw) -> list[midi_file.Timed]:
    """Notes on a few keys, one after the other on each."""
    events: list[midi_file.Timed] = []
    for _ in range(draw.choice((1, 3, 10))):
        key = {"pitch": draw.choice((0, 60, 127, draw.randrange(128))), "channel": draw.randrange(1, 17)}
        if any((event.pitch, event.channel) == (key["pitch"], key["channel"]) for _, event in events):
            continue
        now = 0.0
        for _ in range(draw.choice((1, 4, 30))):
            now += draw.choice((0, 0.25, draw.uniform(0, 1000), draw.uniform(0, 10 * MINUTE)))
            events.append((now, NoteEvent("on", velocity=draw.randrange(1, 128), **key)))
            now += draw.choice((0, 1, draw.uniform(0, 1000), draw.uniform(0, 60 * MINUTE)))
            events.append((now, NoteEvent("off", velocity=0, **key)))
    return events


def _wanted(events: Sequence[midi_file.Timed], tempo: float, drums: bool) -> list[Note]:
    """The notes of events, of drums or of all else, in the order in which they are read."""
    beat_ms = min(60e6 / tempo, midi_file.LONGEST_BEAT) / 1000
    begun: dict[tuple[int, int], tuple[float, int]] = {}
    notes = []
    for ms, event in sorted(events, key=lambda timed: timed[0]):
        beat = round(ms / beat_ms * midi_file.TICKS_PER_BEAT) / midi_file.TICKS_PER_BEAT
        if event.kind == "on":
            begun[event.pitch, event.channel] = beat, event.velocity
        elif event.kind == "off" and (event.channel == CHANNEL) == drums:
            start, velocity = begun.pop((event.pitch, event.channel))
            notes.append(Note(start, beat, event.pitch, velocity))
    if len({note.velocity for note in notes}) == 1:
        notes = [note._replace(velocity=0) for note in notes]
    return sorted(notes)


# --- the parts of the command


def _files(part: str, seed: int, cases: range, check_in: Callable[[Path], Check], largest: int) -> Outcome:
    """Give files to a check."""

    def start(folder: Path) -> workers.Case:
        check = check_in(folder)
        return lambda number: check(midi(seed, number, largest))

    return _work(part, cases, start)


def _read(seed: int, cases: range) -> Outcome:
    return _files("reader", seed, cases, _reader, midi_file.LARGEST)


def _guided(seed: int, cases: range) -> Outcome:
    """Spoil files; one that reaches what none before it did is spoilt further. From 0 on, then."""

    def start(folder: Path) -> workers.Case:
        check = _reader(folder)
        (folder / KEPT).mkdir()
        pool = [path.read_bytes() for path in REAL]
        seen: set[Any] = set()

        def case(number: int) -> str | None:
            draw = draw_of(seed, number)
            content = spoil(draw, draw.choice(pool))[:SMALL]
            reached: set[Any] = set()
            with _reaching(reached):
                answer = check(content)
            if reached - seen:
                seen.update(reached)
                pool.append(content)
                (folder / KEPT / f"{number}.mid").write_bytes(content)
            return answer

        return case

    return _work("guided", range(cases.stop), start, alone=False)


def _train(seed: int, cases: range) -> Outcome:
    if not find_spec("pretty_midi"):
        again = f".venv-training/bin/python -m tests.fuzz midi --only trainer --seed {seed}"
        print(f"trainer: NOT FUZZED, pretty_midi is not installed here / {again}", file=sys.stderr)
        return Outcome(("not here", 0, 0, 0))
    return _files("trainer", seed, cases, _trainer, midi_file.LARGEST)


def _write(seed: int, cases: range) -> Outcome:
    def start(folder: Path) -> workers.Case:
        check = _writer(folder)
        return lambda number: check(draw_of(seed, number))

    return _work("written", cases, start)


def _work(part: str, cases: range, start: Callable[[Path], workers.Case], *, alone: bool = True) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        answers = workers.run(part, lambda: start(Path(folder)), cases, alone=alone)
        kept = len([*(Path(folder) / KEPT).glob("*")])
    taken = answers.pop(None, 0)
    refused = {reason: times for reason, times in answers.items() if reason}
    return Outcome((len(cases), taken, len(cases) - taken, kept), type(answers)(refused))  # type: ignore[arg-type]


@contextmanager
def _reaching(reached: set[Any]) -> Iterator[None]:
    """Note which line comes after which, in what is `WATCHED`."""

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        if not WATCHED.search(frame.f_code.co_filename):
            return None
        last = 0

        def line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            reached.add((frame.f_code, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(None)


PARTS: dict[str, Callable[[int, range], Outcome]] = {
    "reader": _read,
    "guided": _guided,
    "written": _write,
    "trainer": _train,
}
MIDI = Kind(
    about="MIDI files: what `primer` takes, what is written, what the trainer reads",
    heading=("files", "taken", "refused", "kept for new lines"),
    parts=PARTS,
    cases=10_000,
    run=lambda part, seed, cases: PARTS[part](seed, cases),
)
