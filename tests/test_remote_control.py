from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.controls import CONTROLS, TEMPO
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.osc import Argument, resolved
from neuralmidi.remote import parse
from neuralmidi.remote_control import ANSWERED, FOLLOWED, PENDING, TOLD, TURNS, Remote, Wish

PORT = 40000
BARE = {name: getattr(Remote(PORT), name) for name in vars(Remote(PORT))}


def status(remote: Remote, *words: Argument, now: float = 0) -> list[Wish]:
    return remote.hear("/status", words, now)


def told(*statuses: tuple[Argument, ...]) -> Remote:
    remote = Remote(PORT)
    for words in statuses:
        status(remote, *words)
    return remote


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("t", "temperature", 1.05),
        ("g", "temperature", 0.95),
        ("d", "density", 0.55),
        ("f", "density", 0.45),
        ("i", "intensity", 0.75),
        ("k", "intensity", 0.65),
        ("up", "tempo", 91.0),
        ("down", "tempo", 89.0),
    ],
)
def test_keys_turn_from_where_the_instrument_is(key: str, name: str, value: float) -> None:
    remote = told(("temperature", 1), ("density", 0.5), ("intensity", 0.7), ("tempo", 90.0))
    before = dict(remote.values)
    assert remote.press(key, 0) == [Wish(f"/{name}", (value,))]
    assert remote.values == before, "it is so when the instrument says so"
    assert remote.asked(name, 0) == value


@pytest.mark.parametrize("key", TURNS)
def test_keys_stop_at_the_end_of_the_range(key: str) -> None:
    remote = Remote(PORT)
    control, by = TURNS[key]
    for now in range(2 * int((control.high - control.low) / abs(by))):
        [(path, (value,))] = remote.press(key, now / 1000)
        status(remote, path[1:], value, now=now / 1000)
    assert value == (control.high if by > 0 else control.low)
    assert isinstance(value, int | float)
    assert control.check(value) == value


def test_a_key_held_down_counts_from_what_it_has_asked_for() -> None:
    remote = told(("density", 0.5))
    assert [remote.press("d", 0.1)[0].arguments for _ in range(3)] == [(0.55,), (0.6,), (0.65,)]
    status(remote, "density", 0.55, now=0.2)
    assert remote.asked("density", 0.2) == 0.65
    status(remote, "density", 0.6499999761581421, now=0.2)
    assert remote.asked("density", 0.2) is None


def test_what_was_asked_for_in_vain_is_forgotten() -> None:
    remote = told(("density", 0.5))
    remote.press("d", 0)
    assert remote.press("d", PENDING) == [Wish("/density", (0.55,))]
    status(remote, "error", "no", now=PENDING)
    assert remote.asked("density", PENDING) is None


def test_what_others_turn_is_counted_from() -> None:
    remote = told(("temperature", 1.0))
    status(remote, "temperature", 0.5)
    assert remote.press("t", 0) == [Wish("/temperature", (0.55,))]


def test_space_plays_and_stops() -> None:
    remote = Remote(PORT)
    assert remote.press("space", 0) == [Wish("/play", (1,))]
    assert not remote.playing
    assert remote.press("space", 0.1) == [Wish("/play", (0,))], "the first is on its way"
    status(remote, "play", 1.0)
    assert remote.playing
    assert remote.press("space", 5) == [Wish("/play", (0,))]


def test_other_keys() -> None:
    remote = Remote(PORT)
    assert remote.press("p", 0) == [Wish("/panic")]
    assert remote.choose("chopin", 0) == [Wish("/composer", ("chopin",))]
    assert remote.asked("composer", 0) == "chopin"
    for key in ("x", "", "T", "escape", "é"):
        assert remote.press(key, 0) == []


def test_it_makes_itself_known_until_it_is_asked_whether_it_is_there() -> None:
    remote = Remote(PORT)
    ping, subscribe = Wish("/ping", (PORT,)), Wish("/subscribe", (PORT,))
    assert remote.tick(0) == [ping, subscribe]
    assert remote.tick(1) == [ping, subscribe]
    assert status(remote, "subscribed", "127.0.0.1", PORT, now=1) == [Wish("/models"), Wish("/info")]
    assert remote.tick(2) == [ping]
    assert remote.hear("/ping", (PORT,), 2.5) == [Wish("/pong", (PORT,))]
    assert remote.tick(2.4 + FOLLOWED) == [ping]
    assert remote.tick(2.5 + FOLLOWED) == [ping, subscribe]


def test_another_remote_that_is_subscribed_is_none_of_its_business() -> None:
    assert status(Remote(PORT), "subscribed", "127.0.0.1", PORT + 1) == []
    assert status(Remote(PORT), "subscribed", "127.0.0.1", "garbage") == []


