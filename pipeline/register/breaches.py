"""What the events of an incident seal: whom it affects, and what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.incident import NOTICE
from pipeline.crypto import grants
from schemas import events as e
from schemas.codec import Codec
from schemas.events import Event
from schemas.records import (
    Actor,
    IdentifierRow,
    Sealed,
    SealedAffected,
    SealedIncident,
    SealedNotice,
)

from . import sealing


def rows_of(who: SealedAffected, tag_key: bytes) -> tuple[IdentifierRow, ...]:
    """Whom a portion of a list names, without their addresses: each once."""
    found = _tagged(who, tag_key).identifiers
    return tuple({it.tag: IdentifierRow(tag=it.tag, kind=it.kind) for it in found}.values())


def _tagged(who: SealedAffected, tag_key: bytes) -> Sealed:
    return Sealed(
        identifiers=tuple(
            replace(it, tag=grants.identifier_tag(tag_key, it.kind, it.value))
            for it in who.identifiers
        )
    )


async def content(
    connection: AsyncConnection, codec: Codec, case: Case, event: Event, opened: sealing.Opened
) -> Sealed | Actor:
    """What an event of an incident seals."""
    match event:
        case e.IncidentDescribed() if opened.actor is not None:
            return opened.actor
        case e.AffectedAdded() if isinstance(opened.actor, SealedAffected):
            return _tagged(opened.actor, opened.tag_key())
        case e.NoticeOrdered() if event.kind == NOTICE:
            return await _letter(connection, codec, case, event, opened)
        case e.NoticeOrdered():  # to the DPO, who looks at the incident
            return SealedNotice()
        case _:  # an order to list people names nobody
            return Sealed()


async def _letter(
    connection: AsyncConnection,
    codec: Codec,
    case: Case,
    event: e.NoticeOrdered,
    opened: sealing.Opened,
) -> SealedNotice:
    """What one of the affected reads, and their address."""
    known = case.incident
    place = None if known is None else known.place(event.identifier)
    if known is None or place is None:
        raise ValueError("a letter of a breach goes to somebody whom it affects")
    source = known.portions[place].source
    await sealing.load(connection, codec, case.id, [source], opened)
    await sealing.load_actor(connection, codec, case.id, known.words, opened)
    to = next(it for it in opened.sealed[source].identifiers if it.tag == event.identifier)
    return SealedNotice(identifiers=(to,), says=_said(opened.actors[known.words]))


def _said(words: Actor) -> str:
    """What happened, what it may lead to and what is done about it: a paragraph each."""
    parts: Sequence[str] = (words.says,)
    if isinstance(words, SealedIncident):
        parts = (words.says, words.consequences, words.measures)
    return "\n\n".join(" ".join(it.split()) for it in parts)
