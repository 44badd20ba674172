"""Respond: have the answer assembled and signed when a claim settles, or time is short."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import ClaimSettled, DeadlineNear, Event, OrderDue, ResponseOrdered
from schemas.records import ClaimRow, WithheldRow

from ..case import recipients
from ..case.case import RESPONSE, Case
from ..case.counted import counted
from ..case.coverage import coverage, documents, found, identifiers, obligations, searched
from ..case.orders import order_id, reissued
from ..case.replays import BROUGHT_BACK, is_replay
from ..case.retained import retention
from ..case.rights import COPYING, ERASURE, searches
from ..case.rules import Given, Rules
from ..case.same_person import INTERIM


def respond(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a response: final for the first to a claim, then supplements; interim before that."""
    match event:
        case ClaimSettled():
            together = event.together or (event.right,)
            if event.right != together[-1]:
                return  # they are answered with the last of them
            if case.lapsed or (is_replay(case) and not found(case)):
                return  # nobody asked; or nothing was brought back, so nobody need hear of it
            yield _ordered(case, _kind(case, together), together, rules, given)
        case DeadlineNear():
            waiting = tuple(it.right for it in case.claims.values() if it.active)
            if waiting:
                yield _ordered(case, INTERIM, waiting, rules, given)
        case OrderDue():
            yield from reissued(case, event.order, ResponseOrdered, given.now, rules)
        case _:
            return


def _kind(case: Case, rights: tuple[str, ...]) -> str:
    """What an answer to these is: the first one to any of them is final."""
    if is_replay(case):
        return BROUGHT_BACK
    answered = {right for it in case.responses if it.kind != INTERIM for right in it.claims}
    adds = answered.issuperset(rights) or case.follow_up is not None
    return "supplement" if adds else "final"


def _ordered(
    case: Case, kind: str, rights: tuple[str, ...], rules: Rules, given: Given
) -> ResponseOrdered:
    n = case.next_n(RESPONSE, RESPONSE)
    claims, follows = (case.claims[right] for right in rights), case.follow_up
    looked = any(map(searches, rights))
    return ResponseOrdered(
        case=case.id,
        order=order_id(case.id, (RESPONSE, RESPONSE, n), 1),
        n=n,
        attempt=1,
        kind=kind,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        claims=tuple(
            ClaimRow(right=it.right, state=it.state, settled_at=it.settled_at) for it in claims
        ),
        received_at=case.received_at if follows is None else follows.asked_at,
        due_at=case.due_at,
        policy=case.policy,
        head=b"",  # the ledger puts it in: it is the head before this very event
        systems=searched(case, rules) if looked else (),
        found=found(case),
        coverage=tuple(row for right in rights for row in coverage(case, right, rules)),
        obligations=obligations(case) if ERASURE in rights else (),
        exports=case.exports if COPYING.intersection(rights) else (),
        withheld=_withheld(case) if COPYING.intersection(rights) else (),
        identifiers=identifiers(case),
        steps=counted(case, rules).steps if follows is None else (),
        documents=documents(case),
        follows=None if follows is None else follows.request,
        recipients=tuple(row for right in rights for row in recipients.rows(case, right, rules)),
        retention=retention(case, rules) if looked else (),
        purpose=case.purpose,
        weighed=case.weighed,
    )


def _withheld(case: Case) -> tuple[WithheldRow, ...]:
    """What a host has copied, and of which it is not known by now whose it is."""
    return tuple(
        WithheldRow(system=it.system, tag=it.tag)
        for it in case.held.values()
        if it.exported and not case.is_ours(it.tag)
    )