def test_an_instrument_that_was_away_is_asked_for_everything() -> None:
    remote = told(("temperature", 0.3), ("models", 1), ("model", "bach"), ("ready", "bach"))
    status(remote, "subscribed", "127.0.0.1", float(PORT), now=10)
    assert (remote.values, remote.composers) == ({}, ())


def test_it_answers_as_long_as_anything_comes() -> None:
    remote = Remote(PORT)
    assert not remote.answers(0)
    remote.hear("/pong", (PORT,), 1)
    assert remote.answers(1)
    assert not remote.answers(1 + ANSWERED)
    remote.hear("/whatever", (), 5)
    assert remote.answers(5)


def test_nothing_sounds_of_an_instrument_that_is_gone() -> None:
    remote = Remote(PORT)
    remote.hear("/note_on", (60, 80, 1), 0)
    remote.tick(1)
    assert remote.sounding == {(1, 60): 80}
    remote.tick(ANSWERED)
    assert remote.sounding == {}


def test_notes_are_followed_by_channel() -> None:
    remote = Remote(PORT)
    steps: list[tuple[str, tuple[Argument, ...], dict[tuple[int, int], int]]] = [
        ("/note_on", (60, 80, 1), {(1, 60): 80}),
        ("/note_on", (60.0, 90.0, 2), {(1, 60): 80, (2, 60): 90}),
        ("/note_vel", (60, 33, 2), {(1, 60): 80, (2, 60): 33}),
        ("/note_vel", (61, 33, 2), {(1, 60): 80, (2, 60): 33}),
        ("/note_vel", (60, 0, 2), {(1, 60): 80, (2, 60): 33}),
        ("/note_off", (60,), {(2, 60): 33}),
        ("/note_off", (60, 3), {(2, 60): 33}),
        ("/note_on", (60, 0, 2), {}),
        ("/note_on", (64, 70), {(1, 64): 70}),
        ("/notes", (64, 1, 67, 1), {(1, 64): 70, (1, 67): 64}),
        ("/notes", (67, 1), {(1, 67): 64}),
        ("/notes", (), {}),
    ]
    for path, arguments, sounding in steps:
        remote.hear(path, arguments, 0)
        assert remote.sounding == sounding, (path, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        *[(), (60,), (128, 80, 1), (-1, 80, 1), (60, 128, 1), (60, -1, 1), (60, 80, 0), (60, 80, 17)],
        *[("C4", 80, 1), (60, "f", 1), (60, 80, "x"), (nan, 80, 1), (60, inf, 1), (60.5, 80, 1)],
    ],
)
def test_notes_that_are_none_are_not_shown(arguments: tuple[Argument, ...]) -> None:
    remote = Remote(PORT)
    remote.hear("/note_on", arguments, 0)
    assert remote.sounding == {}


def test_a_note_off_that_came_before_its_note_on_is_mended_by_the_next_list() -> None:
    remote = Remote(PORT)
    remote.hear("/note_off", (60, 1), 0)
    remote.hear("/note_on", (60, 80, 1), 0)
    remote.hear("/notes", (64, 1, "x"), 0)
    assert remote.sounding == {(1, 64): 64}


def test_bars_and_beats_are_counted_in_the_grid() -> None:
    remote = told(("grid", 4.0, 12.0))
    assert remote.place is None
    for step, place in ((0, (1, 1)), (4, (1, 2)), (11, (1, 3)), (12.0, (2, 1)), (25, (3, 1))):
        remote.hear("/step", (step, 60, 64), 0)
        assert remote.place == place
    for garbage in (-1, "x", nan, 1.5):
        remote.hear("/step", (garbage,), 0)
        assert remote.place == (3, 1)


@pytest.mark.parametrize("grid", [(0, 0), (-4, -16), (nan, inf), ("4", "16"), (), (1.5, 2.5)])
def test_a_grid_that_is_none_is_not_counted_in(grid: tuple[Argument, ...]) -> None:
    remote = told(("grid", 2, 6), ("grid", *grid))
    remote.hear("/step", (5,), 0)
    assert (remote.steps_per_beat, remote.steps_per_bar, remote.place) == (2, 6, (1, 3))


def test_composers_are_listed_in_any_order() -> None:
    remote = told(("models", 2.0), ("model", "chopin"), ("model", "bach"))
    assert remote.composers == ("bach", "chopin")
    status(remote, "models", 2)
    lists = [remote.composers]
    for name in ("drums", "bach"):
        status(remote, "model", name)
        lists.append(remote.composers)
    assert lists == [("bach", "chopin"), ("bach", "chopin", "drums"), ("bach", "drums")], "whole, then new"


