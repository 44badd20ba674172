"""Search: ask every system for the person, and again for each identifier that is proved theirs.

What a vendor's queue is to erase is looked for again: that is no round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from schemas.events import (
    Event,
    HoldingsLocated,
    IdentityProved,
    IdentityVerified,
    ItemSettled,
    OrderDue,
    RequestsCompared,
    SearchOrdered,
    TaskCompleted,
    WhoseDecided,
)
from schemas.records import HoldingRow, IdentifierRow

from ..case import by_hand
from ..case.case import LOOK, MAX_ROUNDS, SEARCH, Case, Held, Known, SystemState
from ..case.orders import ASKED_FOR, BORNE, FIND, VERIFY, order_id, reissued
from ..case.portions import portions
from ..case.rights import ACCESS, PORTABILITY
from ..case.rules import Given, Rules
from ..case.waiting import look_id, looks_due, to_look_for

NAMED, NAMED_BYTES = 2000, 192 * 1024
"""Of the holdings that earlier rounds found, so many are named."""
_CAUSES = (
    IdentityVerified,
    IdentityProved,
    WhoseDecided,
    HoldingsLocated,
    TaskCompleted,
    RequestsCompared,
)


def search(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a search in every system that was not asked for some identifier of theirs yet.

    Also in one that holds what turned out to be theirs only since, and was not copied.
    """
    if isinstance(event, _CAUSES):
        yield from _rounds(case, rules, given)
    elif isinstance(event, ItemSettled):
        yield from _checks(case, event, rules, given)
    elif isinstance(event, OrderDue) and case.searches:
        yield from reissued(case, event.order, SearchOrdered, given.now, rules)
        for system, _ in looks_due(case, rules):
            if event.order == look_id(case, system):
                yield from _looks(case, system, to_look_for(case, system), rules, given)


def _rounds(case: Case, rules: Rules, given: Given) -> Iterator[Event]:
    if not case.verified or not case.searches or case.comparing:
        return
    busy = {it.slot[1] for it in case.under_way(SEARCH)}
    usable = [case.known[it] for it in case.usable()]
    for system, state in case.systems.items():
        if system in busy or state.rounds >= MAX_ROUNDS + case.people:
            continue
        if system not in rules.systems:  # nobody looks there any more
            continue
        kinds = _to_copy(case, system, rules)
        tells = rules.tells_facts(system)  # of who is known by all of this, or not
        asked = usable if tells or state.rounds == 0 else _askable(usable, system, rules)
        rows = [row for known in asked for row in _not_among(state.searched, known)]
        uncopied = [it for it in case.held.values() if _is_uncopied(case, it, system, kinds)]
        if case.follow_up is not None and state.rounds == 0:  # each is read by its own id
            uncopied = [it for it in case.held.values() if it.system == system]
        if state.rounds == 0 or rows or uncopied:
            answered = frozenset() if tells else state.answered
            rows = [row for known in asked for row in _not_among(answered, known)]
            rows += _borne(usable, rows)
            yield _ordered(case, system, kinds, rows, uncopied, rules, given)


def _ordered(  # noqa: PLR0917  an order's whole content
    case: Case,
    system: str,
    kinds: tuple[str, ...],
    rows: list[IdentifierRow],
    uncopied: list[Held],
    rules: Rules,
    given: Given,
) -> SearchOrdered:
    n = case.next_n(SEARCH, system)
    copied = [it for it in case.held.values() if it.system == system and it.exported]
    named = next(portions(uncopied, NAMED, NAMED_BYTES), [])
    named += next(portions(copied, NAMED, NAMED_BYTES), [])
    known = rules.policy_of(case.policy)
    return SearchOrdered(
        case=case.id,
        order=order_id(case.id, (SEARCH, system, n), 1),
        system=system,
        n=n,
        attempt=1,
        purpose=FIND,
        not_after=given.now + rules.settings.not_after_search,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        answer_by=_answer_by(case.systems[system], rules, given),
        export_kinds=kinds,
        identifiers=tuple(rows),
        known=tuple(_row(it) for it in named),
        trusted=tuple(sorted(f"{kind}.{name}" for of, kind, name in known.links if of == system)),
        documents=known.places(system),
    )


