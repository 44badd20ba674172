"""What the clock must come back for: derived from a case, never stored beside it by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.events import (
    ApprovalOverdue,
    BreachNoticesDue,
    ConfirmationOverdue,
    DeadlineNear,
    Event,
    IdentityOverdue,
    IncidentDue,
    IncidentRaised,
    ObligationClosed,
    ObligationDue,
    OrderDue,
    PeopleNeeded,
    ProgressDue,
    RecipientOverdue,
    ReminderDue,
    SearchOverdue,
)

from . import lifecycle, recipients
from .brake import Brake
from .case import DEFERRED, TASK, Case
from .follow_up import due_dates, ended
from .inbox import waiting
from .incident import Incident, letters_due
from .incident import reminders as incident_reminders
from .planned import turn_id, turns
from .reminders import interim_at, people_again_at, progress_at, reminders
from .rules import Rules
from .same_person import has_copy, to_compare
from .waiting import look_id, looks_due

ORDER, SEARCH, IDENTITY, CONFIRMATION, APPROVAL, DEADLINE = (
    "order",
    "search",
    "identity",
    "confirmation",
    "approval",
    "deadline",
)
REMINDER, PROGRESS, PEOPLE, PEOPLE_AGAIN = "reminder", "progress", "people", "people_again"
OBLIGATION, CLOSING = "obligation", "closing"
RECIPIENT = "recipient"
COMPARE, COPY = "compare", "copy"
LETTERS, HOURS, SUSPICION = "letters", "hours", "suspicion"
OF_PERSON = frozenset({COMPARE, COPY})
"""Due rows that are about two cases of one person; `orchestrator/same_person.py` has what is said.
"""
OF_TWO = OF_PERSON | {OBLIGATION, CLOSING, SUSPICION}
"""Due rows that are about another case as well, which they name."""


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """At `at`, `kind` is due; `ref` is an order's id, a system, a digest, days, a count, or a case.

    Two that differ in none of these are one, and said once.
    """

    at: datetime
    kind: str
    ref: str = ""
    system: str = field(default="", compare=False)
    """Where it leads to erasing: a hold on that system makes it wait. Empty: nothing does."""


def dues(case: Case, rules: Rules) -> Iterator[Due]:
    """Everything that a case waits for; without its key, only what another case looks at."""
    if case.keyless:
        yield from _of_obligations(case)
        return
    if case.incident is not None:
        yield from _of_incident(case, case.incident, rules)
        return
    yield from _of_orders(case)
    for system in turns(case):  # the brake keeps them waiting, or they would have been ordered
        yield Due(case.received_at, ORDER, str(turn_id(case, system)), system)
    for system, at in looks_due(case, rules):
        yield Due(at, ORDER, str(look_id(case, system)))
    for system, state in case.systems.items():
        if state.answer_by is not None and not state.final:
            yield Due(state.answer_by, SEARCH, system)
    if case.state == lifecycle.ASKED and case.identity_expires_at is not None:
        yield Due(case.identity_expires_at, IDENTITY)
    for tag, until in case.confirming.items():
        yield Due(until, CONFIRMATION, tag.hex())
    plan = case.plan
    if plan is not None and plan.state == "asked" and plan.expires_at is not None:
        yield Due(plan.expires_at, APPROVAL, plan.digest.hex())
    yield from (Due(at, RECIPIENT, ref, held) for at, ref, held in recipients.due(case, rules))
    yield from _of_obligations(case)
    yield from _of_person(case, rules)
    yield from _of_the_date(case, rules)
    yield from _people(case, rules)
    yield from (Due(it.at, SUSPICION, str(named)) for named, it in case.suspicions.items())


def _of_incident(case: Case, incident: Incident, rules: Rules) -> Iterator[Due]:
    """When the affected are written to, and the DPO is told what is still to be decided."""
    yield from _of_orders(case)
    yield from (Due(at, LETTERS, str(portion)) for at, portion in letters_due(incident))
    yield from (Due(at, HOURS, str(hours)) for at, hours in incident_reminders(incident))
    if any(not it.mailed and it.id not in case.needed for it in waiting(case, rules)):
        yield Due(case.received_at, PEOPLE, str(case.summons))


def _of_orders(case: Case) -> Iterator[Due]:
    """When each is issued again; none to erase before the copy of another case is there."""
    copy_first = case.comparing or case.awaits
    for order in case.under_way():
        kind, system, _n = order.slot
        if kind == TASK and order.state == DEFERRED and copy_first:
            continue
        named = str(getattr(order.ordered, "order", ""))
        yield Due(order.due, ORDER, named, system if kind == TASK else "")


def _of_the_date(case: Case, rules: Rules) -> Iterator[Due]:
    """What comes before the date of the answer, and while it takes longer."""
    if (interim := interim_at(case, rules)) is not None:
        yield Due(interim, DEADLINE)
    for it in reminders(case, rules):
        yield Due(it.at, REMINDER, str(it.days))
    if (progress := progress_at(case, rules)) is not None:
        yield Due(progress, PROGRESS)


def _of_obligations(case: Case) -> Iterator[Due]:
    """When what was put off is looked at; and that a follow-up came to its end."""
    for looks, at in due_dates(case).items():
        yield Due(at, OBLIGATION, str(looks))
    at_end = ended(case)
    if case.follow_up is not None and at_end is not None:
        yield Due(at_end, CLOSING, str(case.follow_up.parent))


def _of_person(case: Case, rules: Rules) -> Iterator[Due]:
    """The cases to compare with; and, once the copy is there, those that wait for it."""
    dates: dict[UUID, datetime] = {}
    for it, at in to_compare(case, rules):
        dates[it] = min(at, dates.get(it, at))
    yield from (Due(at, COMPARE, str(it)) for it, at in dates.items())
    if has_copy(case):
        yield from (Due(case.received_at, COPY, str(it)) for it in sorted(case.awaited_by))


def _recipient_overdue(case: UUID, reference: str) -> Event:
    recipient, right = recipients.referred(reference)
    return RecipientOverdue(case=case, recipient=recipient, right=right)


_SAYS: Mapping[str, Callable[[UUID, Due], Event]] = {
    ORDER: lambda case, due: OrderDue(case=case, order=UUID(due.ref)),
    SEARCH: lambda case, due: SearchOverdue(case=case, system=due.ref),
    IDENTITY: lambda case, _: IdentityOverdue(case=case),
    CONFIRMATION: lambda case, due: ConfirmationOverdue(case=case, tags=(bytes.fromhex(due.ref),)),
    APPROVAL: lambda case, due: ApprovalOverdue(case=case, digest=bytes.fromhex(due.ref)),
    DEADLINE: lambda case, _: DeadlineNear(case=case),
    REMINDER: lambda case, due: ReminderDue(case=case, days=int(due.ref)),
    PROGRESS: lambda case, _: ProgressDue(case=case),
    RECIPIENT: lambda case, due: _recipient_overdue(case, due.ref),
    OBLIGATION: lambda case, due: ObligationDue(case=case, follow_up=UUID(due.ref)),
    CLOSING: lambda case, due: ObligationClosed(case=case, follow_up=case, at=due.at),
    LETTERS: lambda case, due: BreachNoticesDue(case=case, portion=int(due.ref), at=due.at),
    HOURS: lambda case, due: IncidentDue(case=case, hours=int(due.ref)),
    SUSPICION: lambda case, due: IncidentRaised(case=case, incident=UUID(due.ref)),
    PEOPLE: lambda case, _: PeopleNeeded(case=case),
    PEOPLE_AGAIN: lambda case, _: PeopleNeeded(case=case, again=True),
}


def _people(case: Case, rules: Rules) -> Iterator[Due]:
    """When the DPO is told that something waits for a person: at once, and before its time."""
    if any(not it.mailed and it.id not in case.needed for it in waiting(case, rules)):
        yield Due(case.received_at, PEOPLE, str(case.summons))
    if (again := people_again_at(case, rules)) is not None:
        yield Due(again, PEOPLE_AGAIN, str(case.summons))


def event_of(case: UUID, due: Due) -> Event:
    """What the clock says of a due row."""
    return _SAYS[due.kind](case, due)


def is_still_due(case: Case, due: Due, rules: Rules, brake: Brake) -> bool:
    """Whether a row the clock found is not overtaken by what came since, nor held."""
    return any(it == due and not brake.stops(it.system) for it in dues(case, rules))
