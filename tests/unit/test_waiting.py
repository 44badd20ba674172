"""What a vendor erases by a job waits: no new order, looks with growing pauses, then proof."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.case.case import LOOK, MAX_ATTEMPTS, MAX_DELTAS, Case, Waiting
from pipeline.case.dues import dues
from pipeline.case.fold import fold
from pipeline.case.waiting import look_id, looks_due, next_look
from schemas import events as e
from schemas.events import Event
from schemas.records import HoldingRow, OutcomeRow

from .worlds import CASE, START, Run, Thing, World, many_tickets, row_of, rows, tag

PAUSE = timedelta(seconds=5)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FIRST = frozenset({"first"})
WHERE = ("freshdesk", "contact", "identity")


def queueing(by: timedelta = 10 * MINUTE, takes: timedelta = 3 * MINUTE) -> World:
    """A contact that Freshdesk erases by a job within `by`, and that `takes` so long."""
    contact = Thing("contact", "contact", {"identity"}, FIRST, queue=by, takes=takes)
    return World(things={"freshdesk": [contact]}, facts={"salesforce": {"customer": "false"}})


def held(world: World) -> list[Thing]:
    return world.things["freshdesk"]


def looks(run: Run) -> list[e.SearchOrdered]:
    ordered = (it.event for it in run.said)
    return [it for it in ordered if isinstance(it, e.SearchOrdered) and it.purpose == "verify"]


def tasks(run: Run) -> list[e.TaskOrdered]:
    return [it.event for it in run.said if isinstance(it.event, e.TaskOrdered)]


def waiting(run: Run) -> Case:
    """A case whose only row is in the vendor's queue."""
    case = run.go("erasure")
    assert list(case.waiting) == [(tag("contact"), "identity")]
    return case


# When to look.


@given(
    by=st.timedeltas(timedelta(0), timedelta(days=40)),
    pause=st.timedeltas(timedelta(milliseconds=1), MINUTE),
)
def test_looks_come_with_growing_pauses_and_the_last_one_after_the_vendors_time(
    by: timedelta, pause: timedelta
) -> None:
    it = Waiting(by=START + by)
    assert next_look(it, pause) is None
    at = [START]
    while at[-1] - pause < it.by:
        it = replace(it, looks=it.looks + 1, looked=at[-1] - pause)
        at.append(next_look(it, pause) or START)
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert all(it > timedelta(0) for it in pauses)
    assert all(longer > shorter for shorter, longer in pairwise(pauses[:-1]))
    assert at[-1] == START + by + pause
    assert len(at) < 40


def test_a_queue_of_ten_minutes_is_looked_at_eight_times() -> None:
    run = Run(queueing(takes=HOUR))
    waiting(run)
    while len(tasks(run)) == 1:
        run.settle(run.wait(SECOND))
    asked = [int((it.answer_by + PAUSE - START).total_seconds()) for it in looks(run)]
    assert asked == [1, 6, 21, 56, 131, 286, 601, 605]


# What a case does meanwhile.


def test_it_is_ordered_once_and_proved_as_soon_as_a_look_shows_it_gone() -> None:
    run = Run(queueing())
    assert waiting(run).claims["erasure"].active
    assert not run.of(e.ClaimSettled)
    case = run.until_rest(SECOND)
    assert run.now - START < 6 * MINUTE
    assert rows(case, "erasure") == {WHERE: ("proved", "erased")}
    assert case.claims["erasure"].state == "fulfilled"
    assert (len(tasks(run)), case.plans, case.leftover) == (1, 1, {})
    assert [it.n for it in looks(run)] == list(range(1, len(looks(run)) + 1))


def test_a_look_is_no_round_and_names_what_waits_and_who_it_is() -> None:
    run = Run(queueing())
    case = waiting(run)
    rounds = {name: it.rounds for name, it in case.systems.items()}
    case = run.until_rest(SECOND)
    assert {name: it.rounds for name, it in case.systems.items()} == rounds
    assert {it.status for it in case.systems.values()} == {"located"}
    for it in looks(run):
        assert [row.tag for row in it.known] == [tag("contact")]
        assert [row.tag for row in it.identifiers] == [tag("first")]
        assert it.export_kinds == ()


