"""Erasing again what a vendor brought back, as when it restored a backup. Pure.

A case of its own looks in those systems for all that is the person's, and plans under the policy in
force. Somebody may have come back on their own since: so every such plan waits for an approval.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC
from uuid import UUID, uuid5

from schemas import events as e

from .case import Case
from .erased import GONE, erased_at
from .rights import ERASURE
from .rules import Rules
from .values import replace

BROUGHT_BACK = "brought_back"
"""The kind of the answer, and of the letter, that tells of it."""


def follow_up_of(event: e.ErasureReplayed) -> UUID:
    """The case that looks: of the same systems one a day."""
    day = f"{event.at.astimezone(UTC):%Y-%m-%d}"
    return uuid5(event.case, f"replay/{day}/{','.join(sorted(event.systems))}")


def systems_erased(case: Case) -> frozenset[str]:
    """Where a settled erasure left less of the person."""
    if erased_at(case) is None:
        return frozenset()
    return frozenset(it.system for it in case.claims[ERASURE].coverage if it.outcome.kind in GONE)


def is_replay(case: Case) -> bool:
    """Whether a case looks for what was brought back."""
    return case.follow_up is not None and bool(case.follow_up.systems)


def replayed(case: Case, event: e.ErasureReplayed, _: Rules) -> Case:
    """It is to be looked at, at once."""
    return replace(case, replays={**case.replays, follow_up_of(event): event.systems})


def begun(case: Case, looks: UUID) -> Case:
    """Another case looks, or none can."""
    if looks not in case.replays:
        return case
    return replace(case, replays={it: of for it, of in case.replays.items() if it != looks})


def refused(case: Case, systems: Collection[str], rules: Rules) -> str:
    """Why nothing is erased again there; empty if it is."""
    if case.keyless:
        return "the key of its record is destroyed: nobody can tell any more for whom it erased"
    if not systems or not set(systems) <= rules.systems.keys():
        return "it names no system, or one that is not asked"
    return "" if set(systems) <= systems_erased(case) else "it erased nothing there"
