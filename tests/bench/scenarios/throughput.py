"""How many cases a second, and what each costs, beside a floor measured in the same run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import quantiles
from uuid import UUID

from ..floor import floor
from ..results import Result, Row
from ..rig import Bench

RECORDS = 25
"""Records of an access on all topics together: the design's budget."""
ACCESS, ERASURE = 50, 30
"""Cases a second, at least; an erasure with its second look."""
CPU = 20
"""Milliseconds of an access, at most, over all processes of the pipeline."""


ROUNDS = 3
"""The median counts, after one that does not: a broker's first minute is its compiler's."""


@dataclass(frozen=True, slots=True)
class Round:
    """Cases at once: how many seconds they took together, of the clock and of CPU."""

    cases: list[UUID]
    seconds: float
    cpu: float
    calls: int


async def access(bench: Bench, cases: int) -> Result:
    """Persons who ask for a copy, all at once."""
    return await _run(bench, "access", cases, speed=ACCESS, cpu=CPU, records=RECORDS)


async def erasure(bench: Bench, cases: int) -> Result:
    """Persons who ask to be erased, all at once."""
    return await _run(bench, "erasure", cases, speed=ERASURE)


async def _run(
    bench: Bench,
    right: str,
    count: int,
    *,
    speed: float,
    cpu: float | None = None,
    records: float | None = None,
) -> Result:
    await bench.run(f"{right}: warming up", (right,), count)
    rounds = [await _round(bench, right, count, n) for n in range(ROUNDS)]
    usual = sorted(rounds, key=lambda it: it.seconds)[ROUNDS // 2]
    made = await bench.records(usual.cases)
    bench.told(f"{right}: the floor", 0, 1)
    least = await floor(bench, made, usual.calls)
    waits = quantiles(await _waits(bench, usual.cases), n=20)
    return Result(
        rows=[
            Row(
                name="cases a second",
                figure=round(count / usual.seconds, 1),
                unit="1/s",
                aim=speed,
                sense="≥",
            ),
            Row(name="the floor's cases a second", figure=round(count / least, 1), unit="1/s"),
            Row(
                name="of the floor's speed", figure=round(100 * least / usual.seconds, 1), unit="%"
            ),
            Row(name="CPU a case", figure=round(1000 * usual.cpu / count, 1), unit="ms", aim=cpu),
            Row(name="until the report, p50", figure=round(waits[9], 2), unit="s"),
            Row(name="until the report, p95", figure=round(waits[18], 2), unit="s"),
            Row(
                name="records a case",
                figure=round(len(made) / count, 1),
                unit="records",
                aim=records,
            ),
            Row(name="vendor calls a case", figure=round(usual.calls / count, 1), unit="calls"),
        ],
        series={
            "cases a second": [round(count / it.seconds, 1) for it in rounds],
            "CPU a case": [round(1000 * it.cpu / count, 1) for it in rounds],
        },
    )


async def _round(bench: Bench, right: str, count: int, n: int) -> Round:
    cpu, calls, began = bench.cpu(), await bench.calls(), time.monotonic()
    cases, _ = await bench.run(f"{right}: round {n + 1} of {ROUNDS}", (right,), count)
    seconds = time.monotonic() - began
    return Round(cases, seconds, bench.cpu() - cpu, await bench.calls() - calls)


async def _waits(bench: Bench, cases: list[UUID]) -> list[float]:
    """Seconds from the request's decision to the last event, for each case."""
    return [(it[-1].at - it[0].at).total_seconds() for it in await bench.ledgers(cases)]
