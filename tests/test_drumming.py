"""A composer that drums: hits leave when they are due, as hard and as early as the player wants them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hand_models import DRUMS, Bundle, Recurrent, drum_ring, drums, hit, poly
from hypothesis import given, settings
from hypothesis import strategies as st
from neuralmidi.composer import Composer
from neuralmidi.drumming import FLAT, LENGTH, moment
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.fills import Fills
from neuralmidi.kit import KIT
from neuralmidi.notes import Metre, Note, Step
from neuralmidi.reading import Condition

SIXTEENTH = 125.0
KICK, SNARE, HAT = 36, 38, 42


def composer(*words: str, names: tuple[str, ...] = (), **controls: float) -> Composer:
    made = Composer(drums(*words, names=names))
    made.set("smooth", 0)
    for name, value in controls.items():
        made.set(name, value)
    return made


def play(composer: Composer, steps: int) -> list[Step]:
    return [composer.step(SIXTEENTH) for _ in range(steps)]


def attacks(steps: Sequence[Step]) -> list[tuple[float, int, int]]:
    """When each hit begins, in steps since the first; its pitch and velocity."""
    return [
        (round(slot + event.delay, 4), event.pitch, event.velocity)
        for slot, step in enumerate(steps)
        for event in step.events
        if event.kind == "on"
    ]


def test_a_hit_is_a_note_that_ends_within_its_step() -> None:
    step = composer(*hit("kick"), "-").step(SIXTEENTH)
    assert [(event.kind, event.pitch, event.channel, event.delay) for event in step.events] == [
        ("on", KICK, 10, 0.0),
        ("off", KICK, 10, LENGTH),
    ]
    assert step.pitches == (KICK,)


def test_what_is_late_leaves_late_and_what_is_early_leaves_in_the_step_before() -> None:
    words = (*hit("kick", late=4), *hit("snare", late=-4), *hit("hat"), "-")
    assert [(when, pitch) for when, pitch, _ in attacks(play(composer(*words), 4))] == [
        (0.25, KICK),
        (0.75, SNARE),
        (2.0, HAT),
    ]
    assert [step.pitches for step in play(composer(*words), 4)] == [(KICK,), (SNARE,), (HAT,), ()]


def test_what_is_early_at_the_very_beginning_is_on_time() -> None:
    assert attacks(play(composer(*hit("kick", late=-8), "-"), 1))[0][0] == 0


def test_every_hit_leaves_once_while_humanize_is_turned() -> None:
    drummer = composer(*hit("kick", late=-6), *hit("snare", late=-3))
    found = []
    for step in range(40):
        drummer.set("humanize", step % 3 / 2)
        found += attacks([drummer.step(SIXTEENTH)])
    assert 40 <= len(found) <= 41


@pytest.mark.parametrize(("humanize", "when", "velocity"), [(1, 0.5, 124), (0.5, 0.25, 110), (0, 0, FLAT)])
def test_humanize_scales_timing_and_velocity(humanize: float, when: float, velocity: int) -> None:
    found = attacks(play(composer(*hit("kick", 16, 8), "-", humanize=humanize), 1))
    assert found == [(when, KICK, velocity)]


def test_intensity_scales_the_velocity() -> None:
    loud, soft = (composer(*hit("kick"), intensity=intensity).step(SIXTEENTH) for intensity in (0.7, 0.35))
    assert soft.events[0].velocity == pytest.approx(loud.events[0].velocity / 2, abs=1)


@pytest.mark.parametrize(("swing", "second"), [(50, 1.0), (66, 1.32), (75, 1.5)])
def test_swing_moves_the_second_16th_of_every_eighth(swing: float, second: float) -> None:
    found = attacks(play(composer(*hit("hat"), swing=swing), 4))
    assert [when for when, _, _ in found] == pytest.approx([0, second, 2, 2 + second])


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(-0.5, 0.5)), min_size=2, max_size=8),
    st.floats(0, 1),
    st.floats(50, 75),
)
def test_swing_changes_no_order(hits: list[tuple[int, float]], humanize: float, swing: float) -> None:
    straight = sorted(hits, key=lambda each: each[0] + humanize * each[1])
    moments = [moment(slot, late, humanize, swing, 2) for slot, late in straight]
    assert np.all(np.diff(moments) >= -1e-9)
    assert all(m >= s + humanize * late - 1e-9 for m, (s, late) in zip(moments, straight, strict=True))


def test_a_note_that_is_hit_again_ends_first() -> None:
    step = composer(*hit("kick", late=5), *hit("kick", late=-5)).step(SIXTEENTH)
    assert [(event.kind, event.delay) for event in step.events] == [
        ("on", 0.3125),
        ("off", 0.6875),
        ("on", 0.6875),
        ("off", 1.1875),
    ]


def test_of_two_hits_at_one_moment_the_louder_one_is_heard() -> None:
    step = composer(*hit("kick", 4, 8), *hit("kick", 16, -8)).step(SIXTEENTH)
    assert [(event.kind, event.velocity) for event in step.events] == [("on", 124), ("off", 0)]


# Density, mute


def test_a_muted_instrument_is_not_heard_and_the_others_are() -> None:
    drummer = composer("kick+hat", "velocity 12", "late 0", "velocity 9", "late 0")
    drummer.part("hat", 0)
    steps = play(drummer, 8)
    assert {pitch for _, pitch, _ in attacks(steps)} == {KICK}
    assert {step.pitches for step in steps} == {(KICK,)}
    assert drummer.info()["parts"] == "hat 0"
    drummer.part("hat", 1)
    assert {pitch for _, pitch, _ in attacks(play(drummer, 2))} == {KICK, HAT}


def test_to_mute_acts_on_the_very_next_step() -> None:
    drummer = composer(*hit("hat"))
    play(drummer, 3)
    drummer.part("hat", 0)
    assert attacks(play(drummer, 1)) == []


def test_density_thins_each_instrument_by_itself() -> None:
    drummer = composer("kick+hat", "velocity 12", "late 0", "velocity 9", "late 0", density=0.5)
    sets = {frozenset(pitch for _, pitch, _ in attacks(play(drummer, 1))) for _ in range(64)}
    assert sets == {frozenset(), frozenset({KICK}), frozenset({HAT}), frozenset({KICK, HAT})}


@pytest.mark.parametrize(("name", "density"), [("cowbell", 0), ("hat", 2), ("hat", "loud"), (3, 0)])
def test_what_is_not_in_the_kit_or_no_density_changes_nothing(name: object, density: object) -> None:
    drummer = composer(*hit("hat"))
    with pytest.raises(NeuralMIDIError):
        drummer.part(name, density)
    assert drummer.state.parts == {}


# Styles and fills


class Listening(Recurrent):
    """Keeps what it is played under."""

    def __init__(self) -> None:
        super().__init__(len(DRUMS.vocabulary))
        self.told: list[list[float]] = []

    def step(self, state: object, token: int, condition: Condition = None):  # type: ignore[no-untyped-def]
        assert condition is not None
        self.told.append(condition.tolist())
        logits = np.zeros(len(DRUMS.vocabulary), np.float32)
        logits[DRUMS.vocabulary.index("kick" if token in (0, *DRUMS.pauses) else "-")] = 1000
        after = {"kick": "velocity 12", "velocity 12": "late 0"}.get(DRUMS.vocabulary[token])
        if after:
            logits[DRUMS.vocabulary.index(after)] = 2000
        return logits, state


def listening() -> tuple[Listening, Composer]:
    model = Listening()
    drummer = Composer(Bundle("drums", model, DRUMS, ("fill", "funk", "latin")))
    drummer.set("smooth", 0)
    return model, drummer


def bars(model: Listening, drummer: Composer, count: int) -> list[list[list[float]]]:
    """What the model is told in each bar."""
    told = []
    for _ in range(count):
        model.told.clear()
        play(drummer, 16)
        told.append(list(model.told))
    return told


def test_a_style_is_told_to_the_model() -> None:
    model, drummer = listening()
    drummer.blend("funk", 3, "latin", 1, wish="style")
    play(drummer, 1)
    assert model.told[-1] == pytest.approx([0, 0.75, 0.25])
    assert drummer.info()["style"] == "funk 0.75 latin 0.25"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("polka",), "fill, funk, latin"),
        (("funk", 0, "latin", 0), "all weights are 0"),
        ((3,), "3 is not a style"),
    ],
)
def test_a_style_that_is_none_is_refused(words: tuple[object, ...], why: str) -> None:
    _, drummer = listening()
    with pytest.raises(NeuralMIDIError, match=why):
        drummer.blend(*words, wish="style")


def test_a_fill_is_the_next_bar() -> None:
    model, drummer = listening()
    drummer.blend("funk", wish="style")
    bars(model, drummer, 1)
    drummer.fill()
    told = bars(model, drummer, 3)
    # the slot after a bar is composed in its last step
    assert [bar[1] for bar in told] == [[0, 1, 0], [2, 0.5, 0], [0, 1, 0]]


def test_a_change_acts_on_the_very_next_step_unless_a_hit_has_left_early() -> None:
    model, drummer = listening()
    play(drummer, 3)
    drummer.blend("latin", wish="style")
    model.told.clear()
    play(drummer, 1)
    assert all(told == [0, 0, 1] for told in model.told)
    assert len({len(step.pitches) for step in play(drummer, 2)}) == 2  # kick, rest, kick, rest: none twice


def test_fills_come_every_so_many_bars_until_they_are_off() -> None:
    model, drummer = listening()
    drummer.fill("every", 2)
    assert [bar[2][0] for bar in bars(model, drummer, 4)] == [0, 2, 0, 2]
    drummer.fill("off")
    assert [bar[2][0] for bar in bars(model, drummer, 2)] == [0, 0]


@pytest.mark.parametrize(
    ("words", "fills"),
    [
        ((), Fills(once=4)),
        (("next",), Fills(once=4)),
        (("now",), Fills(once=3)),
        (("every", 4.0), Fills(every=4)),
        ((2.0,), Fills(every=2)),
        (("every", 0), Fills()),
    ],
)
def test_a_fill_is_asked_for_in_words(words: tuple[object, ...], fills: Fills) -> None:
    assert Fills().asked(words, 3) == fills


@pytest.mark.parametrize(
    "words", [("soon",), ("every",), ("every", -1), ("every", "bar"), ("now", 3), (1.5,)]
)
def test_another_word_is_no_time_for_a_fill(words: tuple[object, ...]) -> None:
    with pytest.raises(NeuralMIDIError):
        Fills().asked(words, 3)


def test_a_model_without_fills_says_so() -> None:
    with pytest.raises(NeuralMIDIError, match="knows no fills"):
        composer(*hit("hat")).fill()


# Together with everything else


def test_drums_follow_a_piano_on_their_channel_and_back() -> None:
    player = Composer(poly("velocity 8", "on 36", "on 60", "wait 4"))
    play(player, 4)
    player.change(drum_ring(*hit("snare")))
    step = player.step(SIXTEENTH)
    assert [event.pitch for event in step.events if event.kind == "off" and event.channel == 1] == [36, 60]
    assert [(event.pitch, event.channel) for event in step.events if event.kind == "on"] == [(SNARE, 10)]
    assert player.state.slot == 5
    player.change(poly("velocity 8", "on 60", "wait 4"))
    assert all(event.channel != 10 for event in play(player, 8)[-1].events)
    assert player.state.controls["channel"].value == 1


def test_a_channel_that_the_player_chose_stays() -> None:
    player = Composer(poly("on 60", "wait 4"))
    player.set("channel", 5)
    player.change(drums(*hit("snare")))
    assert player.state.controls["channel"].value == 5


class Lazy(Recurrent):
    """Hits the kick where it may not rest."""

    def step(self, state: object, token: int, condition: Condition = None):  # type: ignore[no-untyped-def]
        logits = np.zeros(len(DRUMS.vocabulary), np.float32)
        logits[DRUMS.vocabulary.index("kick")] = 500
        after = {"kick": "velocity 12", "velocity 12": "late 0"}.get(DRUMS.vocabulary[token], "-")
        logits[DRUMS.vocabulary.index(after)] = 1000
        return logits, state


def test_drums_are_silent_for_two_beats_at_most() -> None:
    drummer = Composer(Bundle("lazy", Lazy(len(DRUMS.vocabulary)), DRUMS))
    assert [slot for slot, step in enumerate(play(drummer, 28)) if step.pitches] == [0, 9, 18, 27]


def test_who_plays_the_drums_is_heard_and_takes_the_place_of_what_was_composed() -> None:
    drummer = composer(*hit("kick"), "-")
    play(drummer, 2)
    drummer.note(SNARE, 100)
    assert attacks(play(drummer, 1)) == []
    assert {note.pitch for note in drummer.state.history.held.values()} == {SNARE}
    assert drummer.state.slot == 3


def test_a_snapshot_goes_on_alike() -> None:
    drummer = Composer(Bundle("drums", Recurrent(len(DRUMS.vocabulary)), DRUMS))
    play(drummer, 5)
    snapshot = drummer.state
    first = play(drummer, 10)
    drummer.state = snapshot
    assert play(drummer, 10) == first


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.floats(0.1, 2), st.floats(0, 1), st.floats(50, 75), st.floats(0, 1))
def test_ons_and_offs_balance_whatever_a_model_says(
    seed: int, temperature: float, humanize: float, swing: float, density: float
) -> None:
    drummer = Composer(Bundle("drums", Recurrent(len(DRUMS.vocabulary), seed), DRUMS))
    for name, value in (
        ("smooth", 0),
        ("temperature", temperature),
        ("humanize", humanize),
        ("swing", swing),
        ("density", density),
    ):
        drummer.set(name, value)
    sounding = 0
    for step in play(drummer, 24):
        assert all(0 <= event.delay < 3 for event in step.events)
        assert all(event.pitch in {each.pitch for each in KIT} for event in step.events)
        sounding += sum(1 if event.kind == "on" else -1 for event in step.events)
    assert sounding == 0


def test_drums_go_on_from_drums() -> None:
    drummer = composer(*hit("kick"), "-")
    drummer.prime([Note(beat, beat + 0.25, SNARE, 90) for beat in range(4)], [Metre(0, 4, 4)])
    assert attacks(play(drummer, 1)) != []


@pytest.mark.parametrize(
    ("notes", "metres", "why"),
    [
        ([Note(0, 1, 90, 80)], [], "no drum is hit"),
        ([Note(0, 1, SNARE, 80)], [Metre(0, 3, 4)], "3/4"),
    ],
)
def test_a_primer_that_is_none_for_drums_is_refused(notes: list[Note], metres: list[Metre], why: str) -> None:
    drummer = composer(*hit("kick"), "-")
    before = drummer.state
    with pytest.raises(NeuralMIDIError, match=why):
        drummer.prime(notes, metres)
    assert drummer.state is before
