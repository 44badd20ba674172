"""A case's next state: one event applied to what was known before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from schemas import events as e
from schemas.events import Event

from . import answers, lifecycle, orders
from .case import Case, Claim, Known, Obligation, Plan
from .deadline import extended
from .planned import kept, observed, planned
from .rules import Rules


def fold(events: Iterable[Event], rules: Rules) -> Case | None:
    """A case from all its events, in order; None before the first."""
    case: Case | None = None
    for event in events:
        case = apply(case, event, rules)
    return case


def apply(case: Case | None, event: Event, rules: Rules) -> Case:
    """The case after one more event. The first is its `request_received`."""
    if case is None:
        at = event.received_at if isinstance(event, e.RequestReceived) else None
        if at is None:
            raise ValueError("a case begins with request_received")
        return Case(id=event.case, number=1, received_at=at, due_at=at)
    case = replace(case, number=case.number + 1, state=lifecycle.after(case.state, event))
    how = _APPLY.get(type(event))
    return case if how is None else how(case, event, rules)


def _opened(case: Case, event: e.CaseOpened, rules: Rules) -> Case:
    known = {
        it.tag: Known(tag=it.tag, kind=it.kind, strong=it.strong, source=case.number)
        for it in event.identifiers
    }
    return replace(
        case,
        intake=event.intake,
        level=event.level,
        policy=event.policy,
        received_at=event.received_at,
        due_at=event.due_at,
        claims={right: Claim(right=right) for right in event.claims},
        known=known,
        systems=dict.fromkeys(sorted(rules.systems), answers.UNASKED),
    )


def _asked(case: Case, event: e.IdentityAsked, _: Rules) -> Case:
    return replace(case, identity_expires_at=event.expires_at)


def _verified(case: Case, event: e.IdentityVerified, _: Rules) -> Case:
    return replace(case, level=event.level, method=event.method, identity_expires_at=None)


def _refused(case: Case, _: Event, __: Rules) -> Case:
    case = replace(case, identity_expires_at=None)
    return orders.stopped(_closed(case, "refused", case.claims))


def _withdrawn(case: Case, event: e.ClaimWithdrawn, _: Rules) -> Case:
    case = _closed(case, "withdrawn", (event.right,))
    if not case.wants("erasure"):
        case = orders.stopped(case, orders.TASKS)
    return case if any(case.wants(it) for it in case.claims) else orders.stopped(case)


def _closed(case: Case, state: str, rights: Iterable[str]) -> Case:
    claims = dict(case.claims)
    for right in rights:
        if right in claims and claims[right].active:
            claims[right] = replace(claims[right], state=state)
    return replace(case, claims=claims)


def _plan_made(case: Case, event: e.PlanMade, rules: Rules) -> Case:
    plan = Plan(n=event.n, digest=event.digest, rows=planned(case, rules))
    return replace(case, plan=plan, plans=event.n)


def _approval_asked(case: Case, event: e.ApprovalAsked, _: Rules) -> Case:
    if case.plan is None:
        return case
    return replace(case, plan=replace(case.plan, state="asked", expires_at=event.expires_at))


def _approved(case: Case, event: e.PlanApproved, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest or plan.state == "approved":
        return case  # stale: it is not the current plan that was approved
    plan = replace(plan, state="approved", by=event.by)
    return replace(case, plan=plan, outcomes={**case.outcomes, **kept(plan.rows)})


def _observed(case: Case, event: e.PlanObserved, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest:
        return case
    outcomes = {**case.outcomes, **observed(plan.rows)}
    return replace(case, plan=replace(plan, state="observed"), outcomes=outcomes)


def _approval_overdue(case: Case, event: e.ApprovalOverdue, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest or plan.state != "asked":
        return case
    return replace(case, plan=replace(plan, state="stale"))


def _changed(case: Case, event: e.PlanChanged, _: Rules) -> Case:
    if case.plan is None or case.plan.digest != event.digest:
        return case
    plan = replace(case.plan, state="stale")
    return replace(case, plan=plan, left=case.left | set(event.leave))


def _settled(case: Case, event: e.ClaimSettled, _: Rules) -> Case:
    claim = replace(
        case.claims[event.right],
        state=event.outcome,
        settled_at=event.at,
        coverage=event.coverage,
    )
    return replace(case, claims={**case.claims, event.right: claim})


def _obligation(case: Case, event: e.ObligationOpened, _: Rules) -> Case:
    opened = Obligation(
        id=event.obligation,
        system=event.system,
        state=event.state,
        count=sum(len(it.erase) for it in event.rows),
        rule=event.rule,
        until=event.until,
    )
    others = tuple(it for it in case.obligations if it.id != opened.id)
    terms = event.state, event.rule, event.until
    rows = (((it.tag, category), terms) for it in event.rows for category in it.erase)
    return replace(case, obligations=(*others, opened), owed=case.owed.union(rows))


def _near(case: Case, _: Event, __: Rules) -> Case:
    return replace(case, near=True)


def _extended(case: Case, _: Event, __: Rules) -> Case:
    return replace(case, due_at=extended(case.received_at), near=False)


def _reported(case: Case, event: e.CaseReported, _: Rules) -> Case:
    return replace(case, reports=event.n)


_APPLY: dict[type[Event], Callable[[Case, Any, Rules], Case]] = {
    e.CaseOpened: _opened,
    e.IdentityAsked: _asked,
    e.IdentityVerified: _verified,
    e.IdentityRefused: _refused,
    e.RequestRefused: _refused,
    e.ClaimWithdrawn: _withdrawn,
    e.SearchOrdered: orders.search_ordered,
    e.TaskOrdered: orders.task_ordered,
    e.ResponseOrdered: orders.response_ordered,
    e.NoticeOrdered: orders.notice_ordered,
    e.OrderDeferred: orders.deferred,
    e.OrderDue: orders.due,
    e.HoldingsLocated: answers.located,
    e.SearchFailed: answers.search_failed,
    e.SearchOverdue: answers.search_overdue,
    e.TaskCompleted: answers.completed,
    e.TaskDeclined: answers.declined,
    e.ResponseSigned: answers.signed,
    e.NoticeSent: answers.notice_sent,
    e.NoticeFailed: answers.notice_failed,
    e.PlanMade: _plan_made,
    e.ApprovalAsked: _approval_asked,
    e.PlanApproved: _approved,
    e.PlanObserved: _observed,
    e.ApprovalOverdue: _approval_overdue,
    e.PlanChanged: _changed,
    e.ClaimSettled: _settled,
    e.ObligationOpened: _obligation,
    e.DeadlineNear: _near,
    e.DeadlineExtended: _extended,
    e.CaseReported: _reported,
}
