from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_models import (
    Bundle,
    Recurrent,
    Script,
    State,
    lawful,
    poly,
    poly_ring,
    recurrent,
    recurrent_poly,
    script,
    tokenizer,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as Snapshots
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from neuralmidi import bundle
from neuralmidi.composer import Composer
from neuralmidi.composing import MOST_EVENTS
from neuralmidi.controls import CONTROLS
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.history import MEMORY
from neuralmidi.notes import Metre, Note, NoteEvent, Step
from neuralmidi.reading import Condition, Introduction, Reading
from neuralmidi.repetition import Repetition
from neuralmidi.state import BEATS_PER_BAR, ComposerState
from numpy.typing import NDArray

SIXTEENTH = 125.0
"""ms at 120 BPM."""


def play(composer: Composer, steps: int) -> list[Step]:
    return [composer.step(SIXTEENTH) for _ in range(steps)]


def kinds(step: Step) -> list[tuple[str, int]]:
    return [(event.kind, event.pitch) for event in step.events]


def heard(composer: Composer) -> list[str]:
    """What a `Script` or `Lawful` has heard, as words of its vocabulary."""
    words = composer.state.bundle.tokenizer.vocabulary
    return [words[int(token)] for token in composer.state.reading.state[0]]


def told(composer: Composer) -> list[str]:
    """What it has heard, with the word that it will hear when it is asked for the next one."""
    token = composer.state.reading.token
    assert token is not None
    return [*heard(composer), composer.state.bundle.tokenizer.vocabulary[token]]


# One step after another


def test_a_chord_holds_without_a_new_attack_and_ends_with_the_next_one() -> None:
    composer = Composer(script("60,64,67", "60,64,67", "62,65,69", ""))
    first, second, third, fourth = play(composer, 4)
    assert kinds(first) == [("on", 60), ("on", 64), ("on", 67)]
    assert first.pitches == second.pitches == (60, 64, 67)
    assert second.events == ()
    assert kinds(third) == [("off", 60), ("off", 64), ("off", 67), ("on", 62), ("on", 65), ("on", 69)]
    assert kinds(fourth) == [("off", 62), ("off", 65), ("off", 69)]
    assert fourth.pitches == ()
    assert [step.number for step in (first, second, third, fourth)] == [0, 1, 2, 3]


def test_common_notes_of_two_chords_hold() -> None:
    composer = Composer(script("60,64", "60,64,67"))
    assert kinds(play(composer, 2)[1]) == [("on", 67)]


def test_accents_follow_the_bar() -> None:
    chords = ["60", "62"] * 8
    velocities = [step.events[-1].velocity for step in play(Composer(script(*chords)), 16)]
    assert velocities[0] > velocities[4] == velocities[8] == velocities[12]
    assert velocities[4] > velocities[2] == velocities[6]
    assert velocities[2] > velocities[1] == velocities[3]
    assert velocities[0] == round(127 * CONTROLS["intensity"].default)


@pytest.mark.parametrize("steps_per_beat", [1, 2, 3, 4, 6])
def test_the_downbeat_is_the_loudest_on_every_grid(steps_per_beat: int) -> None:
    bar = BEATS_PER_BAR * steps_per_beat
    composer = Composer(script(*["60", "62"] * bar, steps_per_beat=steps_per_beat))
    velocities = [step.events[-1].velocity for step in play(composer, 2 * bar)]
    assert [i for i, velocity in enumerate(velocities) if velocity == max(velocities)] == [0, bar]


def test_the_same_seed_gives_the_same_notes_and_another_does_not() -> None:
    assert play(Composer(recurrent(), seed=7), 64) == play(Composer(recurrent(), seed=7), 64)
    assert play(Composer(recurrent(), seed=7), 64) != play(Composer(recurrent(), seed=8), 64)


def test_a_new_seed_counts_from_the_next_step() -> None:
    composer = Composer(recurrent(), seed=7)
    play(composer, 8)
    composer.seed(8)
    assert composer.state.seed == 8
    assert play(composer, 64) != play(Composer(recurrent(), seed=7), 72)[8:]


def test_start_and_unknown_are_never_played() -> None:
    bundle = recurrent()
    composer = Composer(bundle)
    composer.set("temperature", 2)
    for _ in range(500):
        composer.step(SIXTEENTH)
        assert composer.state.reading.token not in bundle.tokenizer.unmusical


# Controls


def test_density_zero_is_silence_and_ends_nothing_that_holds() -> None:
    composer = Composer(script("60", "60", "60,64", "60,64", "64", "62"))
    composer.set("smooth", 0)
    first = composer.step(SIXTEENTH)
    composer.set("density", 0)
    rest = play(composer, 5)
    assert kinds(first) == [("on", 60)]
    assert [kinds(step) for step in rest] == [[], [], [], [("off", 60)], []]


def test_a_gated_note_stays_silent_until_the_model_drops_it() -> None:
    composer = Composer(script("60", "60", "60", "", "60"))
    composer.set("smooth", 0)
    composer.set("density", 0)
    composer.step(SIXTEENTH)
    composer.set("density", 1)
    assert [kinds(step) for step in play(composer, 4)] == [[], [], [], [("on", 60)]]


def test_density_is_the_share_of_steps_whose_new_notes_sound() -> None:
    composer = Composer(script("60", "62"))
    composer.set("smooth", 0)
    composer.set("density", 0.3)
    sounding = [bool(step.pitches) for step in play(composer, 2000)]
    assert sum(sounding) / 2000 == pytest.approx(0.3, abs=0.03)


def test_density_does_not_change_what_is_composed() -> None:
    full, thin = Composer(recurrent(), seed=3), Composer(recurrent(), seed=3)
    thin.set("density", 0.2)
    play(full, 100)
    play(thin, 100)
    assert full.state.history == thin.state.history


def test_intensity_swells_a_held_note_without_a_new_attack() -> None:
    composer = Composer(script("60,64"))
    composer.set("smooth", 4 * SIXTEENTH)
    composer.step(SIXTEENTH)
    composer.set("intensity", 0.1)
    swells = [[event.velocity for event in step.events if event.pitch == 60] for step in play(composer, 6)]
    assert swells == [[70], [51], [32], [13], [], []]
    assert {event.kind for step in play(composer, 1) for event in step.events} == set()


def test_a_note_is_never_silent_while_it_sounds() -> None:
    composer = Composer(script("60", "62"))
    composer.set("smooth", 0)
    composer.set("intensity", 0)
    assert [step.events[-1].velocity for step in play(composer, 4)] == [1, 1, 1, 1]


def test_a_control_is_heard_at_the_very_next_step() -> None:
    composer = Composer(recurrent())
    composer.set("smooth", 0)
    composer.step(SIXTEENTH)
    snapshot = composer.state
    composer.set("temperature", 0.1)
    composer.step(SIXTEENTH)
    cold = Counter(_tokens_with_every_seed(composer, snapshot, temperature=0.1))
    hot = Counter(_tokens_with_every_seed(composer, snapshot, temperature=2))
    assert cold.most_common(1)[0][1] > 1.5 * hot.most_common(1)[0][1]


def _tokens_with_every_seed(composer: Composer, snapshot: ComposerState, temperature: float) -> Iterable[int]:
    for seed in range(200):
        composer.state = replace(snapshot, seed=seed)
        composer.set("temperature", temperature)
        composer.step(SIXTEENTH)
        yield composer.state.reading.token or 0


def test_top_k_of_one_always_takes_the_likeliest() -> None:
    composers = [Composer(recurrent(), seed=seed) for seed in (1, 2)]
    for composer in composers:
        composer.set("top_k", 1)
    assert play(composers[0], 50) == play(composers[1], 50)


def test_a_small_top_p_takes_the_likeliest_too() -> None:
    composers = [Composer(recurrent(), seed=seed) for seed in (1, 2)]
    for composer in composers:
        composer.set("smooth", 0)
        composer.set("temperature", 0.1)
        composer.set("top_p", 0.05)
    assert play(composers[0], 50) == play(composers[1], 50)


def test_a_channel_change_ends_notes_where_they_began() -> None:
    composer = Composer(script("60"), channel=3)
    composer.step(SIXTEENTH)
    composer.set("channel", 5)
    composer.set("channel", 6)
    (step,) = play(composer, 1)
    assert step.events == (NoteEvent("off", 60, 0, 3), NoteEvent("on", 60, step.events[1].velocity, 6))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda composer: composer.set("temperature", 3), "temperature: 3 is outside 0.1 to 2.0"),
        (lambda composer: composer.set("density"), "density: the number is missing"),
        (lambda composer: composer.set("loudness", 1), "loudness: there is no such control"),
        (lambda composer: composer.seed(-1), "seed: -1 is outside 0 to 4294967295"),
        (lambda composer: composer.seed(0.5), "seed: 0.5 is not a whole number"),
        (lambda composer: composer.note(128, 64), "note: 128 is outside 0 to 127"),
        (lambda composer: composer.note(60), "note velocity: the number is missing"),
        (lambda composer: composer.listen(-1), "listen: -1 is outside"),
    ],
)
def test_a_refused_message_changes_nothing(call: Callable[[Composer], None], text: str) -> None:
    composer = Composer(recurrent())
    play(composer, 3)
    before = composer.state
    with pytest.raises(NeuralMIDIError) as error:
        call(composer)
    assert text in str(error.value)
    assert composer.state is before


