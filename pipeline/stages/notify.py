"""Notify: tell the subject, or the DPO, what they must know or do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.events import (
    ApprovalAsked,
    CaseOpened,
    DeadlineExtended,
    Event,
    IdentityAsked,
    IdentityRefused,
    NoticeOrdered,
    OrderDue,
    RequestRefused,
    ResponseSigned,
)

from ..case.case import NOTICE, Case
from ..case.orders import order_id, reissued
from ..case.rules import Given, Rules

SUBJECT, DPO = "subject", "dpo"


def notify(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a notice for each event that somebody outside must hear of."""
    match event:
        case CaseOpened() if event.due_at < given.now:
            yield _ordered(case, "received_late", DPO, rules, given)
        case IdentityAsked():
            ordered = _ordered(case, "identity_asked", SUBJECT, rules, given)
            yield replace(ordered, expires_at=event.expires_at)
        case IdentityRefused():
            yield _ordered(case, "identity_refused", SUBJECT, rules, given)
        case ResponseSigned():
            ordered = _ordered(case, "response_ready", SUBJECT, rules, given)
            until = given.now + rules.settings.package_key_lives
            yield replace(ordered, response=event.n, digest=event.digest, expires_at=until)
        case ApprovalAsked():
            ordered = _ordered(case, "approval_asked", DPO, rules, given)
            yield replace(
                ordered,
                digest=event.digest,
                holdings=event.holdings,
                expires_at=event.expires_at,
            )
        case RequestRefused():
            yield replace(_ordered(case, "refused", SUBJECT, rules, given), reason=event.reason)
        case DeadlineExtended():
            yield replace(_ordered(case, "extended", SUBJECT, rules, given), reason=event.reason)
        case OrderDue():
            yield from reissued(case, event.order, NoticeOrdered, given.now, rules)
        case _:
            return


def _ordered(case: Case, kind: str, to: str, rules: Rules, given: Given) -> NoticeOrdered:
    n = case.next_n(NOTICE, NOTICE)
    return NoticeOrdered(
        case=case.id,
        order=order_id(case.id, (NOTICE, NOTICE, n), 1),
        n=n,
        attempt=1,
        kind=kind,
        to=to,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        due_at=case.due_at,
    )
