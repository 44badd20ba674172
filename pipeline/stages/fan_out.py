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

from ..case.case import TASK, Case, Held, Plan
from ..case.orders import order_id, reissued
from ..case.plan import ERASE
from ..case.planned import systems_to_act
from ..case.portions import portions
from ..case.rules import Given, Rules


def fan_out(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order tasks in every system whose turn it is.

    A large plan is several tasks of a system, so that no record is too large; each is looked after
    on its own, and what another one has taken along already counts as gone.
    """
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
        erase = _to_erase(case, plan, system)
        first = case.next_n(TASK, system)
        for n, portion in enumerate(portions(case.held[it] for it in erase), first):
            rows = tuple(_row(case, it, erase[it.tag]) for it in portion)
            yield _ordered(case, plan, system, n, rows, rules, given)


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
            if name in rules.policy_of(case.policy).facts
        ),
    )


def _to_erase(case: Case, plan: Plan, system: str) -> dict[bytes, list[str]]:
    erase: dict[bytes, list[str]] = {}
    for (tag, category), decision in plan.rows.items():
        if decision.action == ERASE and case.held[tag].system == system:
            erase.setdefault(tag, []).append(category)
    return erase


def _row(case: Case, held: Held, erase: list[str]) -> TaskRow:
    """What to erase. What else is there and not proved gone is not to be touched."""
    proved = {
        category
        for category in held.categories
        if (outcome := case.outcomes.get((held.tag, category))) and outcome.kind in _GONE
    }
    keep = held.categories - set(erase) - proved
    return TaskRow(
        tag=held.tag, kind=held.kind, erase=tuple(sorted(erase)), keep=tuple(sorted(keep))
    )


_GONE = frozenset({"erased", "redacted", "anonymised"})
