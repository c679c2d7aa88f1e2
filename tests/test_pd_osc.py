"""OSC plays a composer through `osc_remote.pd`: the real Pd, real UDP, real models.

One Pd plays for most of the file. What it prints tells what reached the composer; what comes back over UDP
tells what senders and followers hear.
"""

import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from neuralmidi.kit import NAMES
from neuralmidi.osc import LOOPBACK, Address, Message, Port
from neuralmidi.wishes import BARE, NUMBERS, WORDS
from pd_runner import DATA, EXTERNALS, ROOT, Patch, free_port, run_pd, sounding_after

PATCHES = ROOT / "pd_patches"
SOON = 20.0
"""Seconds that something may take on a busy machine; nothing waits so long when all is well."""
QUIET = 0.3
"""Seconds in which something would have come: more than a period of /notes."""

Heard = tuple[str | float, ...]


def until(true: Callable[[], object]) -> None:
    """Wait for something, but not for ever."""
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.002)


class Pd:
    """A running Pd with an `osc_remote`, what it has printed, and a way to speak as its player."""

    def __init__(self, folder: Path, *arguments: str, composer: bool = True) -> None:
        self.port, self.players = free_port(), free_port()
        patch = Patch()
        remote = patch.obj(" ".join(["osc_remote", str(self.port), *arguments]))
        for outlet, tag in enumerate(("wish", "stream", "shown")):
            patch.connect((remote, outlet, patch.obj(f"print {tag}"), 0))
        player, inlets = patch.obj(f"netreceive -u {self.players}"), patch.obj("route note step")
        patch.connect((player, 0, inlets, 0), (inlets, 0, remote, 0), (inlets, 1, remote, 1))
        patch.connect((inlets, 2, remote, 3))
        if composer:
            bach = patch.obj("composer bach")
            patch.connect((remote, 0, bach, 0))
            for outlet, tag in enumerate(("note", "step", "status")):
                patch.connect((bach, outlet, remote, outlet), (bach, outlet, patch.obj(f"print {tag}"), 0))
        (folder / "test.pd").write_text(patch.text())
        paths = [word for path in (EXTERNALS, PATCHES, folder) for word in ("-path", str(path))]
        self.process = subprocess.Popen(
            ["pd", "-noprefs", "-stderr", "-nogui", "-nosound", *paths, "-lib", "neuralmidi", "test.pd"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.printed: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def address(self) -> Address:
        return LOOPBACK, self.port

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n").replace("\\ ", " "))

    def said(self, tag: str) -> list[str]:
        """What was printed under a tag, oldest first."""
        return [line.removeprefix(f"{tag}: ") for line in list(self.printed) if line.startswith(f"{tag}: ")]

    def shows(self, text: str, times: int = 1) -> None:
        """Wait until it has been shown."""
        until(lambda: self.said("shown").count(text) >= times)

    def player(self, message: str) -> None:
        """Say something to the fourth inlet; after "note" or "step", to the first or the second."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(f"{message};\n".encode(), (LOOPBACK, self.players))

    def close(self) -> None:
        self.process.kill()
        self._reader.join()
        self.process.communicate()
        print("\n".join(self.printed))  # pytest shows it when a test fails


class Remote:
    """A program that talks to Pd over OSC, and answers /ping as long as it listens."""

    def __init__(self, to: Address) -> None:
        self.to, self.port, self.heard = to, Port(), list[Heard]()
        self.token = 0

    @property
    def number(self) -> int:
        return self.port.address[1]

    def send(self, path: str, *arguments: float | str) -> None:
        self.port.send(self.to, path, *arguments)

    def send_bytes(self, datagram: bytes) -> None:
        with socket.socket(fileno=os.dup(self.port.fileno())) as same:
            same.sendto(datagram, self.to)

    def listen(self, seconds: float = 0) -> list[Heard]:
        """All that has come since the last `then`."""
        for message in self.port.receive(seconds):
            assert isinstance(message, Message)
            if message.path == "/ping":
                self.port.send(message.sender, "/pong", *message.arguments)
            else:
                self.heard.append((message.path, *message.arguments))
        return self.heard

    def hears(self, *wanted: float | str) -> None:
        """Wait for a message."""
        until(lambda: wanted in self.listen(0.01))

    def then(self) -> list[Heard]:
        """What has come until Pd had dealt with all that was sent: it answers in order."""
        self.token += 1
        self.send("/ping", "then", self.token)
        end = ("/pong", "then", self.token)
        self.hears(*end)
        place = self.heard.index(end)
        heard, self.heard = self.heard[:place], self.heard[place + 1 :]
        return heard

    def errors(self, path: str, *arguments: float | str) -> list[str]:
        """Send something, and return the errors that come back at once."""
        self.then()
        self.send(path, *arguments)
        return [str(told[2]) for told in self.then() if told[:2] == ("/status", "error")]

    def subscribe(self) -> None:
        self.send("/subscribe", self.number)
        self.hears("/status", "subscribed", LOOPBACK, self.number)

    def unsubscribe(self) -> None:
        self.send("/unsubscribe", self.number)
        self.hears("/status", "unsubscribed", LOOPBACK, self.number)
        self.then()


@pytest.fixture(scope="module")
def pd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pd]:
    """One that plays a small model; ``all`` is one that blends, ``drums`` one of drums."""
    folder = tmp_path_factory.mktemp("osc")
    for name, model in {"bach": "tiny", "all": "composers/all", "drums": "tiny_drums"}.items():
        shutil.copytree(DATA / model, folder / name)
    running = Pd(folder)
    until(lambda: any(line.startswith("model drums") for line in running.said("status")))
    running.shows(f"listening {LOOPBACK} {running.port}")
    yield running
    assert running.process.poll() is None, "Pd has died"
    running.close()
    complaints = [line for line in running.printed if line.startswith("error: ")]
    assert all(line.startswith("error: composer: ") for line in complaints)


@pytest.fixture
def remote(pd: Pd) -> Iterator[Remote]:
    """A remote control that follows nobody."""
    program = Remote(pd.address)
    yield program
    program.port.close()


@pytest.fixture
def follower(pd: Pd) -> Iterator[Remote]:
    """One that follows."""
    program = Remote(pd.address)
    program.subscribe()
    program.then()
    yield program
    program.unsubscribe()
    program.port.close()


# --- the table


def test_the_table_in_the_patch_is_the_one_in_python() -> None:
    text = (PATCHES / "osc_wishes.pd").read_text()
    rows, kit = (
        [line.split() for line in re.search(rf"{name};\n#A set (.*?) \\;;", text, re.S)[1].split(" \\; ")]  # type: ignore[index]
        for name in (r"\\\$0-table", r"\\\$0-kit")
    )
    numbers = {row[1]: (row[0], float(row[2]), float(row[3])) for row in rows if row[0] in KINDS}
    assert numbers == {
        name: ("part" if name == "density" else "whole" if c.whole else "number", c.low, c.high)
        for name, c in NUMBERS.items()
    }
    assert {row[1] for row in rows if row[0] == "words"} == set(WORDS)
    assert {row[1] for row in rows if row[0] == "bare"} == set(BARE)
    assert [row[0] for row in kit] == list(NAMES)


KINDS = ("number", "whole", "part")

# --- wishes

WISHES: dict[tuple[str | float, ...], str] = {
    ("/temperature", 0.5): "temperature 0.5",
    ("/temperature", 2): "temperature 2",
    ("/density", 0.25): "density 0.25",
    ("/density", "hat", 0.5): "density hat 0.5",
    ("/intensity", 0): "intensity 0",
    ("/smooth", 10000): "smooth 10000",
    ("/top_k", 3.0): "top_k 3",
    ("/top_p", 0.05): "top_p 0.05",
    ("/repeats", 100): "repeats 100",
    ("/humanize", 0.5): "humanize 0.5",
    ("/swing", 50): "swing 50",
    ("/tempo", 90.5): "tempo 90.5",
    ("/seed", 7): "seed 7",
    ("/play", 0): "play 0",
    ("/note", 60, 100): "note 60 100",
    ("/note", 60, 0.0): "note 60 0",
    ("/blend", "a", 0.5, "b", 1): "blend a 0.5 b 1",
    ("/style", "a"): "style a",
    ("/fill", "every", 4): "fill every 4",
    ("/mute", "hat", "kick"): "mute hat kick",
    ("/unmute",): "unmute",
    ("/panic",): "panic",
    ("/panic", 1): "panic",
    ("/reset", "x"): "reset",
    ("/info",): "info",
    ("/models", 1, 2): "models",
    ("/composer", "bach"): "composer bach",
}


def test_every_wish_reaches_the_composer(pd: Pd, remote: Remote) -> None:
    known = len(pd.said("wish"))
    for message in WISHES:
        remote.send(*message)  # type: ignore[arg-type]
    until(lambda: len(pd.said("wish")) == known + len(WISHES))
    assert pd.said("wish")[known:] == list(WISHES.values())
    assert {wish.split()[0] for wish in WISHES.values()} == {*NUMBERS, *WORDS, *BARE, "composer", "note"}


WRONG: dict[tuple[str | float, ...], str] = {
    ("/temperature", 9): "temperature: 9 is outside 0.1 to 2 / send a number from 0.1 to 2",
    ("/temperature", 0.0999): "temperature: 0.0999 is outside",
    ("/temperature",): "temperature: the number is missing",
    ("/temperature", "hot"): "temperature: hot is not a number",
    ("/temperature", "0.5"): "temperature: 0.5 is not a number",
    ("/temperature", 1, 2): "temperature: more than one value",
    ("/temperature", float("nan")): "packet: a number in it is not finite",
    ("/temperature", float("inf")): "packet: a number in it is not finite",
    ("/seed", 1.5): "seed: 1.5 is not a whole number",
    ("/seed", 2**24): "seed: ",
    ("/play", -1): "play: -1 is outside 0 to 1",
    ("/density", "hat", 5): "density: 5 is outside",
    ("/density", "hat"): "density: the number is missing",
    ("/density", "triangle", 0.5): "density: ",
    ("/note", 60): "note: it takes",
    ("/note", 128, 1): "note: it takes",
    ("/note", "c", 1): "note: it takes",
    ("/blend", *range(17)): "blend: too many words",
    ("/composer",): "composer: ",
    ("/composer", 5): "composer: ",
    ("/composer", "nobody"): "composer: nobody is none of them / choose among all bach",
    ("/composer", "../../tests/data/tiny"): "composer: ",
    ("/composer", ""): "packet: a string in it is empty",
    ("/nothing", 1): "/nothing: there is no such address",
    ("/list", 60, 1): "/list: there is no such address",
    ("/tempo/90",): "packet: ",
    ("/",): "/: there is no such address",
    ("/note_on", 60): "note_on: it takes 2 to 3 numbers",
    ("/note_on", "c", 1): "note_on: it takes 2 to 3 numbers",
    ("/note_off",): "note_off: it takes",
    ("/subscribe",): "subscribe: it takes a port",
    ("/subscribe", 0): "subscribe: it takes a port",
    ("/subscribe", 70000): "subscribe: it takes a port",
    ("/subscribe", "localhost", "9000"): "subscribe: it takes a port",
    ("/subscribe", "example.com", 9000): "subscribe: it takes a port or a numeric host",
    ("/subscribe", "1..2.3", 9000): "subscribe: it takes",
    ("/subscribe", "1.2.3.256", 9000): "subscribe: it takes",
    ("/subscribe", "1.2.3.4.5", 9000): "subscribe: it takes",
    ("/unsubscribe", 9): "unsubscribe: 127.0.0.1 9 does not follow",
}


def test_what_is_wrong_is_answered_and_shown_and_changes_nothing(pd: Pd, remote: Remote) -> None:
    told, wishes = len(pd.said("stream")), pd.said("wish")
    for message, text in WRONG.items():
        (error,) = remote.errors(*message)  # type: ignore[arg-type]
        assert error.startswith(text), message
        assert " / " in error
        pd.shows(f"error {error}")
    assert [wish for wish in pd.said("wish")[len(wishes) :] if wish != "models"] == []
    assert len(pd.said("stream")) == told


def test_an_unknown_composer_makes_it_look_for_new_ones(pd: Pd, remote: Remote) -> None:
    asked = pd.said("wish").count("models")
    until(lambda: remote.errors("/composer", "nobody") and pd.said("wish").count("models") > asked)


# --- packets


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(each)) + each for each in elements)


SEED, PANIC = b"/seed\0\0\0,i\0\0\0\0\0\x0b", b"/panic\0\0,\0\0\0"
HEAD = b"#bundle\0" + bytes(8)
MALFORMED = {
    "an element that is longer than the packet": HEAD + struct.pack(">i", 0x7FFFFFF0) + SEED,
    "an element of negative size": HEAD + struct.pack(">i", -4) + SEED,
    "an element of no size": HEAD + bytes(4) + SEED,
    "half a size": HEAD + bytes(2),
    "half a head": HEAD[:12],
    "a good element and a bad one": bundle(SEED, b"/seed\0\0\0,f\0\0\x7f\xc0\0\0"),
    "a good element and no end": bundle(SEED) + struct.pack(">i", 400) + SEED,
    "five deep": bundle(bundle(bundle(bundle(bundle(SEED))))),
    "no types": b"/seed\0\0\0",
    "no comma": b"/seed\0\0\0i\0\0\0\0\0\0\x0b",
    "an unknown type": b"/seed\0\0\0,hi\0" + bytes(8) + b"\0\0\0\x0b",
    "a blob": b"/seed\0\0\0,b\0\0\x7f\xff\xff\xff",
    "an argument is missing": b"/seed\0\0\0,i\0\0",
    "half an argument": b"/seed\0\0\0,i\0\0\0\0",
    "more than the arguments": SEED + b"\0\0\0\x0b",
    "padding with letters": b"/seed\0ab,i\0\0\0\0\0\x0b",
    "no padding": b"/seed,i\0\0\0\0\x0b",
    "a string without an end": b"/style\0\0,s\0\0abcd",
    "a string without padding": b"/style\0\0,s\0\0abc\0a\0",
    "a string of 1000 letters": b"/style\0\0,s\0\0" + b"a" * 1000 + bytes(4),
    "a line feed": b"/style\0\0,s\0\0a\nb\0",
    "4096 slashes": b"/" * 4096,
    "5000 bytes": b"/style\0\0,s\0\0" + b"a" * 4985 + bytes(3),
    "3000 arguments that are not there": b"/seed\0\0\0," + b"i" * 3000 + bytes(3),
    "one byte": b"/",
    "text": b"temperature 0.5;\n",
}


@pytest.mark.parametrize("datagram", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_packet_that_is_none_changes_nothing(datagram: bytes, pd: Pd, remote: Remote) -> None:
    wishes = pd.said("wish")
    remote.send_bytes(datagram)
    (answer,) = remote.then()
    assert answer[:2] == ("/status", "error")
    assert str(answer[2]).startswith("packet: ")
    assert pd.said("wish") == wishes
    assert pd.process.poll() is None


def test_an_empty_packet_is_nothing(remote: Remote) -> None:
    remote.send_bytes(b"")
    assert remote.then() == []


def test_a_bundle_is_its_messages_up_to_four_deep(pd: Pd, remote: Remote) -> None:
    known = len(pd.said("wish"))
    for datagram in (bundle(), bundle(SEED, PANIC), bundle(bundle(bundle(bundle(SEED)), PANIC), SEED)):
        remote.send_bytes(datagram)
    until(lambda: len(pd.said("wish")) >= known + 5)
    assert remote.then() == []
    assert pd.said("wish")[known:] == ["seed 11", "panic", "seed 11", "panic", "seed 11"]


def test_ping_is_answered_with_what_came_with_it(pd: Pd, remote: Remote) -> None:
    remote.send("/ping")
    remote.send("/ping", 16777217, 0.5, "four", "words")
    assert remote.then() == [("/pong",), ("/pong", 16777217, 0.5, "four", "words")]
    for strange in (("a", 1, 0.5), (1, "a"), ()):
        remote.send("/pong", *strange)
    assert remote.then() == []
    assert not [line for line in list(pd.printed) if "trigger:" in line]


# --- several


def test_each_sender_hears_of_its_own_errors(pd: Pd) -> None:
    remotes = [Remote(pd.address) for _ in range(4)]
    for place, each in enumerate(remotes):
        each.send("/temperature", 3 + place)
    for place, each in enumerate(remotes):
        (answer,) = each.then()
        assert str(answer[2]).startswith(f"temperature: {3 + place} is outside")
        each.port.close()


def test_an_error_of_the_composer_goes_to_who_has_asked_and_to_all_who_follow(
    remote: Remote, follower: Remote
) -> None:
    remote.send("/blend", "nobody", 1)
    told = (
        "/status",
        "error",
        "composer: blend: this model is of one composer / load one that knows several: all",
    )
    follower.hears(*told)
    remote.hears(*told)
    follower.then()
    follower.send("/blend", "nobody", 1)
    follower.hears(*told)
    follower.listen(QUIET)
    assert follower.then().count(told) == 1
    assert remote.then() == [told]


# --- who follows


def test_a_follower_is_shown_and_the_same_one_again_is_no_second(pd: Pd, remote: Remote) -> None:
    shown = pd.said("shown")
    for _ in range(3):
        remote.subscribe()
        remote.heard.clear()
    (line,) = pd.said("shown")[len(shown) :]
    found = re.fullmatch(rf"follower (\d) 127.0.0.1 {remote.number}", line)
    assert found
    remote.unsubscribe()
    pd.shows(f"follower {found[1]}", pd.said("shown").count(f"follower {found[1]}") or 1)
    remote.listen(QUIET)
    assert remote.listen(QUIET) == []


def test_one_may_subscribe_another_and_both_are_told(pd: Pd, remote: Remote) -> None:
    game = Remote(pd.address)
    for word in ("subscribed", "unsubscribed"):
        remote.send(f"/{word.removesuffix('d')}", "localhost", game.number)
        remote.hears("/status", word, LOOPBACK, game.number)
        game.hears("/status", word, LOOPBACK, game.number)
    game.port.close()


def test_eight_may_follow(pd: Pd, remote: Remote) -> None:
    crowd = [Remote(pd.address) for _ in range(8)]
    for each in crowd:
        each.subscribe()
    (error,) = remote.errors("/subscribe", remote.number)
    assert error.startswith("subscribe: 8 follow already")
    crowd[3].unsubscribe()
    remote.subscribe()
    for each in (*crowd[:3], *crowd[4:], remote):
        each.unsubscribe()
    for each in crowd:
        each.port.close()


def test_it_does_not_follow_itself(pd: Pd, remote: Remote) -> None:
    (error,) = remote.errors("/subscribe", pd.port)
    assert "where the patch itself listens" in error


def test_followers_hear_all_that_the_composer_says(pd: Pd, remote: Remote, follower: Remote) -> None:
    known = {tag: len(pd.said(tag)) for tag in ("note", "step", "status")}
    for wish in (("/composer", "bach"), ("/seed", 1), ("/tempo", 400), ("/play", 1)):
        remote.send(*wish)
    until(lambda: follower.listen(0.01) and len(pd.said("step")) > known["step"] + 30)
    remote.send("/play", 0)
    follower.hears("/status", "play", 0)
    heard = follower.then()

    notes = [list(map(int, line.split())) for line in pd.said("note")[known["note"] :]]
    starts = ("/note_on", "/note_off")
    assert [each for each in heard if each[0] in starts] == [
        ("/note_on", pitch, velocity, channel) if velocity else ("/note_off", pitch, channel)
        for pitch, velocity, channel in notes
    ]
    steps = [tuple(map(int, line.split()[1:])) for line in pd.said("step")[known["step"] :] if "step" in line]
    assert [each[1:] for each in heard if each[0] == "/step"] == steps
    told = [each[1:] for each in heard if each[0] == "/status"]
    for expected in (("composer", "tiny"), ("grid", 4, 16), ("seed", 1), ("tempo", 400), ("play", 1)):
        assert expected in told
    assert all(type(number) is int for each in heard if each[0] in (*starts, "/step") for number in each[1:])


def test_swells_and_other_channels_are_heard(pd: Pd, follower: Remote) -> None:
    for message in ("note 60 100 10", "step vel 60 64 10", "note 62 1", "note 60 0 10", "note 62 0"):
        pd.player(message)
    follower.hears("/note_off", 62, 1)
    assert [each for each in follower.then() if each[0].startswith("/note_")] == [  # type: ignore[union-attr]
        ("/note_on", 60, 100, 10),
        ("/note_vel", 60, 64, 10),
        ("/note_on", 62, 1, 1),
        ("/note_off", 60, 10),
        ("/note_off", 62, 1),
    ]


def test_notes_lists_what_sounds_and_goes_on_while_nothing_does(
    pd: Pd, remote: Remote, follower: Remote
) -> None:
    remote.send("/tempo", 60)
    remote.send("/play", 1)
    until(lambda: any(each[0] == "/notes" and len(each) > 1 for each in follower.listen(0.01)))
    sounding: set[tuple[float | str, ...]] = set()
    for path, *numbers in follower.then():
        if path == "/note_on":
            sounding.add((numbers[0], numbers[2]))
        elif path == "/note_off":
            sounding.remove((numbers[0], numbers[1]))
        elif path == "/notes":
            assert set(zip(numbers[::2], numbers[1::2], strict=True)) == sounding
    remote.send("/play", 0)
    follower.hears("/status", "play", 0)
    follower.then()
    follower.hears("/notes")


def test_obeyed_wishes_are_told_and_refused_ones_are_not(remote: Remote, follower: Remote) -> None:
    follower.then()
    remote.send("/temperature", 0.5)
    remote.send("/temperature", 99)
    remote.send("/panic")
    remote.then()
    told = [each[1:] for each in follower.then() if each[0] == "/status"]
    assert told == [("temperature", 0.5), ("panic",)]


def test_wishes_of_the_player_are_told(pd: Pd, follower: Remote) -> None:
    for message in ("said tempo 77", "said composer x", "said blend bach 1"):
        pd.player(message)
    follower.hears("/status", "blend", "bach", 1)
    told = [each[1:] for each in follower.then() if each[0] == "/status"]
    assert told == [("tempo", 77), ("blend", "bach", 1)]


def test_whom_the_player_enters_follows_in_a_place_of_its_own(pd: Pd, remote: Remote) -> None:
    game = Remote(pd.address)
    pd.player(f"subscribe 127.0.0.1 {game.number}")
    pd.shows(f"fixed 127.0.0.1 {game.number}")
    game.hears("/notes")
    assert remote.errors("/unsubscribe", game.number)
    pd.player(f"unsubscribe 127.0.0.1 {game.number}")
    pd.shows(f"unfixed 127.0.0.1 {game.number}")
    pd.player("subscribe example.com 9000")
    until(lambda: any("numeric host" in line for line in pd.said("shown")[-1:]))
    game.port.close()


def test_who_does_not_answer_is_dropped_and_is_told_so(pd: Pd, follower: Remote) -> None:
    silent = Port()
    silent.send(pd.address, "/subscribe", silent.address[1])
    texts: list[str] = []

    def dropped() -> bool:
        follower.listen(0.01)  # this one answers /ping
        texts.extend(str(message) for message in silent.receive())
        return any("has not answered /ping for 5 s" in text for text in texts)

    until(dropped)
    shown = f"error subscribe: 127.0.0.1 {silent.address[1]} has not"
    until(lambda: [line for line in pd.said("shown") if line.startswith(shown)])
    follower.hears("/notes")
    silent.close()


# --- a stream


def test_what_a_stream_tells_comes_out_with_its_sender(pd: Pd, remote: Remote) -> None:
    known = len(pd.said("stream"))
    for message in STREAMED:
        remote.send(*message)  # type: ignore[arg-type]
    until(lambda: len(pd.said("stream")) == known + len(STREAMED))
    assert pd.said("stream")[known:] == [
        f"list 127.0.0.1 {remote.number} {' '.join(map(str, message)).removeprefix('/')}"
        for message in STREAMED
    ]
    assert remote.then() == []


STREAMED = [
    ("/note_on", 60, 100, 1),
    ("/note_on", 999, -1),
    ("/note_off", 60),
    ("/note_vel", 60, 64, 1),
    ("/notes",),
    ("/notes", 60, 1, 64, 1),
    ("/step", 7, 60, 64),
    ("/status", "error", "in words"),
]


def test_what_the_patch_refuses_is_answered_to_the_sender(pd: Pd, remote: Remote) -> None:
    remote.then()
    pd.player("refuse note_on:\\ no")
    remote.hears("/status", "error", "note_on: no")
    pd.shows("error note_on: no")


def test_nobody_is_answered_to_a_status(pd: Pd, remote: Remote) -> None:
    remote.then()
    remote.send("/status", "error", "no")
    until(lambda: any("status error no" in line for line in pd.said("stream")))
    pd.player("refuse no\\ again")
    pd.shows("error no again")
    assert remote.then() == []


# --- where it listens


def test_where_it_listens_and_whether_it_hears(tmp_path: Path) -> None:
    other = "127.0.0.2"  # of this computer, too
    with closing(Pd(tmp_path, composer=False)) as pd, closing(Port(LOOPBACK)) as sender:
        pd.shows(f"listening {LOOPBACK} {pd.port}")
        sender.send((other, pd.port), "/panic")
        sender.send(pd.address, "/reset")
        until(lambda: pd.said("wish")[-1:] == ["reset"])
        assert "panic" not in pd.said("wish")

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(pd.address)
            pd.shows(f"deaf {LOOPBACK} {pd.port}")
        pd.shows(f"listening {LOOPBACK} {pd.port}", 2)

        pd.player(f"listen 0.0.0.0 {pd.port}")
        pd.shows(f"listening 0.0.0.0 {pd.port}")
        sender.send((other, pd.port), "/panic")
        until(lambda: pd.said("wish")[-1:] == ["panic"])

        pd.player("listen 198.51.100.1 9000")  # of no computer: for documentation
        pd.shows("deaf 198.51.100.1 9000")
        pd.player("listen example.com 9000")
        until(lambda: "error listen: " in pd.said("shown")[-1])

        (error,) = [line for line in pd.printed if line.startswith("error: ")]
        assert "listen" in error or "bind" in error


def test_the_second_argument_is_where_it_listens(tmp_path: Path) -> None:
    with closing(Pd(tmp_path, "127.0.0.2", composer=False)) as pd, closing(Port(LOOPBACK)) as sender:
        pd.shows(f"listening 127.0.0.2 {pd.port}")
        sender.send(("127.0.0.2", pd.port), "/panic")
        until(lambda: "panic" in pd.said("wish"))


def test_a_composer_cannot_be_named_before_it_has_told_of_any(tmp_path: Path) -> None:
    with closing(Pd(tmp_path, composer=False)) as pd:
        pd.shows(f"listening {LOOPBACK} {pd.port}")
        remote = Remote(pd.address)
        (error,) = remote.errors("/composer", "bach")
        assert error.endswith("none: it has told no names yet")
        remote.port.close()


# --- the end


def test_a_patch_that_is_closed_ends_its_notes_at_its_followers(tmp_path: Path) -> None:
    with closing(Port()) as follower:
        inner = Patch()
        remote, box = inner.obj(f"osc_remote {free_port()}"), inner.obj(f"composer {DATA / 'tiny'}")
        inner.connect(*((box, outlet, remote, outlet) for outlet in range(3)))
        command = inner.obj("t a")
        inner.connect((command, 0, remote, 3))
        inner.at(10, f"subscribe 127.0.0.1 {follower.address[1]}", command)
        inner.at(10, "play 1", box)
        (tmp_path / "inner.pd").write_text(inner.text())
        patch = Patch()
        patch.at(0, f"; pd open inner.pd {tmp_path}")
        patch.at(1000, "; pd-inner.pd menuclose 1")
        patch.quit_at(1300)
        run = run_pd(patch, tmp_path, batch=False, flags=("-path", str(PATCHES)))
        assert run.errors == []
        heard = [came for _ in range(20) for came in follower.receive() if isinstance(came, Message)]
    notes: list[tuple[int, int, int, int]] = []
    for message in heard:
        numbers = list(map(int, message.arguments)) if "/note_" in message.path else []
        if message.path == "/note_on":
            notes.append((0, *numbers))  # type: ignore[arg-type]
        elif message.path == "/note_off":
            notes.append((0, numbers[0], 0, numbers[1]))
    assert len(notes) > 6
    assert sounding_after(notes) == set()
