"""[composer] in the real Pd: what it plays, and when."""

from collections.abc import Callable
from pathlib import Path

import pytest
from neuralmidi import bundle
from neuralmidi.composer import Composer
from pd_runner import DATA, Patch, Run, run_pd, sounding_after

STEP = 5512.5
"""Samples of a 16th at 120 BPM and 44100 Hz."""

Notes = list[tuple[int, int, int, int]]


def a_composer(name: str = "composer tiny") -> tuple[Patch, int]:
    """A patch with a composer that logs what it says."""
    patch = Patch()
    box = patch.obj(name)
    for outlet, tag in enumerate(("note", "step", "status")):
        patch.log(box, outlet, tag)
    return patch, box


def offline(steps: int, *, act: dict[int, Callable[[Composer], object]], step_ms: float = 125) -> Notes:
    """What it plays without Pd: (step, pitch, velocity, channel). ``act[n]`` happens before step n."""
    composer = Composer(bundle.load(DATA / "tiny"))
    notes: Notes = []
    for number in range(steps):
        if number in act:
            act[number](composer)
        events = composer.step(step_ms).events
        notes += [(number, e.pitch, e.velocity, e.channel) for e in events if e.kind != "vel"]
    return notes


def in_steps(notes: Notes, *, first: int = 0, step: float = STEP) -> Notes:
    """Notes with the sample turned into the number of the step, which must be exact to half a sample."""
    counted = []
    for sample, *note in notes:
        number = round((sample - first) / step)
        assert abs(sample - first - number * step) <= 0.5, f"sample {sample} is not on the grid"
        counted.append((number, *note))
    return counted  # type: ignore[return-value]


def step_numbers(run: Run) -> list[int]:
    return [int(atoms[1]) for _, atoms in run.logged("step") if atoms[0] == "step"]


def test_it_plays_in_pd_what_it_composes_without_pd(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "seed 7, play 1", box)
    patch.quit_at(24 * 125 - 1)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    assert in_steps(run.notes()) == offline(24, act={0: lambda c: c.seed(7)})
    assert step_numbers(run) == list(range(24))


def test_in_real_time_it_plays_the_same(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "seed 7, play 1", box)
    patch.quit_at(2500)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors == []
    first = run.notes()[0][0]
    played = in_steps(run.notes(), first=first)
    assert len(played) > 20
    assert played == [n for n in offline(24, act={0: lambda c: c.seed(7)}) if n[0] <= played[-1][0]]


def test_a_metro_of_137_bpm_is_met_to_the_sample(tmp_path: Path) -> None:
    patch, box = a_composer()
    beat = 60000 / 137 / 4
    start, metro = patch.obj("loadbang"), patch.obj(f"metro {beat:.6g}")
    patch.connect((start, 0, metro, 0), (metro, 0, box, 0))
    patch.log(metro, 0, "tick")
    patch.quit_at(5000)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    ticks = {sample for sample, _ in run.logged("tick")}
    onsets = {sample for sample, *_ in run.notes()}
    assert len(ticks) == 46
    assert len(onsets) > 20
    assert onsets <= ticks


def test_a_tempo_change_bends_the_running_step(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "play 1", box)
    patch.at(187.5, "tempo 60", box)  # the second step is half over: what is left of it takes twice as long
    patch.quit_at(900)
    run = run_pd(patch, tmp_path)
    steps = [sample / 44.1 for sample, _ in run.logged("step")]
    assert steps == pytest.approx([0, 125, 312.5, 562.5, 812.5], abs=0.05)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    patch, box = a_composer()
    recorder = patch.obj("recorder take.mid")
    patch.connect((box, 0, recorder, 0))
    patch.at(0, "seed 3, play 1", box)
    patch.at(700, "temperature 1.7, density 0.8", box)
    patch.at(4000, "play 0", box)
    patch.at(4001, "write", recorder)
    patch.quit_at(4002)
    outputs, files = set(), set()
    for _ in range(3):
        outputs.add(run_pd(patch, tmp_path).output)
        files.add((tmp_path / "take.mid").read_bytes())
    assert len(outputs) == 1
    assert len(files) == 1


@pytest.mark.parametrize("look_ahead", [1, 4, 16])
def test_a_control_is_heard_at_the_very_next_step(tmp_path: Path, look_ahead: int) -> None:
    patch, box = a_composer()
    patch.at(0, f"lookahead {look_ahead}, smooth 0, temperature 0.1, tempo 40", box)
    patch.at(10, "play 1", box)
    patch.at(2 * 375 + 75, "temperature 2, intensity 1, density 1", box)  # a busy machine may take its time
    patch.quit_at(10 * 375)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors == []
    first = run.logged("step")[0][0]

    def begin(composer: Composer) -> None:
        composer.set("smooth", 0)
        composer.set("temperature", 0.1)

    def change(composer: Composer) -> None:
        composer.set("temperature", 2)
        composer.set("intensity", 1)

    played = in_steps(run.notes(), first=first, step=3 * STEP)
    last = played[-1][0]
    reference = offline(10, act={0: begin, 3: change}, step_ms=375)
    assert last >= 7
    assert [n for n in played if n[0] < last] == [n for n in reference if n[0] < last]
    assert reference != offline(10, act={0: begin}, step_ms=375), "the change must be audible at all"


