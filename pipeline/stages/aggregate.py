"""Aggregate: settle a claim when nothing is left to try, and open what remains for later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid5

from schemas.events import (
    ApprovalOverdue,
    ClaimSettled,
    DecisionReviewed,
    ErasureReleased,
    Event,
    FeeSettled,
    HoldingsLocated,
    IdentityProved,
    IdentityVerified,
    InstructionFailed,
    InstructionSent,
    ItemSettled,
    MeasuresObserved,
    MeasureTaken,
    NoticeSent,
    ObjectionDecided,
    ObligationOpened,
    OrderDue,
    PlanApproved,
    PlanChanged,
    PlanObserved,
    RecipientAcknowledged,
    RecipientOverdue,
    RequestsCompared,
    ResponseSigned,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
    WhoseDecided,
)
from schemas.records import RecipientRow, TaskRow

from ..case import measures, recipients, reviews, weighing
from ..case.answers import is_part
from ..case.case import SEARCH, TASK, Case
from ..case.coverage import coverage, found, is_concerned, outcome_of
from ..case.follow_up import packed, put_off
from ..case.plan import UNDECIDED
from ..case.planned import planned, systems_to_act
from ..case.rights import ERASURE, OBJECTION_TO_USE, TABLE, Row
from ..case.rules import Given, Rules

_CAUSES = (
    IdentityVerified,
    IdentityProved,
    MeasureTaken,
    MeasuresObserved,
    HoldingsLocated,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
    PlanApproved,
    PlanObserved,
    PlanChanged,
    ApprovalOverdue,
    OrderDue,
    ResponseSigned,
    WhoseDecided,
    FeeSettled,
    ItemSettled,
    InstructionSent,
    InstructionFailed,
    RecipientAcknowledged,
    RecipientOverdue,
    RequestsCompared,
    ErasureReleased,
    NoticeSent,
    ObjectionDecided,
    DecisionReviewed,
)


def aggregate(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `claim_settled` for each right whose last answer is in, and `obligation_opened`."""
    if not isinstance(event, _CAUSES) or is_part(case, event):
        return
    said = list(_settled(case, rules, given))
    settled = (it.right for it in said if isinstance(it, ClaimSettled))
    together = tuple(settled)
    for it in said:
        yield replace(it, together=together) if isinstance(it, ClaimSettled) else it


def _settled(case: Case, rules: Rules, given: Given) -> Iterator[Event]:
    for row in TABLE:
        right = row.right
        if not case.wants(right) or not _is_over(case, row, rules):
            continue
        rows, told = coverage(case, right, rules), recipients.rows(case, right, rules)
        claim = case.claims[right]
        if row.weighed and is_concerned(rows, told) and not _is_decided(case, right, rules):
            continue
        if claim.active and any(map(recipients.is_under_way, told)):
            continue
        if not claim.active and rows == claim.coverage and not _is_news(told, claim.recipients):
            continue
        if row.plans:
            yield from _obligations(case, rules, given)
        yield ClaimSettled(
            case=case.id,
            right=right,
            outcome=outcome_of(rows, told),
            at=given.now,
            found=found(case, right),
            coverage=rows,
            recipients=told,
        )


def _is_over(case: Case, row: Row, rules: Rules) -> bool:
    """Whether nothing that a right needs is still to come."""
    if not case.verified or case.fee_awaited or case.comparing:
        return False
    if row.searches and not (case.searched() and not case.under_way(SEARCH)):
        return False
    if row.plans:
        return _acted(case, rules)
    return not row.is_measure or measures.is_over(case, row.right, rules)


def _is_decided(case: Case, right: str, rules: Rules) -> bool:
    """Whether people have decided what only they can."""
    if right == OBJECTION_TO_USE:
        return weighing.is_answered(case)
    return reviews.is_answered(case, rules)


def _acted(case: Case, rules: Rules) -> bool:
    """Whether no attempt is left: every order answered, every decision carried out."""
    if case.under_way(TASK) or case.waiting or case.checking or case.awaits:
        return False
    if not measures.is_over(case, ERASURE, rules):
        return False
    plan = case.plan
    if plan is not None and plan.state == "approved":
        if systems_to_act(case, plan.rows) - plan.ordered:
            return False
    elif plan is not None and plan.state in {"made", "asked"}:
        return False
    return all(it.action == UNDECIDED for it in planned(case, rules).values())


def _is_news(told: tuple[RecipientRow, ...], before: tuple[RecipientRow, ...]) -> bool:
    """Whether recipients settle a claim anew: once nobody is waited for, and it was said else."""
    return told != before and not any(map(recipients.is_awaited, told))


def _obligations(case: Case, rules: Rules, given: Given) -> Iterator[ObligationOpened]:
    """What no obligation is about yet; what falls due on one day is looked at by one case."""
    for looks, it in packed(case, put_off(case, rules, given.now)):
        state, rule, until = it.terms
        # A row is put off under the same terms once: the first tells portions and rounds apart.
        tag = it.portion[0].tag
        first = f"{tag.hex()}/{it.rows[tag][0]}"
        yield ObligationOpened(
            case=case.id,
            obligation=uuid5(case.id, f"obligation/{it.system}/{state}/{rule}/{until}/{first}"),
            system=it.system,
            state=state,
            rows=tuple(
                TaskRow(tag=held.tag, kind=held.kind, erase=it.rows[held.tag])
                for held in it.portion
            ),
            rule=rule,
            until=until,
            look_at=it.look_at,
            follow_up=looks,
            times=it.times,
        )
