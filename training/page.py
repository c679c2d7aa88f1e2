"""The page beside the models: sixteen bars of each as a piano roll, and what in them is like real music."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from neuralmidi import bundle
from neuralmidi.bundle import Bundle
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.quiet import quiet

from training.pictures import drum_grid, roll
from training.progress import progress
from training.sample_bars import sample_bars
from training.statistics import generate

PAGE: Final = "README.md"
PICTURE: Final = "roll.png"
SEED: Final = 1
BARS: Final = 16
STYLES: Final = ("rock", "funk", "latin", "jazz", "hiphop", "afrobeat")
"""Of drums, those that are drawn: a bar each."""
HEADING: Final = f"## {BARS} bars of each"
"""From here on the page is written anew; what stands above it is left as it is."""
ABOUT: Final = f"""\
Composed with seed {SEED} by the files that are here (`python -m training.gallery --page tflite_models`); of
drums, a bar of each of some styles. The percentages: how many notes would have to be others for the same mix
as in unheard real music."""
MIXES: Final[Mapping[str, str]] = {
    "degrees_distance": "which notes of its key it takes",
    "intervals_distance": "the steps of its melody",
    "durations_distance": "how long its notes are",
}
"""Of a model's figures (`training.statistics.HISTOGRAMS`) those that are told here, in words."""


def write(folder: Path) -> None:
    """Draw what each model of a folder composes, into its own folder, and show it on the page.

    Raises:
        NeuralMIDIError: there is no model, or one is damaged.
    """
    names = bundle.available([folder])
    if not names:
        raise NeuralMIDIError(str(folder), "no models in it", "name a folder like tflite_models")
    with quiet():
        models = [bundle.load(folder / name) for name in names]
    for model in progress("drawing", models):
        _draw(model)
    page = folder / PAGE
    above = page.read_text(encoding="utf-8").split(HEADING)[0].rstrip() if page.exists() else ""
    parts = [*([above] if above else []), HEADING, ABOUT, *map(_shown, models)]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _draw(model: Bundle) -> None:
    """Draw what a model composes; of drums a bar each of some styles, the second, when it has settled."""
    path = model.directory / PICTURE
    if model.tokenizer.percussive:
        styles = [style for style in STYLES if style in model.condition_names]
        drum_grid(path, [next(islice(sample_bars(model, [style], SEED), 1, None)) for style in styles])
    else:
        roll(path, {f"{model.name} (seed {SEED})": generate(model, SEED)}, BARS)


def _shown(model: Bundle) -> str:
    """Return the picture of a model, and a sentence on it."""
    what = f"{len(STYLES)} styles" if model.tokenizer.percussive else f"{BARS} bars"
    picture = f"![{what} that {model.name} composed]({model.directory.name}/{PICTURE})"
    return "\n\n".join([f"### `{model.name}`", picture, *_said(model.description.get("music", {}))])


def _said(music: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what is most and least like real music, measured by how far the training music is from it."""
    found = {words: music[figure] for figure, words in MIXES.items() if "training" in music.get(figure, {})}
    if not found:
        return []
    order = sorted(found, key=lambda words: found[words]["generated"] - found[words]["training"])
    best, worst = (f"{words} ({_percents(found[words])})" for words in (order[0], order[-1]))
    return [f"Most like real music: {best}; least: {worst}."]


def _percents(distance: Mapping[str, float]) -> str:
    return f"{distance['generated']:.0%}, training music {distance['training']:.0%}"
