"""Inform: say that a request came, how its time runs, and that it runs out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from schemas.events import (
    CaseOpened,
    ClockPaused,
    ClockResumed,
    Event,
    NoticeOrdered,
    ProgressDue,
    ReminderDue,
)

from ..case import inbox
from ..case.case import Case
from ..case.reminders import PROGRESS, waits
from ..case.rules import Given, Rules
from ..case.whose import EMAIL
from .notify import DPO, SUBJECT, notice


def inform(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a notice of what becomes of the time: to the person, or to the DPO."""
    match event:
        case CaseOpened():
            yield from _received(case, rules, given)
        case ClockPaused() | ClockResumed() if proved_address(case) is not None:
            kind = "paused" if isinstance(event, ClockPaused) else "resumed"
            yield replace(notice(case, kind, SUBJECT, rules, given), reason=event.why)
        case ProgressDue():
            yield notice(case, PROGRESS, SUBJECT, rules, given)
        case ReminderDue():
            yield from _reminded(case, event, rules, given)
        case _:
            return


def proved_address(case: Case) -> bytes | None:
    """The first address of the request that is known to be the person's."""
    usable = case.usable()
    given = (it.tag for it in case.known.values() if it.given and it.kind == EMAIL)
    return next((it for it in given if it in usable), None)


def _received(case: Case, rules: Rules, given: Given) -> Iterator[NoticeOrdered]:
    """An acknowledgement, to an address that is proved.

    Any other is sent one mail, which asks to confirm it, and names the case and the date.
    """
    address = proved_address(case)
    if address is not None and case.is_asked:
        yield replace(notice(case, "received", SUBJECT, rules, given), identifier=address)


def _reminded(
    case: Case, event: ReminderDue, rules: Rules, given: Given
) -> Iterator[NoticeOrdered]:
    """One mail, of how near the date is by now; none where a nearer one is due as well."""
    clock = rules.policy_of(case.policy).clock
    nearer = (it for it in clock.told if it < event.days)
    if any(case.due_at - timedelta(days=it) <= given.now for it in nearer):
        return
    kind = "reminder" if event.days > clock.escalation else "escalation"
    ordered = notice(case, kind if event.days else "late", DPO, rules, given)
    items = list(inbox.waiting(case, rules))
    yield replace(
        ordered,
        waits=waits(case, rules),
        items=len(items),
        untaken=sum(it.taken is None for it in items),
        takers=inbox.takers(items),
    )
