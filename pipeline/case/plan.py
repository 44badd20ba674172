"""What to do with each (holding, category), and why: a pure function of facts and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from schemas.records import PeriodRow

from ..policy import Policy
from ..policy.anchors import Began, Undated, reckoned
from ..policy.retention import Retention
from .deadline import plus_months
from .facts import TRUE, Told

ERASE, KEEP, UNDECIDED = "erase", "keep", "undecided"
ERASURE_RULE = "gdpr.17.1"
FARTHEST = timedelta(days=366)
"""How long after the request what a period runs from may be dated, and be believed."""
NO_PERIOD = "no_period"
"""Why something has no date: the rule keeps it for a reason, and not for a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done to one category of one holding, and under which rule."""

    action: str
    rule: str
    until: datetime | None = None
    """Of what is kept: the last moment of its period, in UTC."""
    needs: frozenset[str] = frozenset()
    reason: str | None = None
    """Of what is kept without a date: why, as a code."""
    period: PeriodRow | None = None
    """Of what is kept until a date: how that is reckoned."""
    rests_on: frozenset[str] = frozenset()
    """Facts by which a period is over, so that what it covered is erased."""


def decide(  # noqa: PLR0917  what a decision is about, and all that it depends on
    system: str,
    kind: str,
    category: str,
    facts: Mapping[str, Told],
    policy: Policy,
    on: date,
) -> Decision:
    """Erase unless a retention rule keeps it; undecided while a fact the rule needs is unknown.

    `facts` holds what is known: a name that is missing is unknown, never false. A period that is
    over `on` that day keeps nothing any more.
    """
    over: frozenset[str] = frozenset()
    for rule in policy.retention:
        if (system, kind, category) not in rule.rows:
            continue
        missing = rule.needs - facts.keys()
        if missing:
            return Decision(action=UNDECIDED, rule=rule.id, needs=frozenset(missing))
        if all(facts[name].value == TRUE for name in rule.needs):
            kept = _kept(rule, facts, on)
            if kept.until is None or on <= kept.until.date():
                return kept
            over |= rule.reckoned_from
    return Decision(action=ERASE, rule=ERASURE_RULE, rests_on=over)


def _kept(rule: Retention, facts: Mapping[str, Told], on: date) -> Decision:
    """Until the end of its period, or with the reason why that is not known."""
    if not rule.years:
        return Decision(action=KEEP, rule=rule.id, reason=NO_PERIOD)
    found = reckoned(rule.anchors, {name: it.value for name, it in facts.items()})
    if isinstance(found, Began) and found.told > on + FARTHEST:
        found = Undated.AHEAD
    if isinstance(found, Undated):
        return Decision(action=KEEP, rule=rule.id, reason=found.value)
    last = plus_months(found.day, 12 * rule.years)
    return Decision(
        action=KEEP,
        rule=rule.id,
        until=datetime.combine(last, time.max, UTC),
        period=_period(rule, found, facts[found.fact]),
    )


def _period(rule: Retention, found: Began, told: Told) -> PeriodRow:
    return PeriodRow(
        anchor=found.anchor,
        fact=found.fact,
        told=found.told.isoformat(),
        system=told.system,
        read=told.read,
        began=found.day.isoformat(),
        years=rule.years,
    )
