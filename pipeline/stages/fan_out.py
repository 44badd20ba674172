"""Fan out: order an approved plan in each system; where a copy is asked for too, the copy first."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    Event,
    OrderDue,
    PlanApproved,
    ResponseSigned,
    TaskOrdered,
)
from schemas.records import FactRow, IdentifierRow, TaskRow

from ..case.case import TASK, Case, Plan
from ..case.orders import order_id, reissued
from ..case.plan import ERASE
from ..case.planned import systems_to_act
from ..case.rules import Given, Rules

ROWS = 500
"""A larger plan is several tasks of a system, so that no record is too large; each is looked after
on its own, and what another one has taken along already counts as gone.
"""


def fan_out(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order tasks in every system whose turn it is."""
    match event:
        case PlanApproved() | ResponseSigned():
            yield from _tasks(case, rules, given)
        case OrderDue() if case.wants("erasure"):
            yield from reissued(case, event.order, TaskOrdered, given.now, rules)
        case _:
            return


def _tasks(case: Case, rules: Rules, given: Given) -> Iterator[Event]:
    plan = case.plan
    if plan is None or plan.state != "approved" or not case.wants("erasure"):
        return
    for system in sorted(systems_to_act(case, plan.rows) - plan.ordered):
        if case.wants("access") and not _handed_over(case, system):
            continue
        rows = _rows(case, plan, system)
        first = case.next_n(TASK, system)
        for n, portion in enumerate(range(0, len(rows), ROWS), first):
            yield _ordered(case, plan, system, n, rows[portion : portion + ROWS], rules, given)


def _handed_over(case: Case, system: str) -> bool:
    """Whether this system's exports are in a signed response."""
    return any(it.digest and system in it.systems for it in case.responses)


def _ordered(  # noqa: PLR0917  an order's whole content
    case: Case,
    plan: Plan,
    system: str,
    n: int,
    rows: tuple[TaskRow, ...],
    rules: Rules,
    given: Given,
) -> TaskOrdered:
    return TaskOrdered(
        case=case.id,
        order=order_id(case.id, (TASK, system, n), 1),
        system=system,
        n=n,
        attempt=1,
        plan=plan.digest,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        rows=rows,
        identifiers=tuple(
            IdentifierRow(tag=it.tag, kind=it.kind) for it in case.known.values() if it.strong
        ),
        facts=tuple(
            FactRow(name=name, value=value)
            for name, value in sorted(case.facts.get(system, {}).items())
        ),
    )


def _rows(case: Case, plan: Plan, system: str) -> tuple[TaskRow, ...]:
    erase: dict[bytes, list[str]] = {}
    for (tag, category), decision in plan.rows.items():
        if decision.action == ERASE and case.held[tag].system == system:
            erase.setdefault(tag, []).append(category)
    return tuple(
        TaskRow(
            tag=tag,
            kind=case.held[tag].kind,
            erase=tuple(sorted(categories)),
            keep=_keep(case, tag, categories),
        )
        for tag, categories in sorted(erase.items())
    )


def _keep(case: Case, tag: bytes, erase: list[str]) -> tuple[str, ...]:
    """What else the holding carries and is not proved gone: it is not to be touched."""
    proved = {
        category
        for category in case.held[tag].categories
        if (outcome := case.outcomes.get((tag, category))) and outcome.kind in _GONE
    }
    return tuple(sorted(case.held[tag].categories - set(erase) - proved))


_GONE = frozenset({"erased", "redacted", "anonymised"})
