"""A case's next state: one event applied to what was known before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas import events as e
from schemas.events import Event
from schemas.records import IdentifierRow

from ..policy.applicable import portable, used
from . import (
    answers,
    breach,
    by_hand,
    decisions,
    erased,
    follow_up,
    inbox,
    lifecycle,
    marks,
    measures,
    orders,
    recipients,
    replays,
    reviews,
    same_person,
    suspicion,
    taking,
    weighing,
)
from .case import SEARCH, Case, Claim, Known, Plan
from .counted import redated
from .deadline import Pause
from .identifiers import BY_DPO, LINK, VOUCHED, identified, proved_by, rejudged
from .planned import kept, observed, planned
from .rights import ERASURE, OBJECTION_TO_USE, PORTABILITY, level
from .rules import Rules
from .values import replace
from .whose import EMAIL, NAMES, OTHER, SAME

RECORD, OBLIGATION = "record", "obligation"
"""Purposes of keys: what seals the record of a request, and that of what follows one up."""


def fold(events: Iterable[Event], rules: Rules) -> Case | None:
    """A case from all its events, in order; None before the first."""
    case: Case | None = None
    for event in events:
        case = apply(case, event, rules)
    return case


def apply(case: Case | None, event: Event, rules: Rules) -> Case:
    """The case after one more event. The first is `request_received`, `follow_up_opened`,
    `incident_opened`, `contact_lapsed`, or the `preference_received` that it follows from.
    """
    if case is None and isinstance(event, e.FollowUpOpened):
        return follow_up.begun(event)
    if case is None and isinstance(event, e.IncidentOpened):
        return breach.begun(event)
    if case is None:
        match event:
            case e.RequestReceived():
                at = event.received_at
            case e.PreferenceReceived() | e.ContactLapsed():
                at = event.at
            case _:
                raise ValueError("a case begins with request_received")
        lapsed = isinstance(event, e.ContactLapsed)
        return Case(id=event.case, number=1, received_at=at, due_at=at, lapsed=lapsed)
    case = replace(case, number=case.number + 1, state=lifecycle.after(case.state, event))
    how = (_APPLY if case.incident is None else _OF_INCIDENTS).get(type(event))
    case = case if how is None else how(case, event, rules)
    return _of_what_waits(case, rules) if case.needed or case.taken else case


def _opened(case: Case, event: e.CaseOpened, rules: Rules) -> Case:
    rows = [it for it in event.identifiers if it.kind not in NAMES]
    known: dict[bytes, Known] = {}
    for row in rows:
        known[row.tag] = identified(known.get(row.tag), row, case.number, given=True)
    policy = rules.policy_of(event.policy)
    needed = level(event.claims, policy)
    levels = {it.tag: level for it, level in zip(rows, _levels(event, rows), strict=True)}
    case = replace(
        case,
        intake=event.intake,
        level=event.level,
        policy=event.policy,
        received_at=event.received_at,
        due_at=event.due_at,
        claims={right: Claim(right=right) for right in event.claims},
        purpose=event.purpose,
        data=event.data,
        used=used(policy, event.purpose) if OBJECTION_TO_USE in event.claims else frozenset(),
        portable=portable(policy) if PORTABILITY in event.claims else frozenset(),
        known=known,
        names=frozenset(it.tag for it in event.identifiers if it.kind in NAMES),
        proofs={**{it: VOUCHED for it, at in levels.items() if at >= needed}, **case.proofs},
        systems=dict.fromkeys(sorted(rules.systems), answers.UNASKED),
    )
    if case.follow_up is None:
        return case
    asked = follow_up.systems(case, case.follow_up, rules)
    return replace(case, systems=dict.fromkeys(sorted(asked), answers.UNASKED))


def _levels(event: e.CaseOpened, rows: Sequence[IdentifierRow]) -> list[int]:
    """How surely each is vouched for. Where it was not said, the first e-mail has the request's."""
    first = next((it.tag for it in rows if it.kind == EMAIL), b"")
    return [
        it.level if it.level is not None else (event.level if it.tag == first else 0) for it in rows
    ]


def _proved(case: Case, event: e.IdentityProved, rules: Rules) -> Case:
    """An identifier is proved, and no other one with it; a person's word takes no proof's place."""
    tag = proved_by(case, event)
    if tag not in case.known or event.level < level(case.claims, rules.policy_of(case.policy)):
        return case
    by_link = event.method == LINK
    proofs = {**case.proofs, tag: LINK} if by_link else {tag: BY_DPO, **case.proofs}
    confirming = {it: until for it, until in case.confirming.items() if it != tag}
    return rejudged(
        replace(case, proofs=proofs, confirming=confirming, people=case.people + 1), rules
    )


