"""Is a decision about something that is open? If not, nothing may follow from it."""

from __future__ import annotations

from datetime import datetime

from schemas import events as e
from schemas.events import Event

from . import breach_stale, inbox, marks, recipients, replays, reviews, weighing
from .case import Case, Plan
from .counted import objection
from .decisions import IDENTITY_FAILURE
from .erased import erased_at
from .identifiers import proved_by
from .inbox import About
from .lifecycle import ASKED
from .rights import ERASURE, level
from .rules import Given, Rules
from .suspicion import NOT_WHO_ASKED, breached
from .whose import SAME

NOTHING_OPEN = "nothing of the request is open any more"
NO_LONGER_ASKED = "that is not asked for, or not any more"


def stale(case: Case, event: Event, rules: Rules, given: Given) -> str:
    """Why nothing follows from a decision as the case stands; empty if something does."""
    if case.incident is not None or isinstance(event, breach_stale.OF_INCIDENTS):
        no = breach_stale.stale(case, event, rules, given)
        if isinstance(event, e.ItemSettled | e.ItemTaken):
            return no or _of_inbox(case, event, rules, given)
        return no
    return _of_case(case, event, rules, given)


def _of_case(case: Case, event: Event, rules: Rules, given: Given) -> str:
    match event:
        case e.IdentityProved() | e.RecipientAcknowledged() if not given.roles:
            return ""  # a link is its own proof, and is used up by it
        case e.DeadlineExtended() | e.ClockPaused() | e.ClockResumed():
            return objection(case, event, rules, given.now)
        case e.PlanApproved() | e.PlanChanged():
            return _of_plan(case, event, given.now)
        case e.IdentityProved() | e.IdentityRejected() | e.WhoseDecided():
            return _of_identity(case, event, rules, given)
        case e.ItemSettled() | e.ItemTaken() | e.RecipientAcknowledged():
            return _of_inbox(case, event, rules, given)
        case _:
            return _of_request(case, event, rules)


def _of_request(case: Case, event: Event, rules: Rules) -> str:
    match event:
        case e.RefusalProposed() if not case.is_open:
            return NOTHING_OPEN
        case e.RequestRefused() | e.FeeAsked():
            return _not_confirmed(case, event)
        case e.FeeSettled() if not event.proposal or event.proposal != case.fee_awaited:
            return "no such fee is waited for"
        case (
            e.LiftDecided()
            | e.ObjectionDecided()
            | e.DecisionReviewed()
            | e.PersonReappeared()
            | e.ErasureReplayed()
        ):
            return _afterwards(case, event, rules)
        case e.ClaimWithdrawn():
            return _not_withdrawn(case, event.right)
        case _:
            return ""


def _not_withdrawn(case: Case, right: str) -> str:
    if not case.wants(right):
        return NO_LONGER_ASKED
    return "" if case.claims[right].active else "that is answered already"


def _afterwards(
    case: Case,
    event: e.LiftDecided
    | e.ObjectionDecided
    | e.DecisionReviewed
    | e.PersonReappeared
    | e.ErasureReplayed,
    rules: Rules,
) -> str:
    """Of what is or was done for one right."""
    if isinstance(event, e.LiftDecided):
        return marks.objection(case)
    if isinstance(event, e.ObjectionDecided):
        return weighing.objection(case)
    if isinstance(event, e.DecisionReviewed):
        return reviews.objection(case, event, rules)
    if isinstance(event, e.ErasureReplayed):
        return replays.refused(case, event.systems, rules)
    if case.keyless:
        return "the key of its record is destroyed: nothing more is said of it"
    return "" if erased_at(case) else "nothing was erased in it"


def _not_confirmed(case: Case, event: e.RequestRefused | e.FeeAsked) -> str:
    proposal = case.proposal
    if proposal is None or proposal.digest != event.proposal:
        return "the digest is not the current proposal's"
    if not proposal.recorded:
        return "the proposal's reasons were not recorded"
    other_ground = isinstance(event, e.RequestRefused) and event.reason != proposal.reason
    if other_ground or bool(proposal.fee) != isinstance(event, e.FeeAsked):
        return "what is confirmed is not what was proposed"
    if case.fee_awaited == proposal.digest:
        return "the fee was asked for already"
    return "" if case.is_open else NOTHING_OPEN