# Reset, silence, change


def test_reset_plays_the_same_again_after_ending_what_sounds() -> None:
    composer = Composer(recurrent(), seed=5)
    first = play(composer, 20)
    sounding = first[-1].pitches
    composer.reset()
    again = play(composer, 20)
    assert again[0].events == (*(NoteEvent("off", pitch, 0, 1) for pitch in sounding), *first[0].events)
    assert again[1:] == first[1:]


def test_after_reset_every_note_is_a_new_one() -> None:
    composer = Composer(script("60", "60,64"))
    play(composer, 4)
    composer.set("smooth", 0)
    composer.reset()
    composer.reset()
    assert kinds(composer.step(SIXTEENTH)) == [("off", 60), ("off", 64), ("on", 60)]
    composer.set("density", 0)
    composer.reset()
    assert [kinds(step) for step in play(composer, 2)] == [[("off", 60)], []]


def test_after_silence_the_wanted_notes_start_again() -> None:
    composer = Composer(script("60,64"))
    composer.step(SIXTEENTH)
    composer.silence()
    assert kinds(composer.step(SIXTEENTH)) == [("on", 60), ("on", 64)]
    assert composer.step(SIXTEENTH).events == ()


def test_silence_ends_the_wait_for_a_key_whose_release_was_lost() -> None:
    composer = Composer(script("60"))
    composer.note(64, 90)
    assert play(composer, 3)[-1].pitches == ()
    composer.silence()
    assert kinds(composer.step(SIXTEENTH)) == [("on", 60)]


def test_silence_pays_the_ends_that_were_owed() -> None:
    composer = Composer(script("60"))
    composer.step(SIXTEENTH)
    composer.reset()
    composer.silence()
    assert kinds(composer.step(SIXTEENTH)) == [("on", 60)]


