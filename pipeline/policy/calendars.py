"""Days off: which days are a public holiday, by the calendars of states and their parts."""

from __future__ import annotations

from datetime import date
from functools import cache

YEARS = range(2018, 2061)
"""From the GDPR on. After them no holiday is known, so no date moves for one."""


@cache
def common(calendars: tuple[str, ...]) -> frozenset[date]:
    """The days that are a holiday in every one of these calendars: `IE`, or `DE-BY` for a part.

    Raises `ValueError` for one that nobody knows.
    """
    return frozenset.intersection(*map(_days, calendars)) if calendars else frozenset()


def is_known(calendar: str) -> bool:
    """Whether there is a calendar of this name."""
    try:
        _days(calendar, range(0))
    except ValueError:
        return False
    return True


def _days(calendar: str, years: range = YEARS) -> frozenset[date]:
    from holidays import country_holidays  # noqa: PLC0415  most commands count no day off

    state, _, part = calendar.partition("-")
    try:
        return frozenset(country_holidays(state, subdiv=part or None, years=years))
    except NotImplementedError:
        raise ValueError(f"no calendar is known of {calendar!r}") from None
