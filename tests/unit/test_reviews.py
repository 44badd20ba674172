"""What a machine decided alone is decided anew by a person, and only then answered (Art. 22(3))."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.case.decide import StaleError
from pipeline.case.inbox import waiting
from pipeline.policy.clauses import Automated
from schemas import events as e
from schemas.events import Event
from tests.unit.worlds import CASE, Run, small_world, told_nobody

CREDIT = Automated(
    id="credit",
    says="Whether you may pay later.",
    logic="A score.",
    meaning="",
    inputs=frozenset({("salesforce", "contact")}),
    carried_out_by="accounts",
)
TRIAL = replace(CREDIT, id="trial", inputs=frozenset(), carried_out_by="")


def asking(*decisions: Automated) -> Run:
    known = told_nobody()
    policy = replace(known.policy, automated=decisions)
    made = Run(small_world(), rules=replace(known, policy=policy))
    made.go("automated_decision")
    return made


def review(made: Run, decision: str, result: str) -> list[Event]:
    event = e.DecisionReviewed(case=CASE, by="dpo", decision=decision, result=result)
    return made.decide(event)


def says(made: Run) -> list[str]:
    assert made.case is not None
    return [it.says for it in waiting(made.case, made.rules)]


def test_a_person_is_told_what_the_machine_looked_at_and_nothing_is_answered_before() -> None:
    made = asking(CREDIT)
    looked_at = "salesforce contact (contact, identity, marketing, profile)"
    assert says(made) == [f"a machine decided credit alone by {looked_at}: decide it anew"]
    assert made.case is not None
    assert made.case.claims["automated_decision"].active


def test_one_that_stands_is_answered_with_the_reasons() -> None:
    made = asking(CREDIT)
    orders = review(made, "credit", "confirmed")
    letters = [it for it in orders if isinstance(it, e.NoticeOrdered)]
    assert [(it.kind, it.to, it.reason) for it in letters] == [
        ("reviewed", "subject", "confirmed:credit")
    ]
    made.settle(orders)
    assert made.case is not None
    (row,) = made.case.claims["automated_decision"].coverage
    assert (row.system, row.state, row.outcome.reason) == ("credit", "attested", "review_confirmed")
    assert not says(made)


def test_one_that_is_changed_is_answered_once_it_is_carried_out() -> None:
    made = asking(CREDIT)
    made.settle(review(made, "credit", "changed"))
    assert made.case is not None
    assert made.case.claims["automated_decision"].active
    assert says(made) == ["the decision credit is changed: have that carried out by accounts"]
    (item,) = waiting(made.case, made.rules)
    assert item.about is not None
    done = e.ItemSettled(
        case=CASE,
        by="dpo",
        at=made.now,
        right=item.about.right,
        system=item.about.system,
        kind=item.about.kind,
        was=item.about.was,
        how="done",
    )
    made.settle(made.decide(done))
    (row,) = made.case.claims["automated_decision"].coverage
    assert (row.state, row.outcome.kind, row.outcome.reason) == ("attested", "attested", None)
    assert not says(made)


def test_each_is_reviewed_by_itself_and_once() -> None:
    made = asking(CREDIT, TRIAL)
    made.settle(review(made, "trial", "confirmed"))
    assert made.case is not None
    assert made.case.claims["automated_decision"].active
    with pytest.raises(StaleError, match="nobody waits for its review"):
        review(made, "trial", "changed")
    with pytest.raises(StaleError, match="names no such decision"):
        review(made, "rent", "changed")
    made.settle(review(made, "credit", "confirmed"))
    assert not made.case.claims["automated_decision"].active


def test_a_policy_without_any_is_answered_at_once() -> None:
    made = asking()
    assert made.case is not None
    assert made.case.claims["automated_decision"].state == "no_data"
