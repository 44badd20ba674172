"""How often may one peer ask? In bursts, and at a rate that no person needs and a guesser lacks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

PER_SECOND, BURST = 10.0, 60.0
MOST = 10_000
"""Peers that are remembered, the latest. One that is forgotten has asked for nothing lately."""
_NETWORK = 64
"""Bits of an IPv6 address that are its owner's network: one peer has all the addresses in it."""


class Peers:
    """A bucket for each peer, in the memory of this process only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is left of the burst, and when that was so."""

    def may_ask(self, address: str) -> bool:
        """Whether the peer at an address may ask now; if so, it has."""
        peer, now = _peer(address), self._clock()
        left, at = self._left.pop(peer, (BURST, now))
        left = min(BURST, left + (now - at) * PER_SECOND)
        self._left[peer] = (max(left - 1, 0.0), now)
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        return left >= 1


def _peer(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(int(found) >> (128 - _NETWORK))
    return address
