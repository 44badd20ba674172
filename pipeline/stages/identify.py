"""Identify: believe a proof of the very identifier it is about; ask for those that lack one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.events import (
    CaseOpened,
    ClockResumed,
    ConfirmationAsked,
    Event,
    HoldingsLocated,
    IdentityOverdue,
    IdentityProved,
    IdentityRefused,
    IdentityRejected,
    IdentityVerified,
    TaskCompleted,
    WhoseDecided,
)

from ..case import lifecycle, rights, same_person
from ..case.case import Case
from ..case.deadline import IDENTITY
from ..case.decisions import IDENTITY_FAILURE
from ..case.identifiers import BY_DPO
from ..case.rules import Given, Rules
from ..case.whose import ASK, EMAIL, POLICY

MOST_ASKED = 5
"""Addresses found beside a proved one that are written to in a case: each may be a stranger's."""


def identify(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `identity_verified`, `identity_refused`, or `confirmation_asked` of addresses.

    Once it is known who asks, the time goes on that stood still for it. Before anything is done,
    their other cases are named.
    """
    asked: list[bytes] = []
    if isinstance(event, IdentityProved | WhoseDecided):
        yield from same_person.found(case, given)
    match event:
        case IdentityProved() if _is_in_doubt(case) and case.usable():
            yield from _verified(case, event.level, event.method, given)
        case IdentityOverdue() if case.state == lifecycle.ASKED:
            yield IdentityRefused(case=case.id, reason=IDENTITY_FAILURE)
        case IdentityRejected() if case.state == lifecycle.ASKED:
            yield IdentityRefused(case=case.id, reason=IDENTITY_FAILURE)
        case CaseOpened():
            asked = list(_unproved(case, (it.tag for it in case.known.values() if it.given)))
        case HoldingsLocated() | TaskCompleted():
            asked = _candidates(case)
        case WhoseDecided():
            if _is_in_doubt(case) and case.usable():
                level = rights.level(case.claims, rules.policy_of(case.policy))
                yield from _verified(case, level, BY_DPO, given)
            asked = list(_unproved(case, (it.tag for it in event.verdicts if it.verdict == ASK)))
        case _:
            return
    if asked:
        expires_at = given.now + rules.settings.identity_wait
        yield ConfirmationAsked(case=case.id, tags=tuple(asked), expires_at=expires_at)


def _is_in_doubt(case: Case) -> bool:
    """Whether it is not known yet who asks. Not to have shown it in time is never final."""
    return case.state == lifecycle.ASKED or case.refused_for == IDENTITY_FAILURE


def _verified(case: Case, level: int, method: str, given: Given) -> Iterator[Event]:
    """Who asks is known, so the time that stood still for it goes on."""
    yield IdentityVerified(case=case.id, level=level, method=method)
    if any(it.why == IDENTITY and it.until is None for it in case.pauses):
        yield ClockResumed(case=case.id, by=POLICY, why=IDENTITY, at=given.now)


def _unproved(case: Case, tags: Iterable[bytes]) -> Iterator[bytes]:
    """The addresses among these that a link can be sent to, and that are not proved."""
    usable = case.usable()
    for tag in dict.fromkeys(tags):
        known = case.known.get(tag)
        if known is not None and known.kind == EMAIL and tag not in usable:
            yield tag


def _candidates(case: Case) -> list[bytes]:
    """Addresses that a record bears beside one that is theirs: each is asked for once."""
    if not case.is_asked:  # and nobody is asked
        return []
    usable = case.usable().keys()
    asked = {*case.confirming, *case.unconfirmed}
    room = MOST_ASKED - sum(not case.known[it].given for it in asked)
    beside = dict.fromkeys(
        row.tag
        for held in case.held.values()
        if not (case.is_ours(held.tag) or case.is_document(held.tag))
        and any(row.tag in usable for row in held.bears)
        for row in held.bears
    )
    fresh = [it for it in _unproved(case, beside) if it not in {*asked, *case.strangers}]
    return fresh[: max(room, 0)]
