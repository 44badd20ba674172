"""What another policy would decide of the same cases: a dry run, by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from ..policy import Policy
from .case import Case, Held, Row
from .plan import Decision, decide
from .planned import as_of
from .rules import Rules
from .whose import OURS

FORWARD = "forward"
"""What a customer decides about: nothing is done, and the customer is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """So many rows of one kind and category that another policy treats otherwise."""

    system: str
    kind: str
    category: str
    before: Decision
    after: Decision
    rows: int
    cases: int


def changes(cases: Iterable[Case], new: Policy, rules: Rules) -> tuple[Change, ...]:
    """What would be decided otherwise if each case were under `new`, in a fixed order.

    What was found and told stays as it is; each case's own policy is what it is compared with.
    """
    counts: Counter[tuple[str, str, str, Decision, Decision]] = Counter()
    seen: dict[tuple[str, str, str, Decision, Decision], set[UUID]] = {}
    for case in cases:
        after = _decided(case, new, rules)
        for row, before in _decided(case, rules.policy_of(case.policy), rules).items():
            if _differ(before, after[row]):
                held = case.held[row[0]]
                change = held.system, held.kind, row[1], before, after[row]
                counts[change] += 1
                seen.setdefault(change, set()).add(case.id)
    ordered = sorted(counts.items(), key=lambda pair: (pair[0][3].rule, *pair[0][:3]))
    return tuple(
        Change(
            system=change[0],
            kind=change[1],
            category=change[2],
            before=change[3],
            after=change[4],
            rows=count,
            cases=len(seen[change]),
        )
        for change, count in ordered
    )


def _differ(before: Decision, after: Decision) -> bool:
    said = ((it.action, it.rule, it.until) for it in (before, after))
    return next(said) != next(said)


def _decided(case: Case, policy: Policy, rules: Rules) -> dict[Row, Decision]:
    """A decision for everything that bears nobody's identifiers but the person's."""
    facts = {
        name: value
        for name in policy.facts
        if (value := case.fact(name, rules.sources(name))) is not None
    }
    return {
        (held.tag, category): _of_customer(held, policy)
        or decide(held.system, held.kind, category, facts, policy, as_of(case))
        for held in case.held.values()
        if case.whose.get(held.tag) == OURS
        for category in sorted(held.categories)
        if case.concerns(held.tag, category)
    }


def _of_customer(held: Held, policy: Policy) -> Decision | None:
    of = policy.document_of(held.system, held.kind)
    return Decision(action=FORWARD, rule=of) if of else None
