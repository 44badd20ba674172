"""Aggregate: settle a claim when nothing is left to try, and open what remains for later."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid5

from schemas.events import (
    ClaimSettled,
    Event,
    HoldingsLocated,
    ObligationOpened,
    OrderDue,
    PlanApproved,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
)
from schemas.records import OutcomeRow, TaskRow

from ..case.case import SEARCH, TASK, Case
from ..case.coverage import coverage, found, outcome_of
from ..case.outcome import state as class_of
from ..case.plan import UNDECIDED
from ..case.planned import planned, systems_to_act
from ..case.rules import Given, Rules

_CAUSES = (HoldingsLocated, SearchFailed, SearchOverdue, TaskCompleted, PlanApproved, OrderDue)


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
    """One for every system, state, rule and date."""
    groups: dict[tuple[str, str, OutcomeRow], dict[bytes, list[str]]] = {}
    for (tag, category), outcome in sorted(case.outcomes.items(), key=lambda pair: pair[0]):
        kind: str = class_of(outcome)
        if kind in {"kept", "dated"}:
            group = groups.setdefault((case.held[tag].system, kind, outcome), {})
            group.setdefault(tag, []).append(category)
    opened = {it.id for it in case.obligations}
    for (system, kind, outcome), rows in groups.items():
        named = f"obligation/{system}/{kind}/{outcome.rule}/{outcome.until}"
        obligation = uuid5(case.id, named)
        if obligation not in opened:
            yield ObligationOpened(
                case=case.id,
                obligation=obligation,
                system=system,
                state=kind,
                rows=tuple(
                    TaskRow(tag=tag, kind=case.held[tag].kind, erase=tuple(categories))
                    for tag, categories in rows.items()
                ),
                rule=outcome.rule,
                until=outcome.until,
            )
