"""[composer drums] in the real Pd: on its channel, in step with a piano, and as the player asks."""

import re
from collections import Counter
from pathlib import Path

from pd_runner import ROOT, Patch, Run, run_pd, sounding_after

PATCHES = ROOT / "pd_patches"
STEP = 5512.5
"""Samples of a 16th at 120 BPM and 44100 Hz."""
BAR = 16 * STEP
KICK, SNARE, HAT, OPENHAT = 36, 38, 42, 46
TOMS = {43, 47, 50}
"""In `tiny_drums` they are hit in fills only."""

Notes = list[tuple[int, int, int, int]]


def a_drummer(*settings: str, name: str = "tiny_drums") -> tuple[Patch, int]:
    """A patch with a composer of drums that logs what it says, and that plays with these settings."""
    patch = Patch()
    box = patch.obj(f"composer {name}")
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    patch.at(0, ", ".join(["smooth 0", *settings, "play 1"]), box)
    return patch, box


def play(patch: Patch, folder: Path, bars: float, *, errors: int = 0) -> Run:
    """Run it in batch for some bars of 2 s each."""
    patch.quit_at(2000 * bars - 1)
    run = run_pd(patch, folder, flags=("-path", str(PATCHES)))
    assert len(run.errors) == errors
    return run


def hits(notes: Notes) -> list[tuple[float, int]]:
    """When each drum is hit, in 16ths since the beginning, and its pitch."""
    return [(sample / STEP, pitch) for sample, pitch, velocity, _ in notes if velocity]


