"""Measure: have systems correct, mark, or no longer use what is the person's.

At once: nobody plans or approves what can be taken back. No hold stops it either, which is about
what cannot.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    ClaimWithdrawn,
    Event,
    FeeSettled,
    HoldingsLocated,
    IdentityProved,
    IdentityVerified,
    ItemSettled,
    MeasureOrdered,
    MeasuresObserved,
    MeasureTaken,
    NoticeFailed,
    NoticeSent,
    OrderDue,
    PlanApproved,
    PlanObserved,
    RequestRefused,
    RequestsCompared,
    TaskCompleted,
    WhoseDecided,
)
from schemas.records import MeasureRow

from ..case.case import MEASURE, Case, Held
from ..case.measures import Measure, to_take
from ..case.orders import order_id, reissued
from ..case.portions import portions
from ..case.rights import OBJECTION, OBJECTION_TO_USE
from ..case.rules import Given, Rules

_CAUSES = (
    IdentityVerified,
    IdentityProved,
    WhoseDecided,
    HoldingsLocated,
    TaskCompleted,
    MeasureTaken,
    ItemSettled,
    PlanApproved,
    PlanObserved,
    NoticeSent,
    NoticeFailed,
    ClaimWithdrawn,
    RequestRefused,
    OrderDue,
    FeeSettled,
    RequestsCompared,
)


def measure(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order what no system was told of yet, once it is known whose it is."""
    if isinstance(event, OrderDue):
        yield from reissued(case, event.order, MeasureOrdered, given.now, rules)
    if isinstance(event, _CAUSES):
        now = list(to_take(case, rules))
        if now and given.brake.observe:
            yield MeasuresObserved(case=case.id)
            return
        for it in now:
            first = case.next_n(MEASURE, it.system)
            cut = portions(it.holdings) if it.holdings else [[]]
            for n, portion in enumerate(cut, first):
                yield _ordered(case, it, portion, n, rules, given)


def _ordered(  # noqa: PLR0917  an order's whole content
    case: Case, it: Measure, portion: list[Held], n: int, rules: Rules, given: Given
) -> MeasureOrdered:
    return MeasureOrdered(
        case=case.id,
        order=order_id(case.id, (MEASURE, it.system, n), 1),
        system=it.system,
        n=n,
        attempt=1,
        right=it.right,
        verb=it.verb,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        rows=tuple(
            MeasureRow(tag=held.tag, kind=held.kind, categories=it.about(case, held))
            for held in portion
        ),
        identifiers=case.spellings(),
        purpose=case.purpose if it.right in {OBJECTION, OBJECTION_TO_USE} else "",
    )
