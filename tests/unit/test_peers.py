"""A peer may ask in bursts and at a rate; others do not pay for it."""

from __future__ import annotations

from pipeline.web import peers
from pipeline.web.peers import BURST, PER_SECOND, Peers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_a_rate() -> None:
    clock = Clock()
    made = Peers(clock)
    allowed = [made.may_ask("192.0.2.1") for _ in range(int(BURST) + 5)]
    assert allowed == [True] * int(BURST) + [False] * 5
    assert made.may_ask("192.0.2.2")
    clock.now += 1 / PER_SECOND
    assert made.may_ask("192.0.2.1")
    assert not made.may_ask("192.0.2.1")
    clock.now += 1000 * BURST
    assert sum(made.may_ask("192.0.2.1") for _ in range(1000)) == BURST


def test_a_network_is_one_peer_however_many_addresses_it_has() -> None:
    made = Peers(Clock())
    assert sum(made.may_ask(f"2001:db8:1:2::{it:x}") for it in range(1, 200)) == BURST
    assert made.may_ask("2001:db8:1:3::1")
    assert made.may_ask("::ffff:192.0.2.1")
    assert made.may_ask("")


def test_memory_is_bounded() -> None:
    made = Peers(Clock())
    for it in range(peers.MOST + 100):
        assert made.may_ask(f"10.{it >> 16}.{it >> 8 & 255}.{it & 255}")
    assert len(made._left) == peers.MOST