def test_info_tells_everything_at_once() -> None:
    facts: list[tuple[Argument, ...]] = [
        *(("composer", "bach"), ("steps_per_beat", 4), ("steps_per_bar", 12), ("step", 24), ("seed", 7)),
        *(("playing", 1), ("step_ms", 125.0), ("underruns", 2), ("vocabulary", 99), ("primer", "none")),
        *(("blend", "bach", 0.7, "chopin", 0.3), ("temperature", 0.8), ("top_k", 5.0), ("smooth", 100.0)),
    ]
    remote = told(*(("info", *fact) for fact in facts))
    assert remote.values == {
        "composer": "bach",
        "blend": "bach 0.7 chopin 0.3",
        "temperature": 0.8,
        "top_k": 5,
        "smooth": 100,
        "tempo": 120,
        "seed": 7,
        "play": 1,
        "underruns": 2,
    }
    assert remote.place == (3, 1)


def test_a_tempo_that_was_told_is_not_guessed() -> None:
    assert told(("tempo", 90), ("info", "step_ms", 125.0)).values["tempo"] == 90
    assert told(("info", "step_ms", 125.0), ("tempo", 90)).values["tempo"] == 90
    assert "tempo" not in told(("info", "step_ms", 0.0)).values


@pytest.mark.parametrize("name", ["temperature", "density", "intensity", "smooth", "tempo", "seed", "swing"])
def test_only_numbers_are_values(name: str) -> None:
    remote = told((name, 1.0))
    for garbage in ((), ("x",), (nan,), (inf,), (0.5, 0.5)):
        status(remote, name, *garbage)
        assert remote.values == {name: 1.0}, garbage


def test_the_density_of_one_drum_is_not_that_of_all() -> None:
    assert told(("density", 0.5), ("density", "hat", 0.1)).values == {"density": 0.5}


def test_an_error_is_told_for_a_while() -> None:
    remote = Remote(PORT)
    status(remote, "error", "tempo:", 0.5, "is outside", now=5)
    assert remote.error == "tempo: 0.5 is outside"
    remote.tick(5 + TOLD - 1)
    assert remote.error
    remote.tick(5 + TOLD)
    assert not remote.error


def test_a_text_cannot_command_the_terminal() -> None:
    remote = told(("error", "\x1b]0;title\x07\r\n" + 1000 * "x"), ("composer", "b\x1b[2Jach"))
    assert remote.error.startswith("?]0;title???xxx")
    assert len(remote.error) == 300
    assert remote.values["composer"] == "b?[2Jach"


def test_words_of_no_interest_are_none() -> None:
    remote = told(("panic",), ("reset",), ("",), (), (3, 4), ("note", 60, 80), ("hello", 1.0), ("info",))
    assert {name: value for name, value in vars(remote).items() if name != "heard_at"} == {
        name: value for name, value in BARE.items() if name != "heard_at"
    }


PATHS = ["/status", "/note_on", "/note_off", "/note_vel", "/notes", "/step", "/ping", "/pong", "/x"]
WORDS = ["error", "subscribed", "info", "models", "model", "grid", "step", "steps_per_bar", "steps_per_beat"]
ARGUMENTS = st.lists(
    st.sampled_from([*WORDS, "ready", "step_ms", "playing", "blend", "underrun", *CONTROLS, "tempo", PORT])
    | st.floats(width=32)
    | st.integers(-(2**31), 2**31 - 1)
    | st.text(max_size=8)
)


@given(st.lists(st.tuples(st.sampled_from(PATHS), ARGUMENTS) | st.sampled_from([*TURNS, "space", "p"])))
def test_whatever_comes_it_goes_on(events: list[tuple[str, list[Argument]] | str]) -> None:
    remote = Remote(PORT)
    for now, event in enumerate(events):
        if isinstance(event, str):
            for wish in remote.press(event, now):
                for value in wish.arguments:
                    control = TEMPO if wish.path == "/tempo" else CONTROLS.get(wish.path[1:])
                    assert control is None or control.check(value) == value
        else:
            remote.hear(*event, now)
        assert remote.place is None or min(remote.place) >= 1
        assert all(1 <= channel <= 16 and 0 <= pitch <= 127 for channel, pitch in remote.sounding)
        assert remote.error.isprintable()
        remote.tick(now)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--port", "0"], "port: 0 is outside 1 to 65535"),
        (["--port", "65536"], "port: 65536 is outside"),
        (["--port", "x"], "port: x is not a number"),
        (["--port", "1.5"], "port: 1.5 is not a whole number"),
        (["bach"], "unrecognized arguments: bach"),
    ],
)
def test_options_are_checked(options: list[str], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        parse(options)


@pytest.mark.parametrize("host", ["", "a..b", 70 * "x", "127.0.0.1.2.3", "no\nhost"])
def test_hosts_are_looked_up_once(host: str) -> None:
    assert resolved("localhost", 56120) == ("127.0.0.1", 56120)
    assert resolved("192.0.2.7", 1) == ("192.0.2.7", 1)
    with pytest.raises(NeuralMIDIError, match="host"):
        resolved(host, 56120)