def test_composers_are_swapped_in_the_middle_of_a_note(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "temperature 0.1, play 1", box)
    patch.at(1060, "composer tiny2", box)
    patch.at(2060, "composer tiny", box)
    patch.at(3060, "play 0", box)
    patch.quit_at(3200)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    assert [atoms for _, atoms in run.logged("status")] == [
        ["ready", "tiny"],
        ["composer", "tiny2"],
        ["composer", "tiny"],
    ]
    notes = run.notes()
    assert sounding_after(notes) == set()
    high = {sample for sample, pitch, velocity, _ in notes if pitch >= 72 and velocity}
    assert min(high) == round(9 * STEP)
    assert max(high) < 2060 * 44.1
    low_ends = [
        sample for sample, pitch, velocity, _ in notes if pitch < 72 and not velocity and sample < 2060 * 44.1
    ]
    assert max(low_ends) == round(9 * STEP), "the old model's notes end where the new one begins"
    assert step_numbers(run) == list(range(25)), "no step is lost"


def test_intensity_swells_held_notes_without_a_new_attack(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "temperature 0.1, smooth 500, intensity 0.2, play 1", box)
    patch.at(400, "intensity 1", box)
    patch.quit_at(1200)
    run = run_pd(patch, tmp_path)
    swells = [atoms for _, atoms in run.logged("step") if atoms[0] == "vel"]
    assert len(swells) > 2
    assert all(len(swell) == 4 and 1 <= int(swell[2]) <= 127 for swell in swells)
    assert len({(s, p) for s, p, v, _ in run.notes() if v}) == len([1 for *_, v, _ in run.notes() if v])


def test_live_notes_are_heard_and_gone_on_from(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "temperature 0.1, play 1", box)
    for pitch in (53, 60, 65):
        patch.at(260, f"note {pitch} 90", box)
        patch.at(620, f"note {pitch} 0", box)
    patch.quit_at(1000)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    sounding = {
        int(atoms[1]): [int(a) for a in atoms[2:]] for _, atoms in run.logged("step") if atoms[0] == "step"
    }
    assert sounding[3] == sounding[4] == [], "while the player plays, the composer listens"
    assert sounding[5] == [55, 59, 62, 67], "it goes on with what follows the player's chord"


def test_a_phrase_that_is_played_to_it_while_it_stands_still_is_gone_on_from(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "temperature 0.1", box)
    for ms, chord in ((100, (48, 60, 64, 67)), (350, (48, 60, 64, 69)), (600, (60, 65, 69))):
        for pitch in chord:
            patch.at(ms, f"note {pitch} 90", box)
            patch.at(ms + 240, f"note {pitch} 0", box)
    patch.at(1000, "play 1", box)
    patch.quit_at(1200)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    steps = [[int(a) for a in atoms[1:]] for _, atoms in run.logged("step") if atoms[0] == "step"]
    assert steps == [[0, 53, 60, 65], [1, 55, 59, 62, 67]], "what follows the last chord in its ring"


def test_panic_and_stop_end_every_note_at_once(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "seed 2, play 1", box)
    patch.at(300, "panic", box)
    patch.at(1010, "play 0", box)
    patch.at(1500, "play 1", box)
    patch.at(2010, "play 0", box)
    patch.quit_at(2100)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    notes = run.notes()
    for moment in (300, 1010, 2010):
        before = [n for n in notes if n[0] <= round(moment * 44.1)]
        assert sounding_after(before) == set()
        assert any(n[0] == round(moment * 44.1) for n in before), "there was something to end"
    assert any(v and s == round(1500 * 44.1) for s, _, v, _ in notes), "it starts again at once"


def test_one_hour_leaves_no_note_behind(tmp_path: Path) -> None:
    patch = Patch()
    box = patch.obj("composer tiny")
    patch.connect((box, 0, patch.obj("print note"), 0), (box, 2, patch.obj("print status"), 0))
    patch.at(0, "play 1", box)
    start, metro, changes = patch.obj("loadbang"), patch.obj("metro 777"), patch.obj("random 6")
    patch.connect((start, 0, metro, 0), (metro, 0, changes, 0))
    select = patch.obj("select 0 1 2 3 4 5")
    patch.connect((changes, 0, select, 0))
    wishes = (
        "temperature 2, density 0.6",
        "temperature 0.5, density 1",
        "composer tiny2",
        "composer tiny",
        "panic",
    )
    for outlet, wish in enumerate((*wishes, "play 0, tempo 180, play 1, intensity 1")):
        patch.connect((select, outlet, (message := patch.msg(wish)), 0), (message, 0, box, 0))
    patch.at(3_600_000, "play 0", box)
    patch.quit_at(3_600_001)
    run = run_pd(patch, tmp_path, timeout=170)
    assert run.errors == []
    notes = [
        tuple(map(int, line.split()[1:])) for line in run.output.splitlines() if line.startswith("note: ")
    ]
    assert len(notes) > 50_000
    assert sounding_after((0, *note) for note in notes) == set()  # type: ignore[misc]
    assert "underrun" not in run.output


@pytest.mark.parametrize("name", ["bach", "joplin"])
def test_a_shipped_composer_plays_by_its_name(tmp_path: Path, name: str) -> None:
    patch, box = a_composer(f"composer {name}")
    patch.at(0, "seed 1, play 1", box)
    patch.at(8 * 2000, "play 0", box)
    patch.quit_at(8 * 2000 + 1)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    assert run.logged("status") == [(0, ["ready", name])]
    notes = run.notes()
    assert sounding_after(notes) == set()
    assert len([1 for *_, velocity, _ in notes if velocity]) >= 8 * 2, "two notes a bar at least"
    assert len({pitch for _, pitch, *_ in notes}) >= 8, "more than one chord"
