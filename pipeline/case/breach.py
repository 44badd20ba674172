"""An incident's next state: one event applied to what was known before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from schemas import events as e
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import IdentifierRow

from . import answers, decisions, incident, lifecycle, orders, spent
from .case import DONE, PEOPLE, SPENT, Case, Order, Proposal
from .deadline import BREACH
from .incident import FAILED, NOTIFIED, ORDERED, PUT_OFF, TOLD, Authority, Incident, Letter, Portion
from .rules import Rules
from .values import replace
from .whose import EMAIL

OPENED, RELEASED = event_name(e.IncidentOpened), event_name(e.BreachNoticesReleased)


def begun(event: e.IncidentOpened) -> Case:
    """The case after its first event."""
    return Case(
        id=event.case,
        number=1,
        state=lifecycle.INCIDENT,
        received_at=event.aware_at,
        due_at=event.aware_at + timedelta(hours=BREACH),
        incident=Incident(
            by=event.by,
            what=event.what,
            aware_at=event.aware_at,
            since=event.since,
            until=event.until,
            systems=event.systems,
            categories=event.categories,
            suspect=event.suspect,
        ),
    )


def _with(case: Case, **changes: Any) -> Case:
    assert case.incident is not None  # noqa: S101  nothing else comes here
    return replace(case, incident=replace(case.incident, **changes))


def _of(case: Case) -> Incident:
    assert case.incident is not None  # noqa: S101  nothing else comes here
    return case.incident


def _affected(case: Case, event: e.PeopleAffected, _: Rules) -> Case:
    """A portion of a list came; the same one again changes nothing."""
    known = _of(case)
    parts, came = known.lists.get(event.list, (event.parts, frozenset[int]()))
    if event.part in came:
        return case
    lists = {**known.lists, event.list: (parts, came | {event.part})}
    return _with(case, lists=lists, on_lists=known.on_lists + event.unreachable)


def _added(case: Case, event: e.AffectedAdded, _: Rules) -> Case:
    return added(case, event.people, case.number)


def added(case: Case, people: Iterable[IdentifierRow], source: int) -> Case:
    """The case with those whom it did not know: each address is one person, and has one notice."""
    known = _of(case)
    fresh = dict.fromkeys(it.tag for it in people if it.kind == EMAIL)
    letters = {tag: Letter() for tag in fresh if tag not in known.tags}
    if not letters:
        return case
    portion = Portion(source=source, letters=letters, left=len(letters))
    return _with(case, portions=(*known.portions, portion), tags=known.tags | letters.keys())


def _listed(case: Case, event: e.PeopleListed, _: Rules) -> Case:
    """Whom a system holds, once all parts are there. A part is a portion: each seals its own."""
    named = _place(case.order_of(event.order), event.system)
    case, parts = answers.taken(case, event)
    for number, part in parts:
        if isinstance(part, e.PeopleListed):
            case = added(case, part.people, number)
    if not parts:
        return case
    known = _of(case)
    whole = f"{named}." if named == event.system else None  # with it each of its kinds was listed

    def is_old(place: str) -> bool:
        return place == named or (whole is not None and place.startswith(whole))

    others = {place: it for place, it in known.unaddressed.items() if not is_old(place)}
    unlisted = {place: why for place, why in known.unlisted.items() if not is_old(place)}
    return _with(case, unaddressed={**others, named: event.unreachable}, unlisted=unlisted)


def _not_listed(case: Case, event: e.ListingFailed, _: Rules) -> Case:
    order = case.order_of(event.order)
    if order is None or order.answered is not None:
        return case
    ended = replace(order, state=DONE, answered=(event.order, b""), reason=event.reason)
    case = replace(case, orders={**case.orders, order.slot: ended})
    place = _place(order, event.system)
    return _with(case, unlisted={**_of(case).unlisted, place: event.reason})


def _place(order: Order | None, system: str) -> str:
    """What was listed: a system, or some kinds of it."""
    kinds = order.ordered.kinds if order and isinstance(order.ordered, e.PeopleOrdered) else ()
    return ".".join((system, *kinds))


def _described(case: Case, event: e.IncidentDescribed, _: Rules) -> Case:
    return _with(case, words=case.number) if event.name == RELEASED else case


def _released(case: Case, event: e.BreachNoticesReleased, _: Rules) -> Case:
    return replace(_with(case, released_at=event.at, waived=""), proposal=None)


def _authority(case: Case, event: e.AuthorityNotified, _: Rules) -> Case:
    """What is told in phases was notified when it was first told (GDPR Art. 33(4))."""
    said = Authority(how=event.how, at=event.at, reference=event.reference, delayed=event.delayed)
    first = _of(case).authority
    if first is not None and first.how == said.how == NOTIFIED:
        earlier = min(first, said, key=lambda it: it.at)
        said = replace(earlier, reference=event.reference or first.reference)
    return _with(case, authority=said)


def _proposed(case: Case, event: e.WaiverProposed, _: Rules) -> Case:
    named = decisions.digest(event)
    return replace(case, proposal=Proposal(digest=named, by=event.by, reason=event.ground))


def _waived(case: Case, event: e.BreachNoticesWaived, _: Rules) -> Case:
    return replace(_with(case, waived=event.ground), proposal=None)


def _closed(case: Case, event: e.IncidentClosed, _: Rules) -> Case:
    return replace(_with(case, closed_at=event.at), state=lifecycle.INCIDENT_CLOSED)


def _reminded(case: Case, event: e.IncidentDue, _: Rules) -> Case:
    return _with(case, reminded=_of(case).reminded | {event.hours})


def _notice(case: Case, event: e.NoticeOrdered, rules: Rules) -> Case:
    """To the DPO, as any; or to somebody affected."""
    known = _of(case)
    place = known.place(event.identifier) if event.kind == incident.NOTICE else None
    if place is None:
        return orders.notice_ordered(case, event, rules)
    due = event.not_after + timedelta(seconds=event.run_limit)
    letter = Letter(state=ORDERED, ordered=replace(event, sealed=b""), due=due)
    case = _with(case, numbered=known.numbered + (event.attempt == 1))
    return _written(case, place, {event.identifier: letter}, {event.order: event.identifier})


def _due(case: Case, event: e.BreachNoticesDue, _: Rules) -> Case:
    """Whom it was tried to tell often enough: nobody says that they were told."""
    known = _of(case)
    if event.portion >= len(known.portions):
        return case
    given_up = {
        tag: replace(it, state=FAILED, reason=it.reason or spent.NO_ANSWER)
        for tag, it in known.portions[event.portion].letters.items()
        if it.due and it.due <= event.at and not it.is_over and it.attempt >= incident.TRIES
    }
    return _written(case, event.portion, given_up) if given_up else case


def _sent(case: Case, event: e.NoticeSent, rules: Rules) -> Case:
    """Once it was sent they were told, whatever any attempt says before or after."""
    held = _of(case).holder(event.order)
    if held is None:
        return answers.notice_sent(case, event, rules)
    place, tag = held
    letter = _of(case).portions[place].letters[tag]
    return _written(case, place, {tag: replace(letter, state=TOLD, reason="")})


def _failed(case: Case, event: e.NoticeFailed, rules: Rules) -> Case:
    held = _of(case).holder(event.order)
    if held is None:
        return answers.notice_failed(case, event, rules)
    place, tag = held
    letter = _current(case, place, tag, event.order)
    if letter is None or letter.due is None:
        return case
    if event.reason in incident.FOR_GOOD:
        over = replace(letter, state=FAILED, reason=event.reason)
        return _written(case, place, {tag: over})
    later = letter.due + incident.pause(letter.attempt)
    again = replace(letter, state=PUT_OFF, due=later, reason=event.reason)
    return _written(case, place, {tag: again})


def _deferred(case: Case, event: e.OrderDeferred, rules: Rules) -> Case:
    held = _of(case).holder(event.order)
    if held is None:
        return orders.deferred(case, event, rules)
    place, tag = held
    letter = _current(case, place, tag, event.order)
    if letter is None or event.reason == spent.BEGAN:
        return case
    later = event.until + incident.pause(letter.attempt)
    again = replace(letter, state=PUT_OFF, due=later, reason=event.reason)
    return _written(case, place, {tag: again})


def _current(case: Case, place: int, tag: bytes, order: UUID) -> Letter | None:
    """The letter that an order is the latest attempt at, if it waits for its answer."""
    letter = _of(case).portions[place].letters[tag]
    is_latest = letter.ordered is not None and letter.ordered.order == order
    return letter if is_latest and letter.state == ORDERED else None


def _written(
    case: Case,
    place: int,
    letters: Mapping[bytes, Letter],
    ordered: Mapping[UUID, bytes] | None = None,
) -> Case:
    """The case with these letters in a portion as they are now."""
    known = _of(case)
    was = known.portions[place]
    over = sum(it.is_over - was.letters[tag].is_over for tag, it in letters.items())
    portion = replace(
        was,
        letters={**was.letters, **letters},
        orders={**was.orders, **ordered} if ordered else was.orders,
        left=was.left - over,
    )
    portions = (*known.portions[:place], portion, *known.portions[place + 1 :])
    return _with(case, portions=portions)


def _order_due(case: Case, event: e.OrderDue, rules: Rules) -> Case:
    """A listing that is given up is unknown, never nobody."""
    case = orders.due(case, event, rules)
    order = case.order_of(event.order)
    if order is None or order.slot[0] != PEOPLE or order.state != SPENT:
        return case
    place = _place(order, order.slot[1])
    return _with(case, unlisted={**_of(case).unlisted, place: order.reason})


APPLY: Mapping[type[Event], Callable[[Case, Any, Rules], Case]] = {
    e.PeopleAffected: _affected,
    e.AffectedAdded: _added,
    e.PeopleListed: _listed,
    e.ListingFailed: _not_listed,
    e.IncidentDescribed: _described,
    e.BreachNoticesReleased: _released,
    e.AuthorityNotified: _authority,
    e.WaiverProposed: _proposed,
    e.BreachNoticesWaived: _waived,
    e.IncidentClosed: _closed,
    e.IncidentDue: _reminded,
    e.NoticeOrdered: _notice,
    e.BreachNoticesDue: _due,
    e.NoticeSent: _sent,
    e.NoticeFailed: _failed,
    e.OrderDeferred: _deferred,
    e.OrderDue: _order_due,
}
"""What an incident does otherwise than a request, or alone."""
