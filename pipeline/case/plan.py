"""What to do with each (holding, category), and why: a pure function of facts and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from ..policy import Policy, Retention
from .deadline import plus_months

ERASE, KEEP, UNDECIDED = "erase", "keep", "undecided"
ERASURE_RULE = "gdpr.17.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done to one category of one holding, and under which rule."""

    action: str
    rule: str
    until: datetime | None = None
    needs: frozenset[str] = frozenset()


def decide(
    system: str, kind: str, category: str, facts: Mapping[str, str], policy: Policy
) -> Decision:
    """Erase unless a retention rule keeps it; undecided while a fact the rule needs is unknown.

    `facts` holds what is known: a name that is missing is unknown, never false.
    """
    for rule in policy.retention:
        if (system, kind, category) not in rule.rows:
            continue
        missing = rule.needs - facts.keys()
        if missing:
            return Decision(action=UNDECIDED, rule=rule.id, needs=frozenset(missing))
        if all(facts[name] == "true" for name in rule.needs):
            return Decision(action=KEEP, rule=rule.id, until=_until(rule, facts))
    return Decision(action=ERASE, rule=ERASURE_RULE)


def _until(rule: Retention, facts: Mapping[str, str]) -> datetime | None:
    anchor = facts.get(rule.anchor)
    if anchor is None:
        return None
    last = plus_months(date.fromisoformat(anchor), 12 * rule.years)
    return datetime.combine(last, time.max, UTC)
