"""Measures: what a right other than erasure does in the systems, and what became of it.

A measure is reversible, and taken as soon as it is known whose something is: nobody plans or
approves it. A host reads each row anew afterwards, and only that proves anything. What is marked as
not to be used, and for how long, `marks.py` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.interface import Right
from schemas import events as e
from schemas.records import DoneRow, OutcomeRow

from ..policy import Policy
from ..policy.applicable import used_for
from . import marks
from .case import DISPUTED, LIFTED, MEASURE, Case, Held, Row, Settled
from .outcome import by_day, of_host
from .outcome import state as class_of
from .planned import OBSERVE_MODE
from .rights import (
    ERASURE,
    OBJECTION,
    OBJECTION_TO_USE,
    PROVED_BY,
    RECTIFICATION,
    RESTRICTION,
    RIGHTS,
    Verb,
)
from .rules import Rules
from .values import replace
from .weighing import CLAIMS, OVERRIDDEN, UNKNOWN

NOT_OFFERED = OutcomeRow(kind="not_supported", reason="not_offered")
"""The connector has no means for it."""
OBSERVED = OutcomeRow(kind="needs_human", reason=OBSERVE_MODE)
"""The pipeline looks, plans and reports: people have to do it."""
NO_OUTCOME = OutcomeRow(kind="failed", reason="no_outcome")
"""The host said nothing of a row that it was told of."""
NOT_TAKEN = OutcomeRow(kind="failed", reason="not_measured")
"""Nobody was told of it: the order could not be given."""
UNPROVED = OutcomeRow(kind="failed", reason="not_proved")
"""Said to be done by another word than this verb's, or later: it proves nothing of it."""
MARKED = "restricted"
UNAFFECTED = OutcomeRow(kind="unaffected")
"""It never was restricted: its claim had ended before it was known whose it is."""
NOT_AVAILABLE = OutcomeRow(kind="not_supported", reason="no_objection")
"""The use rests on a consent, a contract or a law: it cannot be objected to (Art. 21(1))."""
TO_WEIGH = OutcomeRow(kind="needs_human", reason="grounds_to_weigh")
"""The use ends unless a person shows compelling grounds for it (Art. 21(1)): in cases of before, in
which that was not carried out by a measure.
"""
GOES_ON: Mapping[str, OutcomeRow] = {
    OVERRIDDEN: OutcomeRow(kind="not_possible", reason="compelling_grounds"),
    CLAIMS: OutcomeRow(kind="not_possible", reason="legal_claims"),
}
"""The use goes on, as a person decided and told who objects (Art. 21(1))."""
UNKNOWN_PURPOSE = OutcomeRow(kind="needs_human", reason=UNKNOWN)
FOR_PEOPLE = frozenset({NOT_OFFERED, NOT_AVAILABLE, TO_WEIGH, UNKNOWN_PURPOSE, OBSERVED})
"""Outcomes that no connector can change: there is a person's word, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one system is to be told to do: of these holdings, or by these identifiers."""

    right: str
    system: str
    verb: str
    holdings: tuple[Held, ...] = ()
    identifiers: tuple[bytes, ...] = ()

    @property
    def what(self) -> str:
        """What it is told as: the right, or what stands for it."""
        return _what(self.right, self.verb)

    def about(self, case: Case, held: Held) -> tuple[str, ...]:
        """The categories of a holding that it is about."""
        every = sorted(held.categories)
        if self.verb == Verb.LIFT:
            return tuple(every)
        return tuple(it for it in every if regards(case, self.what, (held.tag, it)))


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
        if verb == Verb.OBJECT:
            yield from _by_identifiers(case, rules)
        elif verb != Verb.NONE:
            yield from _of_holdings(case, right, verb, rules)
        if verb == Verb.RECTIFY:
            yield from _of_holdings(case, right, Verb.RESTRICT, rules)
    yield from _lifts(case, rules)


def systems(case: Case, rules: Rules) -> Sequence[str]:
    """The systems in which an objection is carried out."""
    policy = rules.policy_of(case.policy)
    return sorted(used_for(policy, _purposes(case, policy)) & case.systems.keys())


def regards(case: Case, what: str, row: Row) -> bool:
    """Whether a measure of a right, or what stands for one, is about a row."""
    if what in _REGARDS:
        return _REGARDS[what](case, row)
    return what in {RESTRICTION, RECTIFICATION}


def is_over(case: Case, right: str, rules: Rules) -> bool:
    """Whether nothing of a right is still to be ordered or under way."""
    under_way = (it.ordered for it in case.under_way(MEASURE))
    if any(isinstance(it, e.MeasureOrdered) and it.right == right for it in under_way):
        return False
    return not any(it.right == right for it in due(case, rules))


def is_carried_out(case: Case, right: str) -> bool:
    """Whether anything of a right was done, and proved: only then anybody else hears of it."""
    verb = RIGHTS[right].verb
    done = PROVED_BY.get(verb, frozenset()) - {UNAFFECTED.kind}
    return any(of == right and it.kind in done for (of, _), it in case.measured.items())


