"""The command line: ``neuralmidi bach --bars 8 --seed 1`` prints what Pd would play, with no Pd at all."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .controls import BARS, CONTROLS, SEED, TEMPO
from .errors import NeuralMIDIError
from .options import Options, number
from .quiet import quiet

if (
    TYPE_CHECKING
):  # nothing that needs a package is imported up here: the doctor must run where one is missing
    from .bundle import Bundle
    from .composer import Composer

OFFLINE = ("temperature", "density", "intensity", "top_k", "top_p", "repeats", "humanize", "swing")
"""The controls that make sense before the first note: there is nothing yet to glide from."""

COMMANDS = ("remote", "stream")
"""Those with a module, and a ``main``, of their own."""

DESCRIPTION = "Neural composers: print or save the notes that [composer] would play in Pure Data."

EXAMPLES = """\
examples:
  neuralmidi bach                       eight bars, printed
  neuralmidi bach --seed 2 --bars 32 --temperature 0.8 --midi chorale.mid
  neuralmidi all --blend "bach 0.7 chopin 0.3" --primer my_song.mid
  neuralmidi drums --style "funk 0.7 latin 0.3" --fill 4 --swing 60
  neuralmidi remote                     play a running patch with the keys of this terminal
  neuralmidi stream --composer bach     play over OSC, without Pure Data's external
  neuralmidi models                     what can be played
  neuralmidi doctor                     what is installed, what is missing, what to do
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes them from the shell.

    Returns:
        The exit status: 0 well, 1 if the doctor misses something, 2 for an error: one line on stderr.
    """
    try:
        with _ctrl_c_ends():
            status = _run(arguments)
        sys.stdout.flush()
        return status
    except NeuralMIDIError as error:
        print(f"neuralmidi: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(
            f"neuralmidi: {error} / start pd_patches/play once, which installs what is missing",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        # Python writes what is left in stdout once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `neuralmidi bach | head` has seen enough
            return 0
        print(f"neuralmidi: {error}", file=sys.stderr)
        return 2


def _run(arguments: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        return int(importlib.import_module(f".{words[0]}", __package__).main(words[1:]))
    options = _parser().parse_args(words)
    if options.composer == "doctor":
        from .doctor import healthy

        return 0 if healthy() else 1
    if options.composer == "models":
        _list_models()
    else:
        _perform(options)
    return 0


def _parser() -> Options:
    parser = Options("neuralmidi", DESCRIPTION, EXAMPLES)
    commands = ", ".join(f"`{name}`" for name in (*COMMANDS, "models", "doctor"))
    parser.add_argument("composer", help=f"name or folder of a model; or a command: {commands}")
    for control in (BARS, SEED, TEMPO, *(CONTROLS[name] for name in OFFLINE)):
        parser.add_control(control, default=control.default, type=number)
    channel = CONTROLS["channel"]
    parser.add_argument(
        "--channel", type=number, metavar="N", help=f"{channel.meaning}; default 1, of drums 10"
    )
    parser.add_wishes()
    parser.add_argument(
        "--primer", metavar="FILE", type=Path, help="go on from the last bars of this MIDI file"
    )
    parser.add_argument("--midi", metavar="FILE", type=Path, help="write the notes into a MIDI file, too")
    return parser


@contextmanager
def _ctrl_c_ends() -> Iterator[None]:
    """Let Ctrl-C end the process at once, without a word.

    The exception that Python would raise may get lost in a C library that is just being loaded.
    """
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _list_models() -> None:
    from . import bundle

    folders = bundle.default_directories()
    names = bundle.available(folders)
    if not names:
        raise NeuralMIDIError("models", "there are none", "train one as the README says")
    for name in names:
        try:
            with quiet():
                title = bundle.load(bundle.find(name, folders)).title
        except NeuralMIDIError as error:
            title = f"does not load: {error}"
        print(f"{name:<12} {title}")


def _perform(options: argparse.Namespace) -> None:
    """Compose all of it, then write it, then print it: a file that cannot be written is known at once."""
    from . import bundle, midi_file
    from .listing import lines

    bars = int(BARS.check(options.bars))
    tempo = TEMPO.check(options.tempo)
    folder = bundle.find(options.composer, [Path(), *bundle.default_directories()])
    with quiet():
        music = bundle.load(folder)
    composer = _composer(music, options)
    per_beat, per_bar = music.steps_per_beat, composer.state.steps_per_bar
    step_ms = 60000 / tempo / per_beat
    steps = [composer.step(step_ms) for _ in range(bars * per_bar)]
    if options.midi:
        midi_file.write(options.midi, midi_file.timeline(steps, step_ms), tempo, per_bar / per_beat)
    for line in lines(steps, per_beat, per_bar, drums=music.tokenizer.percussive):
        print(line)
    if options.midi:
        print(f"\n{options.midi} is written", file=sys.stderr)


def _composer(music: "Bundle", options: argparse.Namespace) -> "Composer":
    """A composer before its first note, as the options have it."""
    from . import midi_file
    from .composer import Composer

    composer = Composer(music, options.seed)
    composer.set("smooth", 0)
    if options.channel is not None:
        composer.set("channel", options.channel)
    for name in OFFLINE:
        composer.set(name, getattr(options, name))
    if options.blend is not None:
        composer.blend(*map(number, options.blend.split()))
    if options.style is not None:
        composer.blend(*map(number, options.style.split()), wish="style")
    if options.fill is not None:
        composer.fill("every", options.fill)
    if options.primer:
        composer.prime(*midi_file.read(options.primer, drums=music.tokenizer.percussive))
    return composer


if __name__ == "__main__":
    sys.exit(main())
