"""What a person is told of the processing (GDPR Art. 15(1), 15(2)), for the data found of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pipeline.case.coverage import WHOSE
from pipeline.case.rights import ACCESS, ERASURE, PROVED_BY, Verb
from pipeline.policy import Policy
from pipeline.policy.applicable import Sort
from pipeline.policy.clauses import Automated
from pipeline.policy.clauses import Purpose as Clause
from schemas.events import ResponseOrdered
from schemas.records import CoverageRow

from . import words
from .data_sets import DataSet, Kept, data_sets, retention
from .purposes import Purpose, keeping, purposes, uses_of_all
from .received import Recipient, received
from .sources import Source, sources

ALWAYS = (
    ("Correct", "have wrong or incomplete data put right (Art. 16)"),
    ("Erase", "have your data erased where the law does not require us to keep it (Art. 17)"),
    ("Restrict", "have the use of your data halted, for example while a dispute lasts (Art. 18)"),
)
"""Rights that there are whatever the data are used for."""
A_PERSON = (
    "A person decides",
    "object to decisions that a machine alone takes about you (Art. 22)",
)
NOT_AUTOMATED = (  # GDPR Art. 15(1)(h)
    "Our privacy policy names no decision about you that a machine takes alone. Should there be one"
    " all the same, you may object to it, and have a person decide (GDPR Art. 22)."
)
NOT_SEARCHED = (
    "What you asked for needed no search of our systems, so this answer does not say what we hold"
    " about you. Ask for a copy to learn that, with what it is used for and who receives it."
)
NOTHING = (
    "We found no data about you where we searched, so we know of no use of any, of nobody who"
    " receives any, and of no source."
)
ERASED = (
    "What we found about you where we searched is erased, as told above, so we know of no use of it"
    " any more, and of nobody who receives it."
)
CONTESTED = (
    "Of some of what we found it is not certain whose it is, as told above: of that nothing is told"
    " here."
)
THE_REQUEST = (
    "Your request itself we keep, and what we did with it, to answer you and to be able to show"
    " that we did: the law obliges us to (GDPR Art. 5(2), 6(1)(c), 12)."
)
HALTED = (
    "What is marked as told above is at present only stored: until the restriction ends, none of"
    " the uses below is made of it without your consent, but for legal claims and to protect others"
    " (GDPR Art. 18(2))."
)
RETAINED, RESTRICTED = "retained", "restricted"


@dataclass(frozen=True, slots=True)
class Information:
    """What GDPR Art. 15(1)(a) to (h) and 15(2) ask for, and who says it."""

    controller: str
    address: str
    """The controller's."""
    dpo: str
    representative: str
    notice: str
    """The one that was in force when the case was opened."""
    notice_today: str
    """The one in force now, where that is another."""
    entities: tuple[str, ...]
    nothing: tuple[str, ...]
    """Why nothing, or not all, is told of uses."""
    halted: str
    """That some uses are halted; empty where none is."""
    unknown: tuple[str, ...]
    """Systems that could not be searched: what is used and received there is not known."""
    purposes: tuple[Purpose, ...]
    categories: tuple[tuple[str, str], ...]
    recipients: tuple[Recipient, ...]
    retention: tuple[Kept, ...]
    data_sets: tuple[DataSet, ...]
    sources: tuple[Source, ...]
    automated: tuple[str, ...]
    rights: tuple[tuple[str, str], ...]


