"""Who decides what: the table of roles, row by row."""

from __future__ import annotations

from typing import get_args

import pytest

from pipeline.intake.roles import LIFTS, MAY, NOT_BY_SUBMITTER, Role, may
from pipeline.orchestrator.inputs import DECISIONS
from schemas import events as e

EVERY = frozenset(get_args(DECISIONS))
ROWS = {
    Role.DPO: EVERY,
    Role.REVIEWER: {
        e.PlanChanged,
        e.PlanApproved,
        e.ClaimWithdrawn,
        e.RefusalProposed,
        e.ItemSettled,
        e.ItemTaken,
        e.PersonReappeared,
        e.DecisionReviewed,
    },
    Role.AUDITOR: set(),
    Role.LINK: {e.IdentityProved, e.RecipientAcknowledged},
}


@pytest.mark.parametrize("decision", sorted(EVERY, key=str), ids=lambda it: it.__name__)
@pytest.mark.parametrize("role", list(Role))
def test_a_role_takes_the_decisions_of_its_row_and_no_other(
    role: Role, decision: type[e.Event]
) -> None:
    assert may({role}, decision) == (decision in ROWS[role])


def test_every_decision_that_comes_in_is_somebodys_and_the_dpo_takes_each() -> None:
    assert MAY[Role.DPO] == EVERY
    assert NOT_BY_SUBMITTER < EVERY


def test_roles_add_up_and_nobody_without_a_role_decides() -> None:
    assert may({Role.AUDITOR, Role.LINK}, e.IdentityProved)
    assert not may({Role.AUDITOR, Role.LINK}, e.PlanApproved)
    assert not any(may((), it) for it in EVERY)
    assert frozenset({Role.DPO}) == LIFTS


def test_what_is_no_decision_is_nobodys() -> None:
    assert not may(set(Role), e.TaskOrdered)
    assert not may(set(Role), e.RequestReceived)
