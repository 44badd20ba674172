"""Warn: write to whom a breach affects, portion by portion, and to the DPO of what is undecided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from schemas.derive import event_name
from schemas.events import (
    BreachNoticesDue,
    BreachNoticesReleased,
    Event,
    IncidentDescribed,
    IncidentDue,
    IncidentOpened,
    NoticeOrdered,
)

from ..case import incident as incidents
from ..case.case import NOTICE, Case
from ..case.deadline import BREACH
from ..case.incident import Incident, Letter
from ..case.orders import order_id
from ..case.rules import Given, Rules
from .notify import DPO, SUBJECT, notice


def warn(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Keep what people say of an incident, and order the notices that are due."""
    known = case.incident
    if known is None:
        return
    match event:
        case IncidentOpened() | BreachNoticesReleased():
            if event.by:  # what the pipeline finds in itself nobody has described yet
                yield IncidentDescribed(case=case.id, name=event_name(type(event)))
            if isinstance(event, IncidentOpened):
                yield _to_dpo(case, "incident", rules, given)
        case BreachNoticesDue() if event.portion < len(known.portions):
            yield from _letters(case, known, event.portion, rules, given)
        case IncidentDue() if not _is_nearer(known, event, given):
            late = known.authority is None and event.hours >= BREACH
            yield _to_dpo(case, "incident_late" if late else "incident_due", rules, given)
        case _:
            return


def _to_dpo(case: Case, kind: str, rules: Rules, given: Given) -> NoticeOrdered:
    return replace(notice(case, kind, DPO, rules, given), expires_at=case.due_at)


def _is_nearer(known: Incident, event: IncidentDue, given: Given) -> bool:
    """Whether a later reminder is due as well: one mail tells both."""
    later = (it for it in incidents.REMINDERS if it > event.hours)
    return any(known.aware_at + timedelta(hours=it) <= given.now for it in later)


def _letters(
    case: Case, known: Incident, portion: int, rules: Rules, given: Given
) -> Iterator[NoticeOrdered]:
    """A first notice to each address of a portion, or the next to those that one is due again."""
    first = 0
    for tag, letter in known.portions[portion].letters.items():
        if letter.ordered is None:
            ordered = notice(case, incidents.NOTICE, SUBJECT, rules, given, first)
            yield replace(ordered, identifier=tag)
            first += 1
        elif _is_due(letter, given):
            yield _again(case, letter.ordered, rules, given)


def _is_due(letter: Letter, given: Given) -> bool:
    in_time = letter.due is not None and letter.due <= given.now
    return in_time and not letter.is_over and letter.attempt < incidents.TRIES


def _again(case: Case, before: NoticeOrdered, rules: Rules, given: Given) -> NoticeOrdered:
    attempt = before.attempt + 1
    return replace(
        before,
        order=order_id(case.id, (NOTICE, NOTICE, before.n), attempt),
        attempt=attempt,
        not_after=given.now + rules.settings.not_after_act,
    )