def test_silence_leaves_gated_notes_gated() -> None:
    composer = Composer(script("60", "60,64"))
    composer.set("smooth", 0)
    composer.step(SIXTEENTH)
    composer.set("density", 0)
    composer.step(SIXTEENTH)
    composer.silence()
    reading = replace(composer.state.reading, state=(composer.state.reading.state[0][:1],))
    composer.state = replace(composer.state, number=1, reading=reading)
    assert kinds(composer.step(SIXTEENTH)) == [("on", 60)]


def test_a_change_of_model_hands_sounding_notes_over() -> None:
    composer = Composer(script("60,64,67"))
    composer.step(SIXTEENTH)
    composer.change(script(*["60,64,67,72"] * 9))
    assert kinds(composer.step(SIXTEENTH)) == [("on", 72)]
    composer.change(script(*["62"] * 99, vocabulary=("62",)))
    assert kinds(composer.step(SIXTEENTH)) == [("off", 60), ("off", 64), ("off", 67), ("off", 72), ("on", 62)]


def test_a_new_model_hears_what_was_played_before_it() -> None:
    composer = Composer(script("60", "60,64", ""))
    play(composer, 3)
    composer.note(64, 90)
    composer.step(SIXTEENTH)
    composer.change(script("60"))
    composer.step(SIXTEENTH)
    assert heard(composer) == ["<start>", "60", "60,64", "<rest>", "64"]
    assert composer.state.number == 5


def test_a_new_model_hears_at_most_its_memory() -> None:
    composer = Composer(script("60"))
    play(composer, 4 * MEMORY + 20)
    composer.change(script("60"))
    composer.step(SIXTEENTH)
    assert len(heard(composer)) == 4 * MEMORY + 1


def test_rewinding_past_a_change_brings_the_old_model_back() -> None:
    composer = Composer(recurrent(seed=1))
    play(composer, 5)
    snapshot = composer.state
    before = play(composer, 10)
    composer.change(recurrent(seed=2, chords=("60", "61")))
    play(composer, 5)
    composer.state = snapshot
    assert play(composer, 10) == before


class Counted(Recurrent):
    """A network that counts how often it is asked."""

    asked = 0

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        self.asked += 1
        return super().step(state, token, condition)


@pytest.mark.parametrize("later", [0, 1, 5, 40])
def test_a_change_that_acts_again_is_told_only_what_is_new(later: int) -> None:
    words = tokenizer()
    network = Counted(len(words.vocabulary), seed=2)
    new = Bundle("counted", network, words)
    composer = Composer(recurrent(seed=1))
    play(composer, 50)
    snapshot, introduction = composer.state, Introduction()
    composer.change(new, introduction)
    assert network.asked >= 45
    composer.state = snapshot  # it came too late: steps of the old model have been played
    play(composer, later)
    snapshot, network.asked = composer.state, 0
    composer.change(new, introduction)
    assert network.asked <= (later if later < 14 else 64)  # then the first of its beats are forgotten
    as_told = play(composer, 30)
    composer.state = snapshot
    composer.change(new)
    assert play(composer, 30) == as_told


def test_an_introduction_to_somebody_else_or_under_another_blend_begins_anew() -> None:
    words = [1, 2, 3, 4]
    first, second = (recurrent_poly(seed=seed, names=("a", "b")) for seed in (1, 2))
    half, full = np.array([0.5, 0.5], np.float32), np.array([1, 0], np.float32)
    introduction = Introduction()
    for score, condition in ((first, half), (second, half), (second, full), (second, half)):
        told = introduction.begin(score, words, condition)
        alone = Reading.begin(score, words, condition)
        assert np.array_equal(told.ask(condition)[0], alone.ask(condition)[0])
        assert (told.token, told.hands, told.passed) == (alone.token, alone.hands, alone.passed)


class Broken(Script):
    """A script whose model fails, from its fourth step on."""

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        if len(state[0]) >= 3:
            raise NeuralMIDIError("model", "gives NaN", "train it again")
        return super().step(state, token, condition)


def test_a_failing_model_leaves_the_composer_as_it_was() -> None:
    words = tokenizer()
    broken = Bundle("broken", Broken([3], len(words.vocabulary)), words)
    composer = Composer(broken)
    play(composer, 3)
    composer.note(60, 90)
    before = composer.state
    for call in (lambda: composer.step(SIXTEENTH), lambda: composer.listen(4)):
        with pytest.raises(NeuralMIDIError, match="gives NaN"):
            call()
        assert composer.state is before


def test_the_old_model_plays_on_when_the_new_one_fails() -> None:
    words = tokenizer()
    composer = Composer(script("60"))
    play(composer, 10)
    with pytest.raises(NeuralMIDIError, match="gives NaN"):
        composer.change(Bundle("broken", Broken([3], len(words.vocabulary)), words))
    assert composer.step(SIXTEENTH).pitches == (60,)
    assert composer.state.bundle.name == "script"


# The player


def test_while_the_player_plays_the_composer_listens() -> None:
    composer = Composer(script("60", "60", "60", "60", "62"))
    composer.step(SIXTEENTH)
    composer.note(64, 90)
    composer.note(60, 90)
    listening = play(composer, 2)
    composer.note(60, 0)
    composer.note(64, 0)
    after = play(composer, 2)
    assert [kinds(step) for step in listening] == [[("off", 60)], []]
    assert [kinds(step) for step in after] == [[("on", 60)], [("off", 60), ("on", 62)]]
    assert heard(composer) == ["<start>", "60", "60,64", "60,64", "60"]


def test_a_note_shorter_than_a_step_is_heard_once() -> None:
    composer = Composer(script("62"))
    composer.note(60, 90)
    composer.note(60, 0)
    composer.note(64, 0)
    first, second = play(composer, 2)
    assert first.events == ()
    assert kinds(second) == [("on", 62)]
    assert heard(composer) == ["<start>", "60"]


