"""For whom something was erased, as the erasure memory keeps it, and who came back. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas import events as e

from .case import Case, Reappeared
from .outcome import CHANGED
from .rights import ERASURE
from .rules import Rules
from .values import replace

GONE = CHANGED | {"attested"}
"""How what was erased may have ended; a person's word that it was counts as well."""


def erased_at(case: Case) -> datetime | None:
    """When an erasure settled after which less of the person is left, or nothing was; else None.

    So of one that is withdrawn, refused or answered in another case, of a plan that was only
    observed, and where all that was found is kept.
    """
    claim = case.claims.get(ERASURE)
    if claim is None or claim.settled_at is None or not case.wants(ERASURE):
        return None
    gone = any(it.outcome.kind in GONE for it in claim.coverage)
    nothing_was = not claim.coverage and case.follow_up is None
    return claim.settled_at if gone or nothing_was else None


def asked_in(case: Case) -> UUID:
    """The case in which the person asked: what a follow-up erases is of the request before it."""
    return case.id if case.follow_up is None else case.follow_up.request


def reappeared(case: Case, event: e.PersonReappeared, _: Rules) -> Case:
    """Of one feed the latest time counts."""
    seen = Reappeared(at=event.at, count=event.count)
    return replace(case, reappeared={**case.reappeared, event.feed: seen})
