"""The plan of a case: which rows it is about, what is decided for each, and its digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date
from hashlib import sha256
from uuid import UUID, uuid5

from schemas.records import OutcomeRow, PlanRow

from .case import MAX_DELTAS, Case, Row
from .facts import Told
from .plan import ERASE, KEEP, Decision, decide
from .rights import ERASURE
from .rules import Rules
from .values import replace

RETAINED = "retained"
OBSERVE_MODE = "observe_mode"
"""Why nothing was erased: the pipeline looks, plans and reports."""


def planned(case: Case, rules: Rules) -> dict[Row, Decision]:
    """A decision for every (holding, category) that has no outcome yet and may be acted on.

    Left out: what the DPO leaves to a human, what came back too often after it was said to be
    gone, and, where a copy was asked for as well, what could not be exported.
    """
    policy = rules.policy_of(case.policy)
    facts, on = known_facts(case, rules), as_of(case)
    return {
        (held.tag, category): decide(held.system, held.kind, category, facts, policy, on)
        for held in case.held.values()
        if case.may_erase(held.tag) and held.tag not in case.left
        for category in sorted(held.categories)
        if case.concerns(held.tag, category)
        if not case.lacks_copy(held, category)
        if _unsettled(case, (held.tag, category))
    }


def as_of(case: Case) -> date:
    """The day that a plan is made as of: receipt, so that it is the same whenever it is made.

    What is over later goes when its period is looked at.
    """
    return case.received_at.astimezone(UTC).date()


def known_facts(case: Case, rules: Rules) -> dict[str, Told]:
    """What is known of the facts that the case's policy asks for; an unknown one is missing."""
    names = rules.policy_of(case.policy).facts
    found = {name: case.fact(name, rules.sources(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def digest(case: Case, rows: Mapping[Row, Decision], rules: Rules) -> bytes:
    """What an approval binds: SHA-256 over tags, conditions, rules, dates and policy.

    How often something was said to be gone and was still there is part of it: to try once more is
    a plan of its own.
    """
    said = [
        f"{tag.hex()} {category} {it.action} {it.rule} {it.until} {sorted(it.needs)}"
        f" {case.leftover.get((tag, category), 0)}"
        for (tag, category), it in sorted(rows.items(), key=lambda pair: pair[0])
    ]
    conditions = rules.policy_of(case.policy).conditions
    known = known_facts(case, rules).items()
    facts = sorted((name, it.value) for name, it in known if name in conditions)
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
        row: OutcomeRow(
            kind=RETAINED, rule=it.rule, until=it.until, reason=it.reason, period=it.period
        )
        for row, it in rows.items()
        if it.action == KEEP
    }


def kept_anew(case: Case, rules: Rules) -> Case:
    """The same case, with what is kept dated by what is known by now.

    A plan keeps under the facts of its day; a later round of the search may tell more of them. What
    they say is over is for the next plan to erase.
    """
    retained = [row for row, it in case.outcomes.items() if it.kind == RETAINED]
    if not retained:
        return case
    policy, facts, on = rules.policy_of(case.policy), known_facts(case, rules), as_of(case)
    held = {row: case.held[row[0]] for row in retained}
    decided = {
        row: decide(it.system, it.kind, row[1], facts, policy, on) for row, it in held.items()
    }
    over = {row for row, it in decided.items() if it.action == ERASE}
    outcomes = {row: it for row, it in case.outcomes.items() if row not in over}
    return replace(case, outcomes=outcomes | kept(decided))


def observed(rows: Mapping[Row, Decision]) -> dict[Row, OutcomeRow]:
    """The outcomes of a plan that is only observed: what it would erase is left to people."""
    left = {
        row: OutcomeRow(kind="needs_human", rule=it.rule, reason=OBSERVE_MODE)
        for row, it in rows.items()
        if it.action == ERASE
    }
    return {**kept(rows), **left}


def rests_on(case: Case, rules: Rules) -> frozenset[str]:
    """The facts by which the current plan erases: if they are others now, nothing may be done."""
    conditions = rules.policy_of(case.policy).conditions
    rows = () if case.plan is None else case.plan.rows.values()
    return conditions.union(*(it.rests_on for it in rows))


def rests_on_people(case: Case) -> bool:
    """Whether a person, and no proof, says that something is the asker's."""
    usable = case.usable().values()
    return "dpo" in usable or "same" in case.said.values()


def systems_to_act(case: Case, rows: Mapping[Row, Decision]) -> frozenset[str]:
    """The systems in which a plan erases something that may still be erased."""
    erased = (row for row, it in rows.items() if it.action == ERASE)
    return frozenset(case.held[row[0]].system for row in erased if _may_erase(case, row))


def _may_erase(case: Case, row: Row) -> bool:
    """Whether it is known to be the person's, and copied where a copy is asked for as well."""
    tag, category = row
    return case.may_erase(tag) and not case.lacks_copy(case.held[tag], category)


def to_erase(case: Case, system: str) -> dict[bytes, list[str]]:
    """What the current plan erases in a system: categories by holding."""
    erase: dict[bytes, list[str]] = {}
    for (tag, category), decision in ({} if case.plan is None else case.plan.rows).items():
        here = case.held[tag].system == system and _may_erase(case, (tag, category))
        if decision.action == ERASE and here:
            erase.setdefault(tag, []).append(category)
    return erase


def turns(case: Case) -> tuple[str, ...]:
    """The systems whose turn it is to carry out the approved plan, and that were not told yet.

    None while the copy of another case of the person comes first, or that is not known yet. Only
    the brake makes a system wait after that.
    """
    return () if case.comparing or case.awaits else untold(case)


def untold(case: Case) -> tuple[str, ...]:
    """The systems that are to carry out the approved plan, and were not told yet.

    Where a copy was asked for as well, only those whose exports are in a signed response.
    """
    plan = case.plan
    if plan is None or plan.state != "approved" or not case.wants(ERASURE) or case.fee_awaited:
        return ()
    waiting = sorted(systems_to_act(case, plan.rows) - plan.ordered)
    return tuple(it for it in waiting if _handed_over(case, it) or not _is_to_copy(case, it))


def turn_id(case: Case, system: str) -> UUID:
    """What the clock names a system's turn by, under the current plan."""
    n = 0 if case.plan is None else case.plan.n
    return uuid5(case.id, f"{system}/turn/{n}")


def _is_to_copy(case: Case, system: str) -> bool:
    """Whether a copy is asked for of anything that the plan erases in a system."""
    return case.copies and any(
        case.is_to_copy(system, case.held[tag].kind, category)
        for tag, categories in to_erase(case, system).items()
        for category in categories
    )


def _handed_over(case: Case, system: str) -> bool:
    """Whether this system's exports are in a signed response."""
    return any(it.digest and system in it.systems for it in case.responses)


def _unsettled(case: Case, row: Row) -> bool:
    return row not in case.outcomes and case.leftover.get(row, 0) <= MAX_DELTAS
