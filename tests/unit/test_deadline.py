"""When an answer is due, held against a calendar that is walked day by day and shares no code."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from pipeline import policy
from pipeline.case.deadline import Deadline, Pause, deadline, within_hours
from pipeline.policy.calendars import common
from pipeline.policy.clock import UK, VOLUNTARY, Clock, read

CLOCK = policy.load(None).clock
CALENDARS = ("IE", "DE", "FR", "BE")
OFF = {it: country_holidays(it, years=range(2019, 2033)) for it in CALENDARS}
TEN_YEARS = [date(2020, 1, 1) + timedelta(days=it) for it in range(3653)]
DAY = timedelta(days=1)

days = st.dates(date(2019, 1, 1), date(2031, 12, 31))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.timedeltas(timedelta(0), timedelta(days=90))
whys = st.sampled_from(["identity", "clarification", "fee"])


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def months_later(received: date, months: int) -> date:
    """Walk: the first day in the month that is meant which has the same number, or is its last."""
    day, left = received, months
    while left:
        day += DAY
        left -= day.day == 1
    while day.day < received.day and day.day < calendar.monthrange(day.year, day.month)[1]:
        day += DAY
    return day


def rolled(day: date, state: str) -> date:
    """Walk on to a day on which that state works."""
    while calendar.day_name[calendar.weekday(day.year, day.month, day.day)][0] == "S" or (
        day in OFF[state]
    ):
        day += DAY
    return day


def dates(found: Deadline) -> tuple[str, str, str]:
    return tuple(it.date().isoformat() for it in (found.due, found.legal_last, found.notice_by))  # type: ignore[return-value]


def rules_of(found: Deadline) -> list[str]:
    return [it.rule for it in found.steps]


@pytest.mark.parametrize("months", [1, 3])
def test_each_day_of_ten_years_is_counted_as_a_calendar_shows_it(months: int) -> None:
    """GDPR Art. 12(3); Regulation 1182/71 Art. 3(1), 3(2)(c), 3(4)."""
    for received in TEN_YEARS:
        found = deadline(at(received), CLOCK, extended=months == 3)
        due = months_later(received, months)
        assert found.due.date() == due
        assert found.legal_last.date() == min(rolled(due, it) for it in CALENDARS)
        assert found.notice_by.date() == months_later(received, 1)
        assert (found.due.hour, found.due.minute, found.due.second) == (23, 59, 59)


@pytest.mark.parametrize(
    ("received", "due", "last", "extended", "extended_last"),
    [
        ("2026-03-05", "2026-04-05", "2026-04-07", "2026-06-05", "2026-06-05"),
        ("2026-01-31", "2026-02-28", "2026-03-02", "2026-04-30", "2026-04-30"),
        ("2028-01-31", "2028-02-29", "2028-02-29", "2028-04-30", "2028-05-02"),
        ("2026-12-31", "2027-01-31", "2027-02-01", "2027-03-31", "2027-03-31"),
        ("2026-08-31", "2026-09-30", "2026-09-30", "2026-11-30", "2026-11-30"),
    ],
)
def test_known_dates(received: str, due: str, last: str, extended: str, extended_last: str) -> None:
    """Easter, two leap years, and a holiday that one of four states has alone (1 February)."""
    first = deadline(at(date.fromisoformat(received)), CLOCK)
    assert dates(first) == (due, last, due)
    later = deadline(at(date.fromisoformat(received)), CLOCK, extended=True)
    assert dates(later) == (extended, extended_last, due)


def test_where_one_state_counts_its_own_holiday_does() -> None:
    """Regulation 1182/71 Art. 2(1): 1 February 2027 is a holiday in Ireland."""
    irish = read({"calendars": ["IE"]})
    assert dates(deadline(at(date(2026, 12, 31)), irish))[1] == "2027-02-02"


def test_a_part_of_a_state_has_holidays_of_its_own() -> None:
    assert date(2026, 1, 6) in common(("DE-BY",))
    assert date(2026, 1, 6) not in common(("DE",))
    with pytest.raises(ValueError, match="no calendar is known of 'ZZ'"):
        common(("ZZ",))


@given(a=moments, b=moments, extended=st.booleans())
def test_who_asks_later_is_not_answered_sooner(a: datetime, b: datetime, *, extended: bool) -> None:
    first, second = sorted((a, b))
    one, other = (deadline(it, CLOCK, extended=extended) for it in (first, second))
    assert one.due <= other.due
    assert one.legal_last <= other.legal_last
    assert one.notice_by <= other.notice_by


@given(
    received=moments,
    why=whys,
    after=st.timedeltas(timedelta(0), timedelta(days=5)),
    length=lengths,
    extended=st.booleans(),
)
def test_no_reading_of_a_pause_makes_the_date_late(
    received: datetime, why: str, after: timedelta, length: timedelta, *, extended: bool
) -> None:
    """Paused or begun anew, by days or by hours, in either order: each is later, or the same."""
    pause = Pause(why, received + after, received + after + length)
    found = deadline(received, CLOCK, extended=extended, pauses=[pause])
    months = 3 if extended else 1
    without = months_later(received.date(), months)
    assert pause.until is not None
    anew = months_later(pause.until.date(), months)
    assert without <= found.due.date() <= max(anew, without)
    assert found.due <= at(without, 0) + DAY + length
    assert found.due.date() <= months_later(received.date() + length // DAY * DAY, months)
    assert found.due.date() <= found.legal_last.date() <= found.due.date() + 7 * DAY
    assert found.notice_by <= found.due


@given(moments, st.lists(st.tuples(whys, lengths, lengths), max_size=4))
def test_pauses_that_overlap_stop_the_time_once(
    received: datetime, many: list[tuple[str, timedelta, timedelta]]
) -> None:
    pauses = [Pause(why, received, received + length) for why, length, _ in many]
    found = deadline(received, CLOCK, pauses=pauses)
    assert found.due <= deadline(received, CLOCK).due + max(
        (length for _, length, _ in many), default=timedelta(0)
    )


@pytest.mark.parametrize(
    ("received", "asked", "stops"),
    [
        ("2026-03-05", "2026-03-09", True),  # Thursday; Friday and Monday are two working days
        ("2026-03-05", "2026-03-10", False),
        ("2026-04-02", "2026-04-07", True),  # Easter Monday is a day off in all four states
        ("2026-04-02", "2026-04-08", False),
        ("2026-12-31", "2027-01-05", True),  # so is New Year
    ],
)
def test_a_question_stops_the_time_if_it_is_asked_within_two_working_days(
    received: str, asked: str, *, stops: bool
) -> None:
    since = at(date.fromisoformat(asked))
    pause = Pause("clarification", since, since + timedelta(days=4, hours=5))
    without = deadline(at(date.fromisoformat(received)), CLOCK)
    found = deadline(at(date.fromisoformat(received)), CLOCK, pauses=[pause])
    assert found.due - without.due == (timedelta(days=4) if stops else timedelta(0))
    assert ("paused" in rules_of(found), "not_paused" in rules_of(found)) == (stops, not stops)
    assert ("later" in rules_of(found)) == stops


def test_a_pause_that_lasts_moves_no_date_yet() -> None:
    received = at(date(2026, 3, 5))
    found = deadline(received, CLOCK, pauses=[Pause("identity", received)])
    assert found.stands
    assert "stands" in rules_of(found)
    assert found.due == deadline(received, CLOCK).due
    assert not deadline(received, CLOCK, pauses=[Pause("fee", received)]).stands


def test_in_the_uk_the_month_begins_once_identity_and_fee_are_there() -> None:
    """UK GDPR Art. 12A."""
    uk = read({"regime": UK, "calendars": ["GB-ENG"]})
    received = at(date(2026, 3, 5))
    shown = Pause("identity", received + timedelta(days=10), at(date(2026, 3, 20)))
    paid = Pause("fee", received, at(date(2026, 3, 25)))
    unclear = Pause("clarification", at(date(2026, 3, 23)), at(date(2026, 3, 27)))
    assert dates(deadline(received, uk, pauses=[shown]))[0] == "2026-04-20"
    assert dates(deadline(received, uk, pauses=[shown, paid]))[0] == "2026-04-25"
    both = deadline(received, uk, pauses=[shown, paid, unclear])
    assert dates(both)[0] == "2026-04-27", "what came before the month began stops nothing"
    assert rules_of(both)[:3] == ["received", "begun", "month"]
    assert deadline(received, uk, pauses=[Pause("identity", received)]).stands


def test_a_date_is_that_of_the_zone_where_a_request_is_received() -> None:
    """And never later than the same date in UTC, in which it is shown."""
    night = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    dublin, paris, miami = (
        read({"zone": it}) for it in ("Europe/Dublin", "Europe/Paris", "America/New_York")
    )
    assert deadline(night, CLOCK).due == datetime(2026, 4, 30, 23, 59, 59, 999999, tzinfo=UTC)
    assert deadline(night, dublin).due == datetime(2026, 5, 1, 22, 59, 59, 999999, tzinfo=UTC)
    assert deadline(night, paris).due == datetime(2026, 5, 1, 21, 59, 59, 999999, tzinfo=UTC)
    assert deadline(night, miami).due == deadline(night, CLOCK).due
    assert paris.zone == ZoneInfo("Europe/Paris")


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))))
def test_hours_are_counted_through_whatever_the_day(known: datetime) -> None:
    """GDPR Art. 33(1); Regulation 1182/71 Art. 3(4) moves no period of hours."""
    if known.year > 9998 or known.year < 2:
        return
    found = within_hours(known)
    assert found.due == found.legal_last == known + timedelta(hours=72)


@given(
    received=moments,
    extended=st.booleans(),
    many=st.lists(st.tuples(whys, lengths, lengths), max_size=3),
)
def test_the_steps_lead_from_receipt_to_both_dates(
    received: datetime, many: list[tuple[str, timedelta, timedelta]], *, extended: bool
) -> None:
    pauses = [Pause(why, received + off, received + off + length) for why, off, length in many]
    found = deadline(received, CLOCK, extended=extended, pauses=pauses)
    assert found.steps[0].since == received
    path = [it for it in found.steps if it.rule not in {"paused", "not_paused", "last_day"}]
    for one, other in pairwise(path):
        assert one.until == other.since
    assert path[-1].until == found.legal_last
    assert found.due in {it.until for it in path}
    assert all(it.article or it.rule == "later" for it in found.steps)


def test_where_the_gdpr_is_no_law_its_dates_are_promised_all_the_same() -> None:
    promised = deadline(at(date(2026, 3, 5)), read({"regime": VOLUNTARY}))
    assert promised.due == deadline(at(date(2026, 3, 5)), Clock()).due
    assert promised.steps[1].article.startswith("Privacy policy")


@pytest.mark.parametrize(
    "table",
    [{"regime": "mars"}, {"escalation": -1}, {"progress": 0}, {"zone": "Mars"}, {"months": 2}],
)
def test_a_clock_that_nobody_can_count_by_is_refused(table: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        read(table)