def _whose(case: Case, event: e.WhoseDecided, rules: Rules) -> Case:
    proofs, strangers, said = dict(case.proofs), set(case.strangers), dict(case.said)
    for it in event.verdicts:
        if it.tag in case.held and it.verdict in {SAME, OTHER}:
            said[it.tag] = it.verdict
        elif it.tag in case.known and it.verdict == SAME:
            proofs.setdefault(it.tag, BY_DPO)
            strangers.discard(it.tag)
        elif it.tag in case.known and it.verdict == OTHER:
            strangers.add(it.tag)
    decided = proofs.keys() | strangers
    changed = replace(
        case,
        proofs=proofs,
        strangers=frozenset(strangers),
        said=said,
        confirming={it: until for it, until in case.confirming.items() if it not in decided},
        people=case.people + 1,
    )
    return rejudged(changed, rules)


def _confirming(case: Case, event: e.ConfirmationAsked, _: Rules) -> Case:
    asked = dict.fromkeys(event.tags, event.expires_at)
    unconfirmed = case.unconfirmed.difference(event.tags)
    return replace(case, confirming={**case.confirming, **asked}, unconfirmed=unconfirmed)


def _unconfirmed(case: Case, event: e.ConfirmationOverdue, _: Rules) -> Case:
    late = case.confirming.keys() & set(event.tags)
    confirming = {it: until for it, until in case.confirming.items() if it not in late}
    return replace(case, confirming=confirming, unconfirmed=case.unconfirmed | late)


def _asked(case: Case, event: e.IdentityAsked, _: Rules) -> Case:
    return replace(case, identity_expires_at=event.expires_at)


def _verified(case: Case, event: e.IdentityVerified, _: Rules) -> Case:
    case = replace(case, level=event.level, method=event.method, identity_expires_at=None)
    if case.refused_for != decisions.IDENTITY_FAILURE:
        return case
    # Who could not be confirmed and now is: the same request goes on, under its own reference.
    claims = {
        right: replace(it, state="open") if it.state == "refused" else it
        for right, it in case.claims.items()
    }
    return replace(case, claims=claims, refused_for="")


def _refused(case: Case, event: e.IdentityRefused | e.RequestRefused, _: Rules) -> Case:
    case = replace(case, identity_expires_at=None, refused_for=event.reason, fee_awaited=b"")
    return orders.called_back(orders.stopped(_closed(case, "refused", case.claims)))


def _withdrawn(case: Case, event: e.ClaimWithdrawn, _: Rules) -> Case:
    """Orders that were given may still be carried out: each system has its point of no return."""
    case = _closed(case, "withdrawn", (event.right,))
    if not case.wants(ERASURE):
        case = orders.stopped(case, orders.ERASING)
    if not case.searches:
        case = orders.stopped(case, frozenset({SEARCH}))
    case = orders.called_back(case)
    if any(case.wants(it) for it in case.claims):
        return case
    ended = replace(case, state=lifecycle.WITHDRAWN, identity_expires_at=None, fee_awaited=b"")
    return orders.stopped(ended)


def _closed(case: Case, state: str, rights: Iterable[str]) -> Case:
    claims = dict(case.claims)
    for right in rights:
        if right in claims and claims[right].active:
            claims[right] = replace(claims[right], state=state)
    return replace(case, claims=claims)


def _plan_made(case: Case, event: e.PlanMade, rules: Rules) -> Case:
    plan = Plan(n=event.n, digest=event.digest, rows=planned(case, rules))
    return replace(case, plan=plan, plans=event.n)


def _approval_asked(case: Case, event: e.ApprovalAsked, _: Rules) -> Case:
    if case.plan is None:
        return case
    return replace(case, plan=replace(case.plan, state="asked", expires_at=event.expires_at))


