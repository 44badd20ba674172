"""The host's caller: its turn, another try, and no more than its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest

from connectors.sdk.calls import calling
from connectors.sdk.interface import Capabilities, Limit, RetryableError, TerminalError
from pipeline.host import caller as module
from pipeline.host.caller import HostCaller
from pipeline.settings import Settings


def made(*limits: Limit, wait: float = 5) -> HostCaller:
    capabilities = Capabilities(system="acme", rights=frozenset(), kinds={}, limits=limits)
    return HostCaller(capabilities, Settings(vendor_wait=timedelta(seconds=wait)))


class Vendor:
    """Fails so often, then answers; remembers when it was called."""

    def __init__(self, failures: int = 0, error: Callable[[], Exception] | None = None) -> None:
        self.failures = failures
        self.error = error or (lambda: RetryableError("busy"))
        self.at: list[float] = []

    async def __call__(self) -> str:
        self.at.append(time.monotonic())
        if len(self.at) <= self.failures:
            raise self.error()
        return "answer"

    def most_in(self, seconds: float) -> int:
        """The most calls in any window of this length."""
        return max(sum(1 for it in self.at if start <= it < start + seconds) for start in self.at)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)


async def test_no_window_holds_more_than_the_published_limit() -> None:
    call, vendor = made(Limit(calls=5, per=timedelta(seconds=0.3))), Vendor()
    await asyncio.gather(*(call(vendor) for _ in range(16)))
    assert len(vendor.at) == 16
    assert vendor.most_in(0.29) <= 5


async def test_a_worker_alone_may_use_a_minute_at_once_and_one_among_others_may_not() -> None:
    limit = Limit(calls=60, per=timedelta(minutes=1))
    alone, among = made(limit, wait=0.3), made(limit, wait=0.3)
    alone.share(1)
    among.share(1 / 2)
    vendors = Vendor(), Vendor()
    for call, vendor in zip((alone, among), vendors, strict=True):
        with suppress(RetryableError):
            for _ in range(60):
                await call(vendor)
    assert [len(it.at) for it in vendors] == [60, 1]


async def test_a_worker_with_half_the_partitions_has_half_the_limit() -> None:
    call, vendor = made(Limit(calls=6, per=timedelta(seconds=0.3))), Vendor()
    call.share(0.5)
    await asyncio.gather(*(call(vendor) for _ in range(8)))
    assert vendor.most_in(0.29) <= 3


async def test_a_quota_of_a_day_is_not_spread_over_the_day() -> None:
    call, vendor = made(Limit(calls=50, per=timedelta(days=1)), wait=0.2), Vendor()
    for _ in range(50):
        await call(vendor)
    with pytest.raises(RetryableError, match="no turn"):
        await call(vendor)


async def test_calls_are_made_in_the_order_they_asked() -> None:
    call, order = made(Limit(calls=20, per=timedelta(seconds=0.2))), list[int]()

    async def note(n: int) -> None:
        order.append(n)

    await asyncio.gather(*(call(partial(note, n)) for n in range(30)))
    assert order == list(range(30))


async def test_several_refusals_at_once_slow_it_down_once() -> None:
    every, call = asyncio.Barrier(4), made()

    async def refused_together() -> None:
        if call._tightened == 1:
            await every.wait()
            raise RetryableError("slow", retry_after=timedelta(0))

    await asyncio.gather(*(call(refused_together) for _ in range(4)))
    assert module.TIGHTENED <= call._tightened < 1


async def test_what_may_be_answered_later_is_asked_again() -> None:
    call, vendor = made(), Vendor(failures=3)
    assert await call(vendor) == "answer"
    assert len(vendor.at) == 4


async def test_what_asking_again_does_not_help_is_asked_once() -> None:
    call, vendor = made(), Vendor(failures=9, error=lambda: TerminalError("no", reason="forbidden"))
    with pytest.raises(TerminalError):
        await call(vendor)
    assert len(vendor.at) == 1


async def test_a_call_waits_no_longer_than_it_may_and_says_when_to_come_back() -> None:
    call, vendor = made(wait=0.2), Vendor(failures=10_000)
    began = time.monotonic()
    with pytest.raises(RetryableError) as refused:
        await call(vendor)
    assert time.monotonic() - began < 2
    assert refused.value.retry_after is not None


async def test_a_hanging_call_is_given_up() -> None:
    async def hanging() -> str:
        await asyncio.sleep(60)
        return "late"

    with pytest.raises(RetryableError):
        await made(wait=0.2)(hanging)


async def test_a_vendor_that_asks_to_wait_is_left_alone_by_every_call() -> None:
    asked = timedelta(seconds=0.3)
    call = made()
    first = Vendor(failures=1, error=lambda: RetryableError("slow", retry_after=asked))
    other = Vendor()
    task = asyncio.create_task(call(first))
    await asyncio.sleep(0.05)
    await call(other)
    await task
    assert other.at[0] - first.at[0] >= 0.29
    assert first.at[1] - first.at[0] >= 0.29


async def test_it_slows_down_when_told_and_recovers() -> None:
    call = made(Limit(calls=8, per=timedelta(seconds=0.2)))
    told = Vendor(failures=1, error=lambda: RetryableError("slow", retry_after=timedelta(0)))
    await call(told)
    assert call._tightened < 1
    for _ in range(40):
        await call(Vendor())
    assert call._tightened == 1


async def test_a_wait_beyond_the_time_left_is_not_waited_for() -> None:
    call = made(wait=0.5)
    asked = timedelta(seconds=30)
    vendor = Vendor(failures=9, error=lambda: RetryableError("slow", retry_after=asked))
    with pytest.raises(RetryableError) as refused:
        await call(vendor)
    assert len(vendor.at) == 1
    assert refused.value.retry_after == asked
    with pytest.raises(RetryableError, match="no turn"):
        await call(Vendor())


async def test_the_breaker_opens_refuses_at_once_and_closes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OPEN_FOR", 0.2)
    call, broken = made(wait=5), Vendor(failures=10_000)
    with pytest.raises(RetryableError, match="circuit open"):
        await call(broken)
    assert len(broken.at) == module.TRIPS_AFTER
    well = Vendor()
    with pytest.raises(RetryableError, match="circuit open") as refused:
        await call(well)
    assert not well.at
    assert refused.value.retry_after is not None
    await asyncio.sleep(0.25)
    assert await call(well) == "answer"
    assert await call(well) == "answer"


async def test_a_limit_of_one_route_holds_its_calls_and_no_others() -> None:
    call = made(
        Limit(calls=100, per=timedelta(seconds=0.3)),
        Limit(calls=3, per=timedelta(seconds=0.3), route="GET /list"),
    )
    listed, read = Vendor(), Vendor()

    async def through(vendor: Vendor, route: str) -> None:
        token = calling.set(route)
        await call(vendor)
        calling.reset(token)

    await asyncio.gather(
        *(through(listed, "GET /list") for _ in range(7)),
        *(through(read, "GET /list/{id}") for _ in range(20)),
    )
    assert listed.most_in(0.29) <= 3
    assert max(read.at) < max(listed.at), "it waited for a turn that was not its own"


async def test_a_limit_of_each_route_is_each_ones_own_unless_one_has_another() -> None:
    call = made(
        Limit(calls=2, per=timedelta(seconds=0.3), route="*"),
        Limit(calls=4, per=timedelta(seconds=0.3), route="GET /search"),
    )
    routes = {name: Vendor() for name in ("GET /a", "GET /b", "GET /search", "")}

    async def through(route: str) -> None:
        token = calling.set(route)
        await call(routes[route])
        calling.reset(token)

    await asyncio.gather(*(through(it) for it in routes for _ in range(8)))
    assert routes["GET /a"].most_in(0.29) <= 2
    assert routes["GET /b"].most_in(0.29) <= 2
    assert 2 < routes["GET /search"].most_in(0.29) <= 4
    assert routes[""].most_in(0.29) == 8


async def test_a_share_is_of_a_routes_limit_too() -> None:
    call = made(Limit(calls=6, per=timedelta(seconds=0.3), route="GET /list"))
    call.share(0.5)
    vendor = Vendor()
    token = calling.set("GET /list")
    await asyncio.gather(*(call(vendor) for _ in range(6)))
    calling.reset(token)
    assert vendor.most_in(0.29) <= 3
