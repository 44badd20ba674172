"""What is kept, in sentences: under which rule, until when, and how that date is reckoned."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from pipeline.policy import Policy
from pipeline.policy.retention import Retention
from schemas.records import OutcomeRow, PeriodRow, RetentionRow

from . import words


def says(row: OutcomeRow, policy: Policy | None) -> str:
    """Why it stays, for how long, and whether it is marked there; without the policy, as a report
    says it, by the rule's id.
    """
    return f"{why(row, policy)} {words.MARKED.get(row.restricted, words.NOT_MARKED)}"


def why(row: OutcomeRow | RetentionRow, policy: Policy | None) -> str:
    """Under which rule it is kept, and until when, or why there is no date."""
    rules: dict[str, Retention] = {it.id: it for it in policy.retention} if policy else {}
    rule = rules.get(row.rule or "")
    if rule is None:
        undated = "" if row.until or row.reason else ", without a date as yet"
        when = _when(row) or (reckoned(row.period, row.until) if row.period else "")
        return f"Kept under the rule {row.rule or 'of our policy'}{undated}. {when}".strip()
    if row.period:
        when = _sentence(row.period, row.until)
    else:
        when = _when(row) or ("" if row.until or not rule.years else "It has no date yet.")
    return f"{rule.says} {when}".strip() + f" ({rule.source}; {law(rule)})"


def law(rule: Retention) -> str:
    """The article that allows to keep it, and the statute behind it, with whose law that is."""
    whose = words.LAWS.get(rule.jurisdiction, f"law of {rule.jurisdiction}")
    statute = f"{rule.statute}, {whose}" if rule.statute else ""
    return "; ".join(filter(None, (rule.article, statute)))


def reckoned(period: PeriodRow, until: datetime | None) -> str:
    """The arithmetic, for people who look it up: fact, system, field, years.

    `last_charge 2025-03-04 (stripe: charge.created) + 6 years = 2031-03-04`.
    """
    read = ": ".join(filter(None, (period.system, period.read)))
    began = "" if period.began == period.told else f", {period.anchor} {period.began}"
    ends = f" = {until.astimezone(UTC):%Y-%m-%d}" if until else ""
    return f"{period.fact} {period.told} ({read}){began} + {period.years} years{ends}"


def _sentence(period: PeriodRow, until: datetime | None) -> str:
    """`Last payment 4 March 2025, as Stripe has it, + 6 years = 4 March 2031.`"""
    fact = words.FACTS.get(period.fact, words.label(period.fact))
    began = "" if period.began == period.told else f"; that year ended {_day(period.began)}"
    ends = f" = {words.day(until)}" if until else ""
    has = f", as {words.system(period.system)} has it" if period.system else ""
    return f"{fact} {_day(period.told)}{has}{began}, + {period.years} years{ends}."


def _when(row: OutcomeRow | RetentionRow) -> str:
    return words.UNDATED.get(row.reason or "", "")


def _day(told: str) -> str:
    return words.day(datetime.combine(date.fromisoformat(told), time.min, UTC))
