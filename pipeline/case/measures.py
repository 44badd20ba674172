"""Measures: what a right other than erasure does in the systems, and what became of it.

A measure is reversible, and taken as soon as it is known whose something is: nobody plans or
approves it. A host reads each row anew afterwards, and only that proves anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.interface import Datum, Right
from schemas import events as e
from schemas.records import DoneRow, OutcomeRow

from ..policy import Policy
from ..policy.applicable import used_for
from .case import MEASURE, Case, Held, Row, Settled
from .lifting import may_lift
from .outcome import by_day, of_host
from .outcome import state as class_of
from .planned import OBSERVE_MODE, RETAINED
from .rights import ERASURE, OBJECTION, PROVED_BY, RECTIFICATION, RESTRICTION, RIGHTS, Verb
from .rules import Rules
from .values import replace

NOT_OFFERED = OutcomeRow(kind="not_supported", reason="not_offered")
"""The connector has no means for it."""
OBSERVED = OutcomeRow(kind="needs_human", reason=OBSERVE_MODE)
"""The pipeline looks, plans and reports: people have to do it."""
NO_OUTCOME = OutcomeRow(kind="failed", reason="no_outcome")
"""The host said nothing of a row that it was told of."""
NOT_TAKEN = OutcomeRow(kind="failed", reason="not_measured")
"""Nobody was told: the measure was stopped before."""
UNPROVED = OutcomeRow(kind="failed", reason="not_proved")
"""Said to be done by another word than this right's: it proves nothing of it."""
NOT_AVAILABLE = OutcomeRow(kind="not_supported", reason="no_objection")
"""The use rests on a consent, a contract or a law: it cannot be objected to (Art. 21(1))."""
TO_WEIGH = OutcomeRow(kind="needs_human", reason="grounds_to_weigh")
"""The use ends unless a person shows compelling grounds for it (Art. 21(1))."""
UNKNOWN_PURPOSE = OutcomeRow(kind="needs_human", reason="unknown_purpose")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one system is to be told to do: of these holdings, or by these identifiers."""

    right: str
    system: str
    verb: str
    holdings: tuple[Held, ...] = ()
    identifiers: tuple[bytes, ...] = ()


def to_take(case: Case, rules: Rules) -> Iterator[Measure]:
    """The measures to order now: one after the other in each system, since one may undo another."""
    busy = {it.slot[1] for it in case.under_way(MEASURE)}
    for measure in due(case, rules):
        if measure.system not in busy:
            busy.add(measure.system)
            yield measure


def due(case: Case, rules: Rules) -> Iterator[Measure]:
    """The measures that nobody was told of yet."""
    if not case.verified or case.fee_awaited or case.comparing or case.keyless:
        return
    for right in case.claims:
        verb = _verb(case, right)
        if verb == Verb.NONE:
            continue
        for system in systems(case, right, rules):
            if not _is_able(system, verb, rules):
                continue
            if verb == Verb.OBJECT:
                yield from _by_identifiers(case, system, rules)
            else:
                yield from _of_holdings(case, right, system, verb)


def _verb(case: Case, right: str) -> Verb:
    """What is to be done for a right now, beside what its plan says."""
    row = RIGHTS.get(right)
    if right == RESTRICTION and may_lift(case):
        return Verb.LIFT
    if row is None or not case.wants(right):
        return Verb.NONE
    if right == ERASURE:  # what is kept is used for nothing else
        return Verb.RESTRICT
    return row.verb if row.is_measure else Verb.NONE


def systems(case: Case, right: str, rules: Rules) -> Sequence[str]:
    """The systems in which a right is carried out."""
    if right == OBJECTION:
        policy = rules.policy_of(case.policy)
        return sorted(used_for(policy, _purposes(case, policy)) & case.systems.keys())
    return sorted({it.system for it in case.held.values()})


def regards(case: Case, right: str, tag: bytes, category: str) -> bool:
    """Whether a measure of a right is about a category of a holding."""
    if right == RECTIFICATION:
        return category in categories(case.data)
    if right == ERASURE:
        outcome = case.outcomes.get((tag, category))
        return outcome is not None and outcome.kind == RETAINED
    return right == RESTRICTION


def categories(data: Sequence[str]) -> frozenset[str]:
    """The categories of what is to be corrected."""
    return frozenset(Datum(it).category.value for it in data)


def is_over(case: Case, right: str, rules: Rules) -> bool:
    """Whether nothing of a right is still to be ordered or under way."""
    if any(it.right == right for it in due(case, rules)):
        return False
    under_way = (it.ordered for it in case.under_way(MEASURE))
    return not any(isinstance(it, e.MeasureOrdered) and it.right == right for it in under_way)


def rows(case: Case, right: str, rules: Rules, whose: OutcomeRow) -> Mapping[Row, OutcomeRow]:
    """What became of everything for one right; `whose` is of what nobody knows whose it is."""
    if right == OBJECTION:
        return _of_objection(case, rules)
    return {
        (held.tag, category): _outcome(case, right, (held.tag, category), held.system, rules)
        if case.is_ours(held.tag)
        else whose
        for held in case.held.values()
        if not case.is_out(held.tag)
        for category in held.categories
        if regards(case, right, held.tag, category)
    }


def is_marketing(case: Case, policy: Policy) -> bool:
    """Whether an objection is absolute: to direct marketing (Art. 21(2)), which one that names no
    use is.
    """
    named = policy.purposes.get(case.purpose)
    return not case.purpose or (named is not None and named.marketing)


def _purposes(case: Case, policy: Policy) -> frozenset[str]:
    """The uses that an objection is to. One to direct marketing is to all of that."""
    if is_marketing(case, policy):
        return frozenset(it.id for it in policy.purposes.values() if it.marketing)
    return frozenset({case.purpose})


def _of_objection(case: Case, rules: Rules) -> Mapping[Row, OutcomeRow]:
    """A row for each system; what no program can decide is for a person."""
    policy, found = rules.policy_of(case.policy), systems(case, OBJECTION, rules)
    if is_marketing(case, policy):
        return {(b"", it): _outcome(case, OBJECTION, (b"", it), it, rules) for it in found}
    named = policy.purposes.get(case.purpose)
    if named is None:
        return dict.fromkeys(((b"", it) for it in sorted(case.systems)), UNKNOWN_PURPOSE)
    can_object = any(it.may_be_objected_to for it in named.bases)
    how = TO_WEIGH if can_object else NOT_AVAILABLE
    return dict.fromkeys(((b"", it) for it in found or sorted(case.systems)), how)


FOR_PEOPLE = frozenset({NOT_OFFERED, NOT_AVAILABLE, TO_WEIGH, UNKNOWN_PURPOSE})
"""Outcomes that no connector can change: there is a person's word, and no more."""

