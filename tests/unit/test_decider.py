"""What the decider promises, on the pure functions: order and repetition change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import uuid4, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.case.case import MAX_ATTEMPTS, Case, Held
from pipeline.case.coverage import systems
from pipeline.case.decide import StaleError
from pipeline.case.fold import fold
from pipeline.case.orders import ASKED_FOR
from pipeline.case.portions import portions
from pipeline.case.rules import Given
from pipeline.stages.aggregate import _obligations
from pipeline.stages.search import NAMED, NAMED_BYTES
from schemas import events as e
from schemas.events import Event
from schemas.records import HoldingRow, OutcomeRow

from .worlds import (
    CASE,
    START,
    Run,
    Thing,
    World,
    many_tickets,
    row_of,
    rows,
    rules,
    small_world,
    tag,
    told_nobody,
)

BOTH = ("access", "erasure")
KEPT = {("salesforce", "contact", "identity"), ("salesforce", "contact", "contact")}


def shuffled(claims: tuple[str, ...], world: World, random: Random) -> tuple[Case, Run]:
    """Deliver everything in some other order, much of it twice, some of it long afterwards."""
    run = Run(world)
    orders = run.start(*claims)
    answers: list[tuple[Event, object]] = []
    late: list[tuple[Event, object]] = []
    while orders or answers:
        if orders and (not answers or random.random() < 0.5):
            order = orders.pop(random.randrange(len(orders)))
            answers += run.answers(order)
            if random.random() < 0.3:  # a host that died after acting is given the order again
                answers += run.answers(order)
            continue
        event, event_id = answers.pop(random.randrange(len(answers)))
        orders += run.take(event, event_id)  # type: ignore[arg-type]
        if random.random() < 0.3:
            late.append((event, event_id))
    for event, event_id in late:
        assert not run.take(event, event_id)  # type: ignore[arg-type]
    assert run.case is not None
    return run.case, run


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), claims=st.sampled_from([("access",), ("erasure",), BOTH]))
def test_order_and_repetition_change_nothing(seed: int, claims: tuple[str, ...]) -> None:
    world = small_world()
    plain = Run(small_world()).go(*claims)
    case, run = shuffled(claims, world, Random(seed))
    assert {it: rows(case, it) for it in claims} == {it: rows(plain, it) for it in claims}
    assert {it: case.claims[it].state for it in claims} == {
        it: plain.claims[it].state for it in claims
    }
    assert len(world.erased) == len(set(world.erased))
    assert not case.under_way()
    assert not [it for it in run.of(e.TaskOrdered) if not it.rows]  # type: ignore[attr-defined]


def test_the_ledger_folds_to_the_same_case() -> None:
    run = Run(small_world())
    case = run.go(*BOTH)
    assert fold((it.event for it in run.said), rules()) == case
    assert [it.number for it in run.said] == list(range(1, len(run.said) + 1))
    assert len({it.id for it in run.said}) == len(run.said)


def test_a_customer_keeps_the_basic_record_and_loses_the_rest() -> None:
    world = small_world()
    case = Run(world).go("erasure")
    settled = rows(case, "erasure")
    assert {where for where, (state, _) in settled.items() if state == "kept"} == KEPT
    assert {state for where, (state, _) in settled.items() if where not in KEPT} == {"proved"}
    assert ("sf-record", "marketing") in world.erased
    assert ("sf-record", "identity") not in world.erased
    assert [(it.system, it.state) for it in case.obligations] == [("salesforce", "kept")]
    assert case.claims["erasure"].state == "partially_fulfilled"


def test_a_lead_loses_everything() -> None:
    case = Run(small_world(customer=False)).go("erasure")
    assert {state for state, _ in rows(case, "erasure").values()} == {"proved"}
    assert case.claims["erasure"].state == "fulfilled"
    assert not case.obligations


def test_nothing_is_erased_that_may_not_have_been_handed_over() -> None:
    world = small_world()
    world.left_out = ("freshdesk",)
    case = Run(world).go(*BOTH)
    assert {name for name, _ in world.erased} == {"sf-record"}
    assert rows(case, "access")["freshdesk", "ticket", "usage"] == ("open", "failed")
    assert rows(case, "erasure")["freshdesk", "ticket", "usage"] == ("open", "failed")
    assert case.claims["erasure"].settled_at
    assert case.responses[0].digest  # the answer itself does not wait


def test_an_export_row_under_another_systems_name_is_nobodys() -> None:
    world = small_world()
    world.under = {"freshdesk": "salesforce"}
    case = Run(world).go("access")
    assert "freshdesk" not in {it.system for it in case.exports}
    honest = Run(small_world()).go("access")
    assert [it for it in case.exports if it.system == "salesforce"] == [
        it for it in honest.exports if it.system == "salesforce"
    ]


def test_nothing_held_is_an_answer() -> None:
    case = Run(World(things={}, facts={"salesforce": {"customer": "false"}})).go(*BOTH)
    assert {it.state for it in case.claims.values()} == {"no_data"}
    assert len(case.responses) == 2


def test_a_system_that_cannot_be_searched_is_open_never_nothing() -> None:
    world = small_world()
    world.failing["freshdesk"] = "forbidden"
    case = Run(world).go(*BOTH)
    for right in BOTH:
        assert rows(case, right)["freshdesk", "system", ""] == ("open", "failed")
        assert case.claims[right].state == "partially_fulfilled"


def test_customer_or_lead_unknown_is_neither_erased_nor_kept() -> None:
    world = small_world()
    world.facts.clear()
    case = Run(world).go("erasure")
    settled = rows(case, "erasure")
    assert {settled[it] for it in KEPT} == {("open", "needs_human")}
    reasons = {it.outcome.reason for it in case.claims["erasure"].coverage if it.state == "open"}
    assert reasons == {"facts_missing:customer"}
    assert not [it for it in world.erased if it[0] == "sf-record" and it[1] != "marketing"]


def test_no_erasure_before_the_copy_is_signed() -> None:
    run = Run(small_world())
    orders = run.start(*BOTH)
    responses = []
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.ResponseOrdered):
            responses.append(order)
            continue
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert not run.of(e.TaskOrdered)
    for order in responses:
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert {it.system for it in run.of(e.TaskOrdered)} == {  # type: ignore[attr-defined]
        "freshdesk",
        "salesforce",
    }


def test_what_the_vendor_only_said_to_be_gone_ends_with_a_human() -> None:
    world = small_world(customer=False)
    sticky = world.things["freshdesk"][1]
    sticky.sticky = True
    run = Run(world)
    case = run.go("erasure")
    assert rows(case, "erasure")["freshdesk", "ticket", "usage"] == ("open", "needs_human")
    tasks = [it for it in run.of(e.TaskOrdered) if it.system == "freshdesk"]  # type: ignore[attr-defined]
    assert len(tasks) == 4  # the first, and three delta plans
    assert case.claims["erasure"].state == "partially_fulfilled"


def test_what_cannot_be_erased_is_said_and_not_tried_again() -> None:
    world = small_world(customer=False)
    world.things["freshdesk"][1].says = OutcomeRow(kind="not_supported", reason="indivisible")
    run = Run(world)
    case = run.go("erasure")
    assert rows(case, "erasure")["freshdesk", "ticket", "usage"] == ("open", "not_supported")
    assert len(run.of(e.TaskOrdered)) == 2


def test_facts_that_changed_make_a_new_plan() -> None:
    world = small_world(customer=False)
    world.things["salesforce"][0].kind = "contact"
    run = Run(world)
    orders = run.start("erasure")
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.TaskOrdered) and order.system == "salesforce":
            world.facts["salesforce"]["customer"] = "true"
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert run.case is not None
    assert len(run.of(e.TaskDeclined)) == 1
    settled = rows(run.case, "erasure")
    assert {where for where, (state, _) in settled.items() if state == "kept"} == KEPT


@pytest.mark.parametrize("claims", [("erasure",), BOTH])
def test_what_a_holding_came_to_carry_is_planned_for_unless_it_was_not_copied(
    claims: tuple[str, ...],
) -> None:
    world = small_world(customer=False)
    ticket = world.things["freshdesk"][1]
    run = Run(world)
    orders = run.start(*claims)
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.TaskOrdered) and (order.system, order.n) == ("freshdesk", 1):
            ticket.categories.add("contact")
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert run.case is not None
    settled = rows(run.case, "erasure")
    assert settled["freshdesk", "ticket", "profile"] == ("proved", "erased")
    copied = "access" not in claims
    says = ("proved", "erased") if copied else ("open", "failed")
    assert settled["freshdesk", "ticket", "contact"] == says
    assert (("fd-ticket", "contact") in world.erased) == copied
    reports = run.of(e.CaseReported)
    assert reports
    assert not run.case.under_way()


@pytest.mark.parametrize(
    ("until", "told"),
    [
        ("2030-01-02T00:00:00+00:00", "2030-01-02"),
        ("2030-01-02T00:00:01+00:00", "2030-01-03"),
        ("2030-01-02T23:30:00-02:00", "2030-01-04"),
        ("9999-12-31T23:59:59+00:00", "9999-12-31"),
    ],
)
def test_what_is_put_off_is_dated_at_the_end_of_its_day(until: str, told: str) -> None:
    world = small_world(customer=False)
    at = datetime.fromisoformat(until)
    world.things["freshdesk"][1].says = OutcomeRow(kind="blocked", reason="lock", until=at)
    case = Run(world).go("erasure")
    assert {f"{it.until:%Y-%m-%d}" for it in case.obligations} == {told}


def test_what_is_left_to_a_human_settles() -> None:
    run = Run(many_tickets(30))
    case = run.go("erasure")
    assert case.plan is not None
    left = tuple(case.held)
    run.take(e.PlanChanged(case=CASE, by="cli", digest=case.plan.digest, leave=left), uuid4())
    assert run.case is not None
    assert {state for state, _ in rows(run.case, "erasure").values()} == {"open"}
    assert not run.of(e.TaskOrdered)


def test_a_row_is_owed_once_and_a_later_one_as_well() -> None:
    case = Run(small_world()).go("erasure")
    assert list(_obligations(case, rules(), Given(now=START))) == []
    (kept,) = (
        it for it in case.held.values() if it.kind == "contact" and it.system == "salesforce"
    )
    later = replace(kept, tag=tag("later"))
    outcome = case.outcomes[kept.tag, "identity"]
    grown = replace(
        case,
        held={**case.held, later.tag: later},
        outcomes={**case.outcomes, (later.tag, "identity"): outcome},
    )
    (opened,) = _obligations(grown, rules(), Given(now=START))
    assert [(it.tag, it.erase) for it in opened.rows] == [(later.tag, ("identity",))]
    assert opened.obligation not in {it.id for it in case.obligations}


def test_a_second_round_names_what_fits_into_a_record() -> None:
    held = [
        Held(
            tag=tag(f"{n}"), system="s", kind="k", categories=frozenset("c"), source=n, sealed=4000
        )
        for n in range(300)
    ]
    assert [len(it) for it in portions(held)] == [98, 98, 98, 6]
    assert len(next(portions(held, NAMED, NAMED_BYTES))) == 49
    together = [replace(it, source=1) for it in held]
    assert [len(it) for it in portions(together, rows=200)] == [200, 100]


def test_a_large_plan_waits_for_its_own_digest() -> None:
    run = Run(many_tickets(30), rules=told_nobody())
    case = run.go("erasure")
    assert case.plan is not None
    assert case.plan.state == "asked"
    assert not run.of(e.TaskOrdered)
    stranger = e.PlanApproved(case=CASE, by="cli", digest=tag("another plan"))
    with pytest.raises(StaleError):
        run.take(stranger, uuid4())
    approved = e.PlanApproved(case=CASE, by="cli", digest=case.plan.digest)
    run.now += timedelta(days=8)
    with pytest.raises(StaleError):
        run.take(approved, uuid4())
    run.now -= timedelta(days=8)
    orders = run.take(approved, uuid4())
    assert [type(it) for it in orders] == [e.TaskOrdered]


def test_a_plan_too_large_for_a_record_is_several_tasks() -> None:
    run = Run(many_tickets(1200))
    case = run.go("erasure")
    assert case.plan is not None
    waiting = run.take(e.PlanApproved(case=CASE, by="cli", digest=case.plan.digest), uuid4())
    assert [len(it.rows) for it in waiting if isinstance(it, e.TaskOrdered)] == [500, 500, 201]
    while waiting:
        for event, event_id in run.answers(waiting.pop(0)):
            waiting += run.take(event, event_id)
    assert run.case is not None
    assert {state for state, _ in rows(run.case, "erasure").values()} == {"proved"}


def test_an_approval_that_does_not_come_is_asked_for_again() -> None:
    run = Run(many_tickets(30))
    run.go("erasure")
    orders = run.wait(timedelta(days=7, seconds=1))
    assert [it.kind for it in orders if isinstance(it, e.NoticeOrdered)] == ["approval_asked"]
    assert run.case is not None
    assert run.case.plan is not None
    assert (run.case.plan.n, run.case.plan.state) == (2, "asked")
    assert run.take(e.PlanApproved(case=CASE, by="cli", digest=run.case.plan.digest), uuid4())


def test_the_same_request_twice_is_one_case() -> None:
    run = Run(small_world())
    case = run.go("access")
    assert not run.start("access")
    assert run.case == case


def test_nobody_vouched_for_calls_no_vendor() -> None:
    run = Run(small_world())
    case = run.go("access", level=0)
    assert case.state == "identity_asked"
    assert not run.of(e.SearchOrdered)
    run.wait(timedelta(days=15))
    assert run.case is not None
    assert run.case.state == "refused"
    assert not run.of(e.SearchOrdered)


def test_the_first_complete_answer_counts_and_another_is_shown() -> None:
    run = Run(small_world())
    orders = run.start("access")
    search = next(it for it in orders if getattr(it, "system", "") == "freshdesk")
    for event, event_id in run.answers(search):
        run.take(event, event_id)
    run.world.things["freshdesk"].append(
        Thing("late", "ticket", {"usage"}, frozenset({"first"})),
    )
    before = run.case
    for event, event_id in run.answers(search):
        run.take(event, event_id)
    assert before is not None
    assert run.case is not None
    assert run.case.conflicts == 2  # both of its parts
    assert run.case.held == before.held


def test_half_an_answer_is_no_answer() -> None:
    run = Run(small_world())
    search = run.start("access")[0]
    (first, first_id), *_ = run.answers(search)
    run.take(first, first_id)
    assert run.case is not None
    assert not run.case.held
    assert run.case.systems["freshdesk"].status == "searching"


def test_no_answer_within_the_budget_is_unknown() -> None:
    run = Run(small_world(), rules=told_nobody())
    run.start("access")
    run.wait(rules().settings.search_budget + timedelta(seconds=1))
    assert run.case is not None
    assert {it.status for it in run.case.systems.values()} == {"overdue"}
    assert run.case.claims["access"].state == "partially_fulfilled"


def test_a_deferred_order_is_issued_again_until_attempts_are_spent() -> None:
    run = Run(small_world(customer=False))
    orders = run.start("erasure")
    attempts = 0
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.TaskOrdered) and order.system == "freshdesk":
            attempts += 1
            put_off = e.OrderDeferred(
                case=CASE, order=order.order, system="freshdesk", until=run.now, reason="busy"
            )
            run.take(put_off, uuid5(order.order, "deferred"))
            orders += run.wait(timedelta(hours=2))
            continue
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert attempts == MAX_ATTEMPTS
    assert run.case is not None
    assert rows(run.case, "erasure")["freshdesk", "ticket", "usage"] == ("open", "failed")


def test_an_order_that_comes_again_when_it_has_lapsed_stays_answered() -> None:
    """Such as one published once more by a register that was restored from a backup."""
    run = Run(small_world(customer=False))
    case = run.go("access", "erasure")
    for event in (*run.of(e.SearchOrdered), *run.of(e.TaskOrdered)):
        assert isinstance(event, e.SearchOrdered | e.TaskOrdered)
        lapsed = e.OrderDeferred(
            case=CASE, order=event.order, system=event.system, until=run.now, reason="lapsed"
        )
        assert run.take(lapsed, uuid4()) == []
    assert run.case is not None
    assert run.case.under_way() == ()
    assert run.case.orders == case.orders


def test_a_slow_system_does_not_hold_the_others() -> None:
    run = Run(small_world(customer=False))
    orders = run.start("erasure")
    slow = [it for it in orders if isinstance(it, e.SearchOrdered) and it.system == "salesforce"]
    put_off = e.OrderDeferred(
        case=CASE, order=slow[0].order, system="salesforce", until=run.now, reason="busy"
    )
    run.take(put_off, uuid4())
    orders = [it for it in orders if it not in slow]
    for order in orders:
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert [it.system for it in run.of(e.TaskOrdered)] == ["freshdesk"]  # type: ignore[attr-defined]
    assert run.case is not None
    assert run.case.claims["erasure"].active


def test_what_an_address_alone_speaks_for_waits_for_a_slow_system() -> None:
    """Who else has the address, it may know alone."""
    run = Run(small_world(customer=False))
    for it in run.world.things["freshdesk"]:
        it.named = False
    orders = run.start("erasure")
    (slow,) = [it for it in orders if getattr(it, "system", "") == "salesforce"]
    assert isinstance(slow, e.SearchOrdered)
    put_off = e.OrderDeferred(
        case=CASE, order=slow.order, system="salesforce", until=run.now, reason="busy"
    )
    run.take(put_off, uuid4())
    run.settle([it for it in orders if it != slow])
    assert not run.of(e.TaskOrdered)
    run.settle(run.wait(timedelta(minutes=5)))
    assert not run.world.things["freshdesk"][0].categories


def test_what_an_address_alone_speaks_for_is_nobodys_before_all_have_answered() -> None:
    """An interim answer may leave meanwhile: it brings nothing that may be a stranger's."""
    run = Run(small_world(customer=False))
    for it in run.world.things["freshdesk"]:
        it.named = False
    orders = run.start("access")
    first = [it for it in orders if getattr(it, "system", "") == "freshdesk"]
    for event, event_id in run.answers(first[0]):
        run.take(event, event_id)
    assert run.case is not None
    assert not run.case.is_ours(tag("fd-contact"))
    run.settle([it for it in orders if it not in first])
    assert run.case.is_ours(tag("fd-contact"))


