"""Three hosts of one system through joins, a SIGTERM and a kill -9: nothing lost, little repeated.

Counted by the vendor: an order that is worked on twice is a person who was looked for twice.
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from connectors.sdk.sandbox import Fault
from tests.soak import SEED, SOAK

from .crew import Crew, crew

ORDERS = 1500 if SOAK else 300
PORTIONS = 12
SLOW = 7.0
"""Seconds: longer than a host that is stopped waits."""
NOT_YET_COMMITTED = 5.0
"""Seconds: commits four times a second, and a rebalance lasts as long as the slowest to notice."""


async def test_nothing_is_lost_and_only_what_was_in_flight_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"HABEAS_SEED={SEED}")  # noqa: T201  to run it again
    random = Random(SEED)
    people = [f"{'slow' if n % 10 == 0 else 'quick'}-{n}@example.org" for n in range(ORDERS)]
    random.shuffle(people)
    async with crew(tmp_path, "acme", monkeypatch) as hosts:
        slow = Fault(mode="hang", seconds=SLOW, route="slow-", times=None)
        hosts.vendor.faults.append(slow)
        hosts.join()
        hosts.join()
        await hosts.has_shared_out(*hosts.hosts)
        portions = [people[n::PORTIONS] for n in range(PORTIONS)]
        at = sorted(random.sample(range(1, PORTIONS), 3))
        happens = dict(zip(at, random.sample([joined, stopped, killed], 3), strict=True))
        disturbed: list[float] = []
        for n, portion in enumerate(portions):
            await hosts.order(*portion)
            if n in happens:
                disturbed.append(time.time())
                await happens[n](hosts, random)
                disturbed.append(time.time())
            await asyncio.sleep(1)
        await until_answered(hosts)
        disturbed += [at.timestamp() for it in hosts.hosts for at, _ in it.assigned()]
        looks = hosts.vendor.answered
        repeated = {who: at for who, at in looks.items() if len(at) > 1}
        print(f"{len(repeated)} of {ORDERS} repeated")  # noqa: T201
        assert looks.keys() == set(people)
        for who, ends in repeated.items():
            took = SLOW if who.startswith("slow") else 0
            for end, _ in pairwise(ends):
                assert [it for it in disturbed if end - took - 1 <= it <= end + NOT_YET_COMMITTED]


async def joined(hosts: Crew, _: Random) -> None:
    hosts.join()


async def stopped(hosts: Crew, random: Random) -> None:
    it = random.choice(hosts.hosts)
    assert await asyncio.to_thread(it.stop) in {0, 130}
    it.start()


async def killed(hosts: Crew, random: Random) -> None:
    it = random.choice(hosts.hosts)
    it.kill()
    it.again()


async def until_answered(hosts: Crew) -> None:
    async with asyncio.timeout(120):
        while set(hosts.ordered) - await hosts.answered():  # noqa: ASYNC110  processes make it so
            await asyncio.sleep(0.5)
