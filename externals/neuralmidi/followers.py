"""Who follows the music over OSC: the receiver that the player has named, and those who subscribe.

A subscriber that does not answer is dropped; a receiver that the player has named never is, but one can ask
how long it has been silent. Times are in ms and told by whoever asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address

from .errors import NeuralMIDIError
from .osc import LOOPBACK, UDP_PORT, Address, Argument

MOST = 8
"""Subscribers at one time."""

PATIENCE = 5000.0
"""Ms without a sign of life after which a subscriber is dropped."""

PULSE = 1000.0
"""Ms from one look at the subscribers to the next."""


class Followers:
    """Where everything goes that is played.

    Args:
        now: time in ms.
        fixed: the receivers that the player has named.
    """

    def __init__(self, now: float, *fixed: Address) -> None:
        self._fixed = fixed
        self._heard = dict.fromkeys(fixed, now)  # when they last gave a sign of life
        self._looked = now

    def __iter__(self) -> Iterator[Address]:
        """All of them, those whom the player has named first."""
        return iter(tuple(self._heard))

    def __contains__(self, address: Address) -> bool:
        return address in self._heard

    def subscribe(self, now: float, address: Address) -> None:
        """Let somebody follow, or go on to.

        Raises:
            NeuralMIDIError: there are `MOST` already.
        """
        if address not in self._heard and len(self._heard) - len(self._fixed) >= MOST:
            why = f"{MOST} follow already"
            raise NeuralMIDIError("subscribe", why, "send /unsubscribe from one of them")
        self._heard[address] = now

    def unsubscribe(self, address: Address) -> None:
        """Let somebody follow no longer.

        Raises:
            NeuralMIDIError: the player has named it.
        """
        if address in self._fixed:
            why = f"{told(address)} is the receiver that the player has named"
            raise NeuralMIDIError("unsubscribe", why, "stop the stream instead")
        self._heard.pop(address, None)

    def hear(self, now: float, address: Address) -> None:
        """Somebody, whoever it is, has sent something."""
        if address in self._heard:
            self._heard[address] = now

    def silence_of(self, now: float, address: Address) -> float:
        """How many ms ago a follower last gave a sign of life."""
        return now - self._heard[address]

    def drop(self, now: float) -> list[Address]:
        """Let those go that have not answered; they are returned. To be called every `PULSE`."""
        if (gap := now - self._looked) > 2 * PULSE:  # this process has stood still, and has asked nobody
            self._heard = {address: heard + gap for address, heard in self._heard.items()}
        self._looked = now
        lost = [
            address
            for address in self._heard
            if address not in self._fixed and self.silence_of(now, address) >= PATIENCE
        ]
        for address in lost:
            del self._heard[address]
        return lost


def told(address: Address) -> str:
    """An address in words."""
    return f"{address[0]} {address[1]}"


def address_in(wish: str, arguments: Sequence[Argument], sender: Address) -> Address:
    """Return whom ``/subscribe [host] port`` is about.

    Args:
        wish: without its slash.
        arguments: of the message.
        sender: its host counts where none is named.

    Raises:
        NeuralMIDIError: that is no address. Names are not looked up, but ``localhost``.
    """
    if not 1 <= len(arguments) <= 2:
        why = f"{len(arguments)} values came with it"
        raise NeuralMIDIError(wish, why, "send a port, or a host and a port")
    *named, number = arguments
    host = str(named[0]) if named else sender[0]
    try:
        numeric = IPv4Address(LOOPBACK if host == "localhost" else host)
    except AddressValueError:
        remedy = "send four numbers, as in 192.168.1.5, or localhost"
        raise NeuralMIDIError(wish, f"{host[:40]} is no host", remedy) from None
    return str(numeric), port(f"{wish} port", number)


def port(name: str, value: object) -> int:
    """Return a number as that of a UDP port.

    Raises:
        NeuralMIDIError: it is none.
    """
    return int(replace(UDP_PORT, name=name).check(value))