def test_a_later_round_asks_for_what_an_earlier_one_could_not_be_searched_for() -> None:
    """A system that fails, and then answers to one identifier, was not searched for the others."""
    record = Thing("sf-record", "contact", {"identity", "contact"}, frozenset({"first"}))
    world = World({"salesforce": [record]}, leads_to={"sf-record": "2nd"})
    world.failing["freshdesk"] = "forbidden"
    run = Run(world)
    run.go("access")
    del world.failing["freshdesk"]
    proved = e.IdentityProved(case=CASE, by="web", method="link", level=2, tag=tag("2nd"))
    orders = [it for it in run.take(proved, uuid4()) if isinstance(it, e.SearchOrdered)]
    (asked,) = [it.identifiers for it in orders if it.system == "freshdesk"]
    assert {it.tag for it in asked if it.use == ASKED_FOR} == {tag("first"), tag("2nd")}


def test_near_the_deadline_an_interim_answer_goes_out() -> None:
    run = Run(many_tickets(30))
    run.go("erasure")
    orders = run.wait(timedelta(days=29))
    assert [it.kind for it in orders if isinstance(it, e.ResponseOrdered)] == ["interim"]


def test_a_request_older_than_its_month_is_told_to_the_dpo_and_goes_on() -> None:
    run = Run(small_world())
    run.now += timedelta(days=40)
    case = run.go("access")
    told = [it.kind for it in run.of(e.NoticeOrdered)]  # type: ignore[attr-defined]
    assert told[0] == "received_late"
    assert case.claims["access"].state == "fulfilled"


