"""Affect: know whom a breach affects, from a list or from the systems that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    AffectedAdded,
    Event,
    OrderDue,
    PeopleAffected,
    PeopleOrdered,
    PeopleSought,
)

from ..case.case import PEOPLE, Case
from ..case.orders import order_id, reissued
from ..case.rules import Given, Rules


def affect(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `affected_added` of the addresses of a list, or have systems list whom they hold."""
    match event:
        case PeopleAffected() if given.identifiers:
            yield AffectedAdded(case=case.id, people=given.identifiers)
        case PeopleSought():
            asked = [it.ordered for it in case.under_way(PEOPLE)]
            under_way = {(it.system, it.kinds) for it in asked if isinstance(it, PeopleOrdered)}
            for system in dict.fromkeys(event.systems):
                if (system, event.kinds) not in under_way:
                    yield _ordered(case, event, system, rules, given)
        case OrderDue():
            yield from reissued(case, event.order, PeopleOrdered, given.now, rules)
        case _:
            return


def _ordered(
    case: Case, event: PeopleSought, system: str, rules: Rules, given: Given
) -> PeopleOrdered:
    n = case.next_n(PEOPLE, system)
    return PeopleOrdered(
        case=case.id,
        order=order_id(case.id, (PEOPLE, system, n), 1),
        system=system,
        n=n,
        attempt=1,
        not_after=given.now + rules.settings.not_after_search,
        run_limit=int(rules.settings.list_limit.total_seconds()),
        kinds=event.kinds,
        until=event.until,
    )
