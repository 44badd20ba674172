"""Fan out: order an approved plan in each system; where a copy is asked for too, the copy first.

Also where another case of the person asks for it: then `turns` has nobody until that copy is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    ClaimWithdrawn,
    ErasureReleased,
    Event,
    FeeSettled,
    OrderDue,
    PlanApproved,
    RequestsCompared,
    ResponseSigned,
    TaskOrdered,
)
from schemas.records import TaskRow

from ..case.brake import HELD, Brake
from ..case.case import TASK, Case, Held
from ..case.orders import order_id, reissued
from ..case.planned import rests_on, to_erase, turn_id, turns
from ..case.portions import portions
from ..case.rights import ERASURE
from ..case.rules import Given, Rules


def fan_out(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order tasks in every system whose turn it is, but for those where the brake stops it.

    A large plan is several tasks of a system, so that no record is too large; each is looked after
    on its own, and what another one has taken along already counts as gone.

    What waits for the brake comes back as an `order_due` once the hold is lifted: people have seen
    it then, so that no limit stops it again. No due row of a held system is ever said.
    """
    match event:
        # Once an access is withdrawn, no copy comes first any more.
        case (
            PlanApproved()
            | ResponseSigned()
            | ClaimWithdrawn()
            | FeeSettled()
            | RequestsCompared()
            | ErasureReleased()
        ):
            for system in turns(case):
                if not stopped(case, system, rules, given.brake):
                    yield from _tasks(case, system, rules, given)
        case OrderDue() if case.wants(ERASURE):
            yield from reissued(case, event.order, TaskOrdered, given.now, rules)
            for system in turns(case):
                if event.order == turn_id(case, system):
                    yield from _tasks(case, system, rules, given)
        case _:
            return


def stopped(case: Case, system: str, rules: Rules, brake: Brake) -> str:
    """Why a system whose turn it is may not be told to erase: held, or a limit; empty if it may."""
    if brake.stops(system):
        return HELD
    return brake.passed(system, len(to_erase(case, system)), rules.limits)


def _tasks(case: Case, system: str, rules: Rules, given: Given) -> Iterator[Event]:
    erase = to_erase(case, system)
    first = case.next_n(TASK, system)
    for n, portion in enumerate(portions(case.held[it] for it in erase), first):
        rows = tuple(_row(case, it, erase[it.tag]) for it in portion)
        yield _ordered(case, system, n, rows, rules, given)


def _ordered(  # noqa: PLR0917  an order's whole content
    case: Case,
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
        plan=b"" if case.plan is None else case.plan.digest,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        rows=rows,
        identifiers=case.spellings(),
        facts=tuple(
            told
            for name, told in sorted(case.facts.get(system, {}).items())
            if name in rests_on(case, rules)
        ),
        documents=rules.policy_of(case.policy).places(system),
    )


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
