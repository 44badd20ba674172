"""Orders as a case knows them: issued, put off, due again, stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid5

from schemas import events as e

from . import measures, recipients, spent, waiting
from .case import (
    DEFERRED,
    INSTRUCTION,
    LOOK,
    MAX_ATTEMPTS,
    MEASURE,
    NOTICE,
    OPEN,
    PEOPLE,
    RECIPIENTS,
    RESPONSE,
    SEARCH,
    SPENT,
    TASK,
    Case,
    Order,
    Response,
    Slot,
)
from .rights import COPYING, Verb
from .rules import Rules
from .values import replace

FIND, VERIFY = "find", "verify"
"""What a search is for: to find what there is, or to look again for what must have gone."""
ERASING = frozenset({TASK, LOOK})
"""Orders that nobody needs unless an erasure is asked for."""
ASKED_FOR, BORNE = "ask", "bear"
"""What an order brings an identifier for: to ask with it, or to know what bears it as theirs."""
LONGEST_PAUSE = timedelta(hours=1)
STOPPED, CALLED_BACK = "stopped", "called_back"
"""Why an order is not issued again: it may have begun, or nobody had it."""
Ordered = (
    e.SearchOrdered
    | e.TaskOrdered
    | e.MeasureOrdered
    | e.PeopleOrdered
    | e.ResponseOrdered
    | e.NoticeOrdered
    | e.InstructionOrdered
)
Attempt = TypeVar(
    "Attempt",
    e.SearchOrdered,
    e.TaskOrdered,
    e.MeasureOrdered,
    e.PeopleOrdered,
    e.ResponseOrdered,
    e.NoticeOrdered,
    e.InstructionOrdered,
)


def order_id(case: UUID, slot: Slot, attempt: int) -> UUID:
    """The id of one attempt at an order: always the same for the same attempt."""
    kind, system, n = slot
    return uuid5(case, f"{system}/{kind}/{n}/{attempt}")


def search_ordered(case: Case, event: e.SearchOrdered, _: Rules) -> Case:
    if event.purpose == VERIFY:  # no round: what a system holds is known
        case = waiting.looking(case, event)
        return _issued(case, event, (LOOK, event.system, event.n))
    was = case.systems[event.system]
    now = replace(
        was,
        status="searching",
        reason="",
        rounds=max(was.rounds, event.n),
        searched=was.searched | asked_for(event),
        tried=was.tried | {it.tag for it in event.known if not it.exported},
        answer_by=event.answer_by,
    )
    case = replace(case, systems={**case.systems, event.system: now})
    return _issued(case, event, (SEARCH, event.system, event.n))


def asked_for(order: e.SearchOrdered) -> frozenset[bytes]:
    """Tags of the identifiers that a search is for, and of their spellings."""
    asked = (it for it in order.identifiers if it.use == ASKED_FOR)
    return frozenset(tag for it in asked for tag in (it.tag, it.spelling or it.tag))


def task_ordered(case: Case, event: e.TaskOrdered, _: Rules) -> Case:
    plan = case.plan
    if plan is not None and plan.digest == event.plan:
        case = replace(case, plan=replace(plan, ordered=plan.ordered | {event.system}))
    return _issued(case, event, (TASK, event.system, event.n))


def measure_ordered(case: Case, event: e.MeasureOrdered, _: Rules) -> Case:
    return _issued(measures.ordered(case, event), event, (MEASURE, event.system, event.n))


def people_ordered(case: Case, event: e.PeopleOrdered, _: Rules) -> Case:
    return _issued(case, event, (PEOPLE, event.system, event.n))


def response_ordered(case: Case, event: e.ResponseOrdered, _: Rules) -> Case:
    ordered = Response(
        n=event.n,
        kind=event.kind,
        claims=tuple(it.right for it in event.claims),
        systems=frozenset(it.system for it in event.systems if it.searched in FOUND)
        | frozenset(it.system for it in event.exports)  # also of one whose later round failed
        if any(it.right in COPYING for it in event.claims)
        else frozenset(),
    )
    others = tuple(it for it in case.responses if it.n != event.n)
    case = replace(case, responses=(*others, ordered))
    return _issued(case, event, (RESPONSE, RESPONSE, event.n))


def notice_ordered(case: Case, event: e.NoticeOrdered, _: Rules) -> Case:
    return _issued(case, event, (NOTICE, NOTICE, event.n))


def instruction_ordered(case: Case, event: e.InstructionOrdered, _: Rules) -> Case:
    case = recipients.ordered(case, event) if event.attempt == 1 else case
    return _issued(case, event, (INSTRUCTION, RECIPIENTS, event.n))


def deferred(case: Case, event: e.OrderDeferred, _: Rules) -> Case:
    """Put off; the pause doubles with every attempt, up to `LONGEST_PAUSE`.

    An order that is answered or spent stays so: it came to the host once more, and had lapsed.
    One that is said to have begun is not put off.
    """
    order = case.order_of(event.order)
    if order is None or not is_due(order, event.order):
        return case
    if event.reason == spent.BEGAN:
        return replace(case, orders={**case.orders, order.slot: replace(order, began=True)})
    pause = min(timedelta(seconds=2 ** min(order.attempt, MAX_ATTEMPTS)), LONGEST_PAUSE)
    later = replace(order, state=DEFERRED, due=event.until + pause, reason=event.reason)
    case = replace(case, orders={**case.orders, order.slot: spent.put_off(later, event.reason)})
    kind, system, _n = order.slot
    if system not in case.systems:
        return case
    was = case.systems[system]
    now = replace(was, calls=was.calls + event.calls)
    if kind == SEARCH and not was.final:
        now = replace(now, status="deferred", reason=event.reason)
    return replace(case, systems={**case.systems, system: now})


def due(case: Case, event: e.OrderDue, rules: Rules) -> Case:
    """Nothing yet, unless every attempt is spent, or too many broke: then it counts as failed."""
    order = case.order_of(event.order)
    if order is None or not is_due(order, event.order):
        return case
    return spent.due(case, order, rules)


def is_due(order: Order, attempt: UUID) -> bool:
    """Whether this attempt is the latest, and still waits for its answer."""
    return _is_current(order, attempt) and order.state in {"open", DEFERRED}


def reissued(
    case: Case, attempt: UUID, kind: type[Attempt], now: datetime, rules: Rules
) -> Iterator[Attempt]:
    """The next attempt at an order of this kind, if this attempt is due; else nothing."""
    order = case.order_of(attempt)
    if order is None or not is_due(order, attempt) or not isinstance(order.ordered, kind):
        return
    settings = rules.settings
    is_queued = order.slot[0] in {SEARCH, PEOPLE}
    wait = settings.not_after_search if is_queued else settings.not_after_act
    n = order.attempt + 1
    named = order_id(case.id, order.slot, n)
    yield replace(order.ordered, order=named, attempt=n, not_after=now + wait)


def stopped(case: Case, kinds: frozenset[str] = ERASING | {SEARCH, MEASURE}) -> Case:
    """No order of these kinds is issued again: the request was refused or withdrawn."""
    orders = {
        slot: _stopped(it) if slot[0] in kinds and not _lifts(it) else it
        for slot, it in case.orders.items()
    }
    return replace(case, orders=orders)


def _lifts(order: Order) -> bool:
    """Whether it takes off what nobody wants there any more: that goes on."""
    return isinstance(order.ordered, e.MeasureOrdered) and order.ordered.verb == Verb.LIFT


def called_back(case: Case) -> Case:
    """Nobody is told, or answered, any more for a right that is not wanted any more."""
    orders = {
        slot: _stopped(it) if _is_for_nothing(case, it) else it for slot, it in case.orders.items()
    }
    never = {
        (it.ordered.recipient, it.ordered.right)
        for it in orders.values()
        if it.reason == CALLED_BACK and isinstance(it.ordered, e.InstructionOrdered)
    }
    return recipients.not_told(replace(case, orders=orders), never)


def _is_for_nothing(case: Case, order: Order) -> bool:
    match order.ordered:
        case e.InstructionOrdered() as told:
            return not case.wants(told.right)
        case e.MeasureOrdered() as measure if measure.verb != Verb.LIFT:
            return not case.wants(measure.right)
        case e.ResponseOrdered() as answer:
            return not any(case.wants(it.right) for it in answer.claims)
        case _:
            return False


def _stopped(order: Order) -> Order:
    """Not issued again. What was put off was begun by nobody."""
    if order.state not in {OPEN, DEFERRED}:
        return order
    return replace(order, state=SPENT, reason=CALLED_BACK if order.state == DEFERRED else STOPPED)


FOUND = frozenset({"found", "nothing"})


def _issued(case: Case, event: Ordered, slot: Slot) -> Case:
    before = case.orders.get(slot)
    order = Order(
        slot=slot,
        ordered=replace(event, sealed=b""),
        attempt=event.attempt,
        due=event.not_after + timedelta(seconds=event.run_limit),
        parts=() if before is None else before.parts,
        broke=0 if before is None else before.broke,
    )
    return replace(
        case,
        orders={**case.orders, slot: order},
        slots={**case.slots, event.order: slot},
    )


def _is_current(order: Order, attempt: UUID) -> bool:
    return getattr(order.ordered, "order", None) == attempt