def rows(case: Case, right: str, rules: Rules, whose: OutcomeRow) -> Mapping[Row, OutcomeRow]:
    """What became of everything for one right; `whose` is of what nobody knows whose it is."""
    if right == OBJECTION:
        return _of_objection(case, rules)
    return {
        (held.tag, category): _outcome(case, right, held, category, rules)
        if case.is_ours(held.tag)
        else whose
        for held in case.held.values()
        if not case.is_out(held.tag)
        for category in held.categories
        if regards(case, right, (held.tag, category))
    }


def is_marketing(case: Case, policy: Policy) -> bool:
    """Whether an objection is absolute: to direct marketing (Art. 21(2)), which one that names no
    use is.
    """
    named = policy.purposes.get(case.purpose)
    return not case.purpose or (named is not None and named.marketing)


def restricted(case: Case, what: str, row: Row, rules: Rules) -> str:
    """Whether what an erasure keeps, or is disputed, is marked: `restricted`, or a code why not."""
    known = case.measured.get((what, row))
    if known is None:
        able = _is_able(case.held[row[0]].system, Verb.RESTRICT, rules)
        return "" if able else NOT_OFFERED.reason or ""
    return known.kind if known.kind == MARKED else known.reason or known.kind


# What events change.


def ordered(case: Case, event: e.MeasureOrdered) -> Case:
    """What a system was told of counts as told, whatever becomes of it."""
    rows_ = frozenset(_rows(event) if event.rows else ((it.tag, "") for it in event.identifiers))
    case = _told(case, _what(event.right, event.verb), event.system, rows_)
    match event.verb:
        case Verb.LIFT:
            return marks.unmarked(case, event.system, rows_)
        case Verb.RESTRICT:
            return marks.marked_anew(case, event.system, rows_)
        case _:
            return case


def taken(case: Case, order: e.MeasureOrdered, done: Sequence[DoneRow]) -> Case:
    """What a host says of each row. Of one that it does not speak of nothing is known."""
    proved_by = PROVED_BY.get(order.verb, frozenset())
    said = {(it.tag, it.category): by_day(of_host(it.outcome)) for it in done}
    found = {row: said.get(row, NO_OUTCOME) for row in _rows(order)}
    wrong = {row for row, it in found.items() if not _fits(it, proved_by)}
    if order.verb == Verb.RESTRICT:  # a host knows its own order's marks, and no earlier one's
        own = marks.own(case)
        found = {row: marks.as_own(it) if row[0] in own else it for row, it in found.items()}
    return _measured(case, order, {it: UNPROVED if it in wrong else found[it] for it in found})


def failed(case: Case, order: e.MeasureOrdered, reason: str) -> Case:
    """The order was given up."""
    spent = OutcomeRow(kind="failed", reason=reason)
    return _measured(case, order, dict.fromkeys(_rows(order), spent))


def again(case: Case, settled: frozenset[Settled]) -> Case:
    """A person did these by hand: they are ordered once more, which begins with reading them."""
    measured, told = dict(case.measured), dict(case.measures)
    for right, row in settled:
        is_lift = marks.is_ended(case, right) and (LIFTED, row) in measured
        what = LIFTED if is_lift else right
        measured.pop((what, row), None)
        system = case.held[row[0]].system if row[0] else row[1]
        before = told.get((what, system), frozenset())
        told[what, system] = before - {row} if row[0] else frozenset()
    return replace(case, measured=measured, measures=told)


def observed(case: Case, rules: Rules) -> Case:
    """The pipeline only looks: people have to do what is to be done."""
    for measure in list(due(case, rules)):
        what = measure.what
        rows_ = frozenset(
            (held.tag, it) for held in measure.holdings for it in measure.about(case, held)
        )
        said = rows_ or {(b"", measure.system)}
        case = _told(case, what, measure.system, rows_ | {(it, "") for it in measure.identifiers})
        case = replace(case, measured={**case.measured, **{(what, row): OBSERVED for row in said}})
        if what == LIFTED:
            case = marks.unmarked(case, measure.system, rows_)
    return case


def _told(case: Case, what: str, system: str, rows_: frozenset[Row]) -> Case:
    told = case.measures.get((what, system), frozenset()) | rows_
    return replace(case, measures={**case.measures, (what, system): told})


def _measured(case: Case, order: e.MeasureOrdered, became: Mapping[Row, OutcomeRow]) -> Case:
    what = _what(order.right, order.verb)
    return replace(
        case, measured={**case.measured, **{(what, row): it for row, it in became.items()}}
    )


def _what(right: str, verb: str) -> str:
    """What is told for a right; that something is lifted, or disputed, is told by itself."""
    if verb == Verb.LIFT:
        return LIFTED
    return DISPUTED if right == RECTIFICATION and verb == Verb.RESTRICT else right


def _fits(outcome: OutcomeRow, proved_by: frozenset[str]) -> bool:
    """Whether it is a word of this verb: nothing comes back to what is done later."""
    state = class_of(outcome)
    return outcome.kind in proved_by if state == "proved" else state == "open"


