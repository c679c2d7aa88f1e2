"""``[recorder FILE.mid]``: what is played, as a standard MIDI file."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from neuralmidi import midi_file
from neuralmidi.controls import CONTROLS, PITCH, TEMPO, VELOCITY, Control
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.notes import NoteEvent
from neuralmidi.pd import Atom, Object, message

STATUS = 0
"""The outlet."""

STEPS = Control("grid", 1, 2000, 4, "steps", whole=True)
BAR = Control("grid bar", *midi_file.BAR_BEATS, 4, "beats in a bar")


class RecorderObject(Object):
    """Takes ``pitch velocity channel`` lists with their logical times and writes them on ``write``.

    Outlet: ``recording n``, ``wrote FILE n`` (n: how many notes), ``error ...``.
    """

    name = "recorder"
    status_outlet = STATUS

    def __init__(self, number: int, folders: Sequence[Path], time: float) -> None:
        super().__init__(number, folders, time)
        self.file: Path | None = None
        self.bpm = TEMPO.default
        self.beats_per_bar = BAR.default
        self.begin: float | None = None  # logical ms of the take's time 0; None: the first note is
        self.events: list[midi_file.Timed] = []

    def start(self, *atoms: Atom) -> None:
        """``[recorder FILE.mid]``; without a file, ``write`` names one."""
        if atoms:
            self.file = self._path(atoms)

    @message(selector="list")
    def note(self, pitch: Atom = "", velocity: Atom = "", channel: Atom = 1.0, *_: Atom) -> None:
        """A note starts, or ends with velocity 0."""
        pitch, velocity = int(PITCH.check(pitch)), int(VELOCITY.check(velocity))
        channel = int(CONTROLS["channel"].check(channel))
        event = NoteEvent("on" if velocity else "off", pitch, velocity, channel)
        if self.begin is None:
            self.begin = self.time
        self.events.append((self.time - self.begin, event))

    @message(selector="start")
    def take(self) -> None:
        """Begin a new take: this moment is its time 0."""
        self.begin, self.events = self.time, []

    @message()
    def clear(self) -> None:
        """Forget the take; the next note is its time 0."""
        self.begin, self.events = None, []

    @message(TEMPO)
    def tempo(self, bpm: float) -> None:
        """The tempo that bars and beats in the file follow; the notes stay where they were played."""
        self.bpm = bpm

    @message(STEPS, STEPS)
    def grid(self, per_beat: float, per_bar: float) -> None:
        """How long a bar is in the file, all of it, as [composer] tells it; the notes stay where they are."""
        self.beats_per_bar = BAR.check(per_bar / per_beat)

    @message()
    def write(self, *atoms: Atom) -> None:
        """Write the take; with a file's name from then on to that file. The take goes on."""
        if atoms:
            self.file = self._path(atoms)
        if self.file is None:
            raise NeuralMIDIError("write", "no file is named", "send `write NAME.mid`")
        midi_file.write(self.file, [*self.events, *self._ends()], self.bpm, self.beats_per_bar)
        self.send(STATUS, "wrote", str(self.file), self._count())

    @message()
    def info(self) -> None:
        """Tell how many notes the take has: ``recording n``."""
        self.send(STATUS, "recording", self._count())

    def _count(self) -> int:
        return sum(event.kind == "on" for _, event in self.events)

    def _ends(self) -> Iterator[midi_file.Timed]:
        """End what sounds at this moment: a file must not leave a note hanging."""
        sounding = set()
        for _, event in self.events:
            note = (event.pitch, event.channel)
            sounding.discard(note) if event.kind == "off" else sounding.add(note)
        now = self.time - (self.begin if self.begin is not None else self.time)
        for pitch, channel in sorted(sounding):
            yield now, NoteEvent("off", pitch, 0, channel)

    def _path(self, atoms: Sequence[Atom]) -> Path:
        """The file that a message names: beside the patch, unless its path says otherwise."""
        if len(atoms) != 1 or not isinstance(atoms[0], str):
            remedy = "name one file; put a backslash before each blank in it"
            raise NeuralMIDIError("file", "it is not one name", remedy)
        return self.folders[0] / os.path.expanduser(atoms[0])
