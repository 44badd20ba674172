"""What was found, what became of it, and whether the two agree.

Found comes from `holdings_located`; what became of it from `task_completed`, the plan and the
exports. One is never computed from the other: where they differ, the case shows as broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from schemas.records import CoverageRow, FoundRow, ObligationRow, OutcomeRow, ResponseRow, SystemRow

from .case import MAX_DELTAS, Case, Row
from .outcome import state as class_of
from .plan import UNDECIDED
from .planned import planned
from .rules import Rules

SYSTEM = "system"
"""The kind of the row that stands for a whole system that could not be searched."""
EXPORTED = OutcomeRow(kind="exported")
NOT_EXPORTED = OutcomeRow(kind="failed", reason="not_exported")
STILL_THERE = OutcomeRow(kind="needs_human", reason="still_there")
LEFT = OutcomeRow(kind="needs_human", reason="left_by_dpo")


def found(case: Case) -> tuple[FoundRow, ...]:
    """How many holdings of each kind carried each category when they were located."""
    counts = Counter(
        (held.system, held.kind, category)
        for held in case.held.values()
        for category in held.categories
    )
    return tuple(
        FoundRow(system=system, kind=kind, category=category, count=count)
        for (system, kind, category), count in sorted(counts.items())
    )


def coverage(case: Case, right: str, rules: Rules) -> tuple[CoverageRow, ...]:
    """What became of everything, for one claim; a system that could not be searched is open."""
    rows = _exported(case) if right == "access" else _erased(case, rules)
    counts: Counter[tuple[str, str, str, OutcomeRow]] = Counter()
    for (tag, category), outcome in rows.items():
        counts[case.held[tag].system, case.held[tag].kind, category, outcome] += 1
    for system, state in case.systems.items():
        if state.status != "located":
            failed = OutcomeRow(kind="failed", reason=state.reason or state.status)
            counts[system, SYSTEM, "", failed] += 1
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


def outcome_of(rows: tuple[CoverageRow, ...]) -> str:
    """How a claim settles: `fulfilled`, `partially_fulfilled` or `no_data`."""
    if not rows:
        return "no_data"
    return "fulfilled" if all(it.state == "proved" for it in rows) else "partially_fulfilled"


def difference(found: tuple[FoundRow, ...], rows: tuple[CoverageRow, ...]) -> str:
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
    counts = Counter(it.system for it in case.held.values())
    return tuple(
        SystemRow(
            system=system,
            searched=_searched(state.status, state.reason, counts[system]),
            rounds=state.rounds,
            found=counts[system],
            calls=state.calls,
        )
        for system, state in sorted(case.systems.items())
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
        )
        for it in case.obligations
    )


def responses(case: Case) -> tuple[ResponseRow, ...]:
    """The responses made so far."""
    return tuple(
        ResponseRow(n=it.n, kind=it.kind, claims=it.claims, digest=it.digest, notified=it.notified)
        for it in sorted(case.responses, key=lambda it: it.n)
    )


def _searched(status: str, reason: str, count: int) -> str:
    if status == "located":
        return "found" if count else "nothing"
    return f"{status}: {reason}" if reason else status


def _exported(case: Case) -> Mapping[Row, OutcomeRow]:
    return {
        (held.tag, category): EXPORTED if held.is_copied(category) else NOT_EXPORTED
        for held in case.held.values()
        for category in held.categories
    }


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
            if held.tag in case.left:
                rows.setdefault((held.tag, category), LEFT)
            elif case.wants("access") and not held.is_copied(category):
                rows.setdefault((held.tag, category), NOT_EXPORTED)
    return rows