def test_listening_keeps_the_rhythm_of_a_phrase_but_not_the_wait_for_it() -> None:
    composer = Composer(script("62"))
    composer.listen(100)
    composer.note(60, 90)
    composer.listen(2)
    composer.note(60, 0)
    composer.listen(3)
    composer.note(64, 90)
    composer.note(64, 0)
    composer.listen()
    composer.listen(1000)
    assert composer.state.number == 0
    step = composer.step(SIXTEENTH)
    assert heard(composer) == ["<start>", "60", "60", "<rest>", "<rest>", "<rest>", "64"]
    assert kinds(step) == [("on", 62)]
    assert step.number == 0


def test_rests_from_before_the_composer_played_are_forgotten() -> None:
    composer = Composer(script("62"))
    composer.step(SIXTEENTH)
    composer.listen(7)
    composer.step(SIXTEENTH)
    composer.listen(1)
    composer.note(60, 90)
    composer.listen(1)
    composer.step(SIXTEENTH)
    assert heard(composer) == ["<start>", "62", "62", "<rest>", "60"]


def test_a_long_pause_in_a_phrase_is_heard_as_a_bar() -> None:
    composer = Composer(script("62"))
    composer.note(60, 90)
    composer.note(60, 0)
    composer.listen(5000)
    composer.note(60, 90)
    composer.listen(1)
    composer.step(SIXTEENTH)
    assert Counter(heard(composer))["<rest>"] == 16


def test_listening_to_a_forgotten_key_is_bounded() -> None:
    composer = Composer(script("62"))
    composer.note(60, 90)
    composer.listen(2**31)
    assert len(composer.state.reading.state[0]) <= 4 * MEMORY + 1


def test_listening_while_stopped_leaves_sounding_notes_to_the_next_step() -> None:
    composer = Composer(script("60,64"))
    composer.step(SIXTEENTH)
    composer.note(67, 90)
    composer.note(67, 0)
    composer.listen()
    step = composer.step(SIXTEENTH)
    assert step.pitches == (60, 64)
    assert {event.kind for event in step.events} == {"vel"}


def test_info_is_ready_to_print() -> None:
    composer = Composer(recurrent(), seed=4, channel=2)
    composer.set("temperature", 0.5)
    play(composer, 3)
    info = composer.info()
    assert info["composer"] == "recurrent"
    assert (info["step"], info["seed"], info["channel"], info["temperature"]) == (3, 4, 2, 0.5)
    assert all(isinstance(value, int | float | str) for value in info.values())


# Note after note: the tokenizer poly


def test_a_slot_holds_as_many_tokens_as_it_needs_and_a_wait_lets_slots_pass() -> None:
    composer = Composer(
        poly("on 60", "on 64", "wait 2", "off 60", "on 62", "wait 1", "off 62", "off 64", "wait 5")
    )
    steps = play(composer, 8)
    assert [kinds(step) for step in steps[:4]] == [
        [("on", 60), ("on", 64)],
        [],
        [("off", 60), ("on", 62)],
        [("off", 62), ("off", 64)],
    ]
    assert not any(step.events for step in steps[4:])
    assert kinds(composer.step(SIXTEENTH)) == [("on", 60), ("on", 64)]


def test_a_wait_is_told_to_the_model_when_it_is_over() -> None:
    composer = Composer(poly("on 60", "wait 3", "off 60", "wait 1"))
    play(composer, 3)
    assert heard(composer) == ["<start>", "bar 4/4", "on 60"]
    composer.step(SIXTEENTH)
    assert heard(composer) == ["<start>", "bar 4/4", "on 60", "wait 3", "off 60"]


def test_a_note_struck_again_is_a_new_attack() -> None:
    composer = Composer(poly("on 60", "wait 1", "off 60", "on 60", "wait 1", "off 60", "wait 1"))
    assert [kinds(step) for step in play(composer, 3)] == [
        [("on", 60)],
        [("off", 60), ("on", 60)],
        [("off", 60)],
    ]


def test_every_step_tells_its_length() -> None:
    composer = Composer(script("60"))
    assert composer.step(SIXTEENTH).beats == pytest.approx(1 / 4)
    composer.change(poly("on 60", "wait 1", steps_per_beat=12, bar="3/4"))
    assert composer.step(SIXTEENTH).beats == pytest.approx(1 / 12)
    assert (composer.info()["steps_per_beat"], composer.info()["steps_per_bar"]) == (12, 36)


def test_at_its_default_intensity_a_note_is_as_loud_as_the_model_says() -> None:
    composer = Composer(poly("velocity 3", "on 60", "velocity 8", "on 64", "wait 8"))
    assert [event.velocity for event in composer.step(SIXTEENTH).events] == [40, 120]
    composer.set("smooth", 0)
    composer.set("intensity", 0.35)
    assert [event.velocity for event in composer.step(SIXTEENTH).events] == [20, 60]
    composer.set("intensity", 1)
    assert [event.velocity for event in composer.step(SIXTEENTH).events] == [57, 127]


def test_without_levels_accents_follow_the_bar_that_the_model_is_in() -> None:
    bundle = poly("on 60", "wait 1", "off 60", "wait 1", bar="3/4", velocities=0, steps_per_beat=2)
    velocities = [
        event.velocity for step in play(Composer(bundle), 12) for event in step.events if event.velocity
    ]
    assert [velocity == max(velocities) for velocity in velocities] == [True, False, False] * 2


