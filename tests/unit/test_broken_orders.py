"""An order that breaks whatever tries it goes to a person; a vendor that is away breaks nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.case.case import MAX_ATTEMPTS, SPENT, Case
from pipeline.case.spent import BEGAN, BROKE, LAPSED, given_up
from pipeline.kafka.wire import answer_id
from pipeline.settings import Settings
from pipeline.stages.report import broken
from schemas import events as e
from schemas.events import Event
from tests.unit.worlds import CASE, Run, rows, rules, small_world

N = Settings().broken_after
Kind = type[e.SearchOrdered] | type[e.TaskOrdered] | type[e.ResponseOrdered] | type[e.NoticeOrdered]


def deferred(run: Run, order: Event, reason: str) -> None:
    """A host puts an attempt off, as `reason` says."""
    said = e.OrderDeferred(
        case=CASE,
        order=order.order,  # type: ignore[attr-defined]
        system=getattr(order, "system", "response"),
        until=run.now,
        reason=reason,
    )
    run.take(said, answer_id(said.order, said))


def went(
    kind: Kind,
    meet: Callable[[Run, Event], None],
    *claims: str,
    wanted: Callable[[Event], bool] = lambda _: True,
) -> tuple[Run, Case, int]:
    """A case in which orders of a kind meet something, and how many attempts there were at them."""
    run = Run(small_world(customer=False))
    orders, attempts = run.start(*claims or ("access",)), 0
    for _ in range(500):
        if not orders:
            orders = run.wait(timedelta(hours=2))
            if not orders:
                break
        order = orders.pop(0)
        if isinstance(order, kind) and wanted(order):
            attempts += 1
            meet(run, order)
            orders += run.wait(timedelta(hours=2))
        else:
            for event, event_id in run.answers(order):
                orders += run.take(event, event_id)
    assert run.case is not None
    return run, run.case, attempts


def breaks(run: Run, order: Event) -> None:
    deferred(run, order, BROKE)


def kills(run: Run, order: Event) -> None:
    """Whoever takes it dies, again and again, until it has lapsed; nobody is told of the first."""
    if order.attempt > 1:  # type: ignore[attr-defined]
        deferred(run, order, BEGAN)
        deferred(run, order, BEGAN)


def kills_until_it_lapses(run: Run, order: Event) -> None:
    kills(run, order)
    deferred(run, order, LAPSED)


def at_freshdesk(order: Event) -> bool:
    return getattr(order, "system", "") == "freshdesk"


def told_dpo(run: Run) -> list[str]:
    notices = run.of(e.NoticeOrdered)
    first = [it for it in notices if isinstance(it, e.NoticeOrdered) and it.attempt == 1]
    return [it.kind for it in first if it.to == "dpo" and it.kind != "people"]


HOW = [(breaks, N), (kills, N + 1), (kills_until_it_lapses, N + 1)]


@pytest.mark.parametrize(("meet", "expected"), HOW)
def test_a_search_that_breaks_is_a_system_that_could_not_be_searched(
    meet: Callable[[Run, Event], None], expected: int
) -> None:
    run, case, attempts = went(e.SearchOrdered, meet, wanted=at_freshdesk)
    assert attempts == expected
    assert rows(case, "access")["freshdesk", "system", ""] == ("open", "failed")
    assert {it.outcome.reason for it in case.claims["access"].coverage if it.kind == "system"} == {
        BROKE
    }
    assert case.claims["access"].state == "partially_fulfilled"
    assert told_dpo(run) == ["broke"]
    assert case.reports
    assert broken(case, run.rules) == ""


@pytest.mark.parametrize(("meet", "expected"), HOW)
def test_a_task_that_breaks_is_failed_row_by_row(
    meet: Callable[[Run, Event], None], expected: int
) -> None:
    run, case, attempts = went(e.TaskOrdered, meet, "erasure", wanted=at_freshdesk)
    assert attempts == expected
    assert rows(case, "erasure")["freshdesk", "ticket", "usage"] == ("open", "failed")
    reasons = {it.outcome.reason for it in case.claims["erasure"].coverage if it.state == "open"}
    assert reasons == {BROKE}
    assert told_dpo(run) == ["broke"]
    assert case.reports


@pytest.mark.parametrize(("meet", "expected"), HOW)
def test_an_answer_that_cannot_be_made_shows_and_is_told_and_is_no_answer(
    meet: Callable[[Run, Event], None], expected: int
) -> None:
    run, case, attempts = went(
        e.ResponseOrdered, meet, "access", "erasure", wanted=lambda it: _n(it) == 1
    )
    assert attempts == expected
    assert broken(case, run.rules) == f"response 1: {BROKE}"
    assert told_dpo(run) == ["broke"]
    assert (case.reports, case.state) == (0, "settled")
    assert not run.of(e.TaskOrdered), "what nobody was handed is not erased"


def _n(order: Event) -> int:
    n: int = order.n  # type: ignore[attr-defined]
    return n


def test_a_later_answer_to_the_same_makes_up_for_one_that_broke() -> None:
    run, case, _ = went(e.ResponseOrdered, breaks, "access", "erasure")
    (lost,) = case.responses
    assert broken(case, run.rules) == f"response 1: {BROKE}"
    for claims, digest, expected in (
        (("access", "erasure"), b"d", ""),
        (("access",), b"d", ""),
        (("erasure",), b"d", f"response 1: {BROKE}"),
        (("access",), b"", f"response 1: {BROKE}"),
    ):
        later = replace(lost, n=2, claims=claims, digest=digest)
        assert broken(replace(case, responses=(lost, later)), run.rules) == expected


@pytest.mark.parametrize(("meet", "expected"), HOW)
def test_a_notice_that_breaks_has_failed_and_the_report_says_so(
    meet: Callable[[Run, Event], None], expected: int
) -> None:
    run, case, attempts = went(e.NoticeOrdered, meet, wanted=_tells_of_the_answer)
    assert attempts == expected
    assert [it.notified for it in case.responses] == [f"failed: {BROKE}"]
    assert case.reports == 1
    assert told_dpo(run) == []


def _tells_of_the_answer(order: Event) -> bool:
    return isinstance(order, e.NoticeOrdered) and order.kind == "response_ready"


@pytest.mark.parametrize("reason", ["vendor_unavailable", "run_limit", LAPSED])
def test_what_is_only_away_or_slow_breaks_nothing(reason: str) -> None:
    def away(run: Run, order: Event) -> None:
        if reason != LAPSED and _attempt(order) > 1:
            deferred(run, order, BEGAN)
        deferred(run, order, reason)

    run, case, attempts = went(e.TaskOrdered, away, "erasure", wanted=at_freshdesk)
    assert attempts == MAX_ATTEMPTS
    assert [it.reason for it in given_up(case)] == ["no_answer"]
    assert told_dpo(run) == []


def _attempt(order: Event) -> int:
    attempt: int = order.attempt  # type: ignore[attr-defined]
    return attempt


def test_a_host_that_is_down_for_long_breaks_nothing() -> None:
    _, case, attempts = went(
        e.SearchOrdered, lambda *_: None, wanted=lambda it: at_freshdesk(it) and _attempt(it) < 7
    )
    assert attempts > N
    assert case.systems["freshdesk"].status == "located"
    assert not [it for it in case.orders.values() if it.state == SPENT]


def test_that_an_attempt_begins_puts_nothing_off() -> None:
    """No plan is made meanwhile as if the system were slow, and its answer counts."""
    run = Run(small_world(customer=False))
    first = run.start("erasure")
    for it in first:
        deferred(run, it, "vendor_unavailable")
    (again, *others) = run.wait(timedelta(hours=1))
    plans = len(run.of(e.PlanMade))
    deferred(run, again, BEGAN)
    assert run.case is not None
    assert {it.state for it in run.case.under_way("search")} == {"open"}
    assert len(run.of(e.PlanMade)) == plans
    orders = [again, *others]
    while orders:
        for event, event_id in run.answers(orders.pop(0)):
            orders += run.take(event, event_id)
    assert run.case.under_way() == ()
    assert {it.status for it in run.case.systems.values()} == {"located"}


def test_how_many_attempts_is_a_setting() -> None:
    assert rules().settings.broken_after == N == 5
