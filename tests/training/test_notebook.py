"""The notebook runs from top to bottom: its picture is looked at, its sound is listened to."""

import base64
import re
import sys
import wave
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.image import imread
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from networks import write_drummer
from neuralmidi.errors import NeuralMIDIError
from numpy.typing import NDArray

from training import sound
from training.bars import STEPS, Bar, Hit, text
from training.bars_to_midi import midi

NOTEBOOK = Path(sound.__file__).parent / "notebooks" / "drums.ipynb"
BAR = 4 * 60 / 100
"""Seconds."""
BEAT = Bar(
    tuple(
        (Hit(0, 110, 0.0),) if step % 8 == 0 else (Hit(1, 100, 0.1),) if step % 8 == 4 else ()
        for step in range(STEPS)
    ),
    "rock",
)


def run() -> nbformat.NotebookNode:
    """The notebook, with what its cells gave."""
    notebook = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    return client.execute()


def shown(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def heard(notebook: nbformat.NotebookNode) -> list[tuple[NDArray[np.float64], int]]:
    """Samples from -1 to 1, and how many there are in a second."""
    sounds = []
    for player in shown(notebook, "text/html"):
        coded = re.search(r'src="data:audio/wav;base64,([^"]*)"', player)
        assert coded
        with wave.open(BytesIO(base64.b64decode(coded[1]))) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            sounds.append((samples / 32768, file.getframerate()))
    return sounds


def test_a_model_is_seen_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALMIDI_DRUMS", str(write_drummer(tmp_path / "drummer")))
    monkeypatch.delenv("NEURALMIDI_BARS", raising=False)
    notebook = run()
    (picture,) = shown(notebook, "image/png")
    pixels = imread(BytesIO(base64.b64decode(picture)))
    assert pixels.shape[1] == 900
    blue = (pixels[..., 2] - pixels[..., 0] > 0.3).mean()
    assert 0.05 < blue < 0.5  # lit pads
    assert len(heard(notebook)) == 2
    for samples, rate in heard(notebook):
        assert 7.5 * BAR < len(samples) / rate < 9 * BAR
        assert 0.01 < samples.std() < 0.5
        assert abs(samples).max() > 0.9


def test_a_file_is_heard_where_its_hits_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bars.jsonl").write_text(text([BEAT, BEAT]))
    monkeypatch.setenv("NEURALMIDI_DRUMS", "nobody")
    monkeypatch.setenv("NEURALMIDI_BARS", str(tmp_path / "bars.jsonl"))
    samples, rate = heard(run())[1]
    loud = [abs(samples[int(at * rate) : int((at + 0.1) * rate)]).max() for at in np.arange(8) * BAR / 4]
    quiet = [abs(samples[int((at - 0.1) * rate) : int(at * rate)]).max() for at in np.arange(1, 8) * BAR / 4]
    assert min(loud) > 0.3
    assert max(quiet) < 0.1


def test_a_model_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALMIDI_DRUMS", "nobody")
    monkeypatch.delenv("NEURALMIDI_BARS", raising=False)
    with pytest.raises(CellExecutionError, match="model 'nobody': not found; there are"):
        run()


def test_it_is_committed_without_what_its_cells_gave() -> None:
    assert NOTEBOOK.stat().st_size < 10_000
    for cell in nbformat.read(NOTEBOOK, nbformat.NO_CONVERT).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_sounds_that_are_missing_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "FONTS", [Path("nowhere.sf2")])
    with pytest.raises(NeuralMIDIError, match=r"^fluid-soundfont-gm: .* / install them: sudo apt-get "):
        sound.render(midi([BEAT]))


def test_a_missing_fluidsynth_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(NeuralMIDIError, match=r"^fluidsynth: not there / .* fluidsynth fluid-soundfont"):
        sound.render(midi([BEAT]))
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(NeuralMIDIError, match=r"^pyfluidsynth: not there / install it: .*pip install"):
        sound.render(midi([BEAT]))


def test_bars_of_silence_are_no_sound() -> None:
    assert len(sound.render(midi([Bar(((),) * STEPS)]))) == 0