def test_what_is_blank_and_not_gone_is_redacted() -> None:
    world = queueing()
    run = Run(world)
    waiting(run)
    (look,) = run.wait(SECOND)
    blank = located(look, holdings=(replace(row(world), categories=()),))
    run.take(blank, uuid5(CASE, "blank"))
    assert run.case is not None
    assert rows(run.case, "erasure") == {WHERE: ("proved", "redacted")}


def test_what_is_there_after_its_time_goes_the_usual_way() -> None:
    run = Run(queueing(by=MINUTE, takes=timedelta(days=20)))
    waiting(run)
    case = run.until_rest(10 * SECOND)
    assert len(tasks(run)) == case.plans == MAX_DELTAS + 1
    assert run.now - START >= (MAX_DELTAS + 1) * MINUTE
    assert rows(case, "erasure") == {WHERE: ("open", "needs_human")}
    assert [it.outcome.reason for it in case.claims["erasure"].coverage] == ["still_there"]


@pytest.mark.parametrize("by", [timedelta(days=32), timedelta(days=3000)])
def test_a_time_after_the_answer_is_due_is_a_date(by: timedelta) -> None:
    run = Run(queueing(by=by, takes=by))
    case = run.go("erasure")
    assert not case.waiting
    assert not looks(run)
    assert rows(case, "erasure") == {WHERE: ("dated", "queued")}
    (owed,) = case.obligations
    assert (owed.system, owed.state) == ("freshdesk", "dated")
    assert owed.until is not None
    assert owed.until >= START + by


def test_a_late_case_waits_for_a_short_queue_all_the_same() -> None:
    run = Run(queueing(), now=START + timedelta(days=40))
    case = run.go("erasure")
    assert case.due_at < run.now
    assert case.waiting
    assert rows(run.until_rest(SECOND), "erasure") == {WHERE: ("proved", "erased")}


def test_others_are_erased_meanwhile_and_nothing_is_settled() -> None:
    world = queueing()
    held(world).append(Thing("ticket", "ticket", {"usage"}, FIRST))
    run = Run(world)
    case = run.go("erasure")
    assert world.erased == [("ticket", "usage")]
    assert case.claims["erasure"].active
    case = run.until_rest(MINUTE)
    assert {state for state, _ in rows(case, "erasure").values()} == {"proved"}
    assert len(tasks(run)) == 1


@pytest.mark.parametrize(
    ("says", "state"),
    [
        (OutcomeRow(kind="expires", until=START + timedelta(days=30)), "dated"),
        (OutcomeRow(kind="needs_human", reason="spam"), "open"),
    ],
)
def test_what_was_not_done_and_goes_with_what_waits_is_proved_as_well(
    says: OutcomeRow, state: str
) -> None:
    """A ticket in the trash, or among the spam, goes with its contact for good."""
    world = queueing()
    ticket, other = (Thing(it, "ticket", {"usage"}, FIRST, says=says) for it in ("one", "other"))
    held(world).extend([ticket, other])
    run = Run(world)
    run.go("erasure")
    (look,) = run.wait(SECOND)
    assert {it.tag for it in look.known} == {tag(it.name) for it in held(world)}  # type: ignore[attr-defined]
    run.settle([look])
    ticket.categories.clear()
    case = run.until_rest(MINUTE)
    assert case.outcomes[tag("one"), "usage"].kind == "erased"
    assert case.outcomes[tag("other"), "usage"].kind == says.kind
    counts = {it.state: it.count for it in case.claims["erasure"].coverage if it.kind == "ticket"}
    assert counts == {"proved": 1, state: 1}


def test_what_a_look_finds_beside_it_is_planned_for_at_once() -> None:
    world = queueing()
    run = Run(world)
    waiting(run)
    held(world).append(Thing("new", "ticket", {"usage"}, FIRST))
    run.settle(run.wait(SECOND))
    assert run.case is not None
    assert ("new", "usage") in world.erased
    assert list(run.case.waiting) == [(tag("contact"), "identity")]
    assert [it.rows[0].tag for it in tasks(run)] == [tag("contact"), tag("new")]


