"""Workers that share a limit by their partitions use it, and the vendor refuses next to nothing.

In simulated time, with calls that are on their way for longer or shorter, against a vendor that
counts what reached it in the window before each call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest

from connectors.sdk.interface import Limit
from pipeline.host.caller import LATER_THAN_OTHERS, _Window

PARTITIONS = 12


@dataclass
class Vendor:
    """Counts by its own clock what came in the window before each call."""

    limit: Limit
    taken: deque[float] = field(default_factory=deque)
    refused: int = 0

    def arrives(self, at: float) -> None:
        while self.taken and self.taken[0] <= at - self.limit.per.total_seconds():
            self.taken.popleft()
        if len(self.taken) < self.limit.calls:
            self.taken.append(at)
        else:
            self.refused += 1


def shares(workers: int) -> list[float]:
    """As a broker shares out partitions."""
    return [len(range(n, PARTITIONS, workers)) / PARTITIONS for n in range(workers)]


def arrivals(
    limit: Limit, crews: list[tuple[float, int]], until: float, random: Random
) -> list[float]:
    """When calls reach the vendor. A crew is (from when, how many workers), all busy."""
    windows = [_Window(limit) for _ in range(max(many for _, many in crews))]
    found = []
    for (begin, many), (end, _) in zip(crews, [*crews[1:], (until, 0)], strict=True):
        for window, share in zip(windows, shares(many), strict=False):
            late = LATER_THAN_OTHERS * limit.per.total_seconds() * 0.9
            now = begin
            window.changed(begin)
            while (now := max(now, window.free_at(share)) + random.uniform(0, late / 100)) < end:
                window.take(now, share)
                found.append(now + random.uniform(0, late))
    return sorted(found)


@pytest.mark.parametrize(
    "limit",
    [
        Limit(calls=100, per=timedelta(seconds=1)),
        Limit(calls=700, per=timedelta(minutes=1)),
        Limit(calls=3500, per=timedelta(seconds=1)),
    ],
    ids=["100 a second", "700 a minute", "3500 a second"],
)
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5])
def test_a_limit_is_used_and_nothing_refused(limit: Limit, workers: int) -> None:
    per = limit.per.total_seconds()
    made = arrivals(limit, [(0, workers)], 10 * per, Random(workers))
    vendor = Vendor(limit)
    for it in made:
        vendor.arrives(it)
    assert vendor.refused == 0
    assert len(made) >= 0.95 * limit.calls * 10


@pytest.mark.parametrize("seed", range(5))
def test_a_worker_that_joins_or_leaves_changes_nothing_for_the_vendor(seed: int) -> None:
    """One that joins knows nothing of what the others did before it."""
    limit = Limit(calls=100, per=timedelta(seconds=1))
    crews = [(0.0, 3), (3.7, 4), (6.1, 3), (8.2, 1), (11.5, 3)]
    made = arrivals(limit, crews, 15, Random(seed))
    vendor = Vendor(limit)
    for it in made:
        vendor.arrives(it)
    assert vendor.refused <= 0.01 * len(made)
    for begin in range(15):
        assert sum(begin <= it < begin + 1 for it in made) >= 0.95 * limit.calls - 2


def test_what_is_less_than_one_call_a_window_is_made_seldom() -> None:
    """Twelve workers on five calls a minute: each its call, and not each one in every minute."""
    limit = Limit(calls=5, per=timedelta(minutes=1))
    made = arrivals(limit, [(0, 12)], 3600, Random(1))
    assert len(made) <= 5 * 60 * 1.05
