"""The page for those who send, and what lies beside it: it tells the truth, and what can be run is run."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from neuralmidi.bundle import available
from neuralmidi.controls import PITCH, VELOCITY
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.fills import FILL, Fills
from neuralmidi.osc import LOOPBACK, Argument, Message, Port
from neuralmidi.wishes import ADDRESSES, BARE, NUMBERS, checked
from pd_runner import ROOT, Patch, free_port, run_pd

PATCHES = ROOT / "pd_patches"
MODELS = ROOT / "tflite_models"
PAGE = (PATCHES / "OSC.md").read_text()
LAYOUT = json.loads((PATCHES / "open-stage-control.json").read_text())["content"]

LINE = {"subscribe", "unsubscribe", "ping", "pong"}
MUSIC = {"note_on", "note_off", "note_vel", "step", "notes", "status"}
SHIPPED = available([MODELS])


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in it, without the heads."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `/")]
    return [[cell.strip() for cell in line] for line in lines]


def code(language: str) -> str:
    return PAGE.split(f"```{language}\n")[1].split("```")[0]


def named(text: str) -> set[str]:
    """All OSC addresses in it, without the slash."""
    return set(re.findall(r"(?<=[`'\"])/([a-z_]+)\b", text))


def widgets(widget: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield widget
    for inner in widget.get("widgets", ()):
        yield from widgets(inner)


def obeyed(path: str, words: Sequence[Argument]) -> None:
    """Fail if an instrument would refuse it."""
    wish, arguments = checked(path, words, SHIPPED)
    if wish == "fill":
        Fills().asked(arguments, 0)


def test_every_wish_is_on_the_page_and_no_other() -> None:
    wishes = {address.strip("`/") for address, *_ in rows(section("Send"))}
    assert wishes == {*ADDRESSES, *LINE}
    assert {address.strip("`/") for address, *_ in rows(section("Follow"))} == {*MUSIC, "ping"}


def test_the_ranges_are_the_legal_ones() -> None:
    told = {}
    for address, arguments, legal, _ in rows(section("Send")):
        wish = address.strip("`/")
        if wish in NUMBERS:
            control = NUMBERS[wish]
            assert tuple(map(float, legal.split(" to "))) == (control.low, control.high), wish
            assert arguments == ("drum, number" if wish in told else f"{'whole ' * control.whole}number")
            told[wish] = legal
        assert (arguments == "") == (wish in BARE)
        if wish == "note":
            assert tuple(map(float, legal.split(" to "))) == (PITCH.low, PITCH.high)
            assert (PITCH.low, PITCH.high) == (VELOCITY.low, VELOCITY.high)
    assert set(told) == set(NUMBERS)


@pytest.mark.parametrize("file", ["OSC.md", "neuralmidi.gd", "NeuralMIDI.cs", "open-stage-control.json"])
def test_nothing_else_is_named(file: str) -> None:
    found = named((PATCHES / file).read_text().replace('\\"', '"'))
    assert found
    assert found <= {*ADDRESSES, *LINE, *MUSIC}


def test_the_examples_are_obeyed() -> None:
    for line in re.findall(r"`/([^`]+ [^`]+)`", PAGE):
        path, *words = line.split()
        if path in ADDRESSES:
            obeyed(f"/{path}", [number(word) for word in words])


def number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def test_the_refusal_that_it_quotes_is_the_one_that_comes() -> None:
    with pytest.raises(NeuralMIDIError) as error:
        checked("/tempo", [2000], SHIPPED)
    assert f"`/status error {error.value}`" in PAGE


def test_what_touchosc_is_told_to_send_is_legal() -> None:
    for addresses, argument in ((row[1], row[2]) for row in touch_rows()):
        scale = re.search(r"scale (\S+) to (\S+)", argument)
        constant = re.search(r"`(\w+)`", argument)
        for path in re.findall(r"`(\S+)`", addresses):
            for value in scale.groups() if scale else constant.groups() if constant else ():
                obeyed(path, [number(value)])


def touch_rows() -> list[list[str]]:
    lines = [line.strip("|").split("|") for line in section("Phone or tablet").splitlines() if "| `/" in line]
    assert len(lines) > 3
    return lines


# the screen for Open Stage Control


def values(widget: dict[str, Any]) -> list[list[Argument]]:
    """What a widget sends behind its `preArgs`: the ends of its range, or each of its values."""
    match widget:
        case {"type": "fader", "range": {"min": low, "max": high}, "default": default}:
            return [[low], [high], [default]]
        case {"type": "button", "mode": "momentary"}:
            return [[]]
        case {"type": "button", "on": on, "off": off}:
            return [[on], [off]]
        case {"type": "keyboard", "start": start, "keys": keys, "on": on, "off": off}:
            return [[start, on], [start + keys - 1, off]]
        case {"type": "switch", "values": list(words)}:
            return [[word] for word in words]
        case {"type": "switch", "values": str(variable)}:
            return [[word] for word in json.loads(variable[variable.index("[") :].strip("}"))]
    raise AssertionError(f"{widget['id']} sends who knows what")


def test_all_that_the_screen_sends_is_legal() -> None:
    senders = [widget for widget in widgets(LAYOUT) if "target" in widget]
    assert len(senders) > 10
    for widget in senders:
        before = widget.get("preArgs") or []
        for arguments in values(widget):
            words = [*(before if isinstance(before, list) else [before]), *arguments]
            obeyed(widget["address"], words)


def test_the_screen_offers_every_composer_and_style() -> None:
    switches = {w["id"]: [word for (word,) in values(w)] for w in widgets(LAYOUT) if w["type"] == "switch"}
    drums = json.loads((MODELS / "drums" / "model.json").read_text())
    assert switches["composer"] == SHIPPED
    assert switches["style"] == [name for name in drums["condition"]["names"] if name != FILL]


def test_what_only_shows_sends_nothing() -> None:
    for widget in widgets(LAYOUT):
        quiet = widget["type"] in ("root", "panel") or widget.get("bypass") is True
        assert quiet != ("target" in widget), widget["id"]


def test_the_scripts_of_the_screen_name_widgets_that_it_has() -> None:
    ids = [widget["id"] for widget in widgets(LAYOUT)]
    assert len(ids) == len(set(ids))
    scripts = "".join(w.get("onCreate", "") + w.get("onValue", "") for w in widgets(LAYOUT))
    used = set(re.findall(r"\b(?:set|get|getProp|setVar|getVar)\('(\w+)'", scripts))
    (turned,) = re.findall(r"var turned = \[(.*?)\]", scripts)
    assert used | set(re.findall(r"'(\w+)'", turned)) <= set(ids)


# the examples that can be run


@pytest.fixture
def instrument() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


def messages(port: Port) -> Iterator[Message]:
    """What comes, one after another; it fails after a long silence."""
    while came := port.receive(20):
        for message in came:
            assert isinstance(message, Message)
            yield message
    raise AssertionError("nothing has come")


def test_the_example_in_python_follows_and_leaves(instrument: Port, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(code("python").replace("56120", str(instrument.address[1])))
    came = messages(instrument)
    with subprocess.Popen([sys.executable, "-u", file], stdout=subprocess.PIPE, text=True) as example:
        assert example.stdout
        try:
            first = next(came)
            follower = first.sender
            assert (first.path, first.arguments) == ("/subscribe", (follower[1],))
            wishes = [next(came) for _ in range(2)]
            assert [checked(each.path, each.arguments, SHIPPED)[0] for each in wishes] == [
                "play",
                "temperature",
            ]
            instrument.send(follower, "/ping", follower[1])
            assert next(came) == Message(follower, "/pong", (follower[1],))
            instrument.send(follower, "/note_on", 60, 90, 1)
            assert example.stdout.readline() == "/note_on 60 90 1\n"
            instrument.send(follower, "/status", "error", "tempo: what / remedy")
            assert example.stdout.readline() == "/status error tempo: what / remedy\n"
            example.send_signal(signal.SIGINT)
            assert next(came) == Message(follower, "/unsubscribe", (follower[1],))
            assert example.wait(20) == 0
        finally:
            example.kill()


def test_the_second_pd_follows_and_turns(instrument: Port, tmp_path: Path) -> None:
    follower = free_port()
    drawn = section("A second Pd").split("```")[1]
    drawn = drawn.replace("56120", str(instrument.address[1])).replace("9001", str(follower))
    texts = re.findall(r"\[([^\](]+)[\](]", drawn)
    patch = Patch()
    boxes = {text: (patch.msg if f"[{text}(" in drawn else patch.obj)(text) for text in texts}
    connect, listen, port, warmer = (
        next(boxes[text] for text in texts if text.startswith(word))
        for word in ("connect", "listen", str(follower), "1.4")
    )
    out, trim = boxes["netsend -u -b"], patch.obj("list trim")
    patch.connect(
        (boxes["loadbang"], 0, connect, 0),
        (boxes["loadbang"], 0, listen, 0),
        (boxes["loadbang"], 0, boxes["metro 2000"], 0),
        (connect, 0, out, 0),
        (boxes["metro 2000"], 0, port, 0),
        (port, 0, boxes["oscformat subscribe"], 0),
        (warmer, 0, boxes["oscformat temperature"], 0),
        (boxes["oscformat subscribe"], 0, boxes["list prepend send"], 0),
        (boxes["oscformat temperature"], 0, boxes["list prepend send"], 0),
        (boxes["list prepend send"], 0, trim, 0),
        (trim, 0, out, 0),
        (listen, 0, boxes["netreceive -u -b"], 0),
        (boxes["netreceive -u -b"], 0, boxes["oscparse"], 0),
        (boxes["oscparse"], 0, boxes["list trim"], 0),
        (boxes["list trim"], 0, boxes["route note_on note_off"], 0),
    )
    patch.log(boxes["route note_on note_off"], 0, "on")
    patch.log(boxes["route note_on note_off"], 1, "off")
    patch.at(200, "bang", warmer)
    patch.quit_at(1500)
    with ThreadPoolExecutor() as threads:
        pd = threads.submit(run_pd, patch, tmp_path, batch=False)
        came = messages(instrument)
        first, second = next(came), next(came)
        assert (first.path, first.arguments) == ("/subscribe", (follower,))
        assert checked(second.path, second.arguments, SHIPPED)[0] == "temperature"
        instrument.send((LOOPBACK, follower), "/note_on", 60, 90, 1)
        instrument.send((LOOPBACK, follower), "/note_off", 60, 1)
    run = pd.result()
    assert run.errors == []
    assert [atoms for _, atoms in run.logged("on")] == [["60", "90", "1"]]
    assert [atoms for _, atoms in run.logged("off")] == [["60", "1"]]
