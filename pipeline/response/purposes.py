"""What the data found are used for, and why that is lawful (GDPR Art. 6(1), 15(1)(a))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.policy import Policy
from pipeline.policy.applicable import Sort, uses_of
from pipeline.policy.clauses import Basis
from pipeline.policy.clauses import Purpose as Clause

from . import words
from .kept import law

KEPT_FOR = "To keep it, as a rule of ours demands, and for nothing else (GDPR Art. 18(2))"
NO_PURPOSE = "Nothing that our privacy policy names"
NO_BASIS = (
    "We can name none: our Data Protection Officer looks into it. You may ask for its erasure (GDPR"
    " Art. 17(1)(d))."
)
Uses = Sequence[tuple[Clause, Sequence[Sort]]]
"""Purposes in the policy's order, and what is used for each."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data are used for, where, and why that is lawful: a row for each basis."""

    says: str
    basis: str
    where: str
    categories: str
    rights: str
    """What follows from that basis, and what does not."""
    rows: tuple[Sort, ...]
    """What was found that is used for it."""


def uses_of_all(policy: Policy, sorts: Iterable[Sort]) -> Iterator[tuple[Clause, Sequence[Sort]]]:
    """The purposes that something is used for, in the policy's order, and what."""
    used: dict[str, list[Sort]] = {it: [] for it in policy.purposes}
    for sort in sorts:
        for clause in uses_of(policy, sort):
            used[clause.id].append(sort)
    yield from ((policy.purposes[it], of) for it, of in used.items() if of)


def purposes(uses: Uses, sorts: Iterable[Sort]) -> Iterator[Purpose]:
    """A row for each basis of each purpose; last, what was found and no purpose covers."""
    for clause, of in uses:
        for basis in clause.bases:
            rights = " ".join(_follows(clause, basis))
            yield _purpose(clause.says, basis.says, rights, of)
    covered = {sort for _, of in uses for sort in of}
    unnamed = [it for it in sorts if it not in covered]
    if unnamed:
        yield _purpose(NO_PURPOSE, NO_BASIS, "", unnamed)


def _follows(clause: Clause, basis: Basis) -> Iterator[str]:
    """Which rights a basis gives, and which it does not (GDPR Art. 7(3), 20(1), 21(1) to (3))."""
    if clause.marketing:
        yield "You may object at any time, without a reason: it ends then (Art. 21(2))."
    elif basis.may_be_objected_to:
        yield "You may object, on grounds of your own situation (Art. 21(1))."
    else:
        yield "You cannot object: it rests on no interest of ours (Art. 21(1))."
    if basis.may_be_withdrawn:
        yield "Your consent, if you gave it, you may take back (Art. 7(3))."
    if basis.is_portable:
        yield "What you provided for it you may take along (Art. 20)."
    else:
        yield "It gives nothing to take along: it rests on neither consent nor contract (Art. 20)."


def keeping(policy: Policy, kept: Mapping[Sort, frozenset[str]]) -> Iterator[Purpose]:
    """What an erasure left, by the rules that keep it: it has no other use by then."""
    for rule in policy.retention:
        of = [sort for sort, rules in kept.items() if rule.id in rules]
        if of:
            yield _purpose(KEPT_FOR, law(rule), "", of)


def _purpose(says: str, basis: str, rights: str, of: Sequence[Sort]) -> Purpose:
    return Purpose(
        says=says,
        basis=basis,
        where=words.joined(dict.fromkeys(words.place(system, kind) for system, kind, _ in of)),
        categories=words.joined(dict.fromkeys(words.category(it) for _, _, it in of)),
        rights=rights,
        rows=tuple(of),
    )
