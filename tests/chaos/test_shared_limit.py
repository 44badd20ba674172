"""Workers on one vendor's published limit use it, and are hardly ever told that it is too much.

The vendor counts by its own clock. Meanwhile one more worker joins, one is stopped, one is killed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.acme import THRIFTY
from tests.soak import SOAK

from .crew import Crew, crew

RATE = THRIFTY.calls / THRIFTY.per.total_seconds()
MEASURED = 60.0 if SOAK else 15.0
"""Seconds: several windows of the vendor's."""
CALLS_AN_ORDER = 2
ORDERS = int(RATE * (4 * MEASURED + 60) / CALLS_AN_ORDER)


@dataclass
class Meter:
    """What the vendor served since the meter was made."""

    hosts: Crew

    def __post_init__(self) -> None:
        self._since, self._before = time.monotonic(), self._served

    @property
    def _served(self) -> int:
        return self.hosts.vendor.calls.total() - self.hosts.vendor.limited

    @property
    def used(self) -> float:
        """Of what the vendor would have allowed."""
        seconds = time.monotonic() - self._since
        return (self._served - self._before) / (RATE * seconds)


async def used(hosts: Crew, since: Meter | None = None) -> float:
    """How much of the limit is used until a while from now."""
    meter = since or Meter(hosts)
    await asyncio.sleep(MEASURED)
    return meter.used


@pytest.mark.alone
@pytest.mark.timeout(900)
async def test_three_use_the_limit_and_so_do_those_who_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with crew(tmp_path, "thrifty", monkeypatch) as hosts:
        await hosts.order(*(f"{n}@example.org" for n in range(ORDERS)))
        three = [hosts.join() for _ in range(3)]
        await hosts.has_shared_out(*three)
        await asyncio.sleep(2 * THRIFTY.per.total_seconds())
        shares = {"three": await used(hosts)}
        meter = Meter(hosts)
        four = [*three, hosts.join()]
        await hosts.has_shared_out(*four)
        shares["a fourth joins"] = await used(hosts, meter)
        meter = Meter(hosts)
        left = four[1:]
        await asyncio.to_thread(four[0].stop)
        await hosts.has_shared_out(*left)
        shares["one leaves"] = await used(hosts, meter)
        left[0].kill()
        await hosts.has_shared_out(*left[1:])
        shares["one was killed"] = await used(hosts)  # its part lay idle for its session
        refused = hosts.vendor.limited / hosts.vendor.calls.total()
        print({name: round(it, 3) for name, it in shares.items()}, f"{refused:.2%} refused")  # noqa: T201
        assert len(hosts.vendor.answered) < ORDERS  # they were busy to the end
        assert min(shares.values()) >= 0.95
        assert refused <= 0.01
