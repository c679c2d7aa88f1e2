"""A MIDI file of drums, on channel 10 by General MIDI, from bars that training.sample_bars has written.

Examples:
    python -m training.bars_to_midi bars.jsonl out.mid
    python -m training.bars_to_midi bars.jsonl out.mid --bpm 100 --velocity 95 --note_len 0.06
    python -m training.bars_to_midi bars.jsonl out.mid --human

Every hit is on the grid and as hard as --velocity says. With --human each is as early or late as the model
plays it, and the loudest of all has the velocity that --velocity says, the others less in proportion.
"""

import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import pretty_midi
from neuralmidi.controls import Control
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.kit import KIT
from neuralmidi.options import Options

from training.bars import LOUDEST, STEPS_PER_BEAT, Bar, read, write_whole
from training.flags import add_numbers, checked

BPM: Final = Control("bpm", 4, 1000, 100, "beats per minute")
VELOCITY: Final = Control("velocity", 1, LOUDEST, 95, "how hard: MIDI velocity", whole=True)
NOTE_LEN: Final = Control("note_len", 0.001, 10, 0.06, "seconds that a note lasts, if it is not hit again")
TICKS_PER_BEAT: Final = 960


class Stroke(NamedTuple):
    """A hit on its way to MIDI.

    Attributes:
        start: in steps since the beginning, 0 or more.
        pitch: General MIDI's.
        velocity: 1-127.
    """

    start: float
    pitch: int
    velocity: int


def midi(
    bars: Sequence[Bar],
    bpm: float = BPM.default,
    velocity: int = int(VELOCITY.default),
    note_len: float = NOTE_LEN.default,
    human: bool = False,
) -> pretty_midi.PrettyMIDI:
    """Return a piece of one track of drums, in 4/4.

    Args:
        bars: one after another.
        bpm: quarter notes per minute.
        velocity: of every hit; if human, of the loudest, 1-127.
        note_len: seconds of each note, unless its instrument is hit again before.
        human: whether each hit is as loud and as late as it was played; none is before the beginning.
    """
    piece = pretty_midi.PrettyMIDI(initial_tempo=bpm, resolution=TICKS_PER_BEAT)
    piece.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0))
    drums = pretty_midi.Instrument(0, is_drum=True, name="drums")
    step = 60 / bpm / STEPS_PER_BEAT
    again: dict[int, float] = {}
    for stroke in sorted(_strokes(bars, velocity, human), reverse=True):
        start = stroke.start * step
        if again.get(stroke.pitch) == start:  # as late as it can be, and the next as early: heard as one
            continue
        end = min(start + note_len, again.get(stroke.pitch, float("inf")))
        drums.notes.append(pretty_midi.Note(stroke.velocity, stroke.pitch, start, end))
        again[stroke.pitch] = start
    drums.notes.reverse()
    piece.instruments.append(drums)
    return piece


def _strokes(bars: Sequence[Bar], velocity: int, human: bool) -> Iterator[Stroke]:
    loudest = max((hit.velocity for bar in bars for step in bar.steps for hit in step), default=1)
    for number, step in enumerate(step for bar in bars for step in bar.steps):
        for hit in step:
            pitch = KIT[hit.place].pitch
            if human:
                start = max(number + hit.late, 0.0)
                yield Stroke(start, pitch, max(round(hit.velocity * velocity / loudest), 1))
            else:
                yield Stroke(number, pitch, velocity)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        bpm, velocity, note_len = (checked(options, each) for each in (BPM, VELOCITY, NOTE_LEN))
        piece = midi(read(options.bars), bpm, int(velocity), note_len, options.human)
        content = BytesIO()
        piece.write(content)
        write_whole(options.out, content.getvalue())
    except NeuralMIDIError as error:
        print(f"bars_to_midi: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.bars_to_midi", summary, rest)
    parser.add_argument(
        "bars", type=Path, metavar="BARS", help="a file that training.sample_bars has written"
    )
    parser.add_argument("out", type=Path, metavar="MIDI", help="the MIDI file to write")
    add_numbers(parser, BPM, VELOCITY, NOTE_LEN)
    parser.add_argument(
        "--human", action="store_true", help="as early, late and hard as the model plays each hit"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
