"""What the clock reminds of before an answer is late, and what such an answer waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.events import NoticeOrdered
from schemas.records import WaitRow

from . import inbox
from .case import MEASURE, NOTICE, RESPONSE, TASK, Case
from .counted import counted
from .planned import turns
from .rights import ERASURE
from .rules import Rules
from .waiting import queues

EXTENDED, PROGRESS = "extended", "progress"
"""Kinds of notices that tell a person that it takes longer."""
AGAIN = frozenset({"people_again", "people_untaken"})
"""Kinds of notices that tell the DPO of something once more."""
UNTAKEN, DOUBLED = timedelta(days=7), 6
"""The pause after which the DPO is told again of what nobody takes, and how often it doubles."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """The DPO is told at `at`, which is `days` before the date."""

    at: datetime
    days: int


def reminders(case: Case, rules: Rules) -> Iterator[Reminder]:
    """When the DPO is told that a case's answer is not given; what was said is not said again."""
    if not case.is_open:
        return
    for days in rules.policy_of(case.policy).clock.told:
        if days not in case.reminded:
            yield Reminder(case.due_at - timedelta(days=days), days)


def interim_at(case: Case, rules: Rules) -> datetime | None:
    """When an interim answer is due; None while there is nobody to send it to, or no hurry.

    Whoever has not shown who they are gets no answer of any kind: a refusal says so in time. What
    falls due by itself was asked for by nobody.
    """
    waited_for = case.verified and case.is_asked and case.is_open
    if case.near or not waited_for or (case.pauses and counted(case, rules).stands):
        return None
    return case.due_at - rules.settings.deadline_near


def progress_at(case: Case, rules: Rules) -> datetime | None:
    """When to write again to a person whose answer takes longer; None if it does not."""
    if not case.extended or not case.is_open:
        return None
    told = [it for it in _notices(case) if it.kind in {EXTENDED, PROGRESS}]
    if not told:
        return None
    return _written(told, rules) + timedelta(days=rules.policy_of(case.policy).clock.progress)


def people_again_at(case: Case, rules: Rules) -> datetime | None:
    """When the DPO is told again of what waits for a person; None if that is not called for.

    While an answer is due, its date reminds. What somebody has taken they are reminded of once,
    what nobody has with growing pauses until somebody takes it.
    """
    told = [it for it in _notices(case) if it.to == inbox.DPO]
    if case.is_open or not told:
        return None
    known = [it for it in inbox.waiting(case, rules) if it.mailed or it.id in case.needed]
    fresh = [it for it in known if it.id not in case.needed_again]
    items = fresh or [it for it in known if it.taken is None]
    if not items:
        return None
    near = rules.settings.deadline_near
    times = sum(it.kind in AGAIN for it in told)
    pause = near if fresh else UNTAKEN * 2 ** min(max(times - 1, 0), DOUBLED)
    return max(min(it.due for it in items) - near, _written(told, rules) + pause)


def _notices(case: Case) -> Iterator[NoticeOrdered]:
    for slot, it in case.orders.items():
        if slot[0] == NOTICE and isinstance(it.ordered, NoticeOrdered):
            yield it.ordered


def _written(notices: Iterable[NoticeOrdered], rules: Rules) -> datetime:
    """When the latest of them was written."""
    return max(it.not_after for it in notices) - rules.settings.not_after_act


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
        if case.verified and case.searches and not state.final:
            yield WaitRow(what="search", system=system)
    for order in case.under_way():
        kind, system, _n = order.slot
        if kind == RESPONSE:
            yield WaitRow(what="response")
        elif kind in {TASK, MEASURE}:
            yield WaitRow(what=kind, system=system)
    yield from (WaitRow(what="task", system=it) for it in turns(case))
    if case.awaits and case.wants(ERASURE):
        yield WaitRow(what="copy")
    yield from (WaitRow(what="queue", system=it.system) for it in queues(case))