def information(order: ResponseOrdered, policy: Policy, today: Policy) -> Information:
    """The block for one person: only what concerns the data that are there about them.

    `policy` is the case's, `today` the one in force.
    """
    found = _held(order)
    sorts = dict.fromkeys(found)
    kept = _kept(order, found)
    used = [it for it in sorts if it not in kept]
    uses = tuple(uses_of_all(policy, used))
    unknown = {it.system for it in order.systems if it.searched not in words.SEARCHED}
    names = dict.fromkeys(category for _, _, category in sorts)
    return Information(
        controller=policy.controller,
        address=policy.address,
        dpo=policy.dpo,
        representative=policy.representative,
        notice=policy.notice,
        notice_today=today.notice if today.notice != policy.notice else "",
        entities=tuple(f"{it.name}, {it.address} ({it.country})" for it in policy.entities),
        nothing=tuple(_nothing(order, found)),
        halted=HALTED if any(it.outcome.kind == RESTRICTED for it in order.coverage) else "",
        unknown=tuple(words.system(it) for it in sorted(unknown)),
        purposes=(*purposes(uses, used), *keeping(policy, kept)),
        categories=tuple(words.CATEGORIES.get(it, (words.category(it), "")) for it in names),
        recipients=tuple(received(order, policy, sorts, unknown)),
        retention=tuple(retention(order, policy, found)),
        data_sets=tuple(data_sets(order, policy, used)),
        sources=tuple(sources(policy, sorts)),
        automated=tuple(map(_automated, policy.automated)) or (NOT_AUTOMATED,),
        rights=(
            *_rights([clause for clause, _ in uses]),
            *((A_PERSON,) if policy.automated else ()),
        ),
    )


def _held(order: ResponseOrdered) -> Counter[Sort]:
    """What was found that is known to be theirs and, where no copy is told of here, is not erased
    by now and proved so.
    """
    found = Counter[Sort]()
    for it in order.found if order.systems else ():
        found[it.system, it.kind, it.category] += it.count
    found -= _contested(order)
    if all(it.right != ACCESS for it in order.claims):
        found -= _counted(
            it
            for it in order.coverage
            if it.right == ERASURE and it.outcome.kind in PROVED_BY[Verb.ERASE]
        )
    return found


def _contested(order: ResponseOrdered) -> Counter[Sort]:
    """What may be somebody else's: every right that is about it says so."""
    rows = [it for it in order.coverage if it.outcome.reason == WHOSE.reason]
    each = (_counted(it for it in rows if it.right == claim.right) for claim in order.claims)
    return reduce(or_, each, Counter[Sort]())


def _counted(rows: Iterable[CoverageRow]) -> Counter[Sort]:
    found = Counter[Sort]()
    for it in rows:
        found[it.system, it.kind, it.category] += it.count
    return found


def _kept(order: ResponseOrdered, found: Counter[Sort]) -> dict[Sort, frozenset[str]]:
    """What an erasure left because rules keep it, and under which: it has no other use by then."""
    counts, rules = Counter[Sort](), dict[Sort, frozenset[str]]()
    if any(it.right == ACCESS for it in order.claims):
        return rules
    for row in order.coverage:
        if row.right == ERASURE and row.outcome.kind == RETAINED:
            sort = row.system, row.kind, row.category
            counts[sort] += row.count
            rules[sort] = rules.get(sort, frozenset()) | {row.outcome.rule or ""}
    return {sort: of for sort, of in rules.items() if counts[sort] >= found[sort]}


def _nothing(order: ResponseOrdered, found: Counter[Sort]) -> Iterator[str]:
    if not order.systems:
        yield NOT_SEARCHED
    elif not found and not _contested(order):
        yield ERASED if order.found else NOTHING
    if order.systems and _contested(order):
        yield CONTESTED
    if not found:
        yield THE_REQUEST


def _rights(uses: Sequence[Clause]) -> Iterator[tuple[str, str]]:
    """The rights that there are for these uses: what follows from their bases, and no other."""
    yield from ALWAYS
    for name, says, bite in (
        (
            "Take along",
            "receive what you gave us in a form that machines read (Art. 20)",
            [it for it in uses if any(basis.is_portable for basis in it.bases)],
        ),
        (
            "Object",
            "object to uses that rest on our interests (Art. 21(1))",
            [it for it in uses if any(basis.may_be_objected_to for basis in it.bases)],
        ),
        (
            "Stop marketing",
            "object to direct marketing at any time, without a reason: it ends then (Art. 21(2))",
            [it for it in uses if it.marketing],
        ),
        (
            "Withdraw",
            "take back your consent at any time (Art. 7(3))",
            [it for it in uses if any(basis.may_be_withdrawn for basis in it.bases)],
        ),
    ):
        if bite:
            yield name, f"{says}. This concerns: {'; '.join(it.says for it in bite)}"


def _automated(it: Automated) -> str:
    return f"{it.says} {it.logic} {it.meaning} You may have a person decide instead (GDPR Art. 22)."
