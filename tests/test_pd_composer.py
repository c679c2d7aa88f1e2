"""[composer] in the real Pd: what it plays, and when."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import mido
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


def offline(
    steps: int, *, act: dict[int, Callable[[Composer], object]], step_ms: float = 125, name: str = "tiny"
) -> Notes:
    """What it plays without Pd: (step, pitch, velocity, channel). ``act[n]`` happens before step n."""
    composer = Composer(bundle.load(DATA / name))
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


@pytest.mark.parametrize("name", ["tiny", "tiny_cache", "tiny_blend", "tiny_poly"])
def test_it_plays_in_pd_what_it_composes_without_pd(tmp_path: Path, name: str) -> None:
    step = STEP if name != "tiny_poly" else STEP / 3
    patch, box = a_composer(f"composer {name}")
    patch.at(0, "seed 7, play 1", box)
    patch.quit_at(96 * step / 44.1 - 1)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    alone = offline(96, act={0: lambda c: c.seed(7)}, step_ms=step / 44.1, name=name)
    assert in_steps(run.notes(), step=step) == alone
    assert len(alone) > 20
    assert step_numbers(run) == list(range(96))


@pytest.mark.clock
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


def test_a_beat_is_kept_ready_on_any_grid_until_the_player_says_how_much(tmp_path: Path) -> None:
    patch, box = a_composer()
    for ms, wish in enumerate(("composer tiny_poly", "steps 48", "steps 1", "lookahead 5", "composer tiny")):
        patch.at(100 * ms, "info", box)
        patch.at(100 * ms + 50, wish, box)
    patch.at(500, "info", box)
    patch.quit_at(510)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    told = [int(atoms[2]) for _, atoms in run.logged("status") if atoms[:2] == ["info", "lookahead"]]
    assert told == [4, 12, 32, 4, 5, 5]


@pytest.mark.clock
@pytest.mark.parametrize(("name", "look_ahead"), [("tiny", 1), ("tiny", 4), ("tiny", 16), ("tiny_cache", 16)])
def test_a_control_is_heard_at_the_very_next_step(tmp_path: Path, name: str, look_ahead: int) -> None:
    patch, box = a_composer(f"composer {name}")
    patch.at(0, f"lookahead {look_ahead}, smooth 0, temperature 0.1, tempo 40", box)
    begun = 200  # a busy machine may take its time
    patch.at(begun, "play 1", box)
    patch.at(begun + 2 * 375 + 75, "temperature 2, intensity 1, density 1", box)
    patch.quit_at(begun + 10 * 375)
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
    reference = offline(10, act={0: begin, 3: change}, step_ms=375, name=name)
    assert last >= 7
    assert [n for n in played if n[0] < last] == [n for n in reference if n[0] < last]
    assert reference != offline(10, act={0: begin}, step_ms=375, name=name), (
        "the change must be audible at all"
    )


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
        ["grid", "4", "16"],
        ["composer", "tiny2"],
        ["grid", "4", "16"],
        ["composer", "tiny"],
        ["grid", "4", "16"],
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


# Grids


def in_beats(run: Run, tag: str = "step") -> list[float]:
    """When steps or notes came, in beats at 120 BPM."""
    return [round(sample / 22050, 3) for sample, atoms in run.logged(tag) if atoms[0] != "vel"]


def test_a_model_of_events_plays_chords_struck_again_and_triplets(tmp_path: Path) -> None:
    patch, box = a_composer("composer tiny_poly")
    patch.at(0, "temperature 0.1, play 1", box)
    patch.quit_at(2100)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    assert [atoms for _, atoms in run.logged("status")] == [["ready", "tiny_poly"], ["grid", "12", "48"]]
    played: dict[float, list[tuple[int, int]]] = {}
    for sample, pitch, velocity, _ in run.notes():
        played.setdefault(round(sample / 22050, 3), []).append((pitch, velocity))
    loud, soft = ({v for _, v in played[beat] if v} for beat in (0, 2))
    assert len(loud) == len(soft) == 1
    (loud_one,), (soft_one,) = loud, soft
    assert loud_one > soft_one
    assert played == {
        0: [(pitch, loud_one) for pitch in (48, 60, 64, 67)],
        1: [(64, 0), (67, 0), (65, loud_one), (67, loud_one)],
        1.667: [(65, 0), (64, loud_one)],
        2: [*((pitch, 0) for pitch in (48, 60, 64, 67)), *((pitch, soft_one) for pitch in (43, 59, 62))],
        3: [*((pitch, 0) for pitch in (43, 59, 62)), *((pitch, soft_one) for pitch in (43, 59, 62))],
        4: [*((pitch, 0) for pitch in (43, 59, 62)), *((pitch, loud_one) for pitch in (48, 60, 64, 67))],
    }


@pytest.mark.parametrize("batch", [True, False])
def test_a_swap_to_another_grid_keeps_the_beat(tmp_path: Path, batch: bool) -> None:
    patch, box = a_composer()
    patch.at(0, "tempo 120, lookahead 16, play 1", box)  # a busy machine may take its time
    patch.at(1060, "composer tiny_poly", box)  # beat 2 has begun
    patch.at(2310, "composer tiny", box)  # in the middle of a 16th
    patch.at(4100, "play 0", box)
    patch.quit_at(4200)
    run = run_pd(patch, tmp_path, batch=batch)
    assert run.errors == []
    assert sounding_after(run.notes()) == set()
    first = run.logged("step")[0][0]
    beats = [round((sample - first) / 22050, 3) for sample, atoms in run.logged("step") if atoms[0] == "step"]
    lengths = [after - before for before, after in pairwise(beats)]
    poly = next(n for n, length in enumerate(lengths) if length < 0.1)
    tiny = next(n for n, length in enumerate(lengths) if n > poly and length > 0.1)
    assert beats[: poly + 1] == pytest.approx([n / 4 for n in range(poly + 1)], abs=0.002)
    thirds = [beats[poly] + n / 12 for n in range(tiny + 1 - poly)]
    assert beats[poly : tiny + 1] == pytest.approx(thirds, abs=0.002)
    again = beats[tiny + 1 :]  # its first step has led back onto the 16ths
    fourths = [round(again[0] * 4) / 4 + n / 4 for n in range(len(again))]
    assert again == pytest.approx(fourths, abs=0.002)
    assert beats[-1] >= 8
    if batch:
        assert beats[poly] == 2.25
        assert beats[tiny : tiny + 3] == [4.667, 5, 5.25]
    else:
        assert beats[poly] * 4 % 1 == 0


def test_steps_hold_until_the_next_composer(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(0, "steps 2, play 1", box)
    patch.at(1100, "composer tiny2", box)
    patch.at(1500, "steps 8", box)
    patch.at(1600, "composer tiny_poly", box)
    patch.at(1700, "composer nobody", box)
    patch.quit_at(1800)
    run = run_pd(patch, tmp_path)
    assert len(run.errors) == 1
    assert in_beats(run)[:12] == [
        *(0, 0.5, 1, 1.5, 2, 2.5),  # two a beat; the 16ths of tiny2 begin with the step after the message
        *(2.75, 3, 3.125, 3.25),  # `steps 8` bends the step that sounds
        *(3.333, 3.417),
    ]


@pytest.mark.clock
def test_steps_sent_together_with_play_count_from_the_first_step(tmp_path: Path) -> None:
    patch, box = a_composer()
    patch.at(500, "steps 1, play 1", box)  # four steps are ready by then
    patch.quit_at(2600)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors == []
    lengths = [after - before for before, after in pairwise(in_beats(run))]
    assert len(lengths) >= 3
    assert lengths == pytest.approx([1] * len(lengths))


def test_steps_are_chosen_before_there_is_a_model_and_forgotten_with_it(tmp_path: Path) -> None:
    patch, box = a_composer("composer")
    patch.at(0, "steps 1, composer tiny_poly, play 1", box)
    patch.at(900, "steps 2, info", box)
    patch.quit_at(1800)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    beats = in_beats(run)
    assert beats[:20] == [round(n / 12, 3) for n in range(20)]
    assert beats[-1] - beats[-2] == pytest.approx(0.5)
    info = {atoms[1]: atoms[2] for _, atoms in run.logged("status") if atoms[0] == "info"}
    assert (info["steps_per_beat"], info["steps_per_bar"], info["step_ms"]) == ("12", "48", "250")
    assert info["tempo"] == "120"


def test_controls_glide_in_time_on_any_grid(tmp_path: Path) -> None:
    patch, box = a_composer("composer tiny_poly")
    patch.at(0, "temperature 0.1, smooth 0, intensity 0.2", box)
    patch.at(1, "smooth 1000, play 1, intensity 1", box)
    patch.quit_at(1500)
    run = run_pd(patch, tmp_path)
    swells = [sample / 44.1 for sample, atoms in run.logged("step") if atoms[0] == "vel"]
    assert 850 <= max(swells) <= 1050


# Between composers, after a primer


def pitches_of(run: Run, from_ms: float, to_ms: float) -> set[int]:
    """The pitches that began in a stretch of time."""
    return {p for sample, p, velocity, _ in run.notes() if velocity and from_ms <= sample / 44.1 < to_ms}


LOW, HIGH = {48, 53, 55, 59, 60, 62, 64, 65, 67, 69, 71}, {72, 74, 76, 77, 79, 84}


def test_blend_goes_from_one_composer_to_another(tmp_path: Path) -> None:
    patch, box = a_composer("composer tiny_blend")
    patch.at(0, "temperature 0.1, smooth 0, blend low, play 1", box)
    patch.at(2000, "blend high 2 low 0", box)
    patch.at(2010, "info", box)
    patch.at(4000, "blend low 1 high 1", box)
    patch.at(4010, "info", box)
    patch.at(6000, "blend", box)
    patch.at(6010, "info", box)
    patch.at(7900, "play 0", box)
    patch.quit_at(8000)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    assert pitches_of(run, 0, 2000) <= LOW
    assert pitches_of(run, 2200, 4000) <= HIGH
    assert sounding_after(run.notes()) == set()
    blends = [atoms[2:] for _, atoms in run.logged("status") if atoms[:2] == ["info", "blend"]]
    assert blends == [["high", "1"], ["low", "0.5", "high", "0.5"], ["none"]]


def a_piece(file: Path, *chords: tuple[int, ...], metre: tuple[int, int] = (4, 4), bpm: int = 90) -> None:
    """Write a MIDI file of chords, a quarter note each."""
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1])])
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))
    for chord in chords:
        track += [mido.Message("note_on", note=pitch, velocity=80) for pitch in chord]
        for place, pitch in enumerate(chord):
            track.append(mido.Message("note_off", note=pitch, time=0 if place else 480))
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(file)


def test_a_primer_is_gone_on_from(tmp_path: Path) -> None:
    a_piece(tmp_path / "song.mid", (48, 60, 64, 67), (48, 60, 64, 69), (60, 65, 69), (53, 60, 65))
    patch, box = a_composer()
    patch.at(0, "temperature 0.1, play 1", box)
    patch.at(1010, "primer song.mid", box)
    patch.quit_at(1400)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    steps = [[int(a) for a in atoms[1:]] for _, atoms in run.logged("step") if atoms[0] == "step"]
    assert [step[0] for step in steps] == [*range(9), 0, 1, 2], "it begins again"
    assert steps[9] == [0, 55, 59, 62, 67], "what follows the last chord in its ring"
    assert [atoms for _, atoms in run.logged("status")][-1] == ["grid", "4", "16"]


def test_a_primer_brings_its_metre_until_the_reset(tmp_path: Path) -> None:
    a_piece(tmp_path / "waltz.mid", (48,), (60, 64), (60, 64), metre=(3, 4))
    patch, box = a_composer("composer tiny_poly")
    patch.at(0, "primer waltz.mid, info", box)
    patch.at(10, "reset, info", box)
    patch.quit_at(100)
    run = run_pd(patch, tmp_path)
    assert run.errors == []
    grids = [atoms for _, atoms in run.logged("status") if atoms[0] == "grid"]
    assert grids == [["grid", "12", "48"], ["grid", "12", "36"], ["grid", "12", "48"]]
    infos = [atoms for _, atoms in run.logged("status") if atoms[:2] == ["info", "primer"]]
    assert infos == [["info", "primer", "waltz.mid"], ["info", "primer", "none"]]


def test_a_primer_is_looked_for_like_any_file_of_a_patch(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    a_piece(tmp_path / "sub" / "my song.mid", (60,))
    patch, box = a_composer()
    patch.at(0, "primer sub/my\\ song.mid, primer round_in_two_voices.mid", box)  # the second in Pd's path
    patch.quit_at(100)
    assert run_pd(patch, tmp_path).errors == []


def test_repeats_let_a_loop_go_on_or_not(tmp_path: Path) -> None:
    def bars(repeats: int) -> list[list[str]]:
        patch, box = a_composer()
        patch.at(0, f"temperature 0.1, repeats {repeats}, play 1", box)
        patch.at(16_001, "info", box)
        patch.quit_at(16_002)
        run = run_pd(patch, tmp_path)
        assert run.errors == []
        steps = [atoms[2:] for _, atoms in run.logged("step") if atoms[0] == "step"]
        info = {atoms[1]: atoms[2] for _, atoms in run.logged("status") if atoms[0] == "info"}
        assert info["repeats"] == str(repeats)
        return [[pitch for step in steps[bar : bar + 16] for pitch in step] for bar in range(0, 112, 16)]

    assert len({tuple(bar) for bar in bars(0)}) == 1, "it goes round and round"
    assert len({tuple(bar) for bar in bars(1)}) > 1


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


def test_ten_minutes_leave_no_note_behind(tmp_path: Path) -> None:
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
        "composer tiny_poly",
        "composer tiny",
        "panic",
    )
    for outlet, wish in enumerate((*wishes, "play 0, tempo 180, play 1, intensity 1")):
        patch.connect((select, outlet, (message := patch.msg(wish)), 0), (message, 0, box, 0))
    patch.at(600_000, "play 0", box)
    patch.quit_at(600_001)
    run = run_pd(patch, tmp_path, timeout=170)
    assert run.errors == []
    notes = [
        tuple(map(int, line.split()[1:])) for line in run.output.splitlines() if line.startswith("note: ")
    ]
    assert len(notes) > 8_000  # tests/soak goes on for a day
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
    assert run.logged("status")[0] == (0, ["ready", name])
    assert run.logged("status")[1][1][0] == "grid"
    notes = run.notes()
    assert sounding_after(notes) == set()
    assert len([1 for *_, velocity, _ in notes if velocity]) >= 8 * 2, "two notes a bar at least"
    assert len({pitch for _, pitch, *_ in notes}) >= 8, "more than one chord"


@pytest.mark.clock
def test_notes_balance_when_it_is_silenced_again_and_again_while_it_plays(tmp_path: Path) -> None:
    patch, box = a_composer("composer tiny2")
    patch.at(300, "tempo 480, play 1", box)
    for time in range(500, 2500, 100):  # Python hears of it later than steps that are ready sound
        patch.at(time, "play 0, play 1" if time < 1500 else "panic", box)
    patch.at(2600, "play 0", box)
    patch.quit_at(2700)
    run = run_pd(patch, tmp_path, batch=False)
    assert run.errors == []
    assert len(run.notes()) > 60
    assert sounding_after(run.notes()) == set()
