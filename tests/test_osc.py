import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.osc import LONGEST, Malformed, Message, Port
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[Port, Port]]:
    here, there = Port(), Port()
    yield here, there
    here.close()
    there.close()


def packet(path: str, *arguments: object) -> bytes:
    """What python-osc itself sends."""
    builder = OscMessageBuilder(path)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


def bundle(*elements: bytes) -> bytes:
    sizes = [struct.pack(">i", len(element)) + element for element in elements]
    return b"#bundle\0" + bytes(8) + b"".join(sizes)


def received(ports: tuple[Port, Port], datagram: bytes) -> list[Message | Malformed]:
    """What comes of a datagram, and of a message behind it, which shows that the port still hears."""
    here, there = ports
    there._socket.sendto(datagram, here.address)
    there.send(here.address, "/behind")
    came: list[Message | Malformed] = []
    while Message(there.address, "/behind", ()) not in came:
        more = here.receive(5)
        assert more, "it does not hear"
        came += more
    assert came.pop() == Message(there.address, "/behind", ())
    return came


def test_what_is_sent_arrives_with_its_sender(ports: tuple[Port, Port]) -> None:
    here, there = ports
    sent = (1, 2**31 - 1, -(2**31), -2.5, "hé", "")
    there.send(here.address, "/x", *sent)
    assert here.receive(5) == [Message(there.address, "/x", sent)]


def test_nothing_there_is_nothing_received(ports: tuple[Port, Port]) -> None:
    assert ports[0].receive(0) == []


def test_a_receiver_that_is_not_there_is_no_error() -> None:
    gone, port = Port(), Port()
    gone.close()
    for _ in range(3):
        port.send(("127.0.0.1", 9), "/x")
        assert port.receive(0) == []
    port.close()


def test_a_port_in_use_is_refused_by_name() -> None:
    port = Port()
    with pytest.raises(NeuralMIDIError, match=rf"UDP port 127.0.0.1:{port.address[1]}: it cannot be opened"):
        Port(*port.address)
    port.close()


def test_bundles_are_taken_apart(ports: tuple[Port, Port]) -> None:
    inner = bundle(packet("/b", 2), packet("/c"))
    came = received(ports, bundle(packet("/a", 1), inner))
    assert [(each.path, each.arguments) for each in came if isinstance(each, Message)] == [
        ("/a", (1,)),
        ("/b", (2,)),
        ("/c", ()),
    ]


def test_a_bundle_as_python_osc_builds_it_is_taken_at_once(ports: tuple[Port, Port]) -> None:
    builder = OscBundleBuilder(IMMEDIATELY)
    message = OscMessageBuilder("/a")
    message.add_arg(1)
    builder.add_content(message.build())
    assert received(ports, builder.build().dgram) == [Message(ports[1].address, "/a", (1,))]


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"hello",
        b"/\0",
        b"/panic\0\0",  # no types
        b"/panic\0\0xyz\0",
        b"/d\0\0,d\0\0" + bytes(8),
        b"/d\0\0,T\0\0",
        b"/d\0\0,i\0\0",  # the argument is missing
        b"/d\0\0,i\0\0" + bytes(8),  # one too many
        b"/d\0\0,s\0\0\xff\xfe\0\0",
        b"/d\0\0,s\0\0abcd",
        packet("/x", "y" * LONGEST),
        b"#bundle\0",
        bundle(packet("/a"))[:-1],
        b"#bundle\0" + bytes(8) + struct.pack(">i", 2**31 - 4) + packet("/a"),
        b"#bundle\0" + bytes(8) + struct.pack(">i", -4) + packet("/a"),
        b"#bundle\0" + bytes(8) + struct.pack(">i", 0) + packet("/a"),
        bundle(bundle(bundle(bundle(bundle(packet("/a")))))),
        bundle(packet("/a"), b"hell"),
    ],
)
def test_a_malformed_packet_is_told_as_such_and_nothing_of_it_counts(
    ports: tuple[Port, Port], datagram: bytes
) -> None:
    (only,) = received(ports, datagram)
    assert isinstance(only, Malformed)
    assert only.sender == ports[1].address
    assert 0 < len(only.why) < 200


@given(st.binary(max_size=64))
def test_random_bytes_never_raise(ports: tuple[Port, Port], datagram: bytes) -> None:
    received(ports, datagram)


@given(st.data())
def test_mutated_packets_never_raise(ports: tuple[Port, Port], data: st.DataObject) -> None:
    whole = bundle(packet("/temperature", 0.5), bundle(packet("/composer", "bach"), packet("/note", 60, 1)))
    bent = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if bent else 0):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    received(ports, bytes(bent))