def _approved(case: Case, event: e.PlanApproved, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest or plan.state == "approved":
        return case  # stale: it is not the current plan that was approved
    plan = replace(plan, state="approved", by=event.by)
    return replace(case, plan=plan, outcomes={**case.outcomes, **kept(plan.rows)})


def _observed(case: Case, event: e.PlanObserved, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest:
        return case
    outcomes = {**case.outcomes, **observed(plan.rows)}
    return replace(case, plan=replace(plan, state="observed"), outcomes=outcomes)


def _measures_observed(case: Case, _: e.MeasuresObserved, rules: Rules) -> Case:
    return measures.observed(case, rules)


def _approval_overdue(case: Case, event: e.ApprovalOverdue, _: Rules) -> Case:
    plan = case.plan
    if plan is None or plan.digest != event.digest or plan.state != "asked":
        return case
    return replace(case, plan=replace(plan, state="stale"))


def _changed(case: Case, event: e.PlanChanged, _: Rules) -> Case:
    if case.plan is None or case.plan.digest != event.digest:
        return case
    plan = replace(case.plan, state="stale")
    return replace(case, plan=plan, left=case.left | set(event.leave))


def _settled(case: Case, event: e.ClaimSettled, _: Rules) -> Case:
    claim = replace(
        case.claims[event.right],
        state=event.outcome,
        settled_at=event.at,
        coverage=event.coverage,
        recipients=event.recipients,
    )
    return replace(case, claims={**case.claims, event.right: claim})


def _obligation(case: Case, event: e.ObligationOpened, _: Rules) -> Case:
    opened = follow_up.obligation(case, event)
    others = tuple(it for it in case.obligations if it.id != opened.id)
    terms = event.state, event.rule, event.until
    rows = (((it.tag, category), terms) for it in event.rows for category in it.erase)
    return replace(case, obligations=(*others, opened), owed=case.owed.union(rows))


def _obligation_due(case: Case, event: e.ObligationDue, _: Rules) -> Case:
    case = replays.begun(case, event.follow_up)
    return _with_obligations(case, event.follow_up, dict.fromkeys(_ids(case), follow_up.LOOKING))


def _obligation_closed(case: Case, event: e.ObligationClosed, _: Rules) -> Case:
    if case.follow_up is not None and event.follow_up == case.id:
        return replace(case, follow_up=replace(case.follow_up, closed=True))
    case, how = replays.begun(case, event.follow_up), {it.obligation: it.how for it in event.closed}
    return _with_obligations(case, event.follow_up, how, event.at)


def _with_obligations(
    case: Case, looks: UUID, status: Mapping[UUID, str], at: datetime | None = None
) -> Case:
    """The case with what became of the obligations that another case looks at."""
    changed = (
        replace(it, status=status.get(it.id, it.status), closed_at=at)
        if it.follow_up == looks
        else it
        for it in case.obligations
    )
    return replace(case, obligations=tuple(changed))


def _ids(case: Case) -> Iterator[UUID]:
    return (it.id for it in case.obligations)


def _forwarded(case: Case, event: e.DocumentsFound, _: Rules) -> Case:
    told = (it for it, of in case.documents.items() if of == event.of and case.is_document(it))
    return replace(case, forwarded=case.forwarded.union(told))


def _near(case: Case, _: Event, __: Rules) -> Case:
    return replace(case, near=True)


def _reminded(case: Case, event: e.ReminderDue, _: Rules) -> Case:
    return replace(case, reminded=case.reminded | {event.days})


def _extended(case: Case, _: Event, rules: Rules) -> Case:
    return redated(replace(case, extended=True), rules)


def _reported(case: Case, event: e.CaseReported, rules: Rules) -> Case:
    """A case of which something waits for a person is not answered."""
    case = replace(case, reports=event.n)
    waits = case.state == lifecycle.ANSWERED and any(inbox.waiting(case, rules))
    return replace(case, state=lifecycle.PEOPLE) if waits else case


def _item_settled(case: Case, event: e.ItemSettled, rules: Rules) -> Case:
    """What concerns a step of ours changes no answer: with the last of them it is answered."""
    case = marks.told_by_hand(by_hand.settled(case, event, rules), event)
    done = case.state == lifecycle.PEOPLE and not case.checking
    if done and not any(inbox.waiting(case, rules)):
        return replace(case, state=lifecycle.ANSWERED)
    return case


def _people_needed(case: Case, event: e.PeopleNeeded, rules: Rules) -> Case:
    """The DPO is told of what waits now."""
    items = list(inbox.waiting(case, rules))
    again = {it.id for it in items if event.again}
    told = case.needed | {it.id for it in items}
    return replace(
        case, needed=told, needed_again=case.needed_again | again, summons=case.summons + 1
    )


def _of_what_waits(case: Case, rules: Rules) -> Case:
    """What ended and comes to wait once more is told once more, and is nobody's yet."""
    waits = {it.id for it in inbox.waiting(case, rules)}
    if case.needed | case.taken.keys() <= waits:
        return case
    return replace(
        case,
        needed=case.needed & waits,
        needed_again=case.needed_again & waits,
        taken={item: it for item, it in case.taken.items() if item in waits},
    )


def _notice_ordered(case: Case, event: e.NoticeOrdered, rules: Rules) -> Case:
    return orders.notice_ordered(marks.announced(case, event), event, rules)


def _recorded(case: Case, event: e.DecisionRecorded, rules: Rules) -> Case:
    case = taking.recorded(decisions.recorded(case, event, rules), event)
    return reviews.recorded(marks.recorded(case, event), event)


def _paused(case: Case, event: e.ClockPaused, _: Rules) -> Case:
    return replace(case, pauses=(*case.pauses, Pause(event.why, event.at)))


def _resumed(case: Case, event: e.ClockResumed, rules: Rules) -> Case:
    pauses = tuple(
        replace(it, until=event.at) if it.why == event.why and it.until is None else it
        for it in case.pauses
    )
    return redated(replace(case, pauses=pauses), rules)


def _key_destroyed(case: Case, event: e.KeyDestroyed, _: Rules) -> Case:
    """Without the key of its record nothing more can be said of a case to anybody."""
    own = RECORD if case.follow_up is None else OBLIGATION
    if event.purpose != own:
        return case
    case = orders.stopped(recipients.given_up(case), frozenset(it[0] for it in case.orders))
    return replace(case, keyless=True)


_APPLY: dict[type[Event], Callable[[Case, Any, Rules], Case]] = {
    e.CaseOpened: _opened,
    e.IdentityAsked: _asked,
    e.IdentityProved: _proved,
    e.WhoseDecided: _whose,
    e.ConfirmationAsked: _confirming,
    e.ConfirmationOverdue: _unconfirmed,
    e.IdentityVerified: _verified,
    e.IdentityRefused: _refused,
    e.RequestRefused: _refused,
    e.ClaimWithdrawn: _withdrawn,
    e.RefusalProposed: decisions.proposed,
    e.DecisionRecorded: _recorded,
    e.FeeAsked: decisions.fee_asked,
    e.FeeSettled: decisions.fee_settled,
    e.ItemSettled: _item_settled,
    e.ItemTaken: taking.taken,
    e.LiftDecided: marks.decided,
    e.ObjectionDecided: weighing.decided,
    e.DecisionReviewed: reviews.reviewed,
    e.PersonReappeared: erased.reappeared,
    e.ErasureReplayed: replays.replayed,
    e.PeopleNeeded: _people_needed,
    e.SamePersonFound: same_person.person_found,
    e.RequestsCompared: same_person.requests_compared,
    e.RequestJoined: same_person.joined,
    e.ErasureReleased: same_person.released,
    e.SearchOrdered: orders.search_ordered,
    e.TaskOrdered: orders.task_ordered,
    e.MeasureOrdered: orders.measure_ordered,
    e.PeopleOrdered: orders.people_ordered,
    e.MeasuresObserved: _measures_observed,
    e.ResponseOrdered: orders.response_ordered,
    e.NoticeOrdered: _notice_ordered,
    e.OrderDeferred: orders.deferred,
    e.OrderDue: orders.due,
    e.HoldingsLocated: answers.located,
    e.SearchFailed: answers.search_failed,
    e.SearchOverdue: answers.search_overdue,
    e.TaskCompleted: answers.completed,
    e.TaskDeclined: answers.declined,
    e.MeasureTaken: answers.measure_taken,
    e.ResponseSigned: answers.signed,
    e.NoticeSent: answers.notice_sent,
    e.NoticeFailed: answers.notice_failed,
    e.PlanMade: _plan_made,
    e.ApprovalAsked: _approval_asked,
    e.PlanApproved: _approved,
    e.PlanObserved: _observed,
    e.ApprovalOverdue: _approval_overdue,
    e.PlanChanged: _changed,
    e.ClaimSettled: _settled,
    e.ObligationOpened: _obligation,
    e.ObligationDue: _obligation_due,
    e.ObligationClosed: _obligation_closed,
    e.DocumentsFound: _forwarded,
    e.DeadlineNear: _near,
    e.ReminderDue: _reminded,
    e.DeadlineExtended: _extended,
    e.ClockPaused: _paused,
    e.ClockResumed: _resumed,
    e.CaseReported: _reported,
    e.KeyDestroyed: _key_destroyed,
    e.InstructionOrdered: orders.instruction_ordered,
    e.InstructionSent: answers.instruction_sent,
    e.InstructionFailed: answers.instruction_failed,
    e.RecipientAcknowledged: recipients.acknowledged,
    e.RecipientOverdue: recipients.overdue,
    e.IncidentSuspected: suspicion.noted,
    e.IncidentRaised: suspicion.raised,
}
_OF_INCIDENTS = {**_APPLY, **breach.APPLY}
