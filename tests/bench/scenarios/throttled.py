"""How much later the other systems answer while one vendor refuses most calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median, quantiles
from uuid import UUID, uuid4

from pipeline.register.reading import Entry
from schemas.events import HoldingsLocated, SearchOrdered

from ..results import Result, Row
from ..rig import LOOK_EVERY, PATIENCE, Bench
from ..systems import SYSTEMS

AIM = 1.1
REFUSED = 0.9
"""Share of the fifth's calls that are answered 429, come back in a second."""
EVERY = 0.2
"""Seconds between requests: nothing queues, so that a delay is the vendor's doing."""
ROUNDS = 3
*OTHERS, FIFTH = SYSTEMS


async def throttled(bench: Bench, cases: int) -> Result:
    """Rounds with and without it in turn: from order to answer, in the ledger."""
    await _round(bench, "warming up", cases)
    usual: list[float] = []
    beside: list[float] = []
    for n in range(ROUNDS):
        usual += await _round(bench, f"usual round {n + 1} of {ROUNDS}", cases)
        await bench.behave(FIFTH, refused=REFUSED)
        beside += await _round(bench, f"throttled round {n + 1} of {ROUNDS}", cases)
        await bench.behave(FIFTH)
    figures = {"usual": usual, "beside a throttled one": beside}
    rows = [
        Row(name=f"answer of the others, {name}, p50", figure=round(median(it), 1), unit="ms")
        for name, it in figures.items()
    ]
    ratio = median(beside) / median(usual)
    rows.append(Row(name="with over without", figure=round(ratio, 2), unit="times", aim=AIM))
    return Result(
        rows=rows,
        series={
            name: [round(x, 1) for x in quantiles(it, n=100, method="inclusive")]
            for name, it in figures.items()
        },
    )


async def _round(bench: Bench, what: str, count: int) -> list[float]:
    """Milliseconds of each search of the other systems. Nothing is under way afterwards."""
    cases = [uuid4() for _ in range(count)]
    bench.told(what, 0, count)
    await bench.submit(cases, ["access"], every=EVERY)
    found = await _answered(bench, what, cases)
    await bench.behave(FIFTH)
    await bench.settled(cases, f"{what}: the fifth")
    return found


async def _answered(bench: Bench, what: str, cases: Sequence[UUID]) -> list[float]:
    """How long each search took, once all are answered."""
    await bench.count("holdings_located", cases, len(cases) * len(OTHERS), what)
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [x for it in await bench.ledgers(cases) for x in _searches(it)]
            if len(found) == len(cases) * len(OTHERS):
                return found
            await asyncio.sleep(LOOK_EVERY)


def _searches(ledger: Sequence[Entry]) -> list[float]:
    ordered = {it.event.order: it.at for it in ledger if isinstance(it.event, SearchOrdered)}
    return [
        1000 * (it.at - ordered[it.event.order]).total_seconds()
        for it in ledger
        if isinstance(it.event, HoldingsLocated) and it.event.system in OTHERS
    ]
