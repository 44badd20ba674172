"""What a host puts around every vendor call: its turn, another try, and no more than a minute.

The vendor's published limits are shared between workers: a worker that owns 3 of 12 partitions has
3/12 of every limit. Calls go out in the order they asked, and at an even pace: a worker that has
just got its share knows nothing of the calls that others made a moment ago, and with bursts they
would add up. A limit of one route is kept beside the overall ones, and holds up no other route. A
vendor that says it is too much (429, `Retry-After`) gets a quarter less, once for all calls that
were under way; every answer afterwards gives a little back.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from connectors.sdk.calls import calling
from connectors.sdk.interface import Capabilities, Limit, RetryableError
from pipeline.settings import Settings

T = TypeVar("T")

EACH = "*"
"""The route of a limit that each route has by itself."""
LATER_THAN_OTHERS = 0.02
"""Of a limit's window: a call may be so much longer on its way than one made later, and the vendor
still counts no more than it allows.
"""
CAUGHT_UP = 0.05
"""Of a limit's window: what was not called for so long, a worker may make up for at once."""
ALWAYS_EVENLY, EVENLY_AT_FIRST = timedelta(seconds=10), timedelta(minutes=1)
"""Windows up to so long are used evenly: always, or until one window after a share has changed.
Longer ones are quotas of an hour or a day: counted, and never spread over their time.
"""
NEWCOMER = 3 / 4
"""Of its share: what a worker begins with that others make room for, which takes them a moment."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds between tries: a random part of a pause that doubles (full jitter)."""
TRIPS_AFTER = 8
"""Calls that failed in a row, over all orders, until the circuit breaker opens."""
OPEN_FOR = 15.0
"""Seconds during which an open breaker refuses calls; then one that fails opens it again."""
TIGHTENED, LEAST, GIVEN_BACK = 3 / 4, 1 / 32, 1 / 64
"""Of the share: what is left when the vendor has had too much, what is always left, and what comes
back with every answer.
"""