# What events change.


def ordered(case: Case, event: e.MeasureOrdered) -> Case:
    """What a system was told of counts as told, whatever becomes of it."""
    key = _key(event.right, event.verb), event.system
    named = event.rows or event.identifiers
    told = case.measures.get(key, frozenset()).union(it.tag for it in named)
    case = replace(case, measures={**case.measures, key: told})
    return _unmarked(case, event) if event.verb == Verb.LIFT else case


def _unmarked(case: Case, event: e.MeasureOrdered) -> Case:
    """What is lifted is not marked for an erasure either: if that keeps it, it is marked anew."""
    lifted, key = {it.tag for it in event.rows}, (ERASURE, event.system)
    return replace(
        case,
        measures={**case.measures, key: case.measures.get(key, frozenset()) - lifted},
        measured={
            (right, row): it
            for (right, row), it in case.measured.items()
            if right != ERASURE or row[0] not in lifted
        },
    )


def taken(case: Case, order: e.MeasureOrdered, done: Sequence[DoneRow]) -> Case:
    """What a host says of each row. Of one that it does not speak of nothing is known."""
    proved_by = PROVED_BY.get(order.verb, frozenset())
    said = {(it.tag, it.category): by_day(of_host(it.outcome)) for it in done}
    found = dict(case.measured)
    for row in _rows(order):
        outcome = said.get(row, NO_OUTCOME)
        is_other = class_of(outcome) == "proved" and outcome.kind not in proved_by
        found[order.right, row] = UNPROVED if is_other else outcome
    return replace(case, measured=found)


def _key(right: str, verb: str) -> str:
    """What is told for a right; that something is lifted is told by itself."""
    return verb if verb == Verb.LIFT else right


