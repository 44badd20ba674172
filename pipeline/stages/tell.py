"""Tell: write to the person what came of a decision, and to the DPO what waits for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.events import (
    ClaimWithdrawn,
    Event,
    FeeAsked,
    NoticeOrdered,
    PeopleNeeded,
    RequestJoined,
    TaskCompleted,
)

from ..case import inbox, lifecycle
from ..case.case import TASK, Case
from ..case.rules import Given, Rules
from .notify import DPO, SUBJECT, notice

CHANGED = frozenset({"erased", "redacted", "anonymised", "expires", "accepted", "queued"})
"""Outcomes of what a system did, or took an order to do."""


def tell(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a notice of a fee, of what a withdrawal came too late for, of where a request is
    answered that was made before, or of the inbox.
    """
    match event:
        case FeeAsked() if case.proposal is not None:
            fee = case.proposal
            ordered = notice(case, "fee_asked", SUBJECT, rules, given)
            yield replace(ordered, reason=fee.reason, fee=fee.fee, currency=fee.currency)
        case ClaimWithdrawn() if case.state == lifecycle.WITHDRAWN:
            yield _withdrawn(case, rules, given)
        case TaskCompleted() if case.state == lifecycle.WITHDRAWN and not _awaited(case):
            yield _withdrawn(case, rules, given)
        case RequestJoined():
            ordered = replace(notice(case, "joined", SUBJECT, rules, given), due_at=event.due_at)
            yield replace(ordered, follows=event.into, asked_at=event.asked_at)
        case PeopleNeeded():
            yield from _inbox(case, event, rules, given)
        case _:
            return


def _withdrawn(case: Case, rules: Rules, given: Given) -> NoticeOrdered:
    """What was withdrawn, and which systems had done something by then."""
    ordered = notice(case, "withdrawn", SUBJECT, rules, given)
    return replace(ordered, acted=_acted(case), told=_awaited(case))


def _acted(case: Case) -> tuple[str, ...]:
    """The systems where something was erased, or is going to be."""
    done = {case.held[tag].system for (tag, _), it in case.outcomes.items() if it.kind in CHANGED}
    return tuple(sorted(done))


def _awaited(case: Case) -> tuple[str, ...]:
    """The systems that were told to erase and have not answered: an order is not called back."""
    told = (it.slot for it in case.orders.values() if it.answered is None)
    return tuple(sorted({system for kind, system, _ in told if kind == TASK}))


def _inbox(case: Case, event: PeopleNeeded, rules: Rules, given: Given) -> Iterator[NoticeOrdered]:
    items = list(inbox.waiting(case, rules))
    if items:
        kind = "people_again" if event.again else "people"
        ordered = notice(case, kind, DPO, rules, given)
        yield replace(ordered, items=len(items), expires_at=min(it.due for it in items))
