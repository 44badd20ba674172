"""What a person says that they did by hand: looked for again, and only then proved.

What a look shows to be gone is proved, what it still shows stays open. What the pipeline cannot see
is attested: a person says it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas import events as e
from schemas.records import OutcomeRow

from . import measures, waiting
from .case import Case, Order, Settled
from .coverage import NOT_ASKED, SYSTEM, UNASKED, ended
from .decisions import NOT_POSSIBLE
from .rights import ERASURE, RIGHTS, searches
from .rules import Rules
from .values import replace
from .waiting import BLANK, GONE

ATTESTED = OutcomeRow(kind="attested")
STILL_THERE = OutcomeRow(kind="needs_human", reason="still_there")


def settled(case: Case, event: e.ItemSettled, rules: Rules) -> Case:
    """What an item's rows wait for now, or how they ended."""
    rows = frozenset(meant(case, event, rules))
    if event.how == NOT_POSSIBLE:
        return _ended(case, rows, OutcomeRow(kind="not_possible", reason=event.reason))
    row = RIGHTS.get(event.right)
    of_measure = row is not None and row.is_measure
    if of_measure and _is_measured(event) and event.was not in measures.FOR_PEOPLE:
        return measures.again(case, rows)
    if _can_look(event):
        return replace(case, checking=case.checking | rows)
    return _ended(case, rows, ATTESTED)


def meant(case: Case, event: e.ItemSettled, rules: Rules) -> Iterator[Settled]:
    """The open rows that an item is about; a step of ours is one row, and no claim's."""
    if not event.right:
        yield "", (b"", f"{event.system}/{event.kind}")
        return
    for (tag, category), outcome in ended(case, event.right, rules).items():
        system, kind = (case.held[tag].system, case.held[tag].kind) if tag else (category, SYSTEM)
        if (system, kind, outcome) == (event.system, event.kind, event.was):
            yield event.right, (tag, category)


def to_look_for(case: Case, event: e.ItemSettled) -> frozenset[bytes]:
    """The holdings to look for again."""
    named = {tag for right, (tag, _) in case.checking if right == ERASURE and tag}
    return frozenset(it for it in named if case.held[it].system == event.system)


def after_look(
    case: Case,
    order: e.SearchOrdered,
    there: Mapping[bytes, frozenset[str]],
    gone: frozenset[bytes],
) -> Case:
    """What a look says; `there` is what each holding that it shows carries, by tag."""
    case = waiting.after_look(case, order, there, gone)
    outcomes = dict(case.outcomes)
    named = {it.tag for it in order.known}
    looked = frozenset(it for it in case.checking if it[1][0] in named)
    still, unseen = set[Settled](), set[Settled]()
    for it in looked:
        _, row = it
        tag, category = row
        if category in there.get(tag, ()):
            still.add(it)
        elif tag in there or tag in gone:
            outcomes[row] = BLANK if tag in there else GONE
        else:
            unseen.add(it)
    for rows, how in ((still, STILL_THERE), (unseen, ATTESTED)):
        case = _ended(case, frozenset(rows), how)
    return replace(case, outcomes=outcomes, checking=case.checking - looked)


def after_no_look(case: Case, order: Order) -> Case:
    """A look came to nothing: of what was done by hand there is a person's word, and no more."""
    case = waiting.after_no_look(case, order)
    asked = order.ordered
    named = {it.tag for it in asked.known} if isinstance(asked, e.SearchOrdered) else set()
    return _ended(case, frozenset(it for it in case.checking if it[1][0] in named), ATTESTED)


def after_search(case: Case, system: str) -> Case:
    """A system was searched once more: what it holds is known, or again it is not."""
    rows = frozenset(it for it in case.checking if it[1] == (b"", system))
    if case.systems[system].status == "located":
        return replace(case, checking=case.checking - rows)
    return _ended(case, rows, ATTESTED)


def _is_measured(event: e.ItemSettled) -> bool:
    """Whether it is about what a measure did, and not about a system that was not searched."""
    return event.kind != SYSTEM or not searches(event.right)


def _can_look(event: e.ItemSettled) -> bool:
    """Whether the pipeline can see for itself. That a copy was handed over it cannot."""
    if not searches(event.right) or not event.right:
        return False
    if event.kind == SYSTEM:
        return event.was not in {NOT_ASKED, UNASKED}
    return event.right == ERASURE


def _ended(case: Case, rows: frozenset[Settled], how: OutcomeRow) -> Case:
    by_hand = {**case.by_hand, **dict.fromkeys(rows, how)}
    return replace(case, by_hand=by_hand, checking=case.checking - rows)
