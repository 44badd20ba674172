"""How time is counted: whose month, in which zone, by which days off, and when to remind people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from .calendars import common

GDPR, UK, VOLUNTARY = "gdpr", "uk", "voluntary"
"""Under which law an answer is due; `voluntary` is counted as the GDPR does, where it is no law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The `[clock]` of a policy, and what counts where it has none."""

    regime: str = GDPR
    zone: tzinfo = UTC
    """Where a request is received: its date there counts."""
    calendars: tuple[str, ...] = ()
    """The states, or their parts, of which it is uncertain whose holidays count."""
    ask_within: int = 2
    """Working days from receipt in which a question must be asked for the time to stop."""
    reminders: tuple[int, ...] = (14, 7)
    """Days before the date on which the DPO is told what an answer waits for."""
    escalation: int = 3
    """Days before the date on which that is urgent: by the 28th day, whatever the month."""
    progress: int = 30
    """Days after which a person whose answer takes longer is written to again."""

    @property
    def holidays(self) -> frozenset[date]:
        """The days off in all of `calendars`. Raises `ValueError` for one that nobody knows."""
        return common(self.calendars)

    @property
    def told(self) -> tuple[int, ...]:
        """All days before the date on which the DPO is told, the first first; 0 is too late."""
        return tuple(sorted({*self.reminders, self.escalation, 0}, reverse=True))


def read(table: Mapping[str, Any]) -> Clock:
    """A policy's `[clock]`; what it does not name is as without one.

    Raises `KeyError`, `TypeError` or `ValueError` for what cannot be counted by.
    """
    plain = dict(table)
    zone = plain.pop("zone", "UTC")
    for name in {"calendars", "reminders"} & plain.keys():
        plain[name] = tuple(plain[name])
    clock = Clock(**plain, zone=UTC if zone == "UTC" else ZoneInfo(zone))
    if clock.regime not in {GDPR, UK, VOLUNTARY}:
        raise ValueError(f"no regime {clock.regime!r}: {GDPR}, {UK} or {VOLUNTARY}")
    if min((*clock.reminders, clock.escalation, clock.ask_within, clock.progress - 1)) < 0:
        raise ValueError("the days of [clock] are 0 or more, and those of `progress` 1 or more")
    return clock
