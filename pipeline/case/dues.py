"""What the clock must come back for: derived from a case, never stored beside it by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
from .brake import Brake
from .case import TASK, Case
from .planned import turn_id, turns
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
    system: str = field(default="", compare=False)
    """Where it leads to erasing: a hold on that system makes it wait. Empty: nothing does."""


def dues(case: Case, rules: Rules) -> Iterator[Due]:
    """Everything that a case waits for."""
    for order in case.under_way():
        kind, system, _n = order.slot
        named = str(getattr(order.ordered, "order", ""))
        yield Due(order.due, ORDER, named, system if kind == TASK else "")
    for system in turns(case):  # the brake keeps them waiting, or they would have been ordered
        yield Due(case.received_at, ORDER, str(turn_id(case, system)), system)
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


def is_still_due(case: Case, due: Due, rules: Rules, brake: Brake) -> bool:
    """Whether a row the clock found is not overtaken by what came since, nor held."""
    return any(it == due and not brake.stops(it.system) for it in dues(case, rules))
