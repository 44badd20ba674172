"""A breach in the spec tests' stories: opened, its list given, its notices released."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from schemas import events as e
from schemas.records import SealedAffected, SealedIdentifier, SealedIncident

from .world import World

HAPPENED = "A file with names and addresses lay open on a server for a day."
CONSEQUENCES = "Somebody may write to you and pretend to be us."
MEASURES = "The server is closed. Do not answer such letters."


def addresses(count: int) -> list[str]:
    """Whom a breach affects."""
    return [f"person-{n}@example.org" for n in range(count)]


async def opened(world: World, *, aware_at: datetime | None = None) -> UUID:
    """The DPO opens an incident."""
    incident, now = uuid4(), aware_at or world.now
    event = e.IncidentOpened(
        case=incident,
        by="dpo",
        what="confidentiality",
        aware_at=now,
        since=now - timedelta(days=1),
        until=now,
        systems=("salesforce",),
        categories=("contact", "identity"),
    )
    await world.decided(event, words())
    return incident


async def affected(
    world: World,
    incident: UUID,
    people: Sequence[str],
    part: int = 1,
    parts: int = 1,
    *,
    unreachable: int = 0,
    named: bytes = b"a list of people",
) -> None:
    """The DPO gives a portion of a list."""
    event = e.PeopleAffected(
        case=incident, by="dpo", list=named, part=part, parts=parts, unreachable=unreachable
    )
    identifiers = tuple(SealedIdentifier(tag=b"", kind="email", value=it) for it in people)
    await world.decided(event, SealedAffected(login="the-dpo", identifiers=identifiers))


async def released(world: World, incident: UUID) -> None:
    """The DPO releases the notice, in these words."""
    await world.decided(e.BreachNoticesReleased(case=incident, by="dpo", at=world.now), words())


def words() -> SealedIncident:
    """What is said of the breach."""
    return SealedIncident(
        login="the-dpo", says=HAPPENED, consequences=CONSEQUENCES, measures=MEASURES
    )


async def proposed(world: World, incident: UUID, ground: str = "averted") -> bytes:
    """The DPO proposes to tell nobody; the digest."""
    event = e.WaiverProposed(case=incident, by="dpo", at=world.now, ground=ground)
    await world.decide(
        event, says="Every copy was destroyed unread.", evidence="the log of 2 March"
    )
    known = await world.case(incident)
    assert known.proposal is not None
    return known.proposal.digest
