"""``neuralmidi stream --composer bach``: a composer in a process of its own, which plays over OSC.

With a terminal, the screen of ``neuralmidi remote`` runs on top, and the music in a process below it: drawing
must not delay a note, and if the screen breaks, the music ends.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from . import bundle
from .controls import CONTROLS, SEED, TEMPO
from .errors import NeuralMIDIError
from .followers import port
from .log import Log
from .options import Options, number
from .osc import LOOPBACK, PORT, Address, Port, place, resolved
from .quiet import quiet
from .streaming import Stream, Wish

CONTROL_PORT = PORT + 1
"""Where a stream takes wishes, unless it is told otherwise."""

TURNED = ("temperature", "density", "intensity")
"""The controls that are options here; all others are wishes."""

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}
"""What ends the music, and the exit status then."""

SECONDS = 3.0
"""So long the music below a screen has to end."""

DESCRIPTION = "Plays a composer over OSC, to any receiver of notes. It takes wishes over OSC, too."

EXAMPLES = """\
examples:
  neuralmidi stream --composer bach
      plays to pd_patches/audio_engine.pd on this computer, when its source is switched to stream
  neuralmidi stream --composer drums --tempo 96 --style funk --osc-port 9000
  neuralmidi stream --composer all --blend "bach 0.7 chopin 0.3"
  neuralmidi stream --composer bach --host 192.168.1.5 --control-host 0.0.0.0
      plays to another computer, and takes wishes from other computers
