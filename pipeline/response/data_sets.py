"""Each sort of data found: how long it is kept, and which rights there are for it and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.case.plan import ERASE, UNDECIDED
from pipeline.case.rights import ERASURE
from pipeline.policy import Policy
from pipeline.policy.applicable import (
    INFERRED,
    NOT_PROVIDED,
    OTHER_BASIS,
    Applicable,
    Sort,
    applicable,
)
from schemas.events import ResponseOrdered
from schemas.records import RetentionRow

from . import kept, words

NOT_PORTABLE = {
    INFERRED: "No: we worked it out or noted it ourselves.",
    NOT_PROVIDED: "No: it did not come from you.",
    OTHER_BASIS: "No: it is used by neither your consent nor a contract with you.",
}
NO_USE = "Not known: our privacy policy names no use of it."
NO_RULE = (
    "As long as what it is used for needs it: no rule keeps it longer. It goes when you ask for its"
    " erasure and a ground for that is there."
)
DUE = "No rule keeps it: it is to go. What became of it is told above."
GROUNDS = {
    "a": "once it is no longer needed",
    "b": "when you take back your consent",
    "c": "when you object",
}
"""By the letter of GDPR Art. 17(1)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long something is kept, and where the law allows it."""

    where: str
    categories: str
    until: str
    """A day; empty where there is none, and then it `says` by what it is determined."""
    says: str
    rows: tuple[Sort, ...]


@dataclass(frozen=True, slots=True)
class DataSet:
    """Data of one kind for which the same rights are there."""

    where: str
    categories: str
    take_along: str
    object: str
    erase: str
    rows: tuple[Sort, ...]


def data_sets(order: ResponseOrdered, policy: Policy, sorts: Iterable[Sort]) -> Iterator[DataSet]:
    """What can be done with each sort, and why something cannot."""
    kept = _kept_sorts(order, policy)
    alike: dict[tuple[str, str, Applicable, bool], list[str]] = {}
    for sort in sorts:
        system, kind, category = sort
        found = system, kind, applicable(policy, sort), sort in kept
        alike.setdefault(found, []).append(category)
    for (system, kind, it, is_kept), categories in alike.items():
        yield DataSet(
            where=words.place(system, kind),
            categories=words.joined(map(words.category, categories)),
            take_along=_take_along(it),
            object=" ".join(_object(it)),
            erase=_erase(it, is_kept=is_kept),
            rows=tuple((system, kind, category) for category in categories),
        )


def retention(order: ResponseOrdered, policy: Policy, found: Counter[Sort]) -> Iterator[Kept]:
    """Until when what is there is kept, computed; of orders of before, under which rules."""
    if not order.retention:
        yield from _rules(policy, found)
        return
    is_erasure = any(it.right == ERASURE for it in order.claims)
    alike: dict[RetentionRow, list[str]] = {}
    for row in _there(order.retention, found):
        same = replace(row, category="", count=0)
        alike.setdefault(same, []).append(row.category)
    for row, categories in alike.items():
        yield Kept(
            where=words.place(row.system, row.kind),
            categories=words.joined(map(words.category, categories)),
            until=words.day(row.until) if row.until else "",
            says=DUE if row.action == ERASE and is_erasure else _kept(row, policy),
            rows=tuple((row.system, row.kind, category) for category in categories),
        )


def _there(rows: Iterable[RetentionRow], found: Counter[Sort]) -> Iterator[RetentionRow]:
    """The rows of what is there: what no rule keeps is what an erasure takes first."""
    left = Counter(found)
    for row in sorted(rows, key=lambda it: it.action == ERASE):
        sort = row.system, row.kind, row.category
        if left[sort] > 0:
            left[sort] -= row.count
            yield row


def _kept(row: RetentionRow, policy: Policy) -> str:
    if row.action == ERASE:
        return NO_RULE
    if row.action == UNDECIDED:
        rule = next((it.says for it in policy.retention if it.id == row.rule), "")
        missing = words.reason(f"facts_missing:{'+'.join(row.needs)}", {})
        return f"A rule may keep it: {rule} {missing}"
    return kept.why(row, policy)


def _rules(policy: Policy, found: Iterable[Sort]) -> Iterator[Kept]:
    rest = dict.fromkeys(found)
    for rule in policy.retention:
        rows = [it for it in found if it in rule.rows]
        if rows:
            yield _of(rows, f"{rule.says} ({rule.source}; {kept.law(rule)})")
        rest = {it: None for it in rest if it not in rows}
    if rest:
        yield _of(list(rest), NO_RULE)


def _of(rows: Sequence[Sort], says: str) -> Kept:
    return Kept(
        where=words.joined(dict.fromkeys(words.place(*it[:2]) for it in rows)),
        categories=words.joined(dict.fromkeys(words.category(it[2]) for it in rows)),
        until="",
        says=says,
        rows=tuple(rows),
    )


def _kept_sorts(order: ResponseOrdered, policy: Policy) -> frozenset[Sort]:
    """What a rule keeps, or may keep."""
    if not order.retention:
        return frozenset().union(*(rule.rows for rule in policy.retention))
    return frozenset(
        (it.system, it.kind, it.category) for it in order.retention if it.action != ERASE
    )


def _take_along(it: Applicable) -> str:
    if not it.uses:
        return NO_USE
    return NOT_PORTABLE.get(it.not_portable, "Yes.")


def _object(it: Applicable) -> Iterator[str]:
    if not it.uses:
        yield NO_USE
        return
    if it.marketing:
        yield "Yes, to direct marketing: at any time and without a reason."
    if it.objected:
        yield "Yes, to uses that rest on our interests: on grounds of your own situation."
    if not it.marketing and not it.objected:
        yield "No: none of its uses rests on an interest of ours, and none is marketing."
    if it.withdrawn:
        yield "A use by your consent ends when you take that back."


def _erase(it: Applicable, *, is_kept: bool) -> str:
    if not it.uses:
        return "Yes: we can name no basis for it (Art. 17(1)(d))."
    if not it.erased_by:
        return "No, as long as the law obliges us to keep it (Art. 17(3)(b))."
    when = [f"{GROUNDS[letter]} (Art. 17(1)({letter}))" for letter in sorted(it.erased_by)]
    until = ", but not while a rule keeps it, as told above" if is_kept else ""
    return f"Yes, {words.joined(when, 'or')}{until}."
