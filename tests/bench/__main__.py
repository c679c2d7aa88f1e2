"""The benchmark: how fast, how punctual, how soon. Prints one table; asserts nothing."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from neuralmidi import bundle
from neuralmidi.errors import NeuralMIDIError

from tests.bench import command, control, first_note, memory, offline, pd_thread, scale, swap, tokens
from tests.bench.plan import Plan
from tests.bench.remote import measure as remote
from tests.bench.table import Row, as_markdown, as_text, commit, load, machine
from tests.pd_runner import DATA

Measurement = tuple[Callable[[Plan], Iterator[Row]], Callable[[Plan], float]]

MEASUREMENTS: dict[str, Measurement] = {
    "pd-thread": (pd_thread.pd_thread, pd_thread.pd_thread_seconds),
    "message": (control.message_to_note, control.seconds),
    "control": (control.control_to_note, control.seconds),
    "swap": (swap.swaps, swap.swaps_seconds),
    "tokens": (tokens.tokens, tokens.tokens_seconds),
    "steps": (offline.steps, offline.steps_seconds),
    "render": (offline.render, offline.render_seconds),
    "start": (first_note.start_up, first_note.start_up_seconds),
    "first-note": (first_note.first_note, first_note.first_note_seconds),
    "memory": (memory.memory, memory.memory_seconds),
    "scale": (scale.scale, scale.scale_seconds),
    "loop": (remote.loops, remote.loops_seconds),
    "onsets": (remote.jitter, remote.jitter_seconds),
}
"""What measures, and how many seconds it takes."""

FAVOURITE = "bach"
FULL, QUICK = 10.0, 3.0
SHORTEST, LONGEST = 0.1, 600.0
"""Seconds: with less nothing happens in a row; for more nobody waits."""
AGAINST = """the folder `externals` of another checkout, built: measure swap, tokens, start, memory
and scale with both, in turns"""
EXAMPLES = """\
examples:
  python -m tests.bench --quick             a first impression
  python -m tests.bench --markdown          the table for the README; leave the computer alone meanwhile
  python -m tests.bench --only pd-thread    one part of it
  python -m tests.bench --only loop --only onsets --seconds 60    over UDP: the object beside the streamer
  python -m tests.bench --only scale --only memory --against ../before/externals    before and after
"""


def main() -> int:
    """Run the benchmark."""
    options = _parser().parse_args()
    try:
        model = bundle.find(options.model, [Path(), *bundle.default_directories(), DATA]).resolve()
        plan = Plan(model, options.seconds, options.realtime, options.against)
        priority = "real-time" if plan.realtime else "ordinary"
        settings = {"priority of Pd": priority, "model": model.name, "a row": f"{plan.seconds:g} s"}
        head = machine() | _others(plan) | settings
        rows = measure(plan, options.only or list(MEASUREMENTS))
        head["load average after"] = load()
    except (NeuralMIDIError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(as_markdown(head, rows) if options.markdown else as_text(head, rows))
    return 0


def measure(plan: Plan, names: Sequence[str]) -> list[Row]:
    """Measure, saying what is going on and how long it will take."""
    rows: list[Row] = []
    for place, name in enumerate(names):
        left = sum(MEASUREMENTS[n][1](plan) for n in names[place:])
        command.say(place, len(names), name, left)
        rows += MEASUREMENTS[name][0](plan)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("python -m tests.bench", __doc__, EXAMPLES)
    parser.add_argument("--model", default=_favourite(), help="name or folder; default %(default)s")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="print the table for the README")
    parser.add_argument("--realtime", action="store_true", help="let Pd take real-time priority")
    parser.add_argument("--against", type=_externals, metavar="EXTERNALS", help=AGAINST)
    length = parser.add_mutually_exclusive_group()
    seconds = command.within(SHORTEST, LONGEST)
    length.add_argument("--seconds", type=seconds, default=FULL, help="for each row; default %(default)g")
    quick = length.add_argument("--quick", action="store_const", dest="seconds", const=QUICK)
    quick.help = f"--seconds {QUICK:g}"
    return parser


def _others(plan: Plan) -> dict[str, str]:
    """What else stands in the head of the table."""
    tensorflow = found.version if (found := tokens.trainer()) else "not installed"
    against = {"against": commit(plan.against)} if plan.against else {}
    return {"TensorFlow": tensorflow, **against}


def _externals(text: str) -> Path:
    """A folder with the library in it."""
    if not (folder := Path(text).resolve()).joinpath("neuralmidi.pd_linux").is_file():
        raise argparse.ArgumentTypeError(f"{text}: there is no neuralmidi.pd_linux")
    return folder


def _favourite() -> str:
    """The model that people play; until it is there, the tests' own."""
    return FAVOURITE if FAVOURITE in bundle.available(bundle.default_directories()) else "tiny"


if __name__ == "__main__":
    sys.exit(main())
