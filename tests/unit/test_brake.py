"""The brake, on pure functions: limits, turns that wait, plans that are only observed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.case.brake import EVERY, Brake
from pipeline.case.case import MAX_ATTEMPTS, SPENT
from pipeline.case.dues import Due, dues, is_still_due
from pipeline.case.planned import turns
from pipeline.case.rules import Given
from pipeline.policy import PolicyError
from pipeline.policy.brake import Limits, load
from pipeline.stages.plan import plan
from schemas import events as e
from schemas.records import FactRow

from .worlds import CASE, Run, many_tickets, rows, rules, small_world, told_nobody

FRESHDESK = Brake(held=frozenset({"freshdesk"}))


@pytest.mark.parametrize(
    ("limits", "more", "passes"),
    [
        (Limits(), 10**9, ""),
        (Limits(erasures_per_hour=10), 7, ""),
        (Limits(erasures_per_hour=10), 8, "3 erased within an hour and 8 more would pass"),
        (Limits(erasures_per_hour=100, per_hour={"a": 5}), 3, "the limit of 5"),
        (Limits(erasures_per_hour=5, per_hour={"a": 100}), 3, ""),
        (Limits(erasures_per_hour=5, per_hour={"b": 100}), 3, "the limit of 5"),
        (Limits(share_per_day=0.1), 10**9, ""),  # nobody said how many records there are
        (Limits(share_per_day=0.1, records={"b": 10}), 10**9, ""),
        (Limits(share_per_day=0.1, records={"a": 100}), 4, ""),
        (Limits(share_per_day=0.1, records={"a": 100}), 5, "10.00% of 100 records"),
    ],
)
def test_a_limit_is_passed_by_what_comes_on_top(limits: Limits, more: int, passes: str) -> None:
    said = limits.passed("a", 3, 6, more)
    assert passes in said
    assert bool(said) == bool(passes)


def test_the_shipped_limits_can_be_read() -> None:
    limits = load()
    assert limits.erasures_per_hour
    assert limits.share_per_day
    assert limits.passed("freshdesk", 0, 0, 500) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("erasures_per_hour = 0", "erasures_per_hour is a whole number of at least 1"),
        ("erasures_per_hour = true", "erasures_per_hour is a whole number of at least 1"),
        ("erasures_an_hour = 5", "erasures_an_hour is not known"),
        ("share_per_day = 2", "share_per_day is a number above 0, at most 1"),
        ("[systems.a]\nrecords = 'many'", "systems.a.records is a whole number"),
        ("[systems.a]\nrecord = 5", "systems.a.record is not known"),
        ("[systems]\na = 5", "a system's limits are a table"),
        ("systems = ", "brake.toml"),
    ],
)
def test_a_file_that_would_not_limit_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "brake.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=says):
        load(path)
    with pytest.raises(PolicyError, match="HABEAS_BRAKE names the file"):
        load(tmp_path / "missing.toml")


def test_a_held_system_waits_and_the_others_go_on() -> None:
    run = Run(small_world(), brake=FRESHDESK)
    case = run.go("access", "erasure")
    assert case.claims["access"].state == "fulfilled"
    assert case.claims["erasure"].active
    assert [it.system for it in run.of(e.TaskOrdered)] == ["salesforce"]  # type: ignore[attr-defined]
    assert turns(case) == ("freshdesk",)
    assert len(run.of(e.PlanMade)) == 1  # what was approved need not be approved again
    assert not run.wait(timedelta(days=2))
    run.brake = Brake()
    orders = run.wait(timedelta(0))
    assert [type(it) for it in orders] == [e.TaskOrdered]
    assert not run.wait(timedelta(0))
    assert (
        _to_the_end(run, orders)
        == Run(small_world()).go("access", "erasure").claims["erasure"].state
    )


def test_a_plan_that_waits_is_made_anew_when_the_facts_decide_otherwise() -> None:
    """What was to be erased is to be kept by now: the lift must not erase it."""
    world = small_world()
    world.facts["salesforce"]["customer"] = "false"
    run = Run(world, brake=Brake(held=frozenset({"salesforce"})))
    case = run.go("erasure")
    assert turns(case) == ("salesforce",)
    news, at = run.of(e.HoldingsLocated)[-1], Given(now=run.now, brake=run.brake)
    assert not list(plan(case, news, run.rules, at))
    customer = FactRow(name="customer", value="true")
    turned = replace(case, facts={"salesforce": {"customer": customer}})
    made = next(plan(turned, news, run.rules, at))
    assert isinstance(made, e.PlanMade)
    assert "keep" in {it.action for it in made.rows}


def test_a_hold_spends_no_attempt() -> None:
    run = Run(small_world(), rules=told_nobody())
    orders = run.start("erasure")
    for order in orders:
        for answer in run.answers(order):
            orders += [it for it in run.take(*answer) if not isinstance(it, e.TaskOrdered)]
    (task,) = run.of(e.TaskOrdered)[:1]
    assert run.case is not None
    run.brake = Brake(held=frozenset({EVERY}))
    for _ in range(2 * MAX_ATTEMPTS):
        orders = run.wait(timedelta(days=1))
        assert {type(it) for it in orders} <= {e.NoticeOrdered, e.ResponseOrdered}
        run.settle(orders)
    assert not [it for it in run.case.orders.values() if it.state == SPENT]
    run.brake = Brake()
    again = [it for it in run.wait(timedelta(0)) if it.system == task.system]  # type: ignore[attr-defined]
    assert [it.attempt for it in again] == [2]  # type: ignore[attr-defined]


def test_what_passes_a_limit_waits_until_people_let_it_go() -> None:
    limits = Limits(per_hour={"freshdesk": 5})
    run = Run(small_world(), rules=replace(rules(), limits=limits))
    run.brake = Brake(ordered={"freshdesk": (4, 4)})
    case = run.go("erasure")
    assert turns(case) == ("freshdesk",)
    orders = run.wait(timedelta(0))  # no hold is engaged any more
    assert [it.system for it in orders] == ["freshdesk"]  # type: ignore[attr-defined]


def test_a_withdrawn_erasure_waits_for_nothing() -> None:
    run = Run(small_world(), brake=FRESHDESK)
    run.go("erasure")
    run.settle(run.take(e.ClaimWithdrawn(case=CASE, right="erasure", by="cli"), CASE))
    assert run.case is not None
    assert turns(run.case) == ()
    run.brake = Brake()
    assert not run.wait(timedelta(days=1))


def test_only_what_leads_to_erasing_is_of_a_system() -> None:
    run = Run(small_world(), brake=FRESHDESK)
    run.start("access", "erasure")
    assert run.case is not None
    assert {it.system for it in dues(run.case, run.rules)} == {""}
    assert not Brake(held=frozenset({EVERY}), observe=True).stops("")


def test_a_row_of_an_earlier_release_is_held_as_well() -> None:
    """It says of no system that it leads to erasing there: the case does."""
    run = Run(small_world(), rules=told_nobody(), brake=FRESHDESK)
    case = run.go("erasure")
    (turn,) = (it for it in dues(case, run.rules) if it.system)
    old = Due(turn.at, turn.kind, turn.ref)
    assert not is_still_due(case, old, run.rules, FRESHDESK)
    assert is_still_due(case, old, run.rules, Brake())


@pytest.mark.parametrize("customer", [True, False])
def test_an_observed_plan_says_what_it_would_do_and_leaves_it_to_people(*, customer: bool) -> None:
    run = Run(small_world(customer=customer), rules=told_nobody(), brake=Brake(observe=True))
    case = run.go("access", "erasure")
    acted = Run(small_world(customer=customer), rules=told_nobody()).go("access", "erasure")
    assert not run.world.erased
    assert rows(case, "access") == rows(acted, "access")
    would, did = rows(case, "erasure"), rows(acted, "erasure")
    assert would.keys() == did.keys()
    assert {row for row, it in would.items() if it == ("kept", "retained")} == {
        row for row, it in did.items() if it == ("kept", "retained")
    }
    assert {it for it in would.values() if it[0] != "kept"} == {("open", "needs_human")}
    assert case.claims["erasure"].state == "partially_fulfilled"
    run.brake = Brake()
    # Acting begins with what is asked from then on: the DPO has it on their list.
    assert {it.to for it in run.wait(timedelta(days=60))} == {"dpo"}  # type: ignore[attr-defined]


def test_a_large_plan_that_is_observed_asks_nobody_to_approve_it() -> None:
    run = Run(many_tickets(60), brake=Brake(observe=True))
    case = run.go("erasure")
    assert not run.of(e.ApprovalAsked)
    assert case.state == "waits_for_people"


def _to_the_end(run: Run, orders: list[e.Event]) -> str:
    while orders:
        for answer in run.answers(orders.pop(0)):
            orders += run.take(*answer)
    assert run.case is not None
    return run.case.claims["erasure"].state
