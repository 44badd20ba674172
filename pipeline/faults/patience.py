"""How long something is tried again before its process ends, for a supervisor to start it anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

log = structlog.get_logger()


class GaveUpError(Exception):
    """What was tried again for `HABEAS_GIVE_UP_AFTER` failed each time. The message says what."""


class Patience:
    """Counts how long `what` has failed without a success between."""

    def __init__(
        self, what: str, limit: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._limit = limit.total_seconds()
        self._clock = clock
        self._since: float | None = None

    def succeeded(self) -> None:
        """Begin anew."""
        self._since = None

    def failed(self, error: BaseException) -> None:
        """Take one more failure. Raises `GaveUpError` if they last for longer than the limit."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        lasted = now - self._since
        if lasted < self._limit:
            return
        met = type(error).__name__  # its text may name a person
        log.critical("gave_up", what=self._what, error=met, seconds=round(lasted))
        raise GaveUpError(
            f"{self._what} failed for {lasted:.0f} s, the last time by {met}: see that broker,"
            " register and data folder answer and have room, and start this again; nothing is lost"
            " (HABEAS_GIVE_UP_AFTER says how long it is tried)"
        ) from error
