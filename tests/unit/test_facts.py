"""Facts that several systems tell meet in one plan; what is unknown decides nothing."""

from __future__ import annotations

from datetime import timedelta
from functools import partial, reduce
from itertools import permutations
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.case.facts import joined
from schemas import events as e

from .worlds import CASE, Run, Thing, World, rows, rules

FIRST = frozenset({"first"})
DATES = st.dates().map(str)
BASIC = (("salesforce", "contact", "identity"), ("stripe", "customer", "identity"))
TRUE, FALSE, SILENT, FAILED = "true", "false", "silent", "failed"


@given(name=st.sampled_from(["last_charge", "customer_since"]), told=st.lists(DATES, min_size=1))
def test_of_dates_the_later_counts_and_of_a_beginning_the_earlier(
    name: str, told: list[str]
) -> None:
    found = reduce(partial(joined, name), [*told, "false"])
    assert found == (min(told) if name.endswith("_since") else max(told))


def test_a_yes_counts_in_any_order() -> None:
    for told in permutations(["true", "false", "false"]):
        assert reduce(partial(joined, "customer"), told) == "true"
    assert joined("customer", "false", "false") == "false"


@pytest.mark.parametrize(
    ("salesforce", "stripe", "gives"),
    [
        (TRUE, TRUE, "kept"),
        (TRUE, FALSE, "kept"),
        (FALSE, TRUE, "kept"),
        (TRUE, FAILED, "kept"),
        (FAILED, TRUE, "kept"),
        (FALSE, FALSE, "proved"),
        (FALSE, SILENT, "open"),
        (FALSE, FAILED, "open"),
        (FAILED, FALSE, "open"),
        (SILENT, SILENT, "open"),
    ],
)
def test_a_no_needs_both_systems_and_a_yes_one(salesforce: str, stripe: str, gives: str) -> None:
    said = {"salesforce": salesforce, "stripe": stripe}
    world = World(
        things={
            "salesforce": [Thing("sf", "contact", {"identity", "marketing"}, FIRST)],
            "stripe": [Thing("cus", "customer", {"identity", "profile"}, FIRST)],
        },
        facts={
            it: {"customer": told, "open_dispute": FALSE}
            for it, told in said.items()
            if told in {TRUE, FALSE}
        },
        failing={it: "forbidden" for it, told in said.items() if told == FAILED},
    )
    case = Run(world, rules=rules("salesforce", "stripe")).go("erasure")
    settled = rows(case, "erasure")
    looked = [it for it in BASIC if said[it[0]] != FAILED]
    assert {settled[it][0] for it in looked} == {gives}
    if gives == "open":
        lines = (it for it in case.claims["erasure"].coverage if it.category == "identity")
        assert {it.outcome.reason for it in lines} == {"facts_missing:customer"}
    # What no rule is about goes, whatever is unknown.
    others = {"salesforce": ("sf", "marketing"), "stripe": ("cus", "profile")}
    assert {others[system] for system, *_ in looked} <= {*world.erased}


@pytest.mark.parametrize(("told", "gives"), [(TRUE, "kept"), (FALSE, "proved"), (SILENT, "open")])
def test_a_card_is_kept_while_a_dispute_is_open_and_left_while_it_is_unknown(
    told: str, gives: str
) -> None:
    facts = {"customer": "true", "purchase": "true"} | (
        {"open_dispute": told} if told in {TRUE, FALSE} else {}
    )
    card = Thing("pm", "payment_method", {"identity", "transaction"}, FIRST)
    world = World(
        things={"stripe": [card, Thing("ch", "charge", {"transaction"}, FIRST)]},
        facts={"stripe": facts},
    )
    case = Run(world, rules=rules("salesforce", "stripe")).go("erasure")
    settled = rows(case, "erasure")
    assert settled["stripe", "payment_method", "identity"][0] == gives
    assert settled["stripe", "charge", "transaction"][0] == "kept"
    assert (("pm", "identity") in world.erased) == (told == FALSE)


def test_a_fact_that_no_rule_asks_for_makes_no_plan_stale() -> None:
    card = Thing("pm", "payment_method", {"identity"}, FIRST)
    told = {"open_dispute": "false", "customer": "true", "last_charge": "2026-03-01"}
    world = World(things={"stripe": [card]}, facts={"stripe": told})
    run = Run(world, rules=rules("stripe"))
    orders = run.start("erasure")
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.TaskOrdered):
            assert {it.name for it in order.facts} == {"customer", "open_dispute"}
            assert run.case is not None
            assert run.case.facts["stripe"].keys() == told.keys()
            told["last_charge"] = "2026-03-02"
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert run.case is not None
    assert rows(run.case, "erasure")["stripe", "payment_method", "identity"][0] == "proved"
    assert run.case.plans == 1
    assert run.case.facts["stripe"]["last_charge"].value == "2026-03-01"


def test_a_dispute_that_was_decided_before_the_task_keeps_nothing_any_more() -> None:
    told = {"open_dispute": "true", "customer": "true"}
    world = World(
        things={
            "stripe": [
                Thing("pm", "payment_method", {"identity"}, FIRST),
                Thing("cus", "customer", {"profile"}, FIRST),
            ]
        },
        facts={"stripe": told},
    )
    run = Run(world, rules=rules("stripe"))
    orders = run.start("erasure")
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.TaskOrdered):
            told["open_dispute"] = "false"
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert run.case is not None
    assert {state for state, _ in rows(run.case, "erasure").values()} == {"proved"}
    assert not run.of(e.ObligationOpened)


BOUGHT = {
    "customer": "true",
    "purchase": "true",
    "open_dispute": "false",
    "subscription_open": "false",
    "subscription_ended": "false",
    "last_invoice": "false",
}


def after_a_slow_system(paid: str, contact: str) -> tuple[Run, str | None]:
    """A name is kept while Freshdesk is put off, and why without a date; then Freshdesk tells."""
    world = World(
        things={"stripe": [Thing("cus", "customer", {"identity"}, FIRST)]},
        facts={"stripe": BOUGHT | {"last_charge": paid}, "freshdesk": {"last_contact": contact}},
    )
    run = Run(world, rules=rules("freshdesk", "stripe"))
    asked = {it.system: it for it in run.start("erasure") if isinstance(it, e.SearchOrdered)}
    slow = asked["freshdesk"]
    put_off = e.OrderDeferred(
        case=CASE, order=slow.order, system="freshdesk", until=run.now, reason="busy"
    )
    run.take(put_off, uuid4())
    for event, event_id in run.answers(asked["stripe"]):
        run.take(event, event_id)
    assert run.case is not None
    (kept,) = run.case.outcomes.values()
    run.settle(run.wait(timedelta(hours=1)))
    return run, kept.reason


def test_what_is_kept_is_dated_by_what_a_slow_system_tells_later() -> None:
    run, before = after_a_slow_system("2025-03-04", "2025-06-05")
    assert before == "anchor_unknown"
    assert run.case is not None
    (kept,) = run.case.outcomes.values()
    assert (kept.kind, str(kept.until)[:10], kept.reason) == ("retained", "2031-06-05", None)
    (owed,) = run.of(e.ObligationOpened)
    assert isinstance(owed, e.ObligationOpened)
    assert owed.until == kept.until


def test_what_a_slow_system_says_is_over_is_erased() -> None:
    run, before = after_a_slow_system("2019-03-04", "2019-06-05")
    assert before == "anchor_unknown"
    assert run.world.erased == [("cus", "identity")]
    assert not run.of(e.ObligationOpened)
