"""How long what was found may be kept, whatever is asked for (GDPR Art. 15(1)(d))."""

from __future__ import annotations

from collections import Counter

from schemas.records import OutcomeRow, RetentionRow

from .case import Case, Held
from .plan import ERASE, KEEP, Decision, decide
from .planned import RETAINED, as_of, known_facts
from .rules import Rules
from .values import replace


def retention(case: Case, rules: Rules) -> tuple[RetentionRow, ...]:
    """What the rules of the case's policy say of every row that `coverage.found` counts.

    What a plan keeps is kept as that says; of the rest, what a plan would say by what is known.
    """
    if not case.held:
        return ()
    policy, facts, on = rules.policy_of(case.policy), known_facts(case, rules), as_of(case)
    counts: Counter[RetentionRow] = Counter()
    for held in case.held.values():
        for category in () if case.is_out(held.tag) else held.categories:
            if case.concerns(held.tag, category):
                decided = _planned(case, held, category) or decide(
                    held.system, held.kind, category, facts, policy, on
                )
                counts[_row(held, category, decided)] += 1
    rows = (replace(row, count=count) for row, count in counts.items())
    return tuple(sorted(rows, key=lambda it: (it.system, it.kind, it.category, repr(it))))


def _row(held: Held, category: str, decided: Decision) -> RetentionRow:
    return RetentionRow(
        system=held.system,
        kind=held.kind,
        category=category,
        action=decided.action,
        rule="" if decided.action == ERASE else decided.rule,
        count=0,
        until=decided.until,
        reason=decided.reason,
        period=decided.period,
        needs=tuple(sorted(decided.needs)),
    )


def _planned(case: Case, held: Held, category: str) -> Decision | None:
    """What the plan that was carried out keeps it under; None if none does."""
    outcome: OutcomeRow | None = case.outcomes.get((held.tag, category))
    if outcome is None or outcome.kind != RETAINED:
        return None
    return Decision(
        action=KEEP,
        rule=outcome.rule or "",
        until=outcome.until,
        reason=outcome.reason,
        period=outcome.period,
    )
