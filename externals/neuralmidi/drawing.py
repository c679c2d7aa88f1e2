"""What the screen of a remote control shows: what `Remote` knows, as coloured text."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from rich.style import Style
from rich.text import Span, Text

from .controls import CONTROLS, Control
from .kit import CHANNEL as DRUMS
from .kit import KIT, PLACES
from .notes import note_name
from .osc import Address, place
from .remote_control import KEYS, Remote

TEAL, QUIET, LOUD, BAD = "#2f7d78", "#7c8088", "bold", "red"
"""Readable on dark and on light: the background is the terminal's own."""
GAP = "   "
WHITE_KEY, BLACK_KEY = "#d8d6ce", "#2a2e33"
SIXTEEN: Final = {TEAL: "cyan", QUIET: "default", WHITE_KEY: "white", BLACK_KEY: "black"}
"""What these are where a terminal has 16 colours: the nearest ones would be grey in grey."""

CHOOSING: Final = (("↑ ↓", "or a first letter"), ("Enter", "choose"), ("Esc", "close"))
"""The keys while the list is open."""
GAUGES: Final = ("temperature", "density", "intensity")
REST: Final = (
    *("smooth", "top_k", "top_p", "repeats", "humanize", "swing"),
    *("blend", "style", "parts", "fill", "underruns"),
)
"""What the line below them tells, as far as it is known."""


def head(title: str, address: Address, answers: bool, awaited: bool, width: int) -> Text:
    """What this is, and whether the instrument is there."""
    state = (
        ("● answers", TEAL) if answers else ("○ is asked", QUIET) if awaited else ("○ does not answer", BAD)
    )
    left = Text.assemble(("NeuralMIDI", LOUD), "  ", (title, QUIET))
    right = Text.assemble((f"{place(address)} ", QUIET), state)
    return Text.assemble(left, " " * max(2, width - left.cell_len - right.cell_len), right)


def transport(remote: Remote, now: float) -> Text:
    """Who plays, where in the bar, how fast."""
    composer = remote.values.get("composer")
    if composer is None:
        return Text("nothing is known of it yet", QUIET)
    line = Text.assemble((str(composer), LOUD), *_hint(remote, "composer", now))
    line.append(" plays" if remote.playing else " is stopped", TEAL if remote.playing else QUIET)
    if remote.place:
        bar, beat = remote.place
        beats = max(1, remote.steps_per_bar // remote.steps_per_beat)
        line.append(f"   bar {bar} ", QUIET)
        for each in range(1, min(beats, 12) + 1):
            line.append(" ●" if each == beat else " ○", TEAL if each == beat else QUIET)
    for name, unit in (("tempo", " BPM"), ("seed", "")):
        if name in remote.values:
            line.append(f"   {'' if unit else name + ' '}")
            line.append(f"{_number(remote.values[name])}{unit}")
            line.append_text(Text.assemble(*_hint(remote, name, now)))
    return line


def _hint(remote: Remote, name: str, now: float) -> list[tuple[str, str]]:
    """What was asked for, until it is so."""
    asked = remote.asked(name, now)
    return [] if asked is None else [(f" → {_number(asked)}", TEAL)]


def gauges(remote: Remote, now: float, width: int, *, apart: bool) -> Text:
    """The controls that have keys, with an empty line between them if there is room."""
    lines = (_gauge(CONTROLS[name], remote, now, width) for name in GAUGES)
    return Text("\n\n" if apart else "\n").join(lines)


def _gauge(control: Control, remote: Remote, now: float, width: int) -> Text:
    """Name, range with what is of it, value."""
    value = remote.values.get(control.name)
    cells = max(4, width - 36)
    share = 0.0
    if isinstance(value, int | float):
        share = min(1.0, max(0.0, (value - control.low) / (control.high - control.low)))
    full = round(share * cells)
    line = Text.assemble(f"{control.name:<12}", (f"{_number(control.low):>4} ", QUIET))
    line.append("━" * full, TEAL).append("─" * (cells - full), QUIET)
    line.append(f" {_number(control.high):<3}", QUIET)
    shown = "-" if value is None else f"{value:6.2f}" if isinstance(value, float) else str(value)
    return line.append(f" {shown:>6}", LOUD).append_text(Text.assemble(*_hint(remote, control.name, now)))


def rest(remote: Remote, width: int) -> Text:
    """Everything else that is known."""
    known = [(name, remote.values[name]) for name in REST if remote.values.get(name, "") != ""]
    return _packed([Text.assemble((f"{name} ", QUIET), _number(value)) for name, value in known], width)


def keys(remote: Remote, width: int, *, choosing: bool) -> Text:
    """The keys, and what they do now."""
    now = {"play/stop": "stop" if remote.playing else "play"}
    texts = (
        Text.assemble((names, LOUD), (f" {now.get(meaning, meaning)}", QUIET))
        for names, meaning in (CHOOSING if choosing else KEYS)
    )
    return _packed(texts, width, "  ")


def _packed(texts: Iterable[Text], width: int, gap: str = GAP) -> Text:
    """As many in a line as have room."""
    lines = [Text()]
    for text in texts:
        if lines[-1] and lines[-1].cell_len + len(gap) + text.cell_len > width:
            lines.append(Text())
        lines[-1].append(gap if lines[-1] else "").append_text(text)
    return Text("\n").join(lines)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}" if value < 1e6 else f"{value:.0f}"


