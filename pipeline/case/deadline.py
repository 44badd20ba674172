"""When an answer is due, and how that was counted: one pure function after Regulation 1182/71.

Where it is not certain how to count, the earlier date is taken, so that no reading makes it late.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from schemas.records import StepRow

from ..policy.clock import UK, VOLUNTARY, Clock

IDENTITY, CLARIFICATION, FEE = "identity", "clarification", "fee"
"""What a person may be asked for before anything can go on."""
RECEIVED, BEGUN, MONTH, MONTHS, LAST_DAY, PAUSED, NOT_PAUSED, STANDS, LATER, ROLLED, HOURS = (
    "received",
    "begun",
    "month",
    "months",
    "last_day",
    "paused",
    "not_paused",
    "stands",
    "later",
    "rolled",
    "hours",
)
"""The rules that a step may be by; `response/dates.py` has a sentence for each."""
FIRST, EXTENDED = 1, 3
"""Months (GDPR Art. 12(3)); both run from receipt."""
BREACH = 72
"""Hours, from when a breach is known (GDPR Art. 33(1))."""
SATURDAY = 5
_DAY = timedelta(days=1)
_COUNTED = "Regulation (EEC, Euratom) 1182/71 Art. 3"
_ASKED = {IDENTITY: "GDPR Art. 12(6)", CLARIFICATION: "GDPR recital 63", FEE: "GDPR Art. 12(5)"}
_BY = {UK: "UK GDPR Art. 12A", VOLUNTARY: "Privacy policy, Response Time"}


@dataclass(frozen=True, slots=True)
class Pause:
    """The person was asked for something, for this `why`, and gave it in full at `until`.

    None while they have not.
    """

    why: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The dates of an answer: each the last moment of a day, in UTC."""

    due: datetime
    """What people are told: never rolled forward."""
    legal_last: datetime
    """`due`, or the end of the next working day (Art. 3(4))."""
    notice_by: datetime
    """Until when the person must hear that it takes longer: in the first, unrolled month."""
    stands: bool = False
    """Whether the time stands still: something was asked for in time, and is not there."""
    steps: tuple[StepRow, ...]


def deadline(
    received_at: datetime, clock: Clock, *, extended: bool = False, pauses: Sequence[Pause] = ()
) -> Deadline:
    """When the answer to a request is due (GDPR Art. 12(3), UK GDPR Art. 12A).

    A pause that still lasts moves no date yet.
    """
    received = received_at.astimezone(clock.zone).date()
    start = _start(received, clock, pauses)
    stood = _stood(received, clock, pauses)
    months = EXTENDED if extended else FIRST
    last = _after(start, months, stood)
    rolled = _working(last, clock)
    return Deadline(
        due=_end(last, clock.zone),
        legal_last=_end(rolled, clock.zone),
        notice_by=_end(_after(start, FIRST, stood), clock.zone),
        stands=any(it.until is None and _counts(it, received, clock) for it in pauses),
        steps=(
            *_counted(received_at, start, months, clock),
            *(_pause(it, received, clock) for it in pauses),
            *_moved(start, months, stood, clock),
        ),
    )


def within_hours(known_at: datetime, hours: int = BREACH) -> Deadline:
    """When a breach must have been notified: hours are counted through, whatever the day.

    That a period of two days has two working days (Art. 3(5)) is argued, and not relied on.
    """
    at = known_at.astimezone(UTC) + timedelta(hours=hours)
    step = StepRow(rule=HOURS, article="GDPR Art. 33(1)", since=known_at, until=at)
    return Deadline(due=at, legal_last=at, notice_by=at, steps=(step,))


def plus_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day (Art. 3(2)(c))."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _start(received: date, clock: Clock, pauses: Sequence[Pause]) -> date:
    """The day from which months run."""
    begun = (it.astimezone(clock.zone).date() for it in _begins(clock, pauses))
    return max((received, *begun))


def _begins(clock: Clock, pauses: Sequence[Pause]) -> list[datetime]:
    """When identity and fee were there, in the UK: the time begins with the last of these."""
    return [
        it.until for it in pauses if it.until and it.why != CLARIFICATION and clock.regime == UK
    ]


