"""Figures, compared with a cast of eight cases that was counted by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from pipeline.case.case import Case, Claim, FollowUp, Obligation
from pipeline.case.figures import Age, Coming, Failure, Figures, History, OfRight, Refusal, figures
from pipeline.case.spent import BEGAN
from pipeline.cli.figures import show, written
from schemas import events as e
from schemas.events import Event
from schemas.records import ClaimRow

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MARCH = date(2026, 3, 1), date(2026, 3, 31)
DAY = timedelta(days=1)


def case_of(n: int, received: datetime, *claims: tuple[str, str]) -> Case:
    made = {right: Claim(right=right, state=state) for right, state in claims}
    return Case(id=UUID(int=n), received_at=received, due_at=received + 31 * DAY, claims=made)


def answered(
    case: Case, n: int, after: float, *rights: str, kind: str = "final"
) -> list[tuple[datetime, Event]]:
    """A response that was ordered and signed so many days after receipt."""
    at, order = case.received_at + after * DAY, UUID(int=1000 + n)
    ordered = e.ResponseOrdered(
        case=case.id,
        order=order,
        n=n,
        attempt=1,
        kind=kind,
        not_after=at,
        run_limit=60,
        claims=tuple(ClaimRow(right=it, state="fulfilled") for it in rights),
        received_at=case.received_at,
        due_at=case.due_at,
        policy=b"",
        head=b"",
    )
    signed = e.ResponseSigned(
        case=case.id, order=order, system="response", n=n, name="", digest=b"", size=1, records=0
    )
    return [(at, ordered), (at, signed)]


def at_once() -> History:
    """Both rights, answered after a day and after three."""
    case = case_of(
        1, datetime(2026, 3, 1, tzinfo=UTC), ("access", "fulfilled"), ("erasure", "no_data")
    )
    return History(
        case=case, events=answered(case, 1, 1, "access") + answered(case, 2, 3, "erasure")
    )


def extended() -> History:
    """An interim answer is none; the date was moved, and kept. Two systems failed on the way."""
    case = case_of(2, datetime(2026, 3, 2, tzinfo=UTC), ("access", "partially_fulfilled"))
    case = replace(case, extended=True, due_at=case.received_at + 92 * DAY)
    deferred = e.OrderDeferred(
        case=case.id, order=UUID(int=7), system="stripe", until=NOW, reason="vendor_unavailable"
    )
    failed = e.SearchFailed(case=case.id, order=UUID(int=8), system="aws", reason="forbidden")
    events: list[tuple[datetime, Event]] = [
        (NOW, deferred),
        (NOW, deferred),
        (NOW, replace(deferred, reason=BEGAN)),
        (NOW, failed),
        (NOW, e.SearchOverdue(case=case.id, system="stripe")),
        *answered(case, 1, 20, "access", kind="interim"),
        *answered(case, 2, 28, "access"),
    ]
    return History(case=case, events=events)


def late() -> History:
    case = case_of(3, datetime(2026, 3, 3, tzinfo=UTC), ("erasure", "fulfilled"))
    case = replace(case, due_at=case.received_at + 5 * DAY)
    owed = Obligation(
        id=UUID(int=9),
        system="salesforce",
        state="kept",
        count=2,
        rule="rule",
        until=NOW + 400 * DAY,
        look_at=NOW + 401 * DAY,
        follow_up=UUID(int=11),
        source=9,
    )
    undated = replace(owed, id=UUID(int=10), system="stripe", until=None, look_at=NOW + 365 * DAY)
    done = replace(owed, id=UUID(int=12), closed_at=NOW)
    failed = e.SearchFailed(case=case.id, order=UUID(int=8), system="aws", reason="forbidden")
    case = replace(case, obligations=(owed, undated, done))
    return History(case=case, events=[(NOW, failed), *answered(case, 1, 6, "erasure")])


def follow_up() -> History:
    """It looks at what `late` put off, and its system fails. Nobody asked for it."""
    case = case_of(13, datetime(2026, 3, 20, tzinfo=UTC), ("erasure", "open"))
    parent = UUID(int=3)
    of = FollowUp(parent=parent, request=parent, asked_at=NOW, rows={})
    failed = e.SearchFailed(case=case.id, order=UUID(int=8), system="aws", reason="unavailable")
    return History(case=replace(case, follow_up=of), events=[(NOW, failed)])


def refused(n: int, event: e.RequestRefused | e.IdentityRefused, after: int) -> History:
    case = case_of(
        n, datetime(2026, 3, 4, tzinfo=UTC), ("access", "refused"), ("erasure", "refused")
    )
    return History(
        case=case, events=[(case.received_at + after * DAY, replace(event, case=case.id))]
    )


def still_open(n: int, received: datetime, due: datetime) -> History:
    """Settled, and the answer is not signed yet: the person has none."""
    case = replace(case_of(n, received, ("erasure", "fulfilled")), due_at=due)
    return History(case=case, events=[])


CAST = (
    at_once(),
    extended(),
    late(),
    follow_up(),
    refused(4, e.IdentityRefused(case=UUID(int=0), reason="eu-gdpr:A12IdentityFailure"), 14),
    refused(
        5, e.RequestRefused(case=UUID(int=0), by="dpo", reason="eu-gdpr:A12ManifestlyUnfounded"), 2
    ),
    still_open(6, datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)),
    still_open(7, datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)),
    History(
        case=case_of(8, datetime(2026, 3, 31, 23, 59, tzinfo=UTC), ("access", "withdrawn")),
        events=[],
    ),
)


def of_march() -> Figures:
    return figures(CAST, *MARCH, NOW)


def right(found: Figures, name: str) -> OfRight:
    (it,) = [it for it in found.rights if it.right == name]
    return it


def test_by_right_each_claim_is_counted_once() -> None:
    found = of_march()
    assert found.cases == 7  # the eighth came in February
    assert right(found, "access") == OfRight(
        right="access",
        received=5,
        answered=2,
        refused=2,
        withdrawn=1,
        joined=0,
        open=0,
        on_time=4,
        late=0,
        extended=1,
        median_days=8.0,  # of 1, 2, 14 and 28
        p95_days=28.0,
    )
    assert right(found, "erasure") == OfRight(
        right="erasure",
        received=5,
        answered=2,
        refused=2,
        withdrawn=0,
        joined=0,
        open=1,
        on_time=3,
        late=1,
        extended=0,
        median_days=4.5,  # of 2, 3, 6 and 14
        p95_days=14.0,
    )
    every = right(found, "all")
    assert (every.received, every.on_time, every.late, every.open) == (10, 7, 1, 1)
    assert every.median_days == 4.5  # of 1, 2, 2, 3, 6, 14, 14 and 28


def test_one_that_is_open_past_its_date_is_late() -> None:
    found = figures(CAST, None, MARCH[1], NOW)
    assert found.cases == 8
    assert (right(found, "erasure").open, right(found, "erasure").late) == (2, 2)


def test_the_days_asked_for_are_both_included() -> None:
    assert figures(CAST, date(2026, 3, 31), date(2026, 3, 31), NOW).cases == 1
    assert figures(CAST, date(2026, 4, 1), date(2026, 4, 30), NOW).rights == (
        OfRight(
            right="all",
            received=0,
            answered=0,
            refused=0,
            withdrawn=0,
            joined=0,
            open=0,
            on_time=0,
            late=0,
            extended=0,
            median_days=None,
            p95_days=None,
        ),
    )


def test_95_of_100_is_the_nearest_rank() -> None:
    every = []
    for n in range(1, 41):
        case = case_of(n, datetime(2026, 3, 1, tzinfo=UTC), ("access", "fulfilled"))
        every.append(History(case=case, events=answered(case, 1, n / 2, "access")))
    of_all = right(figures(every, *MARCH, NOW), "all")
    assert (of_all.median_days, of_all.p95_days) == (10.2, 19.0)


def test_refusals_are_counted_by_their_reason() -> None:
    assert of_march().refusals == (
        Refusal(reason="eu-gdpr:A12IdentityFailure", claims=2),
        Refusal(reason="eu-gdpr:A12ManifestlyUnfounded", claims=2),
    )


def test_failures_are_counted_by_system_and_an_attempt_that_began_is_none() -> None:
    assert of_march().failures == (
        Failure(system="aws", what="search failed", reason="forbidden", times=2, cases=2),
        Failure(system="aws", what="search failed", reason="unavailable", times=1, cases=1),
        Failure(system="stripe", what="put off", reason="vendor_unavailable", times=2, cases=1),
        Failure(system="stripe", what="search overdue", reason="overdue", times=1, cases=1),
    )


def test_open_cases_are_counted_by_age_whenever_they_came() -> None:
    assert of_march().ages == (
        Age(since="up to 7 days", cases=1),
        Age(since="8 to 14 days", cases=0),
        Age(since="15 to 28 days", cases=0),
        Age(since="29 days or more", cases=1),
        Age(since="past its date", cases=1),
    )


def test_what_falls_due_comes_in_its_order_and_nothing_that_is_done() -> None:
    assert of_march().coming == (
        Coming(due=datetime(2026, 3, 10, tzinfo=UTC), what="answer", case=UUID(int=7)),
        Coming(due=datetime(2026, 4, 30, tzinfo=UTC), what="answer", case=UUID(int=6)),
        Coming(due=NOW + 365 * DAY, what="kept in stripe", case=UUID(int=3)),
        Coming(due=NOW + 401 * DAY, what="kept in salesforce", case=UUID(int=3)),
    )


def test_csv_has_one_figure_a_line() -> None:
    lines = list(csv.reader(written(of_march()).splitlines()))
    assert lines[:2] == [
        ["figure", "of", "and", "why", "value"],
        ["requests", "2026-03-01", "2026-03-31", "", "7"],
    ]
    assert ["median_days", "erasure", "", "", "4.5"] in lines
    assert ["refusals", "", "", "eu-gdpr:A12IdentityFailure", "2"] in lines
    assert ["failing cases", "aws", "search failed", "forbidden", "2"] in lines
    assert ["due", "answer", str(UUID(int=6)), "", "2026-04-30"] in lines
    assert {len(it) for it in lines} == {5}


def test_as_tables_everything_is_said_and_an_empty_one_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(of_march())
    said = capsys.readouterr().out
    assert "7 requests received from 2026-03-01 to 2026-03-31" in said
    for it in (
        "4.5",
        "It is manifestly unfounded",
        "search overdue",
        "past its date",
        "2027-05-06",
    ):
        assert it in said
    show(figures((), *MARCH, NOW))
    said = capsys.readouterr().out
    assert "0 requests" in said
    assert "refused because" not in said
