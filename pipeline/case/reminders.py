"""What the clock reminds of before an answer is late, and what such an answer waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.events import NoticeOrdered
from schemas.records import WaitRow

from . import inbox
from .case import ERASURE, NOTICE, RESPONSE, TASK, Case
from .counted import counted
from .planned import turns
from .rules import Rules
from .waiting import queues

EXTENDED, PROGRESS = "extended", "progress"
"""Kinds of notices that tell a person that it takes longer."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """The DPO is told at `at`, which is `days` before the date."""

    at: datetime
    days: int


def is_open(case: Case) -> bool:
    """Whether anybody waits for an answer."""
    return any(it.active for it in case.claims.values())


def reminders(case: Case, rules: Rules) -> Iterator[Reminder]:
    """When the DPO is told that a case's answer is not given; what was said is not said again."""
    if not is_open(case):
        return
    for days in rules.policy_of(case.policy).clock.told:
        if days not in case.reminded:
            yield Reminder(case.due_at - timedelta(days=days), days)


def interim_at(case: Case, rules: Rules) -> datetime | None:
    """When an interim answer is due; None while there is nobody to send it to, or no hurry.

    Whoever has not shown who they are gets no answer of any kind: a refusal says so in time. What
    falls due by itself was asked for by nobody.
    """
    waited_for = case.verified and case.follow_up is None and is_open(case)
    if case.near or not waited_for or (case.pauses and counted(case, rules).stands):
        return None
    return case.due_at - rules.settings.deadline_near


def progress_at(case: Case, rules: Rules) -> datetime | None:
    """When to write again to a person whose answer takes longer; None if it does not."""
    if not case.extended or not is_open(case):
        return None
    told = [
        it.ordered
        for slot, it in case.orders.items()
        if slot[0] == NOTICE
        and isinstance(it.ordered, NoticeOrdered)
        and it.ordered.kind in {EXTENDED, PROGRESS}
    ]
    if not told:
        return None
    written = max(it.not_after for it in told) - rules.settings.not_after_act
    return written + timedelta(days=rules.policy_of(case.policy).clock.progress)


def waits(case: Case, rules: Rules) -> tuple[WaitRow, ...]:
    """What the answer to a case waits for, by code and system: people first."""
    return tuple(dict.fromkeys((*_people(case, rules), *_systems(case))))


def _people(case: Case, rules: Rules) -> Iterator[WaitRow]:
    if not case.verified:
        yield WaitRow(what=inbox.IDENTITY)
    for it in inbox.waiting(case, rules):
        yield WaitRow(what=it.kind, system=it.about.system if it.about else "")
    if case.plan is not None and case.plan.state == "observed":
        yield WaitRow(what="hand")


def _systems(case: Case) -> Iterator[WaitRow]:
    for system, state in sorted(case.systems.items()):
        if case.verified and not state.final:
            yield WaitRow(what="search", system=system)
    for order in case.under_way():
        kind, system, _n = order.slot
        if kind == RESPONSE:
            yield WaitRow(what="response")
        elif kind == TASK:
            yield WaitRow(what="task", system=system)
    yield from (WaitRow(what="task", system=it) for it in turns(case))
    if case.awaits and case.wants(ERASURE):
        yield WaitRow(what="copy")
    yield from (WaitRow(what="queue", system=it.system) for it in queues(case))