def test_accents_stay_on_the_beat_when_the_grid_changes() -> None:
    composer = Composer(script("60", "62"))
    play(composer, 16 + 6)
    composer.change(poly("off 60", "off 62", "on 60", "wait 1", steps_per_beat=12, velocities=0))
    steps = play(composer, 60)
    velocities = [max((event.velocity for event in step.events), default=0) for step in steps]
    assert [place for place, velocity in enumerate(velocities) if velocity == max(velocities)] == [30]


def test_the_density_gate_is_for_new_attacks_and_struck_ones() -> None:
    composer = Composer(poly("on 60", "wait 1", "off 60", "on 60", "wait 1", "off 60", "on 60", "wait 1"))
    composer.set("smooth", 0)
    first = composer.step(SIXTEENTH)
    composer.set("density", 0)
    second = composer.step(SIXTEENTH)
    composer.set("density", 1)
    third = composer.step(SIXTEENTH)
    assert [kinds(step) for step in (first, second, third)] == [[("on", 60)], [("off", 60)], [("on", 60)]]


def test_a_slot_without_an_end_is_closed() -> None:
    composer = Composer(poly("on 60", "off 60"))
    first = composer.step(SIXTEENTH)
    assert first.events == ()
    words = composer.state.bundle.tokenizer.vocabulary
    assert len(heard(composer)) == 2 + MOST_EVENTS
    assert words[composer.state.reading.token or 0].startswith("wait")


def test_it_does_not_wait_before_it_has_played_a_note() -> None:
    for seed in range(20):
        assert Composer(poly("wait 8"), seed=seed).step(SIXTEENTH).pitches


def test_it_does_not_wait_for_ever_in_silence() -> None:
    composer = Composer(poly("on 60", "wait 1", "off 60", *["wait 8"] * 50))
    composer.set("repeats", 0)
    sounding = [bool(step.pitches) for step in play(composer, 4 * MEMORY + 20)]
    assert not any(sounding[1 : 4 * MEMORY + 1])
    assert any(sounding[4 * MEMORY + 1 :])


def test_a_player_s_note_cuts_a_wait_short() -> None:
    composer = Composer(
        poly("on 60", "wait 8", "wait 8", "wait 8", "wait 8", "wait 8", "wait 8", "on 62", "wait 1")
    )
    play(composer, 3)
    composer.note(64, 100)
    listening = play(composer, 2)
    composer.note(64, 0)
    after = composer.step(SIXTEENTH)
    assert [kinds(step) for step in listening] == [[("off", 60)], []]
    assert kinds(after) == [("on", 62)]
    assert heard(composer)[2:] == [
        "on 60",
        "wait 3",
        "off 60",
        "velocity 7",
        "on 64",
        "wait 2",
        "off 64",
        "on 62",
    ]


def test_a_player_s_note_struck_again_is_heard_as_struck_again() -> None:
    composer = Composer(poly("on 62", "wait 1", velocities=0))
    composer.note(60, 90)
    composer.step(SIXTEENTH)
    composer.note(60, 0)
    composer.note(60, 90)
    composer.step(SIXTEENTH)
    composer.note(60, 0)
    composer.step(SIXTEENTH)
    assert heard(composer)[2:9] == ["on 60", "wait 1", "off 60", "on 60", "wait 1", "off 60", "on 62"]


def test_long_notes_of_a_player_are_long_waits() -> None:
    composer = Composer(poly("on 62", "wait 1", velocities=0))
    composer.note(60, 90)
    play(composer, 19)
    composer.note(60, 0)
    composer.step(SIXTEENTH)
    assert heard(composer)[2:7] == ["on 60", "wait 8", "wait 8", "wait 3", "off 60"]


def test_a_phrase_that_is_listened_to_keeps_its_rhythm() -> None:
    composer = Composer(poly("on 62", "wait 1", velocities=0))
    composer.listen(100)
    composer.note(60, 90)
    composer.listen(2)
    composer.note(60, 0)
    composer.listen(3)
    composer.note(64, 90)
    composer.note(64, 0)
    composer.listen(1)
    composer.listen(1000)
    composer.step(SIXTEENTH)
    assert heard(composer)[2:9] == ["on 60", "wait 2", "off 60", "wait 3", "on 64", "wait 1", "off 64"]


# From one grid, and one kind of tokens, to another


def test_another_kind_of_model_hears_the_same_music() -> None:
    composer = Composer(script("60", "60,64", "62,65,69", ""))
    play(composer, 4)
    composer.change(poly_ring("on 60", "wait 1", steps_per_beat=12))
    assert told(composer) == [
        "<start>", "bar 4/4", "on 60", "wait 3", "on 64", "wait 3", "off 60", "off 64",
        "on 62", "on 65", "on 69", "wait 3", "off 62", "off 65", "off 69", "wait 3",
    ]  # fmt: skip
    composer.change(script("60"))
    assert told(composer) == ["<start>", "60", "60,64", "62,65,69", "<rest>"]


def test_what_is_struck_again_and_how_loud_is_heard_on_another_grid() -> None:
    composer = Composer(poly_ring("velocity 2", "on 60", "wait 2", "off 60", "velocity 5", "on 60", "wait 2"))
    play(composer, 4)
    composer.change(poly_ring("on 60", "wait 1", steps_per_beat=12))
    assert told(composer)[2:] == ["velocity 2", "on 60", "wait 6", "off 60", "velocity 5", "on 60", "wait 6"]


def test_held_notes_are_handed_over_between_kinds() -> None:
    composer = Composer(script("60,64"))
    play(composer, 2)
    composer.change(poly_ring("off 64", "on 67", "wait 8", steps_per_beat=12))
    assert kinds(composer.step(SIXTEENTH)) == [("off", 64), ("on", 67)]
    composer.change(script("60,64,67"))
    assert kinds(composer.step(SIXTEENTH)) == [("on", 64)]


