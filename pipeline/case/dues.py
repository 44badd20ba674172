"""What the clock must come back for: derived from a case, never stored beside it by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.events import (
    ApprovalOverdue,
    DeadlineNear,
    Event,
    IdentityOverdue,
    OrderDue,
    SearchOverdue,
)

from . import lifecycle
from .case import Case
from .rules import Rules

ORDER, SEARCH, IDENTITY, APPROVAL, DEADLINE = (
    "order",
    "search",
    "identity",
    "approval",
    "deadline",
)


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """At `at`, `kind` is due; `ref` is an order's id, a system, or a plan's digest."""

    at: datetime
    kind: str
    ref: str = ""


def dues(case: Case, rules: Rules) -> Iterator[Due]:
    """Everything that a case waits for."""
    for order in case.under_way():
        yield Due(order.due, ORDER, str(getattr(order.ordered, "order", "")))
    for system, state in case.systems.items():
        if state.answer_by is not None and not state.final:
            yield Due(state.answer_by, SEARCH, system)
    if case.state == lifecycle.ASKED and case.identity_expires_at is not None:
        yield Due(case.identity_expires_at, IDENTITY)
    plan = case.plan
    if plan is not None and plan.state == "asked" and plan.expires_at is not None:
        yield Due(plan.expires_at, APPROVAL, plan.digest.hex())
    started = any(it.rounds for it in case.systems.values())
    if started and not case.near and any(it.active for it in case.claims.values()):
        yield Due(case.due_at - rules.settings.deadline_near, DEADLINE)


def event_of(case: UUID, due: Due) -> Event:
    """What the clock says of a due row."""
    match due.kind:
        case "order":
            return OrderDue(case=case, order=UUID(due.ref))
        case "search":
            return SearchOverdue(case=case, system=due.ref)
        case "identity":
            return IdentityOverdue(case=case)
        case "approval":
            return ApprovalOverdue(case=case, digest=bytes.fromhex(due.ref))
        case _:
            return DeadlineNear(case=case)


def is_still_due(case: Case, due: Due, rules: Rules) -> bool:
    """Whether a row the clock found is not overtaken by what came since."""
    return due in set(dues(case, rules))
