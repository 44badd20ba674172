"""When an answer is due: calendar months, as Regulation (EEC, Euratom) 1182/71 counts them."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time


def plus_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day (Art. 3(2)(c))."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def due(received_at: datetime) -> datetime:
    """The last moment of the month after receipt (GDPR Art. 12(3)); never rolled forward, in UTC.

    Whose holidays would count is uncertain, so the earlier date is taken.
    """
    return _end_of(plus_months(received_at.astimezone(UTC).date(), 1))


def extended(received_at: datetime) -> datetime:
    """The last moment of an extended answer: three months from receipt, not from the first date."""
    return _end_of(plus_months(received_at.astimezone(UTC).date(), 3))


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)
