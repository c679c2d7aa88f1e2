from pathlib import Path

import numpy as np
import pytest
from hand_models import recurrent, script
from neuralmidi import bundle
from neuralmidi.composer import Composer
from neuralmidi.grid import on_grid
from neuralmidi.notes import Metre, Note

from training import statistics
from training.dataset import Piece
from training.statistics import (
    BARS,
    HISTOGRAMS,
    Music,
    compare,
    copied,
    degrees,
    density,
    distance,
    durations,
    generate,
    intervals,
    pitch_classes,
    play,
    polyphony,
    real,
    rests,
    runs,
)

SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0)


def music(*notes: Note, steps: int = 16, steps_per_beat: int = 4) -> Music:
    return Music(on_grid(notes, steps_per_beat), steps, steps_per_beat)


def scale(tonic: int, bass: bool = True) -> Music:
    notes = [Note(beat, beat + 1, tonic + step) for beat, step in enumerate(SCALE)]
    drone = [Note(0, len(SCALE), tonic - 24)] if bass else []
    return music(*notes, *drone, steps=4 * len(SCALE))


def test_figures_count_what_they_say() -> None:
    played = music(Note(0, 1, 60), Note(0, 2, 64), Note(3, 4, 67))
    assert rests([played]) == 4 / 16
    assert polyphony([played]) == (4 * 2 + 4 + 4) / 12
    assert density([played]) == 3
    assert density([played, music()]) == 1.5
    assert (rests([music()]), polyphony([music()])) == (1, 0)


def test_pitch_classes_count_beginnings_and_degrees_do_not_mind_the_key() -> None:
    played = music(Note(0, 4, 60), Note(0, 1, 67), Note(1, 2, 67), Note(2, 3, 72))
    assert pitch_classes(played).tolist() == [2, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    for tonic in range(60, 72):
        assert degrees(scale(tonic)).tolist() == degrees(scale(60)).tolist()
    assert degrees(scale(60)).tolist() == pitch_classes(scale(60)).tolist()
    assert degrees(music()).sum() == 0


def test_the_melody_is_the_highest_of_what_begins_together() -> None:
    played = music(Note(0, 1, 60), Note(0, 1, 64), Note(1, 2, 50), Note(1, 2, 62), Note(2, 3, 80))
    steps = intervals(played)
    assert {place - 12: count for place, count in enumerate(steps) if count} == {-2: 1, 12: 1}
    assert intervals(music()).sum() == intervals(music(Note(0, 1, 60))).sum() == 0


def test_durations_fall_into_half_octaves() -> None:
    beats = (1 / 12, 1 / 8, 1 / 4, 1 / 3, 1 / 2, 3 / 4, 1, 2, 4, 16, 30)
    played = music(*(Note(0, long, 40 + place) for place, long in enumerate(beats)), steps_per_beat=24)
    places = np.repeat(np.arange(15), durations(played).astype(int)).tolist()
    assert places == [0, 0, 2, 3, 4, 5, 6, 8, 10, 14, 14]


def test_a_distance_is_a_share() -> None:
    one, other = np.array([2.0, 2, 0]), np.array([0.0, 10, 10])
    assert distance(one, one * 7) == 0
    assert distance(one, other) == distance(other, one) == 0.5
    assert distance(one, np.array([0.0, 0, 5])) == 1


def test_a_copy_is_found_in_every_key_and_nowhere_else() -> None:
    known = set(runs(scale(60, bass=False)))
    assert len(known) == len(SCALE) - 7
    assert copied([scale(65, bass=False)], known) == 1
    assert copied([scale(65, bass=True)], known) == 8 / 9  # the drone is in the first of them
    slower = music(*(Note(2 * beat, 2 * beat + 1, 60 + step) for beat, step in enumerate(SCALE)), steps=120)
    assert copied([slower], known) == 0
    assert copied([], known) == copied([music(Note(0, 1, 60))], known) == 0


def test_a_piece_is_what_is_written() -> None:
    notes = np.array([[0, 1, 60, 50], [1, 2.5, 64, 90]], np.float64)
    written = real(Piece("piece", "nobody", "valid", notes, (Metre(0, 6, 8),), 3), 4)
    assert (written.steps, written.bar) == (12, 3)
    assert written.strokes.end.tolist() == [4, 10]
    assert written.strokes.velocity.tolist() == [50, 90]


def test_what_is_played_is_written_down() -> None:
    played = play(Composer(script("60", "60,64", "64", "", vocabulary=("60", "64", "60,64"))), 6)
    strokes = sorted(zip(played.strokes.start, played.strokes.end, played.strokes.pitch, strict=True))
    assert strokes == [(0, 2, 60), (1, 3, 64), (4, 6, 60), (5, 6, 64)]
    assert (played.steps, played.steps_per_beat, played.bar) == (6, 4, 4)
    assert min(played.strokes.velocity) > 0


@pytest.mark.parametrize("name", ["tiny", "tiny_cache", "tiny_poly"])
def test_200_bars_are_composed_the_same_for_the_same_seed(data: Path, name: str) -> None:
    model = bundle.load(data / name)
    first, again, other = (generate(model, seed) for seed in (0, 0, 1))
    assert first.steps == BARS * 4 * model.steps_per_beat
    assert len(first.strokes.pitch) > 0
    assert np.array_equal(first.strokes, again.strokes)
    assert not np.array_equal(first.strokes.start, other.strokes.start)
    assert BARS * statistics.EXCERPTS == 200


def test_a_blend_is_played(data: Path) -> None:
    model = bundle.load(data / "tiny_blend")
    low, high = (generate(model, 0, 0.1, name).strokes.pitch.mean() for name in ("low", "high"))
    assert low < high


def test_the_table_sets_generated_music_beside_real() -> None:
    generated = generate(recurrent(), 0)
    table = compare([scale(60)], [generated], [scale(62), scale(65)])
    assert set(table) == {"rests", "polyphony", "notes_per_bar", "copied"} | {
        f"{name}_distance" for name in HISTOGRAMS
    }
    assert table["copied"] == {"real": 1, "generated": 0}
    assert set(table["polyphony"]) == {"real", "generated", "training"}
    assert table["degrees_distance"]["training"] == 0 < table["degrees_distance"]["generated"]
    assert table["pitch_classes_distance"]["training"] > 0
    alone = compare([scale(60)], [generated], [])
    assert "copied" not in alone
    assert set(alone["rests"]) == {"real", "generated"}