def _stood(received: date, clock: Clock, pauses: Sequence[Pause]) -> int:
    """The whole days for which the time stood still; no moment is counted twice."""
    begins = _begins(clock, pauses)
    days, counted = 0, max(begins, default=datetime.min.replace(tzinfo=UTC))
    ended = ((it.since, it.until) for it in pauses if it.until and _counts(it, received, clock))
    for since, until in sorted(ended):
        days += max(until - max(since, counted), timedelta(0)) // _DAY
        counted = max(counted, until)
    return days


def _counts(pause: Pause, received: date, clock: Clock) -> bool:
    """Whether the time stands still in a pause: if the question was put without undue delay."""
    if clock.regime == UK:
        return True
    asked = pause.since.astimezone(clock.zone).date()
    return pause.why != FEE and asked <= _within(received, clock)


def _within(received: date, clock: Clock) -> date:
    """The last day on which a question stops the time."""
    day = received
    for _ in range(clock.ask_within):
        day = _working(day + _DAY, clock)
    return day


def _working(day: date, clock: Clock) -> date:
    """The day, or the next one that is neither of a weekend nor a holiday (Art. 3(4), 2)."""
    while day.weekday() >= SATURDAY or day in clock.holidays:
        day += _DAY
    return day


def _after(start: date, months: int, stood: int) -> date:
    """Months after a day, and the days for which the time stood still: in the earlier order.

    To begin anew once an answer is there would be later than both.
    """
    days = timedelta(days=stood)
    return min(plus_months(start, months) + days, plus_months(start + days, months))


def _end(day: date, zone: tzinfo) -> datetime:
    """The last moment of a day there; or in UTC, in which dates are shown, if that is earlier."""
    last = (datetime.combine(day, time.max, it).astimezone(UTC) for it in (zone, UTC))
    return min(last)


def _counted(received_at: datetime, start: date, months: int, clock: Clock) -> Iterator[StepRow]:
    """From receipt to the end of the month, or of three."""
    received = _end(received_at.astimezone(clock.zone).date(), clock.zone)
    first = _end(start, clock.zone)
    last = plus_months(start, months)
    by = _BY.get(clock.regime, "GDPR Art. 12(3)")
    yield StepRow(rule=RECEIVED, article=f"{_COUNTED}(1)", since=received_at, until=received)
    if first != received:
        yield StepRow(rule=BEGUN, article=by, since=received, until=first)
    rule, until = MONTH if months == FIRST else MONTHS, _end(last, clock.zone)
    yield StepRow(rule=rule, article=f"{by}; {_COUNTED}(2)(c)", since=first, until=until)
    if last.day != start.day:
        yield StepRow(rule=LAST_DAY, article=f"{_COUNTED}(2)(c)", since=first, until=until)


def _pause(pause: Pause, received: date, clock: Clock) -> StepRow:
    """What a pause is to the date. Its days alone: they may be another's as well."""
    until, rule = pause.until or pause.since, NOT_PAUSED
    if _counts(pause, received, clock):
        rule = PAUSED if pause.until else STANDS
    by = _BY[UK] if clock.regime == UK else _ASKED.get(pause.why, "")
    days = (until - pause.since) // _DAY if rule == PAUSED else 0
    return StepRow(rule=rule, article=by, since=pause.since, until=until, days=days, why=pause.why)


def _moved(start: date, months: int, stood: int, clock: Clock) -> Iterator[StepRow]:
    """What comes after the months: days that stood still, and a last day on which nobody works."""
    month, last = plus_months(start, months), _after(start, months, stood)
    rolled = _working(last, clock)
    end, zone = _end(last, clock.zone), clock.zone
    if stood:
        days = (last - month).days
        yield StepRow(rule=LATER, article="", since=_end(month, zone), until=end, days=days)
    if rolled != last:
        yield StepRow(rule=ROLLED, article=f"{_COUNTED}(4)", since=end, until=_end(rolled, zone))
