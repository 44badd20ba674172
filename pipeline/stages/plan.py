"""Plan: decide what to do with everything that was found, and let policy or the DPO approve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.events import (
    ApprovalAsked,
    ApprovalOverdue,
    Event,
    FeeSettled,
    HoldingsLocated,
    OrderDeferred,
    OrderDue,
    PlanApproved,
    PlanChanged,
    PlanMade,
    PlanObserved,
    RequestsCompared,
    SearchFailed,
    SearchOverdue,
    TaskCompleted,
    TaskDeclined,
    WhoseDecided,
)

from ..case.case import SEARCH, TASK, Case, Row
from ..case.plan import UNDECIDED, Decision
from ..case.planned import counted, digest, planned, rests_on_people, systems_to_act, untold
from ..case.replays import is_replay
from ..case.rights import ERASURE
from ..case.rules import Given, Rules

POLICY = "policy"
_CAUSES = (
    HoldingsLocated,
    SearchFailed,
    SearchOverdue,
    OrderDeferred,
    OrderDue,
    ApprovalOverdue,
    PlanChanged,
    TaskCompleted,
    TaskDeclined,
    WhoseDecided,
    FeeSettled,
    RequestsCompared,
)


def plan(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `plan_made`, and what becomes of it, when there is something new to do."""
    if not isinstance(event, _CAUSES) or not _may_plan(case):
        return
    rows = planned(case, rules)
    if all(it.action == UNDECIDED for it in rows.values()) or _waits(case, rows):
        return
    named = digest(case, rows, rules)
    if case.plan is not None and case.plan.digest == named and case.plan.state != "stale":
        return
    holdings = len({tag for (tag, _), it in rows.items() if it.action != UNDECIDED})
    n = case.plans + 1
    yield PlanMade(case=case.id, n=n, digest=named, holdings=holdings, rows=counted(case, rows))
    waived = rules.policy_of(case.policy).waived_up_to
    acts = systems_to_act(case, rows)
    if acts and given.brake.observe:
        yield PlanObserved(case=case.id, n=n, digest=named)
    elif (holdings <= waived and not _takes_people(case)) or not acts:
        yield PlanApproved(case=case.id, by=POLICY, digest=named)
    else:
        expires_at = given.now + rules.settings.approval_lasts
        yield ApprovalAsked(
            case=case.id, n=n, digest=named, holdings=holdings, expires_at=expires_at
        )


def _takes_people(case: Case) -> bool:
    """Whether a person looks at it, however little it is."""
    return rests_on_people(case) or is_replay(case) or case.lapsed


def _may_plan(case: Case) -> bool:
    """All have answered or are put off, nothing is being done, the right is still asked for."""
    if not case.wants(ERASURE) or case.under_way(TASK) or case.fee_awaited or case.comparing:
        return False
    searching = any(it.state == "open" for it in case.under_way(SEARCH))
    return not searching and all(it.ready for it in case.systems.values())


def _waits(case: Case, rows: Mapping[Row, Decision]) -> bool:
    """Whether the approved plan says it all, and only the brake, or the copy of another case, keeps
    it from being carried out.

    A plan for what is left of it would have to be approved once more.
    """
    plan, waiting = case.plan, untold(case)
    if plan is None or not waiting:
        return False
    return all(
        plan.rows.get(row) == it and case.held[row[0]].system in waiting
        for row, it in rows.items()
        if it.action != UNDECIDED
    )