def again(case: Case, rows_: frozenset[Settled]) -> Case:
    """A person did these by hand: they are ordered once more, which begins with reading them."""
    places = {
        (right, case.held[tag].system if tag else category) for right, (tag, category) in rows_
    }
    tags = {tag for _, (tag, _) in rows_}
    return replace(
        case,
        measured={it: outcome for it, outcome in case.measured.items() if it not in rows_},
        measures={
            key: told - tags if any(tags) else frozenset() if key in places else told
            for key, told in case.measures.items()
        },
    )


def observed(case: Case, rules: Rules) -> Case:
    """The pipeline only looks: people have to do what is to be done."""
    for measure in due(case, rules):
        key = _key(measure.right, measure.verb), measure.system
        tags = [it.tag for it in measure.holdings]
        told = case.measures.get(key, frozenset()).union(tags, measure.identifiers)
        rows_of = [
            (held.tag, category)
            for held in measure.holdings
            for category in held.categories
            if regards(case, measure.right, held.tag, category)
        ] or [(b"", measure.system)]
        measured = {(measure.right, row): OBSERVED for row in rows_of}
        case = replace(
            case,
            measures={**case.measures, key: told},
            measured={**case.measured, **measured},
        )
    return case


def failed(case: Case, order: e.MeasureOrdered, reason: str) -> Case:
    """The order was given up."""
    spent = OutcomeRow(kind="failed", reason=reason)
    rows_of = {(order.right, row): spent for row in _rows(order)}
    return replace(case, measured={**case.measured, **rows_of})


def _rows(order: e.MeasureOrdered) -> Iterator[Row]:
    if not order.rows:
        yield b"", order.system
    for row in order.rows:
        yield from ((row.tag, category) for category in row.categories)


def _outcome(case: Case, right: str, row: Row, system: str, rules: Rules) -> OutcomeRow:
    known = case.measured.get((right, row))
    if known is not None:
        return known
    return NOT_TAKEN if _is_able(system, RIGHTS[right].verb, rules) else NOT_OFFERED


def restricted(case: Case, row: Row, rules: Rules) -> str:
    """Whether what an erasure keeps is marked: `restricted`, or as a code why not."""
    known = case.measured.get((ERASURE, row))
    if known is None:
        able = _is_able(case.held[row[0]].system, Verb.RESTRICT, rules)
        return "" if able else NOT_OFFERED.reason or ""
    return known.kind if known.kind in PROVED_BY[Verb.RESTRICT] else known.reason or known.kind


def _is_able(system: str, verb: str, rules: Rules) -> bool:
    able = rules.systems.get(system)
    return able is not None and _NEEDS.get(verb) in able.rights


_NEEDS: Mapping[str, Right] = {
    Verb.RECTIFY: Right.RECTIFICATION,
    Verb.RESTRICT: Right.RESTRICTION,
    Verb.LIFT: Right.RESTRICTION,
    Verb.OBJECT: Right.OBJECTION,
}
"""What a connector must be able to do for each."""


def _by_identifiers(case: Case, system: str, rules: Rules) -> Iterator[Measure]:
    """By everything that is theirs, once anything of it is new there."""
    if not is_marketing(case, rules.policy_of(case.policy)):
        return
    usable = tuple(case.usable())
    if set(usable) - case.measures.get((OBJECTION, system), frozenset()):
        yield Measure(right=OBJECTION, system=system, verb=Verb.OBJECT, identifiers=usable)


def _is_due(case: Case, right: str, verb: str, held: Held, category: str) -> bool:
    if verb != Verb.LIFT:
        return regards(case, right, held.tag, category)
    known = case.measured.get((right, (held.tag, category)))
    return known is not None and known.kind == "restricted" and not _is_kept(case, held)


def _is_kept(case: Case, held: Held) -> bool:
    """Whether it is to stay marked, because an erasure keeps some of it."""
    return case.wants(ERASURE) and any(
        regards(case, ERASURE, held.tag, it) for it in held.categories
    )


def _of_holdings(case: Case, right: str, system: str, verb: str) -> Iterator[Measure]:
    told = case.measures.get((_key(right, verb), system), frozenset())
    new = tuple(
        held
        for held in case.held.values()
        if held.system == system
        and held.tag not in told
        and case.is_ours(held.tag)
        and any(_is_due(case, right, verb, held, it) for it in held.categories)
    )
    if new:
        yield Measure(right=right, system=system, verb=verb, holdings=new)
