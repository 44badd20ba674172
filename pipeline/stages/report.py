"""Report: tell the DPO what became of a case, whenever no order of it is under way."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    CaseReported,
    ClaimSettled,
    Event,
    NoticeFailed,
    NoticeSent,
    ResponseSigned,
)
from schemas.records import ClaimRow, CoverageRow

from ..case.case import Case
from ..case.coverage import coverage, difference, found, obligations, responses, systems
from ..case.rules import Given, Rules

_CAUSES = (ClaimSettled, ResponseSigned, NoticeSent, NoticeFailed)


def report(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `case_reported`, unless what was found and what became of it do not sum up."""
    settled = any(it.settled_at for it in case.claims.values())
    if not isinstance(event, _CAUSES) or not settled or case.under_way():
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
        systems=systems(case),
        found=found(case),
        coverage=_coverage(case, rules),
        obligations=obligations(case),
        responses=responses(case),
        conflicts=case.conflicts,
    )


def broken(case: Case, rules: Rules) -> str:
    """Why no report can be made: the sums that differ; empty if there is nothing wrong."""
    wrong = [
        f"{right}: {difference(found(case), coverage(case, right, rules))}"
        for right, claim in case.claims.items()
        if claim.settled_at and difference(found(case), coverage(case, right, rules))
    ]
    return ", ".join(wrong)


def _coverage(case: Case, rules: Rules) -> tuple[CoverageRow, ...]:
    return tuple(
        row
        for right, claim in case.claims.items()
        if claim.settled_at
        for row in coverage(case, right, rules)
    )
