"""Open a case: take the request in, and see whether anybody vouches for the person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schemas.events import (
    CaseOpened,
    ContactLapsed,
    Event,
    FollowUpOpened,
    IdentityAsked,
    IdentityVerified,
    PreferenceReceived,
    RequestReceived,
)

from ..case import preferences, same_person
from ..case.case import LAPSED, Case
from ..case.deadline import deadline
from ..case.follow_up import INTAKE
from ..case.rights import ERASURE, asked, level
from ..case.rules import Given, Rules
from ..case.weighing import UNKNOWN

VOUCHED = "vouched_for"


def open_case(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `case_opened`, then `identity_verified` if the intake vouches enough, or ask.

    Other cases of who is vouched for are named before.
    """
    if isinstance(event, FollowUpOpened):
        yield from _follow_up(event, rules, given)
    if isinstance(event, ContactLapsed):
        yield from _lapsed(event, rules, given)
    match event:
        case RequestReceived():
            rights, said_at = event.claims, event.received_at
        case PreferenceReceived():
            rights, said_at = (preferences.asks(event, rules.policy),), event.at
        case _:
            return
    received_at = given.received_at or said_at
    due_at = deadline(received_at, rules.policy.clock).due
    claims = asked(rights, event.purpose, rules.policy)
    yield CaseOpened(
        case=case.id,
        claims=claims,
        received_at=received_at,
        due_at=due_at,
        intake=event.intake,
        level=event.level,
        policy=rules.policy.digest,
        identifiers=given.identifiers,
        purpose=_named(event.purpose, rules),
        data=given.data,
    )
    yield from same_person.found(case, given)
    needed = level(claims, rules.policy)
    # GDPR Art. 12(6): ask more only where there is doubt. One proved identifier says who asks, and
    # nothing of the others: with those nobody is searched for.
    if any(it.strong and (it.level or 0) >= needed for it in given.identifiers):
        yield IdentityVerified(case=case.id, level=event.level, method=VOUCHED)
    else:
        yield IdentityAsked(
            case=case.id, level=needed, expires_at=_asked_until(due_at, rules, given.now)
        )


def _named(purpose: str, rules: Rules) -> str:
    """The use as the policy names it. What it does not name a person may have typed, of anything:
    that is nobody's to read in the clear.
    """
    return purpose if not purpose or purpose in rules.policy.purposes else UNKNOWN


def _asked_until(due_at: datetime, rules: Rules, now: datetime) -> datetime:
    """Until when to wait for a proof: a refusal must leave in time as well (Art. 12(4))."""
    longest, in_time = now + rules.settings.identity_wait, due_at - rules.settings.deadline_near
    return min(longest, in_time) if now < in_time else longest


def _follow_up(event: FollowUpOpened, rules: Rules, given: Given) -> Iterator[Event]:
    """Erase what may go by now, under the policy in force; who it is was proved long ago."""
    yield CaseOpened(
        case=event.case,
        claims=(ERASURE,),
        received_at=event.opened_at,
        due_at=deadline(event.opened_at, rules.policy.clock).due,
        intake=INTAKE,
        level=event.level,
        policy=rules.policy.digest,
        identifiers=given.identifiers,
    )
    yield IdentityVerified(case=event.case, level=event.level, method=event.method)


def _lapsed(event: ContactLapsed, rules: Rules, given: Given) -> Iterator[Event]:
    """Erase whom we have no use for any more (GDPR Art. 5(1)(e)); there is nobody who asks."""
    known = rules.policy.identity_level
    yield CaseOpened(
        case=event.case,
        claims=(ERASURE,),
        received_at=event.at,
        due_at=deadline(event.at, rules.policy.clock).due,
        intake=LAPSED,
        level=known,
        policy=rules.policy.digest,
        identifiers=given.identifiers,
    )
    yield IdentityVerified(case=event.case, level=known, method=LAPSED)
