"""How a sandbox takes its time: deletions are done by a job, and reads lag behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

Tables = dict[str, dict[str, dict[str, Any]]]
Job = Callable[[], Awaitable[object]]

NONE = timedelta(0)


class Delays:
    """What is still to be done, and what was there before it was changed. None by default."""

    def __init__(self) -> None:
        self.queue = NONE
        """How long a deletion waits for its job. Its request is answered as if it were done."""
        self.lag = NONE
        """For how long reads go on showing what was there before a change."""
        self._jobs: deque[tuple[datetime, Job]] = deque()
        self._past: deque[tuple[datetime, Tables]] = deque()

    def put_off(self, now: datetime, job: Job) -> None:
        """Have `job` done when its time comes."""
        self._jobs.append((now + self.queue, job))

    async def work(self, now: datetime) -> None:
        """Do every job whose time has come."""
        while self._jobs and self._jobs[0][0] <= now:
            _, job = self._jobs.popleft()
            await job()

    async def settle(self) -> None:
        """Do every job now, and let reads show what is there."""
        while self._jobs:
            _, job = self._jobs.popleft()
            await job()
        self._past.clear()

    def remember(self, now: datetime, before: Tables) -> None:
        """What was there until `now`."""
        if self.lag:
            self._past.append((now, before))

    def seen(self, now: datetime, tables: Tables) -> Tables:
        """What a read shows of `tables`: the state of so long ago."""
        while self._past and self._past[0][0] <= now - self.lag:
            self._past.popleft()
        return deepcopy(self._past[0][1]) if self._past else tables

    def option(self, text: str) -> None:
        """`lag=SECONDS` or `queue=SECONDS`. Raises `ValueError`."""
        name, _, seconds = text.partition("=")
        if name not in {"lag", "queue"} or not seconds.isdecimal():
            raise ValueError("an option is lag=SECONDS or queue=SECONDS")
        setattr(self, name, timedelta(seconds=int(seconds)))
