"""Respond: have the answer assembled and signed when a claim settles, or time is short."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import ClaimSettled, DeadlineNear, Event, OrderDue, ResponseOrdered
from schemas.records import ClaimRow

from ..case.case import RESPONSE, Case
from ..case.coverage import coverage, found, obligations, systems
from ..case.orders import order_id, reissued
from ..case.rules import Given, Rules


def respond(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a response: final for the first to a claim, then supplements; interim before that."""
    match event:
        case ClaimSettled():
            answered = any(
                event.right in it.claims and it.kind != "interim" for it in case.responses
            )
            kind = "supplement" if answered else "final"
            yield _ordered(case, kind, (event.right,), rules, given)
        case DeadlineNear():
            waiting = tuple(it.right for it in case.claims.values() if it.active)
            if waiting:
                yield _ordered(case, "interim", waiting, rules, given)
        case OrderDue():
            yield from reissued(case, event.order, ResponseOrdered, given.now, rules)
        case _:
            return


def _ordered(
    case: Case, kind: str, rights: tuple[str, ...], rules: Rules, given: Given
) -> ResponseOrdered:
    n = case.next_n(RESPONSE, RESPONSE)
    claims = (case.claims[right] for right in rights)
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
        received_at=case.received_at,
        due_at=case.due_at,
        policy=case.policy,
        head=b"",  # the ledger puts it in: it is the head before this very event
        systems=systems(case),
        found=found(case),
        coverage=tuple(row for right in rights for row in coverage(case, right, rules)),
        obligations=obligations(case) if "erasure" in rights else (),
        exports=case.exports if "access" in rights else (),
    )
