"""What waits for a person, and how often the DPO is mailed of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from pipeline.case.case import Case
from pipeline.case.decisions import EXCESSIVE, PAID, UNFOUNDED
from pipeline.case.inbox import FEE, IDENTITY, REFUSAL, UNDELIVERED, waiting
from pipeline.case.whose import WEAK
from schemas import events as e
from schemas.events import Event
from schemas.records import OutcomeRow

from .worlds import CASE, Run, World, small_world, told_nobody

BOTH = ("access", "erasure")


@dataclass
class Unreachable(World):
    """No mail reaches the DPO."""

    def answer(self, order: Event) -> Iterator[Event]:
        if isinstance(order, e.NoticeOrdered) and order.to == "dpo":
            named = {"case": CASE, "order": order.order, "system": "notice"}
            yield e.NoticeFailed(**named, reason="no_address")  # type: ignore[arg-type]
        else:
            yield from super().answer(order)


def by_hand() -> World:
    """Nothing of it can be erased but by a person."""
    world = small_world()
    for things in world.things.values():
        for it in things:
            it.says = OutcomeRow(kind="needs_human", reason="no_function")
    return world


def kinds(case: Case | None, run: Run) -> list[str]:
    assert case is not None
    return sorted({it.kind for it in waiting(case, run.rules)})


def to_dpo(run: Run) -> list[e.NoticeOrdered]:
    found = [it for it in run.of(e.NoticeOrdered) if isinstance(it, e.NoticeOrdered)]
    return [it for it in found if it.to == "dpo"]


def test_a_mail_to_the_dpo_that_fails_calls_for_no_other() -> None:
    """What it was to tell of is on the inbox itself."""
    world = by_hand()
    run = Run(Unreachable(things=world.things, facts=world.facts), rules=told_nobody())
    run.go(*BOTH)
    for _ in range(30):
        run.settle(run.wait(timedelta(minutes=1)))
    assert len(to_dpo(run)) == 1
    assert UNDELIVERED not in kinds(run.case, run)


def test_a_letter_that_was_put_off_and_then_sent_is_not_undelivered() -> None:
    run = Run(small_world(), rules=told_nobody())
    orders, ready = run.start("access"), None
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.NoticeOrdered) and order.kind == "response_ready":
            ready = order
            continue
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert ready is not None
    put_off = e.OrderDeferred(
        case=CASE, order=ready.order, system="notice", until=run.now, reason="lapsed"
    )
    run.take(put_off, uuid4())
    run.settle([ready])
    assert run.case is not None
    assert run.case.responses[-1].notified == "sent"
    assert UNDELIVERED not in kinds(run.case, run)


def test_a_fee_that_is_waited_for_stands_beside_a_later_proposal_and_leaves_it_alone() -> None:
    run = Run(small_world(), rules=told_nobody())
    run.start(*BOTH)
    asked = e.RefusalProposed(
        case=CASE, by="dpo", at=run.now, reason=EXCESSIVE, fee=500, currency="EUR"
    )
    run.take(asked, uuid4())
    recorded(run)
    assert run.case is not None
    assert run.case.proposal is not None
    fee = run.case.proposal.digest
    run.take(e.FeeAsked(case=CASE, by="ann", proposal=fee), uuid4())
    assert FEE in kinds(run.case, run)
    run.take(e.RefusalProposed(case=CASE, by="dpo", at=run.now, reason=UNFOUNDED), uuid4())
    assert {FEE, REFUSAL} <= set(kinds(run.case, run))
    run.take(e.FeeSettled(case=CASE, by="dpo", proposal=fee, how=PAID), uuid4())
    assert FEE not in kinds(run.case, run)
    assert REFUSAL in kinds(run.case, run)


def recorded(run: Run) -> None:
    """The proposal as its record would have it: who took it is known to the decider alone."""
    assert run.case is not None
    assert run.case.proposal is not None
    known = replace(run.case.proposal, recorded=run.case.number)
    run.case = replace(run.case, proposal=known)


def test_what_nobody_takes_is_told_again_after_a_week_and_then_ever_more_seldom() -> None:
    run = Run(by_hand(), rules=told_nobody())
    run.go(*BOTH)
    days, told = [], len(to_dpo(run))
    for day in range(1, 200):
        run.settle(run.wait(timedelta(days=1)))
        if len(to_dpo(run)) > told:
            told = len(to_dpo(run))
            days.append(day)
    _, *pauses = [later - earlier for earlier, later in pairwise(days)]  # the first: its date
    assert pauses == [7, 14, 28, 56]


@pytest.mark.parametrize(("kind", "settles"), [("user_id", "prove"), ("phone", "refuse-identity")])
def test_who_asks_by_what_proves_nobody_is_not_to_be_proved(kind: str, settles: str) -> None:
    run = Run(small_world())
    run.start("access", level=0)
    assert run.case is not None
    known = {
        tag: replace(it, kind=kind, strong=kind not in WEAK) for tag, it in run.case.known.items()
    }
    run.case = replace(run.case, known=known)
    (item,) = [it for it in waiting(run.case, run.rules) if it.kind == IDENTITY]
    assert item.command.startswith(f"habeas decide {settles} ")