def sounds(remote: Remote, width: int) -> Text:
    """The notes that sound, by name and on a keyboard."""
    names = Text()
    for channel, notes in groupby(sorted(remote.sounding), key=lambda note: note[0]):
        names.append(f"{'   ' if names else ''}")
        if channel != 1:
            names.append(f"channel {channel} ", QUIET)
        names.append(" ".join(_name(channel, pitch) for _, pitch in notes), LOUD)
    if not names:
        names.append("nothing sounds", QUIET)
    sounding = {pitch for channel, pitch in remote.sounding if channel != DRUMS}
    return Text("\n").join([names, *_keyboard(sounding, width)])


def _name(channel: int, pitch: int) -> str:
    return KIT[PLACES[pitch]].name if channel == DRUMS and pitch in PLACES else note_name(pitch)


BLACK = frozenset((1, 3, 6, 8, 10))
PIANO = tuple(pitch for pitch in range(21, 109) if pitch % 12 not in BLACK)
"""The white keys of a piano."""
MIDDLE = PIANO[2:]
"""From the lowest C on: what is shown as far as there is room, if it is six octaves."""
OCTAVE = 14
"""Dots of an octave on the keyboard."""


def _keyboard(sounding: set[int], width: int) -> list[Text]:
    """Two rows: the black keys between the white ones, and the white ones alone.

    A white key is two dots wide, the right one of which the black key above it takes, if there is one.
    """
    if width < len(PIANO):
        return []
    whites = PIANO if width >= 2 * len(PIANO) or width < 6 * OCTAVE else MIDDLE[: width // 2]
    lower = [_key(white, sounding) for white in whites for _ in range(2)]
    upper = [_key(key, sounding) for white in whites for key in (white, _right_of(white))]
    return [_dots(row, width) for row in (upper, lower)]


def _right_of(white: int) -> int:
    return white + 1 if (white + 1) % 12 in BLACK and white < PIANO[-1] else white


def _key(pitch: int, sounding: set[int]) -> str:
    return TEAL if pitch in sounding else BLACK_KEY if pitch % 12 in BLACK else WHITE_KEY


def _dots(colours: list[str], width: int) -> Text:
    """A row of dots: a cell each, or half of one where the screen is too narrow."""
    if width >= len(colours):
        cells = [(" ", f"on {colour}") for colour in colours]
    else:
        pairs = zip(colours[::2], colours[1::2], strict=True)
        cells = [("▌", f"{left} on {right}") for left, right in pairs]
    runs = ((cell, len(list(alike))) for cell, alike in groupby(cells))
    return Text.assemble(*((dot * count, style) for (dot, style), count in runs))


def trouble(remote: Remote, address: Address, reached: bool) -> Text:
    """What the player should know; nothing if all is well."""
    if reached:
        return Text(remote.error, BAD)
    nobody = f"nothing is listening at {place(address)}: open pd_patches/audio_engine.pd, "
    return Text(f"{nobody}or start neuralmidi stream", BAD)


def in_sixteen_colours(picture: Text) -> Text:
    """The same for a terminal that has no more."""
    spans = [Span(span.start, span.end, _sixteen(span.style)) for span in picture.spans]
    return Text(picture.plain, _sixteen(picture.style), spans=spans)


def _sixteen(style: str | Style) -> str:
    words = str(style).split()
    return " ".join(SIXTEEN.get(word, word) for word in words)