def _checks(case: Case, event: ItemSettled, rules: Rules, given: Given) -> Iterator[Event]:
    """Look for what a person did by hand; search a whole system that could not be searched."""
    yield from _looks(case, event.system, by_hand.to_look_for(case, event), rules, given)
    whole = any(row == (b"", event.system) for _, row in case.checking)
    if whole and not any(it.slot[1] == event.system for it in case.under_way(SEARCH)):
        usable = [case.known[it] for it in case.usable()]
        rows = [_row_of(known, it) for known in usable for it in known.spellings]
        kinds = _to_copy(case, event.system, rules)
        yield _ordered(case, event.system, kinds, rows, [], rules, given)


def _looks(
    case: Case, system: str, tags: Iterable[bytes], rules: Rules, given: Given
) -> Iterator[SearchOrdered]:
    """Orders to look again for holdings of a system, as a task's host looks afterwards."""
    first = case.next_n(LOOK, system)
    for n, portion in enumerate(portions(case.held[it] for it in tags), first):
        yield SearchOrdered(
            case=case.id,
            order=order_id(case.id, (LOOK, system, n), 1),
            system=system,
            n=n,
            attempt=1,
            purpose=VERIFY,
            not_after=given.now + rules.settings.not_after_act,
            run_limit=int(rules.settings.run_limit.total_seconds()),
            answer_by=given.now - rules.settings.look_pause,  # clocks differ
            identifiers=case.spellings(),
            known=tuple(_row(it) for it in portion),
            documents=rules.policy_of(case.policy).places(system),
        )


def _answer_by(state: SystemState, rules: Rules, given: Given) -> datetime:
    """When the budget ends: one for all rounds, and a new one where it is spent already."""
    if state.answer_by is not None and state.answer_by > given.now:
        return state.answer_by
    return given.now + rules.settings.search_budget


def _to_copy(case: Case, system: str, rules: Rules) -> tuple[str, ...]:
    """The kinds of which a copy is asked for."""
    if case.wants(ACCESS):
        return rules.policy_of(case.policy).export_kinds(system)
    if case.wants(PORTABILITY):
        return tuple(sorted({kind for of, kind, _ in case.portable if of == system}))
    return ()


def _askable(usable: list[Known], system: str, rules: Rules) -> list[Known]:
    """Those that a system can be asked by: for others, no later round is worth an order."""
    return [it for it in usable if it.kind in rules.asked_by(system)]


def _not_among(tags: frozenset[bytes], known: Known) -> list[IdentifierRow]:
    """The spellings of an identifier that are not among these."""
    return [_row_of(known, it) for it in known.spellings if it not in tags]


def _row_of(known: Known, spelling: bytes, use: str = ASKED_FOR) -> IdentifierRow:
    return IdentifierRow(tag=known.tag, kind=known.kind, spelling=spelling, use=use)


def _borne(usable: list[Known], asked: list[IdentifierRow]) -> list[IdentifierRow]:
    """What else is theirs: the host must know it where a record bears it."""
    named = {it.spelling for it in asked}
    return [
        _row_of(known, it, BORNE) for known in usable for it in known.spellings if it not in named
    ]


def _is_uncopied(case: Case, held: Held, system: str, kinds: tuple[str, ...]) -> bool:
    """Whether it is known by now to be theirs, and is to be copied, and was not tried since."""
    return (
        held.system == system
        and held.kind in kinds
        and not held.exported
        and case.is_ours(held.tag)
        and held.tag not in case.systems[system].tried
    )


def _row(held: Held) -> HoldingRow:
    categories = tuple(sorted(held.categories))
    return HoldingRow(tag=held.tag, kind=held.kind, categories=categories, exported=held.exported)
