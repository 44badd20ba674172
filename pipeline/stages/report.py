"""Report: tell the DPO what became of a case, whenever no order of it is under way."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    CaseReported,
    ClaimSettled,
    Event,
    InstructionFailed,
    InstructionSent,
    MeasureTaken,
    NoticeFailed,
    NoticeOrdered,
    NoticeSent,
    OrderDue,
    RecipientAcknowledged,
    RecipientOverdue,
    ResponseSigned,
)
from schemas.records import ClaimRow, CoverageRow, RegardedRow

from ..case import recipients
from ..case.case import INSTRUCTION, MEASURE, NOTICE, SPENT, Case, Order
from ..case.counted import counted
from ..case.coverage import coverage, difference, documents, found, obligations, responses, searched
from ..case.rules import Given, Rules
from ..case.spent import unanswered
from .notify import DPO

_CAUSES = (
    ClaimSettled,
    MeasureTaken,
    ResponseSigned,
    InstructionSent,
    InstructionFailed,
    RecipientAcknowledged,
    RecipientOverdue,
)


def report(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `case_reported`, unless what was found and what became of it do not sum up.

    Nor if the person has no answer: a case is not answered then.
    """
    settled = any(it.settled_at for it in case.claims.values())
    cause = _is_cause(case, event) or _gives_up_telling(case, event)
    if not cause or not settled or any(not _is_for_dpo(it) for it in case.under_way()):
        return
    if broken(case, rules):
        return
    yield CaseReported(
        case=case.id,
        n=case.reports + 1,
        state=case.state,
        claims=tuple(
            ClaimRow(right=it.right, state=it.state, settled_at=it.settled_at)
            for it in case.claims.values()
        ),
        received_at=case.received_at,
        due_at=case.due_at,
        reported_at=given.now,
        intake=case.intake,
        level=case.level,
        method=case.method,
        policy=case.policy,
        plans=case.plans,
        approved_by=case.plan.by if case.plan else "",
        systems=searched(case, rules),
        found=found(case),
        coverage=_coverage(case, rules),
        obligations=obligations(case),
        responses=responses(case),
        conflicts=case.conflicts,
        documents=documents(case),
        steps=counted(case, rules).steps,
        follows=None if case.follow_up is None else case.follow_up.request,
        recipients=recipients.all_rows(case, rules),
        regarded=_regarded(case),
    )


def _is_cause(case: Case, event: Event) -> bool:
    """That the DPO was told something changes nothing of what there is to report."""
    if isinstance(event, NoticeSent | NoticeFailed):
        order = case.order_of(event.order)
        return order is None or not _is_for_dpo(order)
    return isinstance(event, _CAUSES)


def _is_for_dpo(order: Order) -> bool:
    return isinstance(order.ordered, NoticeOrdered) and order.ordered.to == DPO


def _gives_up_telling(case: Case, event: Event) -> bool:
    order = case.order_of(event.order) if isinstance(event, OrderDue) else None
    told = {NOTICE, INSTRUCTION, MEASURE}
    return order is not None and order.slot[0] in told and order.state == SPENT


def broken(case: Case, rules: Rules) -> str:
    """Why no report can be made: sums that differ, an answer that could not be made; or empty."""
    wrong = [f"response {it.slot[2]}: {it.reason}" for it in unanswered(case)]
    wrong += [
        f"{right}: {difference(found(case, right), coverage(case, right, rules))}"
        for right, claim in case.claims.items()
        if claim.settled_at and difference(found(case, right), coverage(case, right, rules))
    ]
    return ", ".join(wrong)


def _coverage(case: Case, rules: Rules) -> tuple[CoverageRow, ...]:
    return tuple(
        row
        for right, claim in case.claims.items()
        if claim.settled_at
        for row in coverage(case, right, rules)
    )


def _regarded(case: Case) -> tuple[RegardedRow, ...]:
    """What was found that each settled claim is about."""
    return tuple(
        RegardedRow(
            right=right, system=it.system, kind=it.kind, category=it.category, count=it.count
        )
        for right, claim in case.claims.items()
        if claim.settled_at
        for it in found(case, right)
    )