def test_a_withdrawn_claim_orders_nothing_more() -> None:
    run = Run(small_world(customer=False))
    orders = run.start("erasure")
    run.take(e.ClaimWithdrawn(case=CASE, by="cli", right="erasure"), uuid4())
    for order in orders:
        for event, event_id in run.answers(order):
            assert not run.take(event, event_id)
    assert not run.world.erased


def test_new_holdings_of_the_second_look_go_to_a_delta_plan() -> None:
    world = small_world(customer=False)
    run = Run(world)
    late = Thing("late", "ticket", {"usage"}, frozenset({"first"}))
    orders = run.start("erasure")
    while orders:
        order = orders.pop(0)
        answers = run.answers(order)
        if isinstance(order, e.TaskOrdered) and late not in world.things["freshdesk"]:
            world.things["freshdesk"].append(late)
            event, _ = answers[1]
            assert isinstance(event, e.TaskCompleted)
            seen = row_of(late)
            answers[1] = (replace(event, looked=(*event.looked, seen)), uuid4())
        for event, event_id in answers:
            orders += run.take(event, event_id)
    assert run.case is not None
    assert rows(run.case, "erasure")["freshdesk", "ticket", "usage"] == ("proved", "erased")
    assert ("late", "usage") in world.erased


def test_a_blank_holding_is_neither_lost_nor_planned_for_again_and_again() -> None:
    """There, and with nothing in it: from the start, or after a task."""

    class Blank(World):
        def answer(self, order: Event) -> Iterator[Event]:
            for it in super().answer(order):
                match it:
                    case e.HoldingsLocated(system="freshdesk", part=1):
                        yield replace(
                            it,
                            holdings=(
                                *it.holdings,
                                HoldingRow(tag=tag("empty"), kind="ticket", bears=borne),
                            ),
                        )
                    case e.TaskCompleted(part=2):
                        left = tuple(HoldingRow(tag=row, kind="contact") for row in it.gone)
                        yield replace(it, looked=left, gone=())
                    case _:
                        yield it

    contact = Thing("contact", "contact", {"identity"}, frozenset({"first"}))
    borne = row_of(contact).bears
    world = Blank(things={"freshdesk": [contact]}, facts={"salesforce": {"customer": "false"}})
    run = Run(world)
    case = run.go("erasure")
    assert rows(case, "erasure") == {("freshdesk", "contact", "identity"): ("proved", "erased")}
    assert (case.plans, len(run.of(e.TaskOrdered)), case.leftover) == (1, 1, {})
    assert {it.system: it.found for it in systems(case)}["freshdesk"] == 2
    assert run.of(e.CaseReported)