def test_a_model_that_knows_of_bars_hears_whole_bars() -> None:
    composer = Composer(script(*["60", "62"] * 8, "64", "64", "64", "64", *["60"] * 60))
    play(composer, 80)
    composer.change(poly_ring("on 67", "wait 8"))
    phrase = ["on 64", "wait 4", "off 64", "on 60", *["wait 8"] * 7, "wait 4"]
    assert told(composer) == ["<start>", "bar 4/4", *phrase]
    composer.change(poly_ring("on 67", "wait 8", bar="3/4"))
    assert told(composer)[:3] == ["<start>", "bar 3/4", "on 60"]


def test_the_first_step_on_another_grid_leads_onto_it() -> None:
    composer = Composer(poly_ring("on 60", "wait 1", "off 60", "wait 1", steps_per_beat=12))
    play(composer, 5)
    composer.change(script("60"))
    assert [step.beats for step in play(composer, 2)] == pytest.approx([1 / 3, 1 / 4])
    assert composer.state.place == 1


def test_a_change_in_the_middle_of_a_wait_tells_how_much_of_it_is_over() -> None:
    composer = Composer(poly_ring("on 60", "wait 8"))
    play(composer, 3)
    composer.change(poly_ring("off 60", "wait 8"))
    assert told(composer)[2:] == ["on 60", "wait 3"]
    assert kinds(composer.step(SIXTEENTH)) == [("off", 60)]


# Primers

PHRASE = [Note(0, 2, 60), Note(2, 4, 64), Note(4, 5, 62)]


def test_a_primer_is_heard_up_to_its_last_bar_line() -> None:
    composer = Composer(poly_ring("on 67", "wait 4", velocities=0))
    composer.prime(PHRASE)
    assert told(composer) == [
        "<start>", "bar 4/4", "on 60", "wait 8", "off 60", "on 64", "wait 8", "off 64", "on 62", "wait 4",
        "off 62", "wait 8", "wait 4",
    ]  # fmt: skip
    first = composer.step(SIXTEENTH)
    assert first.number == 0
    assert kinds(first) == [("on", 67)]


def test_what_sounds_at_the_end_of_a_primer_is_released() -> None:
    composer = Composer(poly_ring("on 67", "wait 4", velocities=0))
    composer.prime([Note(0, 4, 60)])
    assert kinds(composer.step(SIXTEENTH)) == [("on", 67)]
    assert heard(composer) == ["<start>", "bar 4/4", "on 60", "wait 8", "wait 8", "off 60", "on 67"]


def test_a_primer_brings_its_time_signature_and_reset_takes_it_away() -> None:
    composer = Composer(poly_ring("on 67", "wait 4", velocities=0))
    composer.prime(PHRASE, [Metre(0, 4, 4), Metre(3, 3, 4)])
    assert told(composer)[:3] == ["<start>", "bar 3/4", "on 60"]
    assert composer.info()["steps_per_bar"] == 12
    composer.reset()
    assert told(composer) == ["<start>", "bar 4/4"]


def test_a_time_signature_that_the_model_does_not_know_is_its_own() -> None:
    composer = Composer(poly_ring("on 67", "wait 4", bar="3/4"))
    composer.prime(PHRASE, [Metre(0, 7, 4)])
    assert composer.info()["steps_per_bar"] == 12


def test_of_a_long_primer_the_last_bars_are_heard_whatever_the_kind() -> None:
    notes = [Note(beat, beat + 1, 60 + 4 * (beat % 2)) for beat in range(40)]
    for music in (script("60"), poly_ring("on 60", "wait 8")):
        composer = Composer(music)
        composer.prime(notes)
        assert composer.state.history.now == MEMORY
    composer = Composer(script("60"))
    composer.prime(notes)
    assert told(composer) == ["<start>", *[word for _ in range(8) for word in ["60"] * 4 + ["64"] * 4]]


def test_a_primer_without_a_note_is_refused_and_changes_nothing() -> None:
    composer = Composer(recurrent())
    play(composer, 3)
    before = composer.state
    with pytest.raises(NeuralMIDIError, match="primer: there is no note in it"):
        composer.prime([])
    assert composer.state is before


def test_a_primer_ends_what_sounds() -> None:
    composer = Composer(script("60"))
    composer.step(SIXTEENTH)
    composer.prime([Note(0, 4, 72)])
    assert kinds(composer.step(SIXTEENTH)) == [("off", 60), ("on", 60)]


# Between composers


class Curious(Script):
    """A script that notes the conditions that it is given."""

    given: list[list[float] | None]

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        self.given.append(None if condition is None else condition.tolist())
        return super().step(state, token, condition)


def curious(*names: str) -> tuple[Bundle, list[list[float] | None]]:
    words = tokenizer()
    model = Curious([3, 4], len(words.vocabulary))
    model.given = []
    return Bundle("curious", model, words, names), model.given


def test_the_model_is_told_the_blend_and_it_glides() -> None:
    bundle, given = curious("bach", "chopin")
    composer = Composer(bundle)
    composer.step(SIXTEENTH)
    composer.set("smooth", 2 * SIXTEENTH)
    composer.blend("bach", 3, "chopin", 1)
    play(composer, 3)
    composer.blend()
    play(composer, 2)
    assert given == [[0, 0], [0.375, 0.125], [0.75, 0.25], [0.75, 0.25], [0.375, 0.125], [0, 0]]


