"""When what is put off is looked at, and how much of it one case looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.case.case import Case, Held
from pipeline.case.dues import OBLIGATION, dues
from pipeline.case.facts import Told
from pipeline.case.fold import apply
from pipeline.case.follow_up import MARGIN, PutOff, look_at, packed
from pipeline.case.inbox import waiting
from pipeline.case.plan import ERASE, KEEP, decide
from pipeline.case.portions import BYTES, ROWS
from schemas import events as e
from schemas.records import OutcomeRow

from .worlds import CASE, START, Run, rules, small_world, tag

MOMENTS = st.datetimes(timezones=st.just(UTC))
NOW = st.datetimes(datetime.min.replace(year=2020), datetime.min.replace(year=2100))  # noqa: DTZ901  Hypothesis adds UTC


@given(MOMENTS, NOW)
def test_the_look_comes_at_midnight_a_day_or_two_after_the_date_and_never_before_now(
    until: datetime, now: datetime
) -> None:
    now = now.replace(tzinfo=UTC)
    at = look_at(until, now)
    assert at > now
    assert (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    if now <= until < datetime(9999, 12, 29, tzinfo=UTC):
        assert until + MARGIN <= at < until + 2 * MARGIN


@pytest.mark.parametrize(
    ("now", "later"),
    [("2026-05-04 12:30", "2027-05-04 12:30"), ("2028-02-29 00:00", "2029-02-28 00:00")],
)
def test_what_has_no_date_is_looked_at_in_a_year(now: str, later: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert look_at(None, moment) == datetime.fromisoformat(later).replace(tzinfo=UTC)


def put_off(n: int, rows: int, sealed: int, at: datetime) -> PutOff:
    held = (
        Held(
            tag=tag(f"{n}/{it}"),
            system="stripe",
            kind="charge",
            categories=frozenset({"transaction"}),
            source=n,
            sealed=sealed,
        )
        for it in range(rows)
    )
    portion = tuple(held)
    return PutOff(
        system="stripe",
        terms=("kept", f"rule {n}", None),
        times=0,
        look_at=at,
        portion=portion,
        rows={it.tag: ("transaction",) for it in portion},
    )


@given(
    st.lists(st.tuples(st.integers(1, ROWS), st.integers(0, BYTES), st.integers(0, 2)), max_size=12)
)
def test_a_case_looks_at_one_day_and_at_no_more_than_fits_into_a_record(
    sizes: list[tuple[int, int, int]],
) -> None:
    found = [
        put_off(n, rows, sealed, START + timedelta(days=day))
        for n, (rows, sealed, day) in enumerate(sizes)
    ]
    case = Case(id=CASE, number=7, received_at=START, due_at=START)
    looks: dict[object, list[PutOff]] = {}
    for named, it in packed(case, found):
        looks.setdefault(named, []).append(it)
    assert sum(map(len, looks.values())) == len(found)
    for those in looks.values():
        assert len({it.look_at for it in those}) == 1
        assert sum(len(it.portion) for it in those) <= ROWS
        assert sum(it.portion[0].sealed for it in those) <= BYTES
    for one, other in pairwise(looks.values()):  # no case was begun without need
        together = [*one, other[0]]
        assert (
            one[0].look_at != other[0].look_at
            or sum(len(it.portion) for it in together) > ROWS
            or sum(it.portion[0].sealed for it in together) > BYTES
        )


def test_a_period_that_is_over_keeps_nothing() -> None:
    row = "salesforce", "contact", "identity"
    policy = rules().policy
    kept = next(it for it in policy.retention if row in it.rows)
    facts = dict.fromkeys(kept.reckoned_from, Told(value="2020-01-31"))
    facts |= dict.fromkeys(kept.needs, Told(value="true"))
    last = decide(*row, facts, policy, date(2021, 1, 1)).until
    assert last is not None
    assert decide(*row, facts, policy, last.date()).action == KEEP
    assert decide(*row, facts, policy, last.date() + timedelta(days=1)).action == ERASE


def test_every_row_that_is_kept_or_dated_has_a_next_look() -> None:
    world = small_world()
    at = START + timedelta(days=90)
    world.things["freshdesk"][1].says = OutcomeRow(kind="blocked", reason="lock", until=at)
    run = Run(world)
    case = run.go("erasure")
    opened = [it for it in run.of(e.ObligationOpened) if isinstance(it, e.ObligationOpened)]
    named = {(row.tag, category) for it in opened for row in it.rows for category in row.erase}
    put = {row for row, it in case.outcomes.items() if it.kind in {"retained", "blocked"}}
    assert named == put != set()
    assert all(it.look_at and it.look_at > START for it in opened)


def test_an_obligation_of_the_first_release_is_looked_at_by_a_case_of_its_own_id() -> None:
    run = Run(small_world())
    run.go("erasure")
    assert run.case is not None
    (opened,) = _first(run.of(e.ObligationOpened))
    obligation = uuid4()
    run.take(replace(opened, obligation=obligation), uuid4())
    (known,) = (it for it in run.case.obligations if it.id == obligation)
    assert known.follow_up == obligation
    assert known.look_at == look_at(opened.until, run.case.received_at)


def _first(events: list[e.Event]) -> Iterator[e.ObligationOpened]:
    for it in events:
        if isinstance(it, e.ObligationOpened):
            yield replace(it, follow_up=None, look_at=None)


def test_a_case_whose_key_is_gone_waits_for_nothing_but_what_another_case_looks_at() -> None:
    run = Run(small_world())
    case = run.go("erasure")
    assert {it.kind for it in dues(case, run.rules)} > {OBLIGATION}
    gone = e.KeyDestroyed(
        case=case.id,
        key=case.id,
        purpose="record",
        unreadable_from=START,
        unreadable_in_backups_from=START,
    )
    keyless = apply(case, gone, run.rules)
    assert {it.kind for it in dues(keyless, run.rules)} == {OBLIGATION}
    assert not keyless.under_way()
    assert not list(waiting(keyless, run.rules))