def test_what_shows_again_waits_with_the_rest_of_its_holding() -> None:
    world = queueing()
    (contact,) = world.things["freshdesk"]
    contact.categories = {"identity", "contact"}
    run = Run(world)
    run.go("erasure")
    contact.categories.remove("contact")
    run.settle(run.wait(SECOND))
    assert run.case is not None
    assert {category for _, category in run.case.waiting} == {"identity"}
    contact.categories.add("contact")  # a replica that lags
    run.settle(run.wait(MINUTE))
    assert {category for _, category in run.case.waiting} == {"identity", "contact"}
    case = run.until_rest(MINUTE)
    assert {state for state, _ in rows(case, "erasure").values()} == {"proved"}
    assert len(tasks(run)) == 1


def test_near_the_deadline_an_interim_answer_tells_of_the_queue() -> None:
    run = Run(queueing(by=timedelta(days=31), takes=timedelta(days=30)))
    waiting(run)
    run.now = START + timedelta(days=28)
    while not run.of(e.DeadlineNear):
        run.settle(run.wait(HOUR))
    (interim,) = run.of(e.ResponseOrdered)
    assert isinstance(interim, e.ResponseOrdered)
    assert (interim.kind, interim.obligations) == ("interim", ())
    assert [(it.state, it.outcome.kind) for it in interim.coverage] == [("dated", "queued")]
    case = run.until_rest(HOUR)
    assert rows(case, "erasure") == {WHERE: ("proved", "erased")}
    assert [it.kind for it in case.responses] == ["interim", "final"]


def test_a_withdrawn_erasure_is_not_looked_after() -> None:
    run = Run(queueing())
    waiting(run)
    run.wait(SECOND)
    withdrawn = e.ClaimWithdrawn(case=CASE, right="erasure", by="dpo")
    run.settle(run.take(withdrawn, uuid5(CASE, "withdrawn")))
    assert run.case is not None
    assert not run.case.under_way(LOOK)
    assert not list(looks_due(run.case, run.rules))
    assert not run.wait(HOUR)


# Looks that come to nothing.


def test_a_look_that_fails_is_followed_by_the_next_and_only_the_last_one_counts() -> None:
    world = queueing()
    run = Run(world)
    waiting(run)
    world.failing["freshdesk"] = "forbidden"
    run.settle(run.wait(SECOND))
    run.settle(run.wait(MINUTE))
    assert run.case is not None
    assert run.case.waiting
    assert run.case.systems["freshdesk"].status == "located"
    del world.failing["freshdesk"]
    assert rows(run.until_rest(MINUTE), "erasure") == {WHERE: ("proved", "erased")}


@pytest.mark.parametrize("how", ["fails", "is silent"])
def test_what_the_last_look_does_not_tell_is_unknown(how: str) -> None:
    world = queueing()
    run = Run(world)
    waiting(run)
    run.now += 11 * MINUTE
    world.failing["freshdesk"] = "forbidden"
    for _ in range(2 * MAX_ATTEMPTS if how == "is silent" else 1):
        orders = run.wait(HOUR)
        if how == "fails":
            run.settle(orders)
    assert run.case is not None
    assert rows(run.case, "erasure") == {WHERE: ("open", "failed")}
    assert not run.case.waiting


def test_a_queued_row_that_nobody_looked_at_afterwards_waits_all_the_same() -> None:
    run = Run(queueing())
    orders = run.start("erasure")
    while orders:
        order = orders.pop(0)
        for event, event_id in run.answers(order):
            told = event
            if isinstance(event, e.TaskCompleted):
                told = replace(event, looked_failed="forbidden", looked=(), gone=())
            orders += run.take(told, event_id)
    assert run.case is not None
    assert run.case.waiting
    assert rows(run.until_rest(MINUTE), "erasure") == {WHERE: ("proved", "erased")}


@pytest.mark.parametrize("kind", ["queued", "expires", "blocked"])
def test_a_date_that_is_not_said_is_no_date(kind: str) -> None:
    world = queueing()
    (contact,) = world.things["freshdesk"]
    contact.queue, contact.says = None, OutcomeRow(kind=kind)
    case = Run(world).go("erasure")
    assert rows(case, "erasure") == {WHERE: ("open", kind)}


