"""Is a decision about a breach one that the incident, as it stands, waits for?"""

from __future__ import annotations

from datetime import timedelta

from schemas import events as e
from schemas.events import Event

from . import inbox
from .case import PEOPLE, Case
from .deadline import BREACH
from .incident import NOTIFIED, Incident, counts
from .rules import Given, Rules

OF_INCIDENTS = (
    e.IncidentOpened
    | e.PeopleAffected
    | e.PeopleSought
    | e.BreachNoticesReleased
    | e.AuthorityNotified
    | e.WaiverProposed
    | e.BreachNoticesWaived
    | e.IncidentClosed
)
OF_REQUESTS = (
    e.RequestReceived
    | e.IdentityProved
    | e.IdentityRejected
    | e.WhoseDecided
    | e.PlanApproved
    | e.PlanChanged
    | e.RefusalProposed
    | e.RequestRefused
    | e.FeeAsked
    | e.FeeSettled
    | e.PersonReappeared
    | e.ErasureReplayed
    | e.DeadlineExtended
    | e.ClockPaused
    | e.ClockResumed
    | e.ClaimWithdrawn
    | e.LiftDecided
    | e.ObjectionDecided
    | e.DecisionReviewed
    | e.RecipientAcknowledged
)
"""Decisions that an incident knows nothing of."""


def stale(case: Case, event: Event, rules: Rules, given: Given) -> str:
    """Why nothing follows from a decision; empty if something does."""
    known = case.incident
    if known is None:
        return "it is a request, and no incident"
    if isinstance(event, OF_REQUESTS):
        return "it is an incident, and no request"
    if isinstance(event, OF_INCIDENTS) and known.closed_at is not None:
        return "the incident is closed"
    return _of_incident(case, known, event, rules, given)


def _of_incident(case: Case, known: Incident, event: Event, rules: Rules, given: Given) -> str:
    match event:
        case e.PeopleAffected() | e.PeopleSought():
            return _of_affected(known, event, rules)
        case e.AuthorityNotified():
            return _of_authority(known, event, given)
        case e.WaiverProposed() | e.BreachNoticesWaived():
            return _of_waiver(case, known, event)
        case e.IncidentClosed():
            return why_not_closed(case, known, rules)
        case _:
            return ""


def _of_affected(known: Incident, event: e.PeopleAffected | e.PeopleSought, rules: Rules) -> str:
    if isinstance(event, e.PeopleSought):
        return "" if set(event.systems) <= rules.systems.keys() else "there is no such system"
    parts, came = known.lists.get(event.list, (event.parts, frozenset[int]()))
    repeated = event.part in came or event.parts != parts
    return "that part of the list is here already" if repeated else ""


def _of_authority(known: Incident, event: e.AuthorityNotified, given: Given) -> str:
    if event.at > given.now:
        return "that is yet to come"
    late = event.at > known.aware_at + timedelta(hours=BREACH)
    first = known.authority
    is_more = first is not None and first.how == NOTIFIED  # in phases (Art. 33(4))
    if is_more and event.how != NOTIFIED:
        return "the authority was notified already: that stays on record"
    if late and event.how == NOTIFIED and not (event.delayed or is_more):
        return "it was later than 72 hours: the reasons for the delay are missing (Art. 33(1))"
    return ""


def _of_waiver(case: Case, known: Incident, event: e.WaiverProposed | e.BreachNoticesWaived) -> str:
    if known.released_at is not None and not known.waived:
        return "the affected are being told already"
    if isinstance(event, e.WaiverProposed):
        return ""
    proposal = case.proposal
    if proposal is None or proposal.digest != event.proposal:
        return "the digest is not the current proposal's"
    if not proposal.recorded:
        return "the proposal's reasons were not recorded"
    return "" if event.ground == proposal.reason else "what is confirmed is not what was proposed"


def why_not_closed(case: Case, known: Incident, rules: Rules) -> str:
    """What is still to be done before an incident can be closed; empty if nothing is."""
    if known.tells and counts(known).waiting:
        return "not all of the affected were written to"
    if case.under_way(PEOPLE):
        return "whom it affects is still being listed"
    return "something of it waits: see its inbox" if any(inbox.waiting(case, rules)) else ""
