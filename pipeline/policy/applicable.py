"""Which right applies to which sort of data: a pure function of purposes, bases and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import Policy
from .clauses import CONTROLLER, Data, Purpose

Sort = tuple[str, str, str]
"""(system, kind, category)."""
INFERRED, NOT_PROVIDED, OTHER_BASIS = "inferred", "not_provided", "other_basis"
"""Why something cannot be taken along: we worked it out, it came from elsewhere, or it is used by
neither consent nor contract.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicable:
    """What can be done with one sort of data, beside what always can (Art. 15, 16, 18, 77)."""

    uses: tuple[Purpose, ...]
    """What it is used for; empty where the policy names nothing."""
    not_portable: str
    """Why it cannot be taken along, as a code; empty if it can (Art. 20(1))."""
    objected: tuple[Purpose, ...]
    """Uses that may be objected to, for grounds of one's own (Art. 21(1))."""
    marketing: tuple[Purpose, ...]
    """Uses that an objection ends without any ground (Art. 21(2), (3))."""
    withdrawn: tuple[Purpose, ...]
    """Uses by consent, which may be withdrawn (Art. 7(3))."""
    erased_by: frozenset[str]
    """The letters of Art. 17(1) by which it can come to be erased; none while the law keeps it."""


def applicable(policy: Policy, sort: Sort) -> Applicable:
    """Which rights there are for a sort of data that was found, and why others are not."""
    uses = tuple(uses_of(policy, sort))
    return Applicable(
        uses=uses,
        not_portable=_not_portable(policy, sort),
        objected=tuple(
            it
            for it in uses
            if not it.marketing and any(basis.may_be_objected_to for basis in it.bases)
        ),
        marketing=tuple(it for it in uses if it.marketing),
        withdrawn=tuple(it for it in uses if any(basis.may_be_withdrawn for basis in it.bases)),
        erased_by=frozenset().union(*(basis.erased_by for it in uses for basis in it.bases)),
    )


def uses_of(policy: Policy, sort: Sort) -> Iterator[Purpose]:
    """What a sort of data is used for, in the policy's order."""
    named = {it for row in _rows(policy, sort) for it in row.purposes}
    yield from (it for it in policy.purposes.values() if it.id in named and it.uses(sort[2]))


def _rows(policy: Policy, sort: Sort) -> tuple[Data, ...]:
    """What the data map says of it, where we hold it as the controller."""
    system, kind, category = sort
    rows = (it for it in policy.data if it.role == CONTROLLER and category in it.categories)
    return tuple(it for it in rows if (it.system, it.kind) == (system, kind))


def _not_portable(policy: Policy, sort: Sort) -> str:
    if sort in portable(policy):
        return ""
    rows = _rows(policy, sort)
    if any(sort[2] in it.inferred for it in rows):
        return INFERRED
    return OTHER_BASIS if any(_is_provided(it, policy) for it in rows) else NOT_PROVIDED


def portable(policy: Policy) -> frozenset[Sort]:
    """What was provided by the person or observed of them, and is used by consent or contract: they
    may take it along (GDPR Art. 20(1)).

    Of what has several purposes one such basis is enough. What we infer is ours (WP 242 rev.01).
    """
    return frozenset(
        (row.system, row.kind, category)
        for row in policy.data
        if row.role == CONTROLLER and _is_provided(row, policy)
        for category in row.categories - row.inferred
        if any(_is_by_consent_or_contract(policy, it, category) for it in row.purposes)
    )


def _is_provided(row: Data, policy: Policy) -> bool:
    return any(policy.sources[it].provided for it in row.sources if it in policy.sources)


def _is_by_consent_or_contract(policy: Policy, purpose: str, category: str) -> bool:
    found = policy.purposes.get(purpose)
    if found is None or not found.uses(category):
        return False
    return any(basis.is_portable for basis in found.bases)


def used(policy: Policy, purpose: str) -> frozenset[Sort]:
    """What is held for a use: what an objection to it is about."""
    use = policy.purposes.get(purpose)
    return frozenset(
        (row.system, row.kind, category)
        for row in policy.data
        if use is not None and row.role == CONTROLLER and purpose in row.purposes
        for category in row.categories
        if use.uses(category)
    )


def used_for(policy: Policy, purposes: frozenset[str]) -> frozenset[str]:
    """The systems that hold anything for one of these uses."""
    rows = (row for row in policy.data if row.role == CONTROLLER)
    return frozenset(row.system for row in rows if purposes.intersection(row.purposes))
