"""The register of breaches (GDPR Art. 33(5)): facts, effects, remedies, who decided what.

An authority reads it: it names none of the affected, and says where words are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pipeline.case.incident import GROUNDS, NOTIFIED, Counts, Incident, clock, counts, missing

from . import dates
from .as_json import as_json
from .pages import rendered

NOT_THERE = "Nobody has written this down yet."
DESTROYED = "The key of this incident was destroyed when its time was over: nobody can read it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided, in which role and why."""

    at: datetime
    what: str
    console: str
    roles: tuple[str, ...]
    says: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A breach, as the register has it."""

    incident: UUID
    state: str
    what: str
    found_by: str
    """A console; or the pipeline itself, and in which request."""
    aware_at: datetime
    since: datetime
    until: datetime | None
    systems: tuple[str, ...]
    categories: tuple[str, ...]
    happened: str
    effects: str
    remedial_action: str
    counts: Counts
    missing: int
    """Portions of lists of the affected that did not come."""
    unlisted: tuple[str, ...]
    """Systems that could not say whom they hold."""
    authority: str
    due: datetime
    counted: tuple[str, ...]
    """How the 72 hours were counted."""
    notified_after: str
    is_late: bool
    affected: str
    """What was decided of telling them."""
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What was written of a breach."""

    happened: str = ""
    consequences: str = ""
    measures: str = ""


def line(  # noqa: PLR0917  all that a line is made of
    named: UUID,
    state: str,
    incident: Incident,
    words: Words | None,
    decisions: Sequence[Decision],
    now: datetime,
) -> Line:
    """An incident as the register has it; `words` is None where its key is destroyed."""
    hours, said = clock(incident, now), words or Words()
    lacks = DESTROYED if words is None else NOT_THERE
    return Line(
        incident=named,
        state=state,
        what=incident.what,
        found_by=incident.by or f"the pipeline itself, in request {incident.suspect}",
        aware_at=incident.aware_at,
        since=incident.since,
        until=incident.until,
        systems=incident.systems,
        categories=incident.categories,
        happened=said.happened or lacks,
        effects=said.consequences or lacks,
        remedial_action=said.measures or lacks,
        counts=counts(incident),
        missing=missing(incident),
        unlisted=tuple(f"{system}: {why}" for system, why in sorted(incident.unlisted.items())),
        authority=_authority(incident),
        due=hours.due,
        counted=dates.counted(hours.steps),
        notified_after=_hours(hours.notified_after) if hours.notified_after is not None else "",
        is_late=hours.is_late,
        affected=_affected(incident),
        decisions=tuple(decisions),
    )


def as_page(lines: Sequence[Line], controller: str, now: datetime) -> bytes:
    """The register as a page."""
    return rendered("breaches.html", lines=lines, controller=controller, now=now, hour=_hour)


def as_document(lines: Sequence[Line], controller: str, now: datetime) -> bytes:
    """The register as JSON."""
    return as_json({"controller": controller, "made_at": now, "incidents": lines})


def _authority(incident: Incident) -> str:
    told = incident.authority
    if told is None:
        return "not said"
    if told.how != NOTIFIED:
        return "not notified: a risk for people is unlikely (GDPR Art. 33(1))"
    reference = f", reference {told.reference}" if told.reference else ""
    delayed = ", with the reasons for the delay" if told.delayed else ""
    return f"notified on {_hour(told.at)}{reference}{delayed}"


def _affected(incident: Incident) -> str:
    if incident.waived:
        return f"not told, as two people decided ({GROUNDS[incident.waived]}: {incident.waived})"
    if incident.released_at is None:
        return "not decided"
    return f"told, since {_hour(incident.released_at)}"


def _hours(took: timedelta) -> str:
    minutes = max(round(took.total_seconds() / 60), 0)
    return f"{minutes // 60} h {minutes % 60:02} min"


def _hour(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
