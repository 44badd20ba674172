"""When a key turns and when it dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.crypto import lifetimes
from pipeline.crypto.lifetimes import LATE, Lifetime
from pipeline.settings import Settings

START = datetime(2026, 5, 4, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAILY = Lifetime(period=DAY, kept=2 * HOUR)


def key(since: datetime, distinct: str = "00000000") -> str:
    return lifetimes.id_of(since, distinct)


def test_an_id_tells_its_moment_and_sorts_by_it() -> None:
    earlier, later = key(START, "f"), key(START + timedelta(microseconds=1), "0")
    assert earlier < later
    assert lifetimes.since(earlier) == START
    assert lifetimes.since("000001-abcd1234") < START  # of an earlier release


def test_the_newest_that_has_begun_is_in_force() -> None:
    ids = [key(START), key(START + DAY)]
    assert lifetimes.in_force(ids, START + DAY - HOUR) == ids[0]
    assert lifetimes.in_force(ids, START + DAY) == ids[1]
    assert lifetimes.in_force(ids, START - HOUR) == ids[0]  # a clock that is late
    assert lifetimes.in_force([], START) is None


def test_the_next_is_made_ahead_once_and_begins_where_the_last_ends() -> None:
    ids = [key(START)]
    assert lifetimes.next_since(ids, DAILY, HOUR, START + 22 * HOUR) is None
    following = lifetimes.next_since(ids, DAILY, HOUR, START + 23 * HOUR)
    assert following == START + DAY
    assert lifetimes.next_since([*ids, key(following)], DAILY, HOUR, START + DAY) is None


def test_after_a_standstill_the_next_begins_now() -> None:
    now = START + 9 * DAY
    assert lifetimes.next_since([key(START)], DAILY, HOUR, now) == now
    assert lifetimes.next_since(["000001-abcd1234"], DAILY, HOUR, now) == now
    assert lifetimes.next_since([], DAILY, HOUR, now) == now


def test_a_key_of_a_clock_that_jumped_stops_nothing() -> None:
    ids = [key(START), key(START + 900 * DAY)]
    assert lifetimes.in_force(ids, START + HOUR) == ids[0]
    assert lifetimes.next_since(ids, DAILY, HOUR, START + 23 * HOUR) == START + DAY


def test_a_key_dies_when_it_was_kept_and_the_one_in_force_never_does() -> None:
    ids = [key(START), key(START + DAY)]
    assert list(lifetimes.dead(ids, DAILY, START + DAY + 2 * HOUR - LATE)) == []
    assert list(lifetimes.dead(ids, DAILY, START + DAY + 2 * HOUR)) == ids[:1]
    assert list(lifetimes.dead(ids, DAILY, START + 900 * DAY)) == ids[:1]


@given(
    asked=st.timedeltas(timedelta(0), 9 * DAY),
    every=st.timedeltas(timedelta(minutes=1), LATE),
    period=st.timedeltas(2 * HOUR, 3 * DAY),
    turned=st.lists(st.timedeltas(timedelta(0), 9 * DAY), max_size=2),
)
def test_a_key_is_gone_by_the_date_that_was_named(
    asked: timedelta, every: timedelta, period: timedelta, turned: list[timedelta]
) -> None:
    """Whenever it is asked, however often keys are swept, and whatever an operator turns."""
    lifetime = Lifetime(period, kept=5 * HOUR)
    ids, now, end = {key(START)}, START, START + 20 * DAY
    named, date = "", end
    for n, at in enumerate(turned):
        ids.add(key(START + at, f"{n}"))
    while now < end and (not named or named in ids):
        following = lifetimes.next_since(ids, lifetime, HOUR, now)
        if following is not None:
            ids.add(key(following))
        ids -= set(lifetimes.dead(ids, lifetime, now))
        if not named and now >= START + asked:
            named = lifetimes.in_force(ids, now) or ""
            date = lifetimes.gone_by(ids, named, lifetime, now)
        assert named not in ids or now < date
        now += every
    assert named not in ids


def test_a_key_that_is_gone_is_gone_now() -> None:
    assert lifetimes.gone_by([], key(START), DAILY, START + DAY) == START + DAY


def test_the_defaults_are_what_the_documents_say() -> None:
    settings = Settings()
    assert lifetimes.of_hosts(settings) == Lifetime(DAY, timedelta(hours=1, minutes=10))
    assert lifetimes.of_intakes(settings) == Lifetime(30 * DAY, 7 * DAY)
    assert lifetimes.of_letters(settings) == Lifetime(30 * DAY, 90 * DAY)
    assert lifetimes.of_orchestrator(settings) == Lifetime(30 * DAY, HOUR)
    assert lifetimes.of_wrapping(settings) == Lifetime(30 * DAY, 6 * DAY)