keys, in a terminal:
  those of `neuralmidi remote`; Q quits. Without a terminal it plays until Ctrl-C or a signal ends it.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: without the command's name.

    Returns:
        The exit status: 0 well, 1 if it has failed, 130 after Ctrl-C.

    Raises:
        NeuralMIDIError: it cannot begin.
    """
    options = _parser().parse_args(arguments)
    if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return _play_below_a_screen(options, arguments)
    return _play(options)


def _parser() -> Options:
    parser = Options("neuralmidi stream", DESCRIPTION, EXAMPLES)
    parser.add_argument("--composer", metavar="NAME", required=True, help="who plays: the name of a model")
    models = next(iter(bundle.default_directories()), Path("tflite_models"))
    parser.add_argument(
        "--models",
        metavar="FOLDER",
        type=Path,
        default=models,
        help="where the models are; default tflite_models, those that came with neuralmidi",
    )
    parser.add_argument("--host", default=LOOPBACK, help=f"where the receiver is; default {LOOPBACK}")
    parser.add_argument(
        "--osc-port", metavar="N", type=number, default=PORT, help=f"its UDP port; default {PORT}"
    )
    parser.add_argument(
        "--control-host",
        metavar="HOST",
        default=LOOPBACK,
        help=f"of this computer: who may send wishes; default {LOOPBACK}: this computer only; 0.0.0.0: all",
    )
    parser.add_argument(
        "--control-port",
        metavar="N",
        type=number,
        default=CONTROL_PORT,
        help=f"UDP port that takes wishes; default {CONTROL_PORT}",
    )
    for control in (TEMPO, SEED, *(CONTROLS[name] for name in TURNED)):
        parser.add_control(control, default=control.default, type=number)
    parser.add_wishes()
    parser.add_argument("--while-stdin", action="store_true", help=argparse.SUPPRESS)  # below a screen
    return parser


def _play(options: argparse.Namespace) -> int:
    """Play until a signal comes; the exit status."""
    receiver = _receiver(options)
    tempo = TEMPO.check(options.tempo)
    _check_models(options.models)
    control = Port(options.control_host, port("control-port", options.control_port))
    log = Log()
    stream = Stream(control, receiver, log)
    stream.transport.tempo(0, tempo)
    status = 1
    try:
        with _ended_by_signals(stream):
            with quiet(), _ended_if_it_fails(stream):
                stream.prepare(options.models, _wishes(options))
            log.say(_told(options.composer, receiver, control.address))
            status = stream.play(while_readable=sys.stdin.fileno() if options.while_stdin else None)
    except NeuralMIDIError:
        raise
    except Exception as error:  # the notes have been ended
        print(f"neuralmidi: stream: {type(error).__name__}: {error} / start it again", file=sys.stderr)
    finally:
        control.close()
        log.close()
        is_over = stream.host.close()
    if not is_over:  # the composer is stuck, and Python would wait for it or fall over it
        sys.stderr.flush()
        os._exit(status)
    return status


@contextmanager
def _ended_if_it_fails(stream: Stream) -> Iterator[None]:
    """Let the composer end first: a model that it is just loading would say so."""
    try:
        yield
    except NeuralMIDIError:
        stream.host.close()
        raise


def _check_models(folder: Path) -> None:
    """See that there is something to play.

    Raises:
        NeuralMIDIError: there is nothing.
    """
    if not folder.is_dir():
        raise NeuralMIDIError(str(folder), "no such folder", "name a folder of models with --models")
    if not bundle.available([folder]):
        raise NeuralMIDIError(str(folder), "no models are in it", "name a folder of models with --models")


def _receiver(options: argparse.Namespace) -> Address:
    """Where it plays to.

    Raises:
        NeuralMIDIError: nothing that is sent would ever arrive there.
    """
    receiver = resolved(options.host, port("osc-port", options.osc_port))
    if options.control_host in (LOOPBACK, "localhost") and not receiver[0].startswith("127."):
        why = "a port that listens to this computer only does not send to others either"
        raise NeuralMIDIError(f"host {options.host}", why, "add --control-host 0.0.0.0")
    if receiver == (options.control_host, options.control_port):
        raise NeuralMIDIError("osc-port", "the stream would play to itself", "choose another port")
    return receiver


def _wishes(options: argparse.Namespace) -> list[Wish]:
    """What the composer is to do before its first note; there is nothing yet to glide from."""
    wishes: list[Wish] = [("smooth", (0.0,)), ("seed", (options.seed,))]
    wishes += [(name, (getattr(options, name),)) for name in TURNED]
    wishes += [
        (name, tuple(map(number, getattr(options, name).split())))
        for name in ("blend", "style")
        if getattr(options, name) is not None
    ]
    wishes.append(("composer", (options.composer,)))
    if options.fill is not None:
        wishes.append(("fill", ("every", options.fill)))
    return [*wishes, ("smooth", (CONTROLS["smooth"].default,))]


def _told(composer: str, receiver: Address, control: Address) -> str:
    return f"{composer} plays to {place(receiver)}; wishes are taken at {place(control)}; Ctrl-C ends it"


@contextmanager
def _ended_by_signals(stream: Stream) -> Iterator[None]:
    """Let signals end the music in order; one that the shell has told to be ignored stays so (nohup)."""
    taken = [which for which in SIGNALS if signal.getsignal(which) is not signal.SIG_IGN]
    before = {
        which: signal.signal(which, lambda signum, _: stream.stop(SIGNALS[signal.Signals(signum)]))
        for which in taken
    }
    bell = signal.set_wakeup_fd(stream.host.bell, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(bell)
        for which, handler in before.items():
            signal.signal(which, handler)


def _play_below_a_screen(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Start the music, then the screen; the music ends when the screen does, however it does."""
    from . import terminal  # here: it loads a library that the music does not need

    host = LOOPBACK if options.control_host == "0.0.0.0" else options.control_host
    address = host, port("control-port", options.control_port)
    command = [sys.executable, "-m", __package__, "stream", *arguments, "--while-stdin"]
    with TemporaryFile("w+") as errors:
        music = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the screen
        )
        try:
            status = _run_screen(terminal.run, music, address, options.composer)
        finally:
            _end(music)
            errors.seek(0)
            sys.stderr.write(errors.read())
    return status or music.returncode


def _run_screen(
    run: Callable[[Address, str], int], music: "subprocess.Popen[str]", address: Address, composer: str
) -> int:
    assert music.stdout
    if not music.stdout.readline():  # what plays; it could not begin
        return 0
    # Nobody reads the other lines: the screen is told the same over OSC.
    threading.Thread(target=deque, args=(music.stdout, 0), daemon=True).start()
    return run(address, f"neuralmidi stream: {composer}")


def _end(music: "subprocess.Popen[str]") -> None:
    assert music.stdin
    music.stdin.close()
    try:
        music.wait(SECONDS)
    except subprocess.TimeoutExpired:
        music.kill()
        music.wait()


if __name__ == "__main__":
    from .__main__ import main as command_line

    sys.exit(command_line(["stream", *sys.argv[1:]]))
