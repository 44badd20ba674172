"""Open a case: take the request in, and see whether anybody vouches for the person."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import CaseOpened, Event, IdentityAsked, IdentityVerified, RequestReceived

from ..case.case import Case
from ..case.deadline import due
from ..case.rules import Given, Rules

VOUCHED = "vouched_for"


def open_case(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `case_opened`, then `identity_verified` if the intake vouches enough, or ask."""
    if not isinstance(event, RequestReceived):
        return
    received_at = given.received_at or event.received_at
    yield CaseOpened(
        case=case.id,
        claims=tuple(dict.fromkeys(event.claims)),
        received_at=received_at,
        due_at=due(received_at),
        intake=event.intake,
        level=event.level,
        policy=rules.policy.digest,
        identifiers=given.identifiers,
    )
    needed = rules.policy.identity_level
    if event.level >= needed:  # GDPR Art. 12(6): ask more only where there is doubt
        yield IdentityVerified(case=case.id, level=event.level, method=VOUCHED)
    else:
        expires_at = given.now + rules.settings.identity_wait
        yield IdentityAsked(case=case.id, level=needed, expires_at=expires_at)
