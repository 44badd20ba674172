"""The states of a case as a table. Everything that affects a state transition is in this file."""

from __future__ import annotations

from schemas import events as e
from schemas.events import Event

NEW = "new"
ASKED = "identity_asked"
SEARCHING = "searching"
PLANNED = "planned"
APPROVAL = "approval_asked"
ACTING = "acting"
OBSERVED = "observed"
SETTLED = "settled"
ANSWERED = "answered"
PEOPLE = "waits_for_people"
"""Answered as far as the pipeline can, and something is on somebody's list (`inbox.py`)."""
REFUSED = "refused"
WITHDRAWN = "withdrawn"
JOINED = "joined"
"""Answered in an older case of the person (`same_person.py`)."""

INCIDENT, INCIDENT_CLOSED = "incident", "incident_closed"
"""A breach, and no request: nothing but its being closed changes its state (`breach.py`)."""
OF_INCIDENTS = frozenset({INCIDENT, INCIDENT_CLOSED})

TERMINAL = frozenset({REFUSED, WITHDRAWN, JOINED})

TABLE: dict[tuple[str, type[Event]], str] = {
    (NEW, e.IdentityAsked): ASKED,
    (NEW, e.IdentityVerified): SEARCHING,
    (ASKED, e.IdentityVerified): SEARCHING,
    (ASKED, e.IdentityRefused): REFUSED,
    (SEARCHING, e.PlanMade): PLANNED,
    (SEARCHING, e.ClaimSettled): SETTLED,
    (PLANNED, e.ApprovalAsked): APPROVAL,
    (PLANNED, e.PlanApproved): ACTING,
    (PLANNED, e.ClaimSettled): PLANNED,
    (PLANNED, e.PlanMade): PLANNED,
    (PLANNED, e.PlanObserved): OBSERVED,
    (OBSERVED, e.PlanMade): PLANNED,
    (OBSERVED, e.ClaimSettled): SETTLED,
    (APPROVAL, e.PlanApproved): ACTING,
    (APPROVAL, e.PlanMade): PLANNED,
    (ACTING, e.PlanMade): PLANNED,
    (ACTING, e.TaskOrdered): ACTING,
    (ACTING, e.ClaimSettled): SETTLED,
    (SETTLED, e.PlanMade): PLANNED,
    (SETTLED, e.PlanApproved): ACTING,
    (SETTLED, e.TaskOrdered): ACTING,
    (SETTLED, e.CaseReported): ANSWERED,
    (ANSWERED, e.PlanMade): PLANNED,
    (ANSWERED, e.TaskOrdered): ACTING,
    (ANSWERED, e.ClaimSettled): SETTLED,
    (ANSWERED, e.PersonReappeared): PEOPLE,
    (PEOPLE, e.PlanMade): PLANNED,
    (PEOPLE, e.TaskOrdered): ACTING,
    (PEOPLE, e.ClaimSettled): SETTLED,
    (PEOPLE, e.CaseReported): ANSWERED,
    (REFUSED, e.IdentityVerified): SEARCHING,
}
"""(state, event) -> state. A pair that is not here leaves the state as it is."""


def after(state: str, event: Event) -> str:
    """The state of a case after an event; a refused one goes on only once it is known who asks."""
    if isinstance(event, e.CaseOpened):
        return NEW
    if state not in TERMINAL and isinstance(event, e.RequestRefused):
        return REFUSED
    if state not in TERMINAL and isinstance(event, e.RequestJoined):
        return JOINED
    return TABLE.get((state, type(event)), state)