def test_a_model_of_one_composer_is_told_nothing_and_has_no_blend() -> None:
    bundle, given = curious()
    composer = Composer(bundle)
    composer.step(SIXTEENTH)
    assert given == [None]
    assert "blend" not in composer.info()
    before = composer.state
    with pytest.raises(NeuralMIDIError, match="blend: this model is of one composer"):
        composer.blend("bach", 1)
    assert composer.state is before


def test_a_blend_is_heard_in_the_music() -> None:
    one, other = (Composer(recurrent_poly(1, names=("bach", "chopin"))) for _ in range(2))
    one.blend("bach")
    other.blend("chopin")
    assert play(one, 64) != play(other, 64)


def test_a_primer_right_after_a_blend_is_heard_under_it() -> None:
    bundle, given = curious("bach", "chopin")
    composer = Composer(bundle)
    composer.set("smooth", 0)
    composer.blend("chopin")
    composer.prime([Note(0, 4, 60)])
    assert given == [[0, 1]] * len(given) != []


def test_the_blend_survives_a_change_and_a_reset() -> None:
    composer = Composer(curious("bach", "chopin")[0])
    composer.set("smooth", 0)
    composer.blend("chopin")
    composer.step(SIXTEENTH)
    bundle, given = curious("chopin", "joplin")
    composer.change(bundle)
    composer.reset()
    composer.step(SIXTEENTH)
    assert given == [[1, 0]] * 2
    assert composer.info()["blend"] == "chopin 1"


# Going round in circles


class Circling(Script):
    """A script that would rather go on with its tokens than not, but does not rule out the others."""

    def step(
        self, state: State, token: int, condition: Condition = None
    ) -> tuple[NDArray[np.float32], State]:
        logits, state = super().step(state, token, condition)
        return logits / np.float32(100), state


def circling(*words: str) -> Bundle:
    bundle = poly(*words, velocities=0)
    tokens = list(map(bundle.tokenizer.vocabulary.index, words))
    return Bundle("circling", Circling(tokens, len(bundle.tokenizer.vocabulary), after=1), bundle.tokenizer)


def bars(composer: Composer, count: int) -> list[list[list[tuple[str, int]]]]:
    return [[kinds(step) for step in play(composer, 16)] for _ in range(count)]


BAR = ("on 60", "wait 8", "off 60", "on 64", "wait 8", "off 64")


def test_a_bar_is_not_played_more_often_than_the_guard_allows() -> None:
    composer = Composer(circling(*BAR))
    composer.set("top_k", 1)
    composer.set("repeats", 2)
    played = bars(composer, 4)
    assert played[1] == played[2]
    assert played[3] != played[2]


def test_without_the_guard_it_goes_round_for_ever() -> None:
    composer = Composer(circling(*BAR))
    composer.set("top_k", 1)
    composer.set("repeats", 0)
    played = bars(composer, 20)
    assert played[1:] == [played[1]] * 19


def test_the_guard_does_not_make_it_say_what_the_model_rules_out() -> None:
    composer = Composer(poly(*BAR))
    composer.set("repeats", 1)
    played = bars(composer, 20)
    assert played[1:] == [played[1]] * 19


# With real models


def tiny(name: str = "tiny") -> bundle.Bundle:
    """A model that walks round a ring of words; tests/data/make_tiny.py has the rings."""
    return bundle.load(Path(__file__).parent / "data" / name)


RING = [
    (48, 60, 64, 67),
    (48, 60, 64, 69),
    (60, 65, 69),
    (53, 60, 65),
    (55, 59, 62, 67),
    (67,),
    (62, 65, 67, 71),
]


def test_a_real_model_is_played() -> None:
    composer = Composer(tiny())
    composer.set("top_k", 1)
    assert [step.pitches for step in play(composer, 16)] == [*RING, (), *RING, ()]


def test_a_real_model_goes_on_from_what_the_player_played() -> None:
    composer = Composer(tiny())
    composer.set("top_k", 1)
    for pitch in (55, 59, 62, 67):
        composer.note(pitch, 90)
        composer.note(pitch, 0)
    assert [step.pitches for step in play(composer, 3)] == [(), (67,), (62, 65, 67, 71)]


def test_a_real_model_plays_the_same_after_a_rewind_and_a_change() -> None:
    composer = Composer(tiny(), seed=2)
    play(composer, 30)
    snapshot = composer.state
    first = play(composer, 30)
    composer.change(tiny("tiny2"))
    assert {pitch for step in play(composer, 30)[1:] for pitch in step.pitches} >= {72, 76}
    composer.state = snapshot
    assert play(composer, 30) == first


def test_two_composers_may_share_a_model() -> None:
    shared = tiny()
    one, other = Composer(shared, seed=1), Composer(shared, seed=2)
    together = [(one.step(SIXTEENTH), other.step(SIXTEENTH)) for _ in range(64)]
    assert [step for step, _ in together] == play(Composer(tiny(), seed=1), 64)
    assert [step for _, step in together] == play(Composer(tiny(), seed=2), 64)


# Laws that hold whatever is done

Call = Callable[[Composer], Step | None]

BUNDLES = (
    recurrent(1),
    recurrent(2, ("60", "61", "61,64")),
    recurrent_poly(3),
    recurrent_poly(4, 12, ("bach", "chopin")),
)


def _values(name: str) -> st.SearchStrategy[float]:
    control = CONTROLS[name]
    return (
        st.integers(int(control.low), int(control.high)).map(float)
        if control.whole
        else st.floats(control.low, control.high)
    )


