"""A minute of every composer to listen to, and a piano roll to look at.

Example:
    python -m training.gallery --out gallery --dataset dataset/piano_pd --split dataset/split.csv --sound

Writes OUT/<composer>.mid and .png: eight bars of a piece that the composer has not learnt from, if the
dataset has one, above eight that it composed. --sound plays the same minute through Pure Data, into .wav.

    python -m training.gallery --page tflite_models

writes no minutes, but the page of a folder of models: a roll.png in the folder of each, shown in README.md.
"""

import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from neuralmidi import bundle, midi_file
from neuralmidi.bundle import Bundle
from neuralmidi.composer import Composer
from neuralmidi.controls import SEED, TEMPO
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.options import Options, number
from neuralmidi.quiet import quiet

from training import page
from training.dataset import Piece, find, read_all, read_splits, silent
from training.pictures import drum_grid, roll
from training.progress import progress, say
from training.sample_bars import sample_bars
from training.statistics import BAR, Music, play, real

MINUTE: Final = 60_000
"""Milliseconds of music, at least: to the end of a bar."""
BARS: Final = 8
PLAY: Final = Path(__file__).parents[1] / "pd_patches" / "play"


def listen(file: Path, model: Bundle, seed: int, bars: int, tempo: float) -> None:
    """Write so many bars of four beats as a MIDI file."""
    composer = Composer(model, seed)
    composer.set("smooth", 0)
    step_ms = MINUTE / tempo / model.steps_per_beat
    steps = [composer.step(step_ms) for _ in range(bars * BAR * model.steps_per_beat)]
    midi_file.write(file, midi_file.timeline(steps, step_ms), tempo)


def record(file: Path, model: Bundle, seed: int, bars: int, tempo: float) -> None:
    """Write the same bars as a WAV file, as Pure Data plays them.

    Raises:
        NeuralMIDIError: it could not be done.
    """
    numbers = ("--seed", f"{seed}", "--bars", f"{bars}", "--tempo", f"{tempo:g}")
    command: list[str | Path] = [
        PLAY,
        "--composer",
        model.directory.resolve(),
        "--record",
        file.resolve(),
        *numbers,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NeuralMIDIError(str(file), f"not recorded: {why}", "try without --sound")


def look(file: Path, model: Bundle, seed: int, unheard: Piece | None) -> None:
    """Draw the beginning of a piece that was not learnt from above that of one composed; or bars of drums."""
    if model.tokenizer.percussive:
        return drum_grid(file, [*islice(sample_bars(model, seed=seed), BARS)])
    composer = Composer(model, seed)
    composer.set("smooth", 0)
    grid = model.steps_per_beat
    music: dict[str, Music] = {}
    if unheard:
        music[f"real: {Path(unheard.name).stem}"] = real(unheard, grid)
    beats = BARS * max([composer.state.steps_per_bar / grid, *(each.bar for each in music.values())])
    music[f"{model.name} (seed {seed})"] = play(composer, int(beats * grid))
    return roll(file, music, BARS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it is done, 2 for an error, one line on stderr."""
    try:
        options = _parser().parse_args(arguments)
        seed, tempo = int(SEED.check(options.seed)), TEMPO.check(options.tempo)
        if options.page:
            page.write(options.page)
            return 0
        folders = bundle.default_directories()
        names = options.composers or bundle.available(folders)
        options.out.mkdir(parents=True, exist_ok=True)
        for name in progress("playing", names):
            with quiet():
                model = bundle.load(bundle.find(name, [Path(), *folders]))
            minute = (model, seed, -(-int(tempo) // BAR), tempo)
            listen(options.out / f"{model.name}.mid", *minute)
            unheard = _unheard(options.dataset, options.split, model.name) if options.dataset else None
            look(options.out / f"{model.name}.png", model, seed, unheard)
            if options.sound:
                record(options.out / f"{model.name}.wav", *minute)
            written = sorted(file.name for file in options.out.glob(f"{model.name}.*"))
            say(f"{options.out}: {', '.join(written)}")
    except (NeuralMIDIError, OSError, ValueError) as error:
        print(f"gallery: {error}", file=sys.stderr)
        return 2
    return 0


def _unheard(datasets: Sequence[Path], split: Path | None, composer: str) -> Piece | None:
    """Return a piece of the validation part."""
    sources = find(datasets, read_splits(split) if split else {}, [composer], report=silent)
    return next(read_all((source for source in sources if source.split == "valid"), report=say), None)


def _parser() -> Options:
    summary, rest = (__doc__ or "").split("\n\n", 1)
    parser = Options("python -m training.gallery", summary, rest)
    parser.add_argument(
        "--out", type=Path, default=Path("gallery"), help="folder for the files, default gallery"
    )
    parser.add_argument(
        "--composers", metavar="NAME", nargs="+", help="names or folders of models, default all"
    )
    parser.add_argument(
        "--dataset", type=Path, nargs="+", help="folders with a folder of MIDI files per composer"
    )
    parser.add_argument(
        "--split", type=Path, help="csv with columns file, split; default: a tenth each held out"
    )
    parser.add_argument(
        "--page", type=Path, metavar="DIR", help="draw the page of a folder of models instead"
    )
    parser.add_argument("--sound", action="store_true", help="write WAV files, too")
    for control in (SEED, TEMPO):
        parser.add_control(control, default=control.default, type=number)
    return parser


if __name__ == "__main__":
    sys.exit(main())