def _rows(order: e.MeasureOrdered) -> Iterator[Row]:
    if not order.rows:
        yield b"", order.system
    for row in order.rows:
        yield from ((row.tag, category) for category in row.categories)


def _verb(case: Case, right: str) -> Verb:
    """What is to be done for a right, beside what its plan says."""
    row = RIGHTS.get(right)
    if row is None or not case.wants(right):
        return Verb.NONE
    if right == ERASURE:  # what is kept is used for nothing else
        return Verb.RESTRICT if marks.begins(case) else Verb.NONE
    if marks.is_ended(case, right):
        return Verb.NONE
    return row.verb if row.is_measure else Verb.NONE


def _of_holdings(case: Case, right: str, verb: str, rules: Rules) -> Iterator[Measure]:
    """What is theirs, and has a row that its system was not told of."""
    new, what = defaultdict[str, list[Held]](list), _what(right, verb)
    for held in case.held.values():
        told = case.measures.get((what, held.system), frozenset())
        every = ((held.tag, it) for it in held.categories)
        if any(row not in told and regards(case, what, row) for row in every) and case.is_ours(
            held.tag
        ):
            new[held.system].append(held)
    for system, those in sorted(new.items()):
        if _is_able(system, verb, rules):
            yield Measure(right=right, system=system, verb=verb, holdings=tuple(those))


def _lifts(case: Case, rules: Rules) -> Iterator[Measure]:
    for (right, system), tags in sorted(marks.to_lift(case).items()):
        if _is_able(system, Verb.LIFT, rules):
            those = tuple(case.held[it] for it in tags)
            yield Measure(right=right, system=system, verb=Verb.LIFT, holdings=those)


def _by_identifiers(case: Case, rules: Rules) -> Iterator[Measure]:
    """By everything that is theirs, once anything of it is new in a system."""
    if not is_marketing(case, rules.policy_of(case.policy)):
        return
    usable = tuple(case.usable())
    for system in systems(case, rules):
        told = {tag for tag, _ in case.measures.get((OBJECTION, system), ())}
        if set(usable) - told and _is_able(system, Verb.OBJECT, rules):
            yield Measure(right=OBJECTION, system=system, verb=Verb.OBJECT, identifiers=usable)


def _purposes(case: Case, policy: Policy) -> frozenset[str]:
    """The uses that an objection is to. One to direct marketing is to all of that."""
    if is_marketing(case, policy):
        return frozenset(it.id for it in policy.purposes.values() if it.marketing)
    return frozenset({case.purpose})


def _of_objection(case: Case, rules: Rules) -> Mapping[Row, OutcomeRow]:
    """A row for each system; what no program can decide is for a person."""
    policy, found = rules.policy_of(case.policy), systems(case, rules)
    if is_marketing(case, policy):
        return {(b"", it): _of_system(case, it, rules) for it in found}
    named = policy.purposes.get(case.purpose)
    if named is None:
        return dict.fromkeys(((b"", it) for it in sorted(case.systems)), UNKNOWN_PURPOSE)
    can_object = any(it.may_be_objected_to for it in named.bases)
    how = TO_WEIGH if can_object else NOT_AVAILABLE
    return dict.fromkeys(((b"", it) for it in found or sorted(case.systems)), how)


def _of_system(case: Case, system: str, rules: Rules) -> OutcomeRow:
    known = case.measured.get((OBJECTION, (b"", system)))
    return known or _not_taken(system, Verb.OBJECT, rules)


def _outcome(case: Case, right: str, held: Held, category: str, rules: Rules) -> OutcomeRow:
    row = held.tag, category
    lifted, known = case.measured.get((LIFTED, row)), case.measured.get((right, row))
    if right == RECTIFICATION and known and marks.is_disputed(case, row):
        return replace(known, restricted=restricted(case, DISPUTED, row, rules))
    if not marks.is_ended(case, right):
        return known or _not_taken(held.system, RIGHTS[right].verb, rules)
    if lifted is None and marks.is_to_lift(case, held):
        return _not_taken(held.system, Verb.LIFT, rules)
    if right == OBJECTION_TO_USE:
        return lifted if lifted and class_of(lifted) == "open" else GOES_ON[case.weighed]
    return lifted or known or UNAFFECTED


def _not_taken(system: str, verb: str, rules: Rules) -> OutcomeRow:
    return NOT_TAKEN if _is_able(system, verb, rules) else NOT_OFFERED


def _is_able(system: str, verb: str, rules: Rules) -> bool:
    able = rules.systems.get(system)
    return able is not None and _NEEDS.get(verb) in able.rights


_REGARDS: Mapping[str, Callable[[Case, Row], bool]] = {
    ERASURE: marks.is_kept,
    OBJECTION_TO_USE: marks.is_used,
    DISPUTED: marks.is_disputed,
}
"""What is about some rows and no others."""
_NEEDS: Mapping[str, Right] = {
    Verb.RECTIFY: Right.RECTIFICATION,
    Verb.RESTRICT: Right.RESTRICTION,
    Verb.LIFT: Right.RESTRICTION,
    Verb.OBJECT: Right.OBJECTION,
}
"""What a connector must be able to do for each."""
