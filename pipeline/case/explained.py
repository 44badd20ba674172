"""Why each row of a case is treated so: rule, facts and reason, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..policy import Policy
from .case import Case, Row
from .facts import TRUE, Told
from .plan import ERASE, KEEP, UNDECIDED, Decision
from .planned import known_facts, planned
from .rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """So many rows of one kind and category that are decided alike."""

    system: str
    kind: str
    category: str
    count: int
    decision: Decision
    became: Mapping[str, int]
    """What became of them so far, by outcome; what is missing waits for it."""
    why: str


def explained(case: Case, rules: Rules) -> Iterator[Explained]:
    """Every decision of the current plan; without one, what would be planned now."""
    rows = planned(case, rules) if case.plan is None else case.plan.rows
    groups: dict[tuple[str, str, str, Decision], list[Row]] = {}
    for row, it in rows.items():
        held = case.held[row[0]]
        groups.setdefault((held.system, held.kind, row[1], it), []).append(row)
    for (system, kind, category, it), those in sorted(groups.items(), key=lambda pair: pair[0][:3]):
        ended = Counter(case.outcomes[row].kind for row in those if row in case.outcomes)
        yield Explained(
            system=system,
            kind=kind,
            category=category,
            count=len(those),
            decision=it,
            became=dict(sorted(ended.items())),
            why=" ".join(_why(case, (system, kind, category), it, rules)),
        )


def _why(case: Case, row: tuple[str, str, str], it: Decision, rules: Rules) -> Iterator[str]:
    policy, facts = rules.policy_of(case.policy), known_facts(case, rules)
    rule = next((of for of in policy.retention if of.id == it.rule), None)
    if it.action == KEEP and rule is not None:
        yield rule.says
        yield from (_told(name, facts) for name in sorted(rule.needs | rule.reckoned_from))
        yield f"({rule.source}; {rule.article})"
    elif it.action == UNDECIDED:
        for name in sorted(it.needs):
            tellers = " or ".join(sorted(rules.sources(name))) or "no system that is asked"
            yield f"Whether {name} is so is unknown: {tellers} would tell."
    elif it.action == ERASE:
        yield policy.rules[it.rule]["says"] if it.rule in policy.rules else ""
        yield from _kept_by_none(policy, row, facts)


def _kept_by_none(
    policy: Policy, row: tuple[str, str, str], facts: Mapping[str, Told]
) -> Iterator[str]:
    """Why each rule that could keep it does not."""
    near = [rule for rule in policy.retention if row in rule.rows]
    for rule in near:
        unmet = {it for it in rule.needs if it not in facts or facts[it].value != TRUE}
        says = " ".join(_told(name, facts) for name in sorted(unmet or rule.reckoned_from))
        over = "" if unmet else f" Its {rule.years} years are over."
        yield f"{rule.id} does not keep it.{over} {says}"
    if not near:
        yield "No rule keeps such data."


def _told(name: str, facts: Mapping[str, Told]) -> str:
    """What is known of a fact, and where it was read."""
    said = facts.get(name)
    if said is None:
        return f"Of {name} nothing is known."
    read = f" ({said.system}: {said.read})" if said.read else ""
    return f"{name} is {said.value}{read}."