def in_bars(notes: Notes) -> dict[int, set[int]]:
    """What is hit in each bar, counted from 0; what comes early counts for the bar that it is meant for."""
    found: dict[int, set[int]] = {}
    for slot, pitch in hits(notes):
        found.setdefault(round(slot) // 16, set()).add(pitch)
    return found


# --- what leaves it, and when


def test_drums_leave_on_channel_10_and_each_ends(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(3990, "play 0", box)
    notes = play(patch, tmp_path, 3).notes()
    assert {channel for *_, channel in notes} == {10}
    assert {pitch for _, pitch, _, _ in notes} == {KICK, SNARE, HAT, OPENHAT}
    assert sounding_after(notes) == set()


def test_hits_leave_at_moments_of_their_own(tmp_path: Path) -> None:
    patch, _ = a_drummer()
    played = hits(play(patch, tmp_path, 1).notes())
    parts = 1 / 16  # of a slot
    late = {
        (0, KICK): 1,
        (2, HAT): -2,
        (4, SNARE): 2,
        (6, HAT): 1,
        (7, KICK): -3,
        (8, HAT): 1,
        (11, SNARE): 4,
    }
    for (slot, pitch), times in late.items():
        (moment,) = (when for when, what in played if what == pitch and abs(when - slot) < 1 / 2)
        assert abs(moment - slot - times * parts) * STEP <= 1


def test_without_humanize_and_swing_they_leave_on_the_grid_and_all_alike(tmp_path: Path) -> None:
    patch, _ = a_drummer("humanize 0", "swing 50")
    notes = play(patch, tmp_path, 2).notes()
    assert len(hits(notes)) > 20
    assert all(abs(when - round(when)) * STEP < 1 for when, _ in hits(notes))
    assert len({velocity for _, _, velocity, _ in notes if velocity}) == 1


def test_swing_moves_the_second_16th_of_an_eighth(tmp_path: Path) -> None:
    patch, _ = a_drummer("humanize 0", "swing 66")
    places = Counter(round(when % 2, 2) for when, _ in hits(play(patch, tmp_path, 2).notes()))
    assert set(places) == {0, 1.32}  # 66 % of two 16ths


def test_what_is_muted_is_not_hit_until_it_is_unmuted(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(1900, "mute kick hat", box)
    patch.at(3900, "unmute hat", box)
    patch.at(5900, "unmute", box)
    bars = in_bars(play(patch, tmp_path, 4).notes())
    everything = {KICK, SNARE, HAT, OPENHAT}
    assert bars == {0: everything, 1: {SNARE, OPENHAT}, 2: {SNARE, OPENHAT, HAT}, 3: everything}


# --- style and fill


def test_a_style_is_another_groove(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(1900, "style latin", box)
    patch.at(3900, "style rock 0.2 funk 0.8", box)
    bars = in_bars(play(patch, tmp_path, 3).notes())
    assert bars[1] == {KICK, SNARE, 51}
    assert bars[2] == {KICK, SNARE, HAT, OPENHAT}


def test_a_style_that_is_none_is_said_and_the_music_goes_on(tmp_path: Path) -> None:
    patch, box = a_drummer("style latin")
    patch.at(700, "style polka", box)
    patch.at(800, "style rock 0 funk 0", box)
    patch.at(900, "style rock loud", box)
    patch.at(1000, "mute cowbell", box)
    run = play(patch, tmp_path, 2, errors=4)
    status = [" ".join(atoms).replace("\\", "") for _, atoms in run.logged("status")]
    said = [text for text in status if text.startswith("error")]
    assert len(said) == 4
    assert re.search(r"polka is not a style .* choose among rock, funk, latin, fill", said[0])
    assert "all weights are 0" in said[1]
    assert "loud is not a style" in said[2]
    assert "cowbell is not in the kit" in said[3]
    bars = in_bars(run.notes())
    assert bars[0] == bars[1] == {KICK, SNARE, 51}


def test_a_fill_is_the_next_bar_or_what_is_left_of_this_one(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(500, "fill", box)
    patch.at(6950, "fill now", box)
    notes = play(patch, tmp_path, 5).notes()
    assert [bar for bar, pitches in in_bars(notes).items() if pitches & TOMS] == [1, 3]
    now = [when for when, pitch in hits(notes) if pitch in TOMS and when > 32]
    assert round(min(now)) == 56
    assert max(now) < 64


def test_fills_come_every_so_many_bars(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(100, "fill every 2", box)
    patch.at(8100, "fill off", box)
    bars = in_bars(play(patch, tmp_path, 8).notes())
    assert [bar for bar, pitches in bars.items() if pitches & TOMS] == [1, 3]


# --- together with others


def test_a_piano_drums_and_a_piano_leave_no_note_behind(tmp_path: Path) -> None:
    patch, box = a_drummer(name="tiny_poly")
    patch.at(1990, "composer tiny_drums", box)
    patch.at(4050, "composer tiny_poly", box)
    patch.at(6200, "composer tiny_drums", box)
    patch.at(8000, "play 0", box)
    notes = play(patch, tmp_path, 4.5).notes()
    assert sounding_after(notes) == set()
    turns = [channel for _, _, velocity, channel in notes if velocity]
    assert [c for i, c in enumerate(turns) if i == 0 or turns[i - 1] != c] == [1, 10, 1, 10]


def test_panic_in_the_middle_of_a_bar_leaves_nothing_sounding_and_the_groove_goes_on(tmp_path: Path) -> None:
    patch, box = a_drummer()
    patch.at(1010, "panic", box)  # the kick of beat 3 and its hat sound
    notes = play(patch, tmp_path, 2).notes()
    at = round(1010 * 44.1)
    assert sounding_after(note for note in notes if note[0] <= at) == set()
    assert [note for note in notes if at < note[0] < 9 * STEP - 100] == []
    assert any(sample > BAR for sample, *_ in notes)


def two_composers(folder: Path) -> Patch:
    """A patch with ``04.two-composers.pd``, its own names beginning with ``two``; it logs where both are."""
    text = (PATCHES / "04.two-composers.pd").read_text().replace("\\$0", "two")
    for name, model in (("joplin", "tiny_poly"), ("drums", "tiny_drums")):
        assert text.count(f"composer {name},") == 1
        text = text.replace(f"composer {name},", f"composer {model},")
    (folder / "two.pd").write_text(text)
    patch = Patch()
    for who in ("piano-says", "drums-say"):  # before the composers: they tell their grids at once
        bars = patch.obj("bars")
        patch.connect((patch.obj(f"r two-{who}"), 0, bars, 0))
        patch.log(bars, 0, who)
    patch.obj("two")
    return patch


def bar_lines(run: Run, who: str) -> list[tuple[int, int]]:
    """When each bar begins: bar, sample."""
    placed = [(sample, *map(int, atoms)) for sample, atoms in run.logged(who)]
    return [(bar, sample) for sample, bar, step, *_ in placed if step == 0]


def test_two_composers_stay_together_through_changes_of_tempo_and_a_pause(tmp_path: Path) -> None:
    patch = two_composers(tmp_path)
    patch.at(10, "; two-tempo 480")
    patch.at(20, "; two-play 1")
    patch.at(5000.5, "; two-tempo 342")
    patch.at(9100, "; two-play 0")
    patch.at(9777, "; two-play 1")
    patch.at(12000, "; two-tempo 600")
    run = play(patch, tmp_path, 11)  # 22 s: up to there Pd prints samples exactly
    piano, drums = bar_lines(run, "piano-says"), bar_lines(run, "drums-say")
    assert piano == drums
    assert [bar for bar, _ in piano] == list(range(len(piano)))
    assert len(piano) > 32


def test_a_composer_that_comes_late_begins_at_a_bar_line_and_keeps_its_place_on_another_grid(
    tmp_path: Path,
) -> None:
    patch = Patch()
    metro, count, more = patch.obj("metro 10"), patch.obj("f"), patch.obj("+ 1")
    patch.connect((metro, 0, count, 0), (count, 0, more, 0), (more, 0, count, 1))
    for name, who in (("composer tiny_poly", "first"), ("composer", "second")):
        steps, box, bars = patch.obj("in-step"), patch.obj(name), patch.obj("bars")
        patch.connect((count, 0, steps, 0), (steps, 0, box, 0))
        for outlet in (1, 2):
            patch.connect((box, outlet, steps, 1), (box, outlet, bars, 0))
        patch.log(bars, 0, who)
    patch.at(100, "1", metro)
    patch.at(3000, "composer tiny_drums", box)
    patch.at(8000, "composer tiny_poly", box)
    run = play(patch, tmp_path, 9)
    first, second = bar_lines(run, "first"), bar_lines(run, "second")
    assert len(second) == len(first) - 2 > 5
    assert [sample for _, sample in second] == [sample for _, sample in first][2:]


# --- through the patches


def test_a_click_on_the_panel_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "panel.pd").write_text((PATCHES / "drummer.pd").read_text().replace("\\$0", "panel"))
    patch = Patch()
    patch.obj("panel id")
    patch.log(patch.obj("r id-composer"), 0, "told")
    clicks = {
        "style 2": "style funk",
        "style 0": "style",
        "typed list funk 0.7 latin 0.3": "style funk 0.7 latin 0.3",
        "fill-next bang": "fill",
        "fill-now bang": "fill now",
        "fill-every 4": "fill every 4",
        "hat 0": "mute hat",
        "ride 1": "unmute ride",
        "all bang": "unmute",
    }
    for ms, click in enumerate(clicks, 1):
        patch.at(ms, f"; panel-{click}")
    told = [" ".join(atoms) for _, atoms in play(patch, tmp_path, 1).logged("told")]
    assert told == ["swing 50", "humanize 1", *clicks.values()]
