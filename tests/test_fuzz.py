"""What listens plays on after packets that nobody should send; and the fuzzer notices what does not."""

import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from pd_runner import ROOT

FRAIL = """
import sys
from neuralmidi.osc import Malformed, Port
port = Port("127.0.0.1", int(sys.argv[1]))
while True:
    for packet in port.receive(None):
        if isinstance(packet, Malformed):
            sys.exit("it fell ill")
        port.send(packet.sender, "/pong", *packet.arguments)
        port.send(packet.sender, "/status", "subscribed")
        port.send(packet.sender, "/notes")
"""
"""An instrument that dies of the first packet that it cannot read."""

FUZZ_IT = f"""
import sys
from contextlib import contextmanager
from tests.bench.instruments import free_address, program
from tests.fuzz import targets, __main__ as command
from tests.fuzz.osc import Target

@contextmanager
def start(folder):
    address = free_address()
    with program("frail", [sys.executable, "-c", {FRAIL!r}, str(address[1])], address, folder) as instrument:
        yield instrument

targets.TARGETS["frail"] = Target(start, lambda follower: None)
sys.exit(command.main())
"""


def fuzz(*arguments: str, program: Sequence[str] = ("-m", "tests.fuzz")) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("instrument", ["patch", "stream", "streamer"])
def test_it_plays_on_after_2000_packets(instrument: str) -> None:
    done = fuzz("osc", "--cases", "2000", "--only", instrument)
    assert done.returncode == 0, done.stderr
    seed, _, row = done.stdout.splitlines()
    assert seed == "seed 1"
    name, packets, never_seen, errors, *_ = row.replace(",", "").split()
    assert (name, packets) == (instrument, "2000")
    assert int(never_seen) < 100
    assert int(errors) >= 50  # the patch answers no more in a second


def test_the_same_seed_makes_the_same_packets_and_another_does_not() -> None:
    script = "from tests.fuzz.packets import packet; print([packet({}, n) for n in (5, 3, 4)])"
    one, again, other = (fuzz(program=("-c", script.format(seed))).stdout for seed in (1, 1, 2))
    assert one == again != other
    assert len(one) > 50


def test_no_packet_bothers_another_computer() -> None:
    script = "from tests.fuzz.packets import packet; print(*(packet(1, n).hex() for n in range(5000)))"
    packets = map(bytes.fromhex, fuzz(program=("-c", script)).stdout.split())
    words = [word.decode(errors="replace") for packet in packets for word in packet.split(b"\0")]
    hosts = [word for word in words if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", word)]
    assert len(hosts) > 300
    assert all(host.startswith("127.") for host in hosts)


def test_what_dies_is_reported_with_the_command_that_shows_it_again() -> None:
    done = fuzz("osc", "--only", "frail", "--seed", "3", "--cases", "1000", program=("-c", FUZZ_IT))
    assert done.returncode == 1
    assert re.search(r"frail: does not play on after [1-9]00 packets: .*ended with status 1", done.stderr)
    assert "it fell ill" in done.stderr
    assert re.search(r"tests\.fuzz osc --only frail --seed 3 --cases [1-9]00$", done.stderr, re.MULTILINE)


FAULTS = """
import ctypes, sys, time
from tests.fuzz import __main__ as command, models, workers

def fault(harm, _, made):
    return lambda number: harm() if number == 3 else None

harms = {
    "error": lambda: {}["key"],
    "crash": lambda: ctypes.string_at(0),
    "memory": lambda: bytes(1 << 30),
    "hang": lambda: time.sleep(60),
    "reading": lambda: open("/etc/hostname"),
    "import": lambda: __import__("wave"),
    "evaluation": lambda: eval("1"),
}
workers.SECONDS = 1
for name, harm in harms.items():
    models.DESCRIPTIONS[name] = models.partial(fault, harm)
    sys.argv = ["fuzz", "json", "--only", name, "--seed", "2", "--cases", "9"]
    if command.main() != 1:
        sys.exit(name)
"""
"""Loaders of models that do in case 3 what none must do."""


def test_what_a_loader_must_not_do_is_noticed() -> None:
    done = fuzz(program=("-c", FAULTS))
    assert done.returncode == 0, done.stdout + done.stderr
    reports = re.split(r"^once more: .*\n", done.stderr, flags=re.MULTILINE)
    signs = (
        "KeyError: 'key'",
        "ended with -11",
        "MemoryError",
        "not done after 1 s",
        r"open \('/etc/hostname'",
        r"import \('wave'",
        "(compile|exec) ",
    )
    for report, sign in zip(reports, (*signs, "^$"), strict=True):
        assert re.search(sign, report)
    again = re.findall(r"^once more: (.*)$", done.stderr, re.MULTILINE)
    assert again[0] == "python -m tests.fuzz json --only error --seed 2 --case 3"
    assert len(again) == len(signs)


def test_models_are_loaded_or_refused() -> None:
    for kind, parts, cases in (
        ("json", ["structure", "text", "guided"], 60),
        ("tflite", ["bytes", "tables"], 40),
    ):
        done = fuzz(kind, "--cases", str(cases), "--seed", "5")
        assert done.returncode == 0, done.stderr
        seed, heading, *rows = done.stdout.splitlines()
        assert seed == "seed 5"
        assert heading.split() == ["of", "cases", "played", "refused", "for", "reasons"]
        for part, row in zip(parts, rows[: len(parts)], strict=True):
            name, count, played, refused, reasons = row.split()
            assert (name, int(count)) == (part, cases)
            assert int(played) + int(refused) == cases
            assert int(refused) > cases // 4
            assert int(reasons) >= 3


def test_help_has_an_example() -> None:
    assert "python -m tests.fuzz osc" in fuzz("--help").stdout
