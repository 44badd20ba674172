"""Aggregate: settle a claim when nothing is left to try, and open what remains for later."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid5

from schemas.events import (
    ApprovalOverdue,
    ClaimSettled,
    Event,
    HoldingsLocated,
    ObligationOpened,
    OrderDue,
    PlanApproved,
    PlanChanged,
    PlanObserved,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
)
from schemas.records import TaskRow

from ..case.case import SEARCH, TASK, Case, Terms
from ..case.coverage import coverage, found, outcome_of
from ..case.outcome import state as class_of
from ..case.plan import UNDECIDED
from ..case.planned import planned, systems_to_act
from ..case.portions import portions
from ..case.rules import Given, Rules

_CAUSES = (
    HoldingsLocated,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
    PlanApproved,
    PlanObserved,
    PlanChanged,
    ApprovalOverdue,
    OrderDue,
)


def aggregate(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `claim_settled` for each right whose last answer is in, and `obligation_opened`."""
    if not isinstance(event, _CAUSES) or not _searched(case):
        return
    for right in ("access", "erasure"):
        if not case.wants(right) or (right == "erasure" and not _acted(case, rules)):
            continue
        rows = coverage(case, right, rules)
        claim = case.claims[right]
        if not claim.active and rows == claim.coverage:
            continue
        if right == "erasure":
            yield from _obligations(case)
        yield ClaimSettled(
            case=case.id,
            right=right,
            outcome=outcome_of(rows),
            at=given.now,
            found=found(case),
            coverage=rows,
        )


def _searched(case: Case) -> bool:
    return case.searched() and not case.under_way(SEARCH)


def _acted(case: Case, rules: Rules) -> bool:
    """Whether no attempt is left: every order answered, every decision carried out."""
    if case.under_way(TASK):
        return False
    plan = case.plan
    if plan is not None and plan.state == "approved":
        if systems_to_act(case, plan.rows) - plan.ordered:
            return False
    elif plan is not None and plan.state in {"made", "asked"}:
        return False
    return all(it.action == UNDECIDED for it in planned(case, rules).values())


def _obligations(case: Case) -> Iterator[ObligationOpened]:
    """What no obligation is about yet: one for every system, state, rule and date.

    What does not fit into one record is several.
    """
    groups: dict[tuple[str, Terms], dict[bytes, list[str]]] = {}
    for (tag, category), outcome in sorted(case.outcomes.items(), key=lambda pair: pair[0]):
        terms = class_of(outcome), outcome.rule, outcome.until
        if terms[0] in {"kept", "dated"} and ((tag, category), terms) not in case.owed:
            group = groups.setdefault((case.held[tag].system, terms), {})
            group.setdefault(tag, []).append(category)
    for (system, (state, rule, until)), rows in groups.items():
        for portion in portions(case.held[tag] for tag in rows):
            # A row is put off under the same terms once: the first tells portions and rounds apart.
            first = f"{portion[0].tag.hex()}/{rows[portion[0].tag][0]}"
            yield ObligationOpened(
                case=case.id,
                obligation=uuid5(case.id, f"obligation/{system}/{state}/{rule}/{until}/{first}"),
                system=system,
                state=state,
                rows=tuple(
                    TaskRow(tag=it.tag, kind=it.kind, erase=tuple(rows[it.tag])) for it in portion
                ),
                rule=rule,
                until=until,
            )
