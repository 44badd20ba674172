"""Which right applies to which sort of data: a pure function of purposes, bases and sources."""

from __future__ import annotations

from . import Policy
from .clauses import CONTROLLER, Data

Sort = tuple[str, str, str]
"""(system, kind, category)."""


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
