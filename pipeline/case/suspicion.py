"""Has an answer reached the wrong person? What of it was another's, once a person says so.

An answer counts as shown once it was signed, unless it is known that the letter about it did not
arrive: nothing calls that letter back, and whether somebody opened the answer is not known. Unknown
is not never.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID, uuid5

from schemas import events as e
from schemas.events import Event

from .case import Case, Suspicion
from .rules import Rules
from .values import replace
from .whose import OTHER

ANOTHERS, NOT_WHO_ASKED = "anothers_data", "not_who_asked"
"""What is suspected: somebody else's data were in the answer; or all of it went to a stranger."""


def shown(case: Case) -> frozenset[bytes]:
    """The holdings of which an answer brought a copy."""
    given = [it for it in case.responses if it.name and not it.notified.startswith("failed")]
    systems = frozenset[str]().union(*(it.systems for it in given))
    return frozenset(it.tag for it in case.held.values() if it.exported and it.system in systems)


def breached(case: Case, what: str) -> frozenset[bytes]:
    """What was shown to somebody whom it is not about, and is in no incident yet."""
    seen = shown(case) - case.breached
    if what == NOT_WHO_ASKED:
        return seen
    return frozenset(it for it in seen if not (case.is_ours(it) or case.is_document(it)))


def suspected(case: Case, event: Event, now: datetime) -> Iterator[e.IncidentSuspected]:
    """What a decision about who is who tells of answers that were given before."""
    match event:
        case e.WhoseDecided() if any(it.verdict == OTHER for it in event.verdicts):
            what = ANOTHERS
        case e.IdentityRejected():
            what = NOT_WHO_ASKED
        case _:
            return
    tags = breached(case, what)
    if tags:
        held = [case.held[it] for it in tags]
        yield e.IncidentSuspected(
            case=case.id,
            incident=uuid5(case.id, f"incident/{case.number}"),
            at=now,
            what=what,
            systems=tuple(sorted({it.system for it in held})),
            categories=tuple(sorted({of for it in held for of in it.categories})),
            holdings=len(held),
        )


def noted(case: Case, event: e.IncidentSuspected, _: Rules) -> Case:
    """It waits for its incident; what it is about is suspected once."""
    suspicion = Suspicion(
        at=event.at, what=event.what, systems=event.systems, categories=event.categories
    )
    return replace(
        case,
        breached=case.breached | breached(case, event.what),
        suspicions={**case.suspicions, event.incident: suspicion},
    )


def raised(case: Case, event: e.IncidentRaised, _: Rules) -> Case:
    waiting = {named: it for named, it in case.suspicions.items() if named != event.incident}
    return replace(case, suspicions=waiting)


def opened(case: Case, incident: UUID) -> e.IncidentOpened:
    """The first event of the incident that a case waits for: it was known when it was suspected."""
    it = case.suspicions[incident]
    return e.IncidentOpened(
        case=incident,
        by="",
        what=it.what,
        aware_at=it.at,
        since=case.received_at,
        until=it.at,
        systems=it.systems,
        categories=it.categories,
        suspect=case.id,
    )
