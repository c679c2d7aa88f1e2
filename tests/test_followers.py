import pytest
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.followers import MOST, PATIENCE, PULSE, Followers, address_in

RECEIVER = ("127.0.0.1", 56120)
SOMEBODY = ("127.0.0.1", 9000)
SENDER = ("10.0.0.7", 40000)


def many(count: int) -> list[tuple[str, int]]:
    return [("127.0.0.1", 9000 + each) for each in range(count)]


def test_the_receiver_comes_first_and_nobody_twice() -> None:
    followers = Followers(0, RECEIVER)
    for each in (SOMEBODY, RECEIVER, SOMEBODY):
        followers.subscribe(1, each)
    assert list(followers) == [RECEIVER, SOMEBODY]
    assert SOMEBODY in followers


def test_the_ninth_subscriber_is_refused_and_the_receiver_is_none() -> None:
    followers = Followers(0, RECEIVER)
    for each in many(MOST):
        followers.subscribe(0, each)
    with pytest.raises(NeuralMIDIError, match="8 follow already"):
        followers.subscribe(0, SENDER)
    followers.subscribe(0, SOMEBODY)  # renewed
    followers.unsubscribe(SOMEBODY)
    followers.subscribe(0, SENDER)
    assert len(list(followers)) == MOST + 1


def test_who_is_unsubscribed_is_gone_and_the_receiver_stays() -> None:
    followers = Followers(0, RECEIVER)
    followers.subscribe(0, SOMEBODY)
    followers.unsubscribe(SOMEBODY)
    followers.unsubscribe(SOMEBODY)
    with pytest.raises(NeuralMIDIError, match="named"):
        followers.unsubscribe(RECEIVER)
    assert list(followers) == [RECEIVER]


def test_who_does_not_answer_is_dropped_but_never_the_receiver() -> None:
    followers = Followers(0, RECEIVER)
    first, second, third = many(3)
    for each in (first, second, third):
        followers.subscribe(0, each)
    dropped: dict[tuple[str, int], float] = {}
    for now in range(int(PULSE), 20001, int(PULSE)):
        followers.hear(now - 1, first)
        followers.hear(now - 1, SENDER)  # does not follow
        if now == PATIENCE:
            followers.subscribe(now - 1, second)  # renewed in time
        dropped |= dict.fromkeys(followers.drop(now), now)
    assert dropped == {third: PATIENCE, second: 2 * PATIENCE}
    assert list(followers) == [RECEIVER, first]
    assert followers.silence_of(20000, RECEIVER) == 20000


def test_a_process_that_stood_still_drops_nobody_for_it() -> None:
    followers = Followers(0, RECEIVER)
    followers.subscribe(0, SOMEBODY)
    assert followers.drop(PULSE) == []
    assert followers.drop(PULSE + 60000) == []
    assert followers.drop(3 * PULSE + 60000) == []


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ((9000,), ("10.0.0.7", 9000)),
        ((9000.0,), ("10.0.0.7", 9000)),
        (("192.168.1.5", 9000), ("192.168.1.5", 9000)),
        (("localhost", 9000), ("127.0.0.1", 9000)),
    ],
)
def test_an_address(arguments: tuple[str | float, ...], address: tuple[str, int]) -> None:
    assert address_in("subscribe", arguments, SENDER) == address


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "0 values"),
        (("127.0.0.1", 9000, 1), "3 values"),
        (("9000",), "not a number"),
        (("localhost",), "not a number"),
        ((0,), "outside 1 to 65535"),
        ((65536,), "outside"),
        ((9000.5,), "whole"),
        ((float("nan"),), "outside"),
        (("example.org", 9000), "example.org is no host / send four numbers"),
        (("256.0.0.1", 9000), "no host"),
        (("1.2.3", 9000), "no host"),
        ((127, 9000), "no host"),
        (("", 9000), "no host"),
    ],
)
def test_no_address(arguments: tuple[str | float, ...], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        address_in("subscribe", arguments, SENDER)