# Restarts, repetition, several deciders.


def test_a_restart_at_any_moment_waits_for_the_same() -> None:
    run = Run(queueing())
    waiting(run)
    seen = Counter[int]()
    while run.case is not None and run.case.waiting:
        known = fold((it.event for it in run.said), run.rules)
        assert known == run.case
        assert sorted(dues(known, run.rules)) == sorted(dues(run.case, run.rules))
        seen[len(run.said)] += 1
        run.settle(run.wait(SECOND))
    assert len(seen) > 4


def test_what_the_clock_says_twice_is_looked_for_once() -> None:
    run = Run(queueing())
    case = waiting(run)
    due = e.OrderDue(case=CASE, order=look_id(case, "freshdesk"))
    first = run.take(due, uuid5(CASE, "one orchestrator"))
    assert not run.take(due, uuid5(CASE, "another orchestrator"))
    for event, event_id in run.answers(first[0]):
        run.take(event, event_id)
    assert not run.take(due, uuid5(CASE, "a year late"))
    assert len(looks(run)) == 1


def test_what_is_queued_later_has_its_own_time() -> None:
    world = queueing(takes=9.5 * MINUTE)
    run = Run(world)
    waiting(run)
    new = Thing("new", "contact", {"identity"}, FIRST, queue=10 * MINUTE, takes=9 * MINUTE)
    held(world).append(new)
    run.settle(run.wait(9 * MINUTE))
    case = run.until_rest(SECOND)
    assert run.now - START > 18 * MINUTE
    assert rows(case, "erasure") == {WHERE: ("proved", "erased")}
    assert len(tasks(run)) == 2


def test_an_answer_to_a_look_of_before_says_nothing_of_what_was_queued_since() -> None:
    world = queueing(by=MINUTE, takes=HOUR)
    run = Run(world)
    waiting(run)
    run.now += 10 * MINUTE
    (look,) = run.wait(SECOND)
    assert isinstance(look, e.SearchOrdered)
    late = located(look, holdings=(row(world),))
    run.settle(run.take(late, uuid5(CASE, "late")))
    assert run.case is not None
    (again,) = run.case.waiting.values()  # ordered anew, and queued anew
    assert again.by == run.now + MINUTE
    assert run.case.leftover == {(tag("contact"), "identity"): 1}
    run.settle(run.take(late, uuid5(CASE, "late, and once more")))
    assert run.case.leftover == {(tag("contact"), "identity"): 1}


def test_many_rows_are_looked_for_in_portions() -> None:
    world = many_tickets(1200)
    for it in world.things["freshdesk"]:
        it.queue, it.takes = 10 * MINUTE, MINUTE
    run = Run(world)
    run.go("erasure")
    assert run.case is not None
    assert run.case.plan is not None
    approved = e.PlanApproved(case=CASE, by="dpo", digest=run.case.plan.digest)
    run.settle(run.take(approved, uuid5(CASE, "approved")))
    orders = run.wait(SECOND)
    assert [len(it.known) for it in orders] == [500, 500, 201]  # type: ignore[attr-defined]
    run.settle(orders)
    case = run.until_rest(MINUTE)
    assert {state for state, _ in rows(case, "erasure").values()} == {"proved"}


def test_a_copy_is_answered_while_the_erasure_waits() -> None:
    run = Run(queueing())
    case = run.go("access", "erasure")
    assert case.claims["access"].state == "fulfilled"
    assert case.claims["erasure"].active
    assert rows(run.until_rest(MINUTE), "erasure") == {WHERE: ("proved", "erased")}


def row(world: World) -> HoldingRow:
    return row_of(world.things["freshdesk"][0])


def located(order: Event, **what: object) -> e.HoldingsLocated:
    assert isinstance(order, e.SearchOrdered)
    return e.HoldingsLocated(
        case=order.case,
        order=order.order,
        system=order.system,
        part=1,
        parts=1,
        digest=tag(repr(what)),
        **what,  # type: ignore[arg-type]
    )
