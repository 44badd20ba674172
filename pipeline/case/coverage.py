"""What was found, what became of it, and whether the two agree.

Found comes from `holdings_located`; what became of it from `task_completed`, the plan and the
exports. One is never computed from the other: where they differ, the case shows as broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from schemas.records import (
    CoverageRow,
    FoundRow,
    ObligationRow,
    OutcomeRow,
    RecipientRow,
    RegardedRow,
    ResponseRow,
    SystemRow,
    UsedRow,
)

from . import measures, recipients, reviews
from .case import MAX_DELTAS, MAX_ROUNDS, Case, Held, Known, Row, SystemState
from .outcome import state as class_of
from .plan import UNDECIDED
from .planned import RETAINED, planned
from .rights import AUTOMATED_DECISION, COPYING, ERASURE, PORTABILITY, RIGHTS, searches
from .rules import Rules
from .waiting import NOT_LOOKED
from .whose import EMAIL

SYSTEM = "system"
"""The kind of the row that stands for a whole system that could not be searched."""
EXPORTED = OutcomeRow(kind="exported")
NOT_EXPORTED = OutcomeRow(kind="failed", reason="not_exported")
STILL_THERE = OutcomeRow(kind="needs_human", reason="still_there")
WHOSE = OutcomeRow(kind="needs_human", reason="whose_is_it")
"""Contested: neither copied nor erased until a person decides."""
NOT_SEARCHED = "not_searched: nothing_to_ask_by"
NOT_ASKED = OutcomeRow(kind="failed", reason="nothing_to_ask_by")
UNASKED = OutcomeRow(kind="failed", reason="identifiers_unasked")
LEFT = OutcomeRow(kind="needs_human", reason="left_by_dpo")


def found(case: Case, right: str = "") -> tuple[FoundRow, ...]:
    """How many holdings of each kind carried each category when they were located.

    For a right: of what that is about.
    """
    counts = Counter(
        (held.system, held.kind, category)
        for held in case.held.values()
        if not case.is_out(held.tag)
        for category in held.categories
        if case.concerns(held.tag, category)
        if not right or regards(case, right, held, category)
    )
    return tuple(
        FoundRow(system=system, kind=kind, category=category, count=count)
        for (system, kind, category), count in sorted(counts.items())
    )


def documents(case: Case) -> tuple[FoundRow, ...]:
    """How many documents of customers bear an identifier of theirs, by kind."""
    found = (it for it in case.held.values() if case.is_document(it.tag))
    counts = Counter((it.system, it.kind) for it in found)
    return tuple(
        FoundRow(system=system, kind=kind, category="", count=count)
        for (system, kind), count in sorted(counts.items())
    )


def coverage(case: Case, right: str, rules: Rules) -> tuple[CoverageRow, ...]:
    """What became of everything, for one claim; a system that could not be searched is open."""
    counts: Counter[tuple[str, str, str, OutcomeRow]] = Counter()
    for (tag, category), outcome in ended(case, right, rules).items():
        if tag:
            counts[case.held[tag].system, case.held[tag].kind, category, outcome] += 1
        else:
            counts[category, SYSTEM, "", outcome] += 1
    ordered = sorted(counts.items(), key=lambda pair: (pair[0][:3], repr(pair[0][3])))
    return tuple(
        CoverageRow(
            system=system,
            kind=kind,
            category=category,
            state=class_of(outcome),
            outcome=outcome,
            count=count,
            right=right,
        )
        for (system, kind, category, outcome), count in ordered
    )


def ended(case: Case, right: str, rules: Rules) -> dict[Row, OutcomeRow]:
    """What became of every row for one claim. A system that was not searched is a row of its own,
    without a tag. What is open stays so, unless a person settled it.
    """
    rows = dict(_became(case, right, rules))
    if searches(right):
        rows |= {(b"", system): it for system, it in _unsearched(case, rules)}
    said = ((row, it) for (of, row), it in case.by_hand.items() if of == right)
    return rows | {row: it for row, it in said if row in rows and class_of(rows[row]) == "open"}


def _became(case: Case, right: str, rules: Rules) -> Mapping[Row, OutcomeRow]:
    row = RIGHTS.get(right)
    if row is not None and row.is_measure:
        return measures.rows(case, right, rules, WHOSE)
    if right in COPYING:
        return _exported(case, right)
    if right == AUTOMATED_DECISION:
        return {(b"", it): became for it, became in reviews.rows(case, rules).items()}
    return _erased(case, rules) if right == ERASURE else {}


def regards(case: Case, right: str, held: Held, category: str) -> bool:
    """Whether a right is about this category of what is held: it is counted as found for it."""
    if right == PORTABILITY:
        return (held.system, held.kind, category) in case.portable
    row = RIGHTS.get(right)
    if row is not None and row.is_measure:
        return measures.regards(case, right, (held.tag, category))
    return searches(right)


def _unsearched(case: Case, rules: Rules) -> Iterator[tuple[str, OutcomeRow]]:
    for system, state in case.systems.items():
        if state.status != "located":
            yield system, OutcomeRow(kind="failed", reason=state.reason or state.status)
        elif not state.askable:
            yield system, NOT_ASKED
        elif unasked(case, system, rules):
            yield system, UNASKED


def outcome_of(rows: tuple[CoverageRow, ...], told: tuple[RecipientRow, ...] = ()) -> str:
    """How a claim settles: `fulfilled`, `partially_fulfilled` or `no_data`.

    Recipients who were told, and are waited for, hold nothing up; who was not reached, or never
    answered, leaves it fulfilled in part.
    """
    if any(map(recipients.is_open, told)):
        return "partially_fulfilled"
    if not rows:
        return "no_data"
    return "fulfilled" if all(it.state == "proved" for it in rows) else "partially_fulfilled"


def is_concerned(rows: tuple[CoverageRow, ...], told: tuple[RecipientRow, ...]) -> bool:
    """Whether there is anything, or may be, that a claim is about: here or at a recipient."""
    return bool(rows) or any(it.asks for it in told)


def difference(found: Iterable[FoundRow | RegardedRow], rows: Iterable[CoverageRow]) -> str:
    """Where what was found and what became of it do not sum up; empty if they do."""
    left: Counter[tuple[str, str, str]] = Counter()
    for it in found:
        left[it.system, it.kind, it.category] += it.count
    for row in rows:
        if row.kind != SYSTEM:
            left[row.system, row.kind, row.category] -= row.count
    wrong = sorted(where for where, count in left.items() if count)
    return "; ".join(f"{'/'.join(where)}: {left[where]:+d}" for where in wrong)


def systems(case: Case) -> tuple[SystemRow, ...]:
    """A line for every system, whether it holds anything or not."""
    counts = Counter(
        it.system for it in case.held.values() if not case.is_out(it.tag) and case.is_about(it.tag)
    )
    return tuple(
        SystemRow(
            system=system,
            searched=_searched(state, counts[system]),
            rounds=state.rounds,
            found=counts[system],
            calls=state.calls,
        )
        for system, state in sorted(case.systems.items())
    )


def searched(case: Case, rules: Rules) -> tuple[SystemRow, ...]:
    """The same, with what a search of each system can never find."""
    return tuple(
        replace(it, beyond=tuple(sorted(rules.systems[it.system].beyond)))
        if it.system in rules.systems
        else it
        for it in systems(case)
    )


def obligations(case: Case) -> tuple[ObligationRow, ...]:
    """What remains to be done later."""
    return tuple(
        ObligationRow(
            obligation=it.id,
            system=it.system,
            state=it.state,
            count=it.count,
            rule=it.rule,
            until=it.until,
            look_at=it.look_at,
        )
        for it in case.obligations
        if it.closed_at is None
    )


def responses(case: Case) -> tuple[ResponseRow, ...]:
    """The responses made so far."""
    return tuple(
        ResponseRow(n=it.n, kind=it.kind, claims=it.claims, digest=it.digest, notified=it.notified)
        for it in sorted(case.responses, key=lambda it: it.n)
    )


def identifiers(case: Case) -> tuple[UsedRow, ...]:
    """What became of every identifier that was given, and of those that were found beside them."""
    usable = case.usable()
    return tuple(
        UsedRow(tag=it.tag, kind=it.kind, how=usable.get(it.tag) or _unused(case, it))
        for it in case.known.values()
        if it.given or it.strong
    )


def unasked(case: Case, system: str, rules: Rules) -> bool:
    """Whether the rounds have ended, and an identifier that is theirs was never asked for."""
    state = case.systems[system]
    if state.rounds < MAX_ROUNDS + case.people:
        return False
    kinds = rules.asked_by(system)
    return any(it not in state.searched for it in case.usable() if case.known[it].kind in kinds)


def _unused(case: Case, it: Known) -> str:
    if it.tag in case.strangers:
        return "another"
    if it.tag in case.confirming:
        return "waiting"
    if not it.strong:
        return "shared"
    if it.tag in case.unconfirmed or (it.given and it.kind == EMAIL):
        return "unconfirmed"
    return "unproved" if it.given else "found"


def _searched(state: SystemState, count: int) -> str:
    if state.status == "located":
        nothing = "nothing" if state.askable else NOT_SEARCHED
        return "found" if count else nothing
    return f"{state.status}: {state.reason}" if state.reason else state.status


def _exported(case: Case, right: str) -> Mapping[Row, OutcomeRow]:
    return {
        (held.tag, category): _handed_out(case, held, category)
        for held in case.held.values()
        if not case.is_out(held.tag)
        for category in held.categories
        if regards(case, right, held, category)
    }


def _handed_out(case: Case, held: Held, category: str) -> OutcomeRow:
    if not case.is_ours(held.tag):
        return WHOSE
    return EXPORTED if held.is_copied(category) else NOT_EXPORTED


def _erased(case: Case, rules: Rules) -> Mapping[Row, OutcomeRow]:
    rows = dict(case.outcomes)
    for row, times in case.leftover.items():
        if times > MAX_DELTAS:
            rows.setdefault(row, STILL_THERE)
    for row, decision in planned(case, rules).items():
        if decision.action == UNDECIDED:
            needs = "+".join(sorted(decision.needs))
            rows[row] = OutcomeRow(kind="needs_human", reason=f"facts_missing:{needs}")
    for held in case.held.values():
        for category in held.categories:
            why = _untouched(case, held, category)
            if why is not None and case.concerns(held.tag, category):
                rows.setdefault((held.tag, category), why)
    return {
        row: replace(it, restricted=measures.restricted(case, ERASURE, row, rules))
        if it.kind == RETAINED
        else it
        for row, it in rows.items()
        if not case.is_out(row[0])
    }


def _untouched(case: Case, held: Held, category: str) -> OutcomeRow | None:
    """Why nothing may be done to a row, whatever a plan would say; None if it may."""
    if case.follow_up is not None and case.systems[held.system].status != "located":
        return NOT_LOOKED
    if held.tag in case.left:
        return LEFT
    if not case.may_erase(held.tag):
        return WHOSE
    if case.lacks_copy(held, category):
        return NOT_EXPORTED
    return None
