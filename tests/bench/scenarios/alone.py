"""How long one case takes from request to report when it is alone and vendors take their time."""

from __future__ import annotations

from statistics import median
from uuid import uuid4

from pipeline.register.reading import Entry

from ..results import Result, Row
from ..rig import Bench
from ..systems import SYSTEMS

LATENCY = 0.1
"""Seconds that every vendor call takes."""
LONGEST = 1
"""Seconds that half of the cases may take, at most."""
CALLS = 2
"""Calls to a system that follow each other in an access: the check, and the record itself."""


async def alone(bench: Bench, cases: int) -> Result:
    """Persons who ask for a copy, each after the one before has had the answer."""
    await bench.behave(*SYSTEMS, latency=LATENCY)
    seconds = []
    for n in range(cases):
        bench.told("one case alone", n, cases)
        case = uuid4()
        asked = await bench.submit([case], ["access"])
        await bench.settled([case], "one case alone")
        (ledger,) = await bench.ledgers([case])
        seconds.append((_reported(ledger).at - asked[case]).total_seconds())
    await bench.behave(*SYSTEMS)
    return Result(
        rows=[
            Row(
                name="from request to report, p50",
                figure=round(median(seconds), 3),
                unit="s",
                aim=LONGEST,
            ),
            Row(name="from request to report, at most", figure=round(max(seconds), 3), unit="s"),
            Row(name="of it the vendor's own", figure=CALLS * LATENCY, unit="s"),
        ],
        series={"seconds": [round(it, 3) for it in seconds]},
    )


def _reported(ledger: list[Entry]) -> Entry:
    return next(it for it in ledger if it.type == "case_reported")