def _calls(*, goes_on: bool = False) -> st.SearchStrategy[Call]:
    """Anything that a player may do; or only what lets the model go on from all that it has heard."""
    step = st.floats(1, 500).map(lambda ms: lambda composer: composer.step(ms))
    setting = st.sampled_from(sorted(CONTROLS)).flatmap(
        lambda name: _values(name).map(lambda value: lambda composer: composer.set(name, value))
    )
    note = st.tuples(st.integers(58, 70), st.sampled_from((0, 0, 90))).map(
        lambda key: lambda composer: composer.note(*key)
    )
    seed = st.integers(0, 2**32 - 1).map(lambda number: lambda composer: composer.seed(number))
    listen = st.integers(0, 40).map(lambda steps: lambda composer: composer.listen(steps))
    if goes_on:
        return st.one_of(step, step, step, setting, note, seed, listen)
    change = st.sampled_from(BUNDLES).map(lambda bundle: lambda composer: composer.change(bundle))
    reset = st.just(lambda composer: composer.reset())
    piece = st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 4), st.integers(50, 70)), min_size=1, max_size=9
    )
    prime = piece.map(
        lambda drawn: [Note(start, start + length, pitch) for start, length, pitch in drawn]
    ).map(lambda notes: lambda composer: composer.prime(notes))
    return st.one_of(step, step, step, setting, note, seed, listen, change, reset, prime)


calls = st.lists(_calls(), max_size=25)


calls_that_go_on = st.lists(_calls(goes_on=True), max_size=25)


def run(composer: Composer, sequence: Sequence[Call]) -> list[Step | None]:
    return [call(composer) for call in sequence]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), calls, calls, calls)
def test_a_rewound_composer_plays_the_same_again(
    seed: int, before: Sequence[Call], detour: Sequence[Call], after: Sequence[Call]
) -> None:
    composer = Composer(recurrent(), seed=seed)
    run(composer, before)
    snapshot = composer.state
    first = run(composer, after)
    end = composer.state
    composer.state = snapshot
    run(composer, detour)
    composer.state = snapshot
    assert run(composer, after) == first
    assert _same(composer.state, end)


def _same(one: ComposerState, other: ComposerState) -> bool:
    return bool(_plain(one) == _plain(other))


def _plain(thing: Any) -> Any:
    """A state with lists for its arrays, so that it can be compared."""
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if isinstance(thing, tuple):
        return tuple(map(_plain, thing))
    if isinstance(thing, ComposerState | Reading | Repetition):
        return {name: _plain(getattr(thing, name)) for name in type(thing).__slots__}
    return thing


@settings(deadline=None)
@given(st.integers(0, 99), calls_that_go_on)
def test_what_a_model_hears_is_always_the_one_spelling_of_it(seed: int, sequence: Sequence[Call]) -> None:
    bundle = lawful(seed)
    composer = Composer(bundle, seed=seed)
    run(composer, sequence)
    composer.silence()  # the player lets go
    play(composer, 20)
    words = heard(composer)
    words = words[: max(place for place, word in enumerate(words, 1) if word.startswith("wait"))]
    meaning = bundle.tokenizer
    notes, metres = meaning.decode_piece(map(meaning.vocabulary.index, words))
    end = sum(int(word[5:]) for word in words if word.startswith("wait")) / meaning.steps_per_beat
    assert [meaning.vocabulary[token] for token in meaning.encode_piece(notes, metres, end)] == words


class Performance(RuleBasedStateMachine):
    """A host that plays, rewinds, silences and changes, and a listener who counts the notes."""

    snapshots = Snapshots("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.composer = Composer(recurrent(), seed=1)
        self.sounding: dict[tuple[int, int], int] = {}

    @rule(call=_calls())
    def call(self, call: Call) -> None:
        step = call(self.composer)
        if step:
            self._listen(step)

    def _listen(self, step: Step) -> None:
        for event in step.events:
            note = (event.pitch, event.channel)
            assert event.pitch in range(128)
            assert event.channel in range(1, 17)
            assert (event.velocity == 0) if event.kind == "off" else event.velocity in range(1, 128)
            assert (note in self.sounding) == (event.kind != "on")
            if event.kind == "off":
                del self.sounding[note]
            else:
                self.sounding[note] = event.velocity
        channel = int(self.composer.state.controls["channel"].value)
        assert self.sounding.keys() == {(pitch, channel) for pitch in step.pitches}
        assert list(step.pitches) == sorted(step.pitches)

    @rule(target=snapshots)
    def snapshot(self) -> tuple[ComposerState, dict[tuple[int, int], int]]:
        return self.composer.state, dict(self.sounding)

    @rule(snapshot=snapshots)
    def rewind(self, snapshot: tuple[ComposerState, dict[tuple[int, int], int]]) -> None:
        self.composer.state, sounding = snapshot
        self.sounding = dict(sounding)

    @rule()
    def silence(self) -> None:
        self.composer.silence()
        self.sounding.clear()

    @invariant()
    def knows_what_sounds(self) -> None:
        state = self.composer.state
        channel = int(state.controls["channel"].value)
        owed = {(event.pitch, event.channel) for event in state.ending}
        assert {(pitch, channel) for pitch in state.sounding} | owed == self.sounding.keys()
        assert all(note.end > state.history.now - MEMORY for note in state.history.notes)
        assert not state.gated & state.voiced.keys()

    def teardown(self) -> None:
        self.composer.reset()
        self.composer.note(60, 1)
        self._listen(self.composer.step(SIXTEENTH))
        assert not self.sounding


TestPerformance = Performance.TestCase
TestPerformance.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_it_begins_with_a_note_and_not_with_silence() -> None:
    tiny = bundle.load(Path(__file__).parent / "data" / "tiny")
    for seed in range(100):
        composer = Composer(tiny, seed=seed)
        composer.set("smooth", 0)
        composer.set("temperature", 2)
        assert composer.step(SIXTEENTH).pitches
