"""Search: ask every system for the person, and again for each strong identifier that turns up."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import Event, HoldingsLocated, IdentityVerified, OrderDue, SearchOrdered
from schemas.records import HoldingRow, IdentifierRow

from ..case.case import MAX_ROUNDS, SEARCH, Case, Held, Known
from ..case.orders import order_id, reissued
from ..case.portions import portions
from ..case.rules import Given, Rules

NAMED, NAMED_BYTES = 2000, 192 * 1024
"""Of the holdings that earlier rounds found, so many are named, to spare a second copy of them."""


def search(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a search in every system that was not asked for some strong identifier yet."""
    match event:
        case IdentityVerified() | HoldingsLocated():
            yield from _rounds(case, rules, given)
        case OrderDue() if _wanted(case):
            yield from reissued(case, event.order, SearchOrdered, given.now, rules)
        case _:
            return


def _rounds(case: Case, rules: Rules, given: Given) -> Iterator[Event]:
    if not _wanted(case):
        return
    busy = {it.slot[1] for it in case.under_way(SEARCH)}
    for system, state in case.systems.items():
        fresh = [it for it in case.known.values() if it.strong and it.tag not in state.searched]
        first = state.rounds == 0
        if system not in busy and (first or (fresh and state.rounds < MAX_ROUNDS)):
            yield _ordered(case, system, fresh, rules, given)


def _ordered(
    case: Case, system: str, fresh: list[Known], rules: Rules, given: Given
) -> SearchOrdered:
    n = case.next_n(SEARCH, system)
    held = (it for it in case.held.values() if it.system == system)
    named = next(portions(held, NAMED, NAMED_BYTES), [])
    kinds = rules.policy_of(case.policy).export_kinds(system) if case.wants("access") else ()
    return SearchOrdered(
        case=case.id,
        order=order_id(case.id, (SEARCH, system, n), 1),
        system=system,
        n=n,
        attempt=1,
        purpose="find",
        not_after=given.now + rules.settings.not_after_search,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        answer_by=case.systems[system].answer_by or given.now + rules.settings.search_budget,
        export_kinds=kinds,
        identifiers=tuple(IdentifierRow(tag=it.tag, kind=it.kind) for it in fresh),
        known=tuple(_row(it) for it in named),
    )


def _wanted(case: Case) -> bool:
    return any(case.wants(right) for right in case.claims)


def _row(held: Held) -> HoldingRow:
    categories = tuple(sorted(held.categories))
    return HoldingRow(tag=held.tag, kind=held.kind, categories=categories, exported=held.exported)
