"""An order that is not tried again: because it broke whatever tried it, or nobody answered it.

A host says so when an order met a mistake of ours. One that ended the process can say nothing: what
is tried again is therefore said to have begun, and an attempt that began and has no other answer
broke as well. A vendor that is away breaks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas import events as e
from schemas.records import OutcomeRow

from . import by_hand, measures, recipients
from .case import LOOK, MAX_ATTEMPTS, NOTICE, OPEN, RESPONSE, SEARCH, SPENT, Case, Order
from .rules import Rules
from .values import replace

BROKE, BEGAN, LAPSED = "internal_error", "began", "lapsed"
"""Reasons of `order_deferred`."""
NO_ANSWER = "no_answer"
_GIVEN_UP = frozenset({BROKE, NO_ANSWER})


def put_off(order: Order, reason: str) -> Order:
    """An order after a host said for what reason this attempt ended."""
    broke = reason == BROKE or (order.began and reason == LAPSED)
    return replace(order, broke=order.broke + broke, began=False)


def due(case: Case, order: Order, rules: Rules) -> Case:
    """The case once the clock has come back for an order: it is given up if enough was tried."""
    silent = order.state == OPEN and order.began
    order = replace(order, broke=order.broke + silent, began=False)
    if order.broke >= rules.settings.broken_after:
        return _given_up(case, order, BROKE)
    # A search ends with its budget, not with a count.
    if order.attempt >= MAX_ATTEMPTS and order.slot[0] != SEARCH:
        return _given_up(case, order, NO_ANSWER)
    return _with(case, order)


def _given_up(case: Case, order: Order, reason: str) -> Case:
    case = _with(case, replace(order, state=SPENT, reason=reason))
    kind, system, _n = order.slot
    if kind == SEARCH:
        failed = replace(case.systems[system], status="failed", reason=reason)
        case = replace(case, systems={**case.systems, system: failed})
        return by_hand.after_search(case, system)
    if kind == LOOK:
        return by_hand.after_no_look(case, order)
    match order.ordered:
        case e.TaskOrdered() as task:
            spent = OutcomeRow(kind="failed", reason=reason)
            rows = {(it.tag, c): spent for it in task.rows for c in it.erase}
            case = replace(case, outcomes={**case.outcomes, **rows})
        case e.MeasureOrdered() as measure:
            case = measures.failed(case, measure, reason)
        case e.NoticeOrdered() as notice:
            n, how = notice.response, f"failed: {reason}"
            told = tuple(replace(it, notified=how) if it.n == n else it for it in case.responses)
            case = replace(case, responses=told)
        case e.InstructionOrdered() as instruction:
            case = recipients.failed(case, instruction, reason)
        case _:
            pass
    return case


def given_up(case: Case) -> Iterator[Order]:
    """The orders that are not tried again, and were never answered."""
    for it in case.orders.values():
        if it.state == SPENT and it.reason in _GIVEN_UP:
            yield it


def unanswered(case: Case) -> Iterator[Order]:
    """Of those, the responses that no later one makes up for: somebody waits for an answer."""
    for it in given_up(case):
        if isinstance(it.ordered, e.ResponseOrdered):
            n, claims = it.ordered.n, {row.right for row in it.ordered.claims}
            later = (of for of in case.responses if of.n > n and of.digest)
            if not any(claims <= set(of.claims) for of in later):
                yield it


def needs_dpo(order: Order) -> bool:
    """Whether a person must hear of an order that is given up before any report says so.

    Not by a notice of a notice, which would end as that one did.
    """
    kind = order.slot[0]
    broke = order.reason == BROKE or kind == RESPONSE
    return order.state == SPENT and order.reason in _GIVEN_UP and broke and kind != NOTICE


def _with(case: Case, order: Order) -> Case:
    return replace(case, orders={**case.orders, order.slot: order})
