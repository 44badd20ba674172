"""The plan of a case: which rows it is about, what is decided for each, and its digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

from schemas.records import OutcomeRow, PlanRow

from .case import MAX_DELTAS, Case, Row
from .plan import ERASE, KEEP, Decision, decide
from .rules import Rules


def planned(case: Case, rules: Rules) -> dict[Row, Decision]:
    """A decision for every (holding, category) that has no outcome yet and may be acted on.

    Left out: what the DPO leaves to a human, what came back too often after it was said to be
    gone, and, where a copy was asked for as well, what could not be exported.
    """
    policy = rules.policy_of(case.policy)
    facts = known_facts(case, rules)
    return {
        (held.tag, category): decide(held.system, held.kind, category, facts, policy)
        for held in case.held.values()
        if held.tag not in case.left
        for category in sorted(held.categories)
        if held.is_copied(category) or not case.wants("access")
        if _unsettled(case, (held.tag, category))
    }


def known_facts(case: Case, rules: Rules) -> dict[str, str]:
    """What is known of the facts that the case's policy asks for; an unknown one is missing."""
    names = rules.policy_of(case.policy).facts
    found = {name: case.fact(name, rules.sources(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def digest(case: Case, rows: Mapping[Row, Decision], rules: Rules) -> bytes:
    """What an approval binds: SHA-256 over tags, facts, rules and policy.

    How often something was said to be gone and was still there is part of it: to try once more is
    a plan of its own.
    """
    said = [
        f"{tag.hex()} {category} {it.action} {it.rule} {it.until} {sorted(it.needs)}"
        f" {case.leftover.get((tag, category), 0)}"
        for (tag, category), it in sorted(rows.items(), key=lambda pair: pair[0])
    ]
    facts = sorted(known_facts(case, rules).items())
    return sha256(repr((case.id, case.policy, facts, said)).encode()).digest()


def counted(case: Case, rows: Mapping[Row, Decision]) -> tuple[PlanRow, ...]:
    """A plan's rows as counts by system, kind and category."""
    counts: Counter[tuple[str, str, str, Decision]] = Counter()
    for (tag, category), decision in rows.items():
        held = case.held[tag]
        counts[held.system, held.kind, category, decision] += 1
    ordered = sorted(counts.items(), key=lambda pair: (pair[0][:3], pair[0][3].action))
    return tuple(
        PlanRow(
            system=system,
            kind=kind,
            category=category,
            action=it.action,
            rule=it.rule,
            count=count,
            until=it.until,
            needs=tuple(sorted(it.needs)),
        )
        for (system, kind, category, it), count in ordered
    )


def kept(rows: Mapping[Row, Decision]) -> dict[Row, OutcomeRow]:
    """The outcomes of what a plan keeps: nothing is done to it, so the plan says it all."""
    return {
        row: OutcomeRow(kind="retained", rule=it.rule, until=it.until)
        for row, it in rows.items()
        if it.action == KEEP
    }


def systems_to_act(case: Case, rows: Mapping[Row, Decision]) -> frozenset[str]:
    """The systems in which a plan erases something."""
    return frozenset(case.held[tag].system for (tag, _), it in rows.items() if it.action == ERASE)


def _unsettled(case: Case, row: Row) -> bool:
    return row not in case.outcomes and case.leftover.get(row, 0) <= MAX_DELTAS