class HostCaller:
    """The `caller` of a host's connector. One for all orders of a process."""

    def __init__(self, capabilities: Capabilities, settings: Settings) -> None:
        self._system = capabilities.system
        self._wait = settings.vendor_wait.total_seconds()
        self._limits = capabilities.limits
        self._overall = _Queue(it for it in self._limits if not it.route)
        self._routes: dict[str, _Queue] = {}
        """Those of routes that have limits of their own; what is called stands in both queues."""
        self._share = 1.0
        self._is_shared = False
        self._tightened = 1.0
        self._tightened_at = 0.0
        self._held_until = 0.0
        self._failed = 0
        self._open_until = 0.0

    def share(self, part: float) -> None:
        """Use this part of the vendor's limits from now on, above 0 and up to 1."""
        if part == self._share:
            return
        if not self._is_shared:
            self._tightened = min(self._tightened, NEWCOMER)
        self._is_shared = True
        self._share = part
        for it in (self._overall, *self._routes.values()):
            it.changed(time.monotonic())

    async def __call__(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of a call, tried again while there is time for it.

        Raises the call's own `TerminalError`, or a `RetryableError` that says when to come back.
        """
        until = time.monotonic() + self._wait
        tries = 0
        while True:
            self._refuse_if_open()
            await self._turn(until)
            began = time.monotonic()
            try:
                result = await self._once(attempt, until)
            except RetryableError as error:
                tries += 1
                self._refused(error, began)
                await self._pause(error, tries, until)
            else:
                self._answered()
                return result

    async def _once(self, attempt: Callable[[], Awaitable[T]], until: float) -> T:
        left = until - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0)):
                return await attempt()
        except TimeoutError:
            raise RetryableError(f"{self._system}: no answer") from None

    async def _turn(self, until: float) -> None:
        """Wait until every limit has room, or raise if that takes too long."""
        route = self._queue(calling.get())
        try:
            async with asyncio.timeout(until - time.monotonic()), route.turns:
                await self._wait_for(route, until)
                async with self._overall.turns:
                    await self._wait_for(self._overall, until)
                    now = time.monotonic()
                    for it in (*route.windows, *self._overall.windows):
                        it.take(now, self._share * self._tightened)
        except TimeoutError:
            raise self._no_turn(self._wait) from None

    def _queue(self, route: str) -> _Queue:
        """The queue of a route; of one without limits a new one, in which nobody waits."""
        limits = [it for it in self._limits if it.route in {route, EACH}] if route else []
        if route in self._routes or not limits:
            return self._routes.get(route) or _Queue(())
        own = [it for it in limits if it.route == route]  # more exact than what is said of each
        made = self._routes[route] = _Queue(own or limits)
        if self._is_shared:
            made.changed(time.monotonic())
        return made

    async def _wait_for(self, queue: _Queue, until: float) -> None:
        while (wait := self._ready(queue) - time.monotonic()) > 0:
            if time.monotonic() + wait > until:
                raise self._no_turn(wait)
            await asyncio.sleep(wait)

    def _ready(self, queue: _Queue) -> float:
        """When the next call may be made."""
        share = self._share * self._tightened
        return max(self._held_until, *(it.free_at(share) for it in queue.windows), 0.0)

    def _no_turn(self, wait: float) -> RetryableError:
        return RetryableError(f"{self._system}: no turn", retry_after=timedelta(seconds=wait))

    def _refused(self, error: RetryableError, began: float) -> None:
        """Slow down if the vendor asks for it, else count a failure."""
        now = time.monotonic()
        if error.retry_after is None:
            self._failed += 1
            if self._failed >= TRIPS_AFTER:
                self._open_until = now + OPEN_FOR
            return
        self._held_until = max(self._held_until, now + error.retry_after.total_seconds())
        if began >= self._tightened_at:
            self._tightened = max(self._tightened * TIGHTENED, LEAST)
            self._tightened_at = now

    async def _pause(self, error: RetryableError, tries: int, until: float) -> None:
        ceiling = min(FIRST_PAUSE * 2**tries, LONGEST_PAUSE)
        pause = random.uniform(0, ceiling)  # noqa: S311  not a secret
        if error.retry_after is not None:
            pause = max(pause, error.retry_after.total_seconds())
        if time.monotonic() + pause >= until:
            error.retry_after = error.retry_after or timedelta(seconds=ceiling)
            raise error
        await asyncio.sleep(pause)

    def _refuse_if_open(self) -> None:
        left = self._open_until - time.monotonic()
        if left > 0:
            raise RetryableError(
                f"{self._system}: circuit open", retry_after=timedelta(seconds=left)
            )

    def _answered(self) -> None:
        self._failed = 0
        self._open_until = 0.0
        self._tightened = min(self._tightened + GIVEN_BACK, 1.0)


class _Queue:
    """The limits that the same calls are counted against, and the order of these calls."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.windows = tuple(_Window(it) for it in limits)
        self.turns = asyncio.Lock()
        """Held by the call whose turn is next: it wakes the following ones in their order."""

    def changed(self, now: float) -> None:
        """See `_Window.changed`."""
        for it in self.windows:
            it.changed(now)


class _Window:
    """One published limit: how much of it the last calls have used, and when the next is due.

    A call uses 1/30 of a share of 30 calls, for as long as the window lasts: what was called under
    a larger share before does not stop a worker whose share has become smaller.
    """

    def __init__(self, limit: Limit) -> None:
        self._calls = limit.calls
        self._per = limit.per.total_seconds() * (1 + LATER_THAN_OTHERS)
        self._late = CAUGHT_UP * self._per
        self._is_soon_even = limit.per <= EVENLY_AT_FIRST
        self._even_until = math.inf if limit.per <= ALWAYS_EVENLY else 0.0
        self._made: deque[tuple[float, float]] = deque()
        self._used = 0.0
        self._due = 0.0

    def changed(self, now: float) -> None:
        """Others' calls are in the vendor's window: add none at once, and be even for a while."""
        self._due = max(self._due, now + self._late)
        if self._is_soon_even:
            self._even_until = max(self._even_until, now + self._per)

    def free_at(self, share: float) -> float:
        """When the next call may be made."""
        ready = self._due - self._late
        too_much = self._used + self._use(share) - 1 - 1e-9
        for at, used in self._made:
            if too_much <= 0:
                break
            too_much -= used
            ready = max(ready, at + self._per)
        return ready

    def take(self, now: float, share: float) -> None:
        """A call is made. The generic cell rate algorithm (ITU-T I.371): `_due` is its TAT."""
        while self._made and self._made[0][0] <= now - self._per:
            self._used -= self._made.popleft()[1]
        self._made.append((now, self._use(share)))
        self._used += self._use(share)
        if now < self._even_until or self._calls * share < 1:
            self._due = max(self._due, now) + self._per / (self._calls * share)

    def _use(self, share: float) -> float:
        return min(1.0, 1 / (self._calls * share))
