"""How the date of a case is counted, and whether a decision that would move it comes in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.events import ClockPaused, ClockResumed, DeadlineExtended, Event

from .case import Case
from .deadline import CLARIFICATION, FEE, IDENTITY, Deadline, deadline
from .rules import Rules
from .values import replace

AHEAD = timedelta(minutes=5)
"""How far a console's clock may run before ours."""


def counted(case: Case, rules: Rules) -> Deadline:
    """When a case's answer is due, under its own policy, and how that was counted."""
    clock = rules.policy_of(case.policy).clock
    return deadline(case.received_at, clock, extended=case.extended, pauses=case.pauses)


def redated(case: Case, rules: Rules) -> Case:
    """The case with its date counted anew: nobody was reminded of the new one yet."""
    due_at = counted(case, rules).due
    if due_at == case.due_at:
        return case
    return replace(case, due_at=due_at, near=False, reminded=frozenset())


def objection(case: Case, event: Event, rules: Rules, now: datetime) -> str:
    """Why a decision about the date is refused; empty if it is not, or is about something else."""
    if not isinstance(event, DeadlineExtended | ClockPaused | ClockResumed):
        return ""
    if not case.is_open:
        return "nothing of the case is open: no date is moved"
    match event:
        case DeadlineExtended():
            return _no_extension(case, event, rules, now)
        case ClockPaused():
            return _no_pause(case, event, now)
        case ClockResumed():
            return _no_resumption(case, event, now)


def _no_extension(case: Case, event: DeadlineExtended, rules: Rules, now: datetime) -> str:
    """GDPR Art. 12(3): once, with reasons, and told within the first month."""
    notice_by = counted(case, rules).notice_by
    if not event.reason.strip():
        return "an extension needs a reason"
    if case.extended:
        return "it is extended already"
    if now > notice_by:
        return f"the person had to hear of an extension by {notice_by:%Y-%m-%d}"
    return ""


def _no_pause(case: Case, event: ClockPaused, now: datetime) -> str:
    if event.why not in {IDENTITY, CLARIFICATION, FEE}:
        return f"nobody is asked for {event.why!r}: {IDENTITY}, {CLARIFICATION} or {FEE}"
    if any(it.why == event.why and it.until is None for it in case.pauses):
        return f"the time stands still for {event.why} already"
    if not case.received_at <= event.at <= now + AHEAD:
        return "it was asked before the request came, or is yet to be"
    return ""


def _no_resumption(case: Case, event: ClockResumed, now: datetime) -> str:
    lasts = [it for it in case.pauses if it.why == event.why and it.until is None]
    if not lasts:
        return f"the time does not stand still for {event.why}"
    if not lasts[-1].since <= event.at <= now + AHEAD:
        return "what was asked for was there before it was asked for, or is yet to be"
    return ""