def _of_plan(case: Case, event: e.PlanApproved | e.PlanChanged, now: datetime) -> str:
    plan = case.plan
    if plan is None or plan.digest != event.digest:
        return "the digest is not the current plan's"
    if not case.wants(ERASURE):
        return NO_LONGER_ASKED
    return _not_left(case, plan, event) if isinstance(event, e.PlanChanged) else _late(plan, now)


def _late(plan: Plan, now: datetime) -> str:
    """Why nobody approves a plan any more."""
    if plan.state != "asked":
        return f"the plan is {plan.state}, not waiting for approval"
    expired = plan.expires_at is not None and plan.expires_at < now
    return "the approval came after the plan had expired" if expired else ""


def _not_left(case: Case, plan: Plan, event: e.PlanChanged) -> str:
    """Why nothing can be left out of a plan."""
    if plan.state == "observed":
        return "the plan is only observed: nothing of it is carried out"
    if not {*event.leave} <= {tag for tag, _ in plan.rows}:
        return "the plan does not have what it is to leave out"
    ordered = plan.ordered & {case.held[it].system for it in event.leave}
    return "what is to be left out was ordered already" if ordered else ""


def _of_identity(
    case: Case,
    event: e.IdentityProved | e.IdentityRejected | e.WhoseDecided,
    rules: Rules,
    given: Given,
) -> str:
    in_doubt = case.state == ASKED or case.refused_for == IDENTITY_FAILURE
    if not in_doubt and not any(case.wants(it) for it in case.claims):
        return NOTHING_OPEN
    match event:
        case e.IdentityRejected() if case.state != ASKED and not breached(case, NOT_WHO_ASKED):
            return "nobody waits to know who asks"
        case e.IdentityProved() if event.level < level(case.claims, rules.policy_of(case.policy)):
            return "it shows less than the policy asks for"
        case e.IdentityProved():
            return _of_proof(case, event)
        case e.WhoseDecided():
            return _of_verdicts(case, event, rules, given)
        case _:
            return ""


def _of_verdicts(case: Case, event: e.WhoseDecided, rules: Rules, given: Given) -> str:
    if not {it.tag for it in event.verdicts} <= {*case.known, *case.held}:
        return "the case does not have what it decides on"
    is_proof = any(it.verdict == SAME for it in event.verdicts) and given.roles
    if is_proof and given.level < level(case.claims, rules.policy_of(case.policy)):
        return "the console may not say who is who as surely as the policy asks for"
    return ""


def _of_proof(case: Case, event: e.IdentityProved) -> str:
    tag = proved_by(case, event)
    if tag not in case.known:
        return "the case does not have what it proves"
    if not case.known[tag].strong:
        return "several people may share what it proves"
    if tag in case.strangers:
        return "what it proves is somebody else's, as was decided"
    return "that is known to be theirs already" if tag in case.usable() else ""


def _of_inbox(
    case: Case,
    event: e.ItemSettled | e.ItemTaken | e.RecipientAcknowledged,
    rules: Rules,
    given: Given,
) -> str:
    if isinstance(event, e.RecipientAcknowledged):
        return _not_told(case, event, rules)
    item = next((it for it in inbox.waiting(case, rules) if _is_meant(it, event)), None)
    if item is None:
        return "nothing of the kind waits for a person"
    if not inbox.may_settle(given.roles, item):
        return f"it waits for the {item.role}"
    had = item.taken
    is_theirs = had is not None and (had.by, had.login) == (event.by, given.login)
    return "they have it already" if isinstance(event, e.ItemTaken) and is_theirs else ""


def _is_meant(it: inbox.Item, event: e.ItemSettled | e.ItemTaken) -> bool:
    if isinstance(event, e.ItemTaken):
        return it.id == event.item
    about = About(right=event.right, system=event.system, kind=event.kind, was=event.was)
    return it.about == about


def _not_told(case: Case, event: e.RecipientAcknowledged, rules: Rules) -> str:
    """What somebody was not told, nor could a person have told them, they say nothing of."""
    for row in recipients.all_rows(case, rules):
        if (row.recipient, row.right) == (event.recipient, event.right) and row.asks:
            said_before = recipients.acknowledged(case, event, rules) is case
            not_yet = "they were not told yet" if row.reason == recipients.NOT_YET else ""
            return "they said so already" if said_before else not_yet
    return "nothing is asked of them"
