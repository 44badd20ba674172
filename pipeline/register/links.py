"""What is the link in a mail for? Found by the digest of its token, without a key.

It confirms an address, or it is a recipient's, who acknowledges an instruction by it.

A token is derived from the case's record key, so that a repeated order brings the same, and only
its digest is kept: who reads the table can press no button.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.crypto import grants
from schemas.codec import from_body
from schemas.derive import event_name
from schemas.events import (
    Event,
    IdentityProved,
    InstructionOrdered,
    NoticeOrdered,
    RecipientAcknowledged,
)

from .case_keys import RECORD, CaseKeys
from .store import inserted
from .tables import ledger, links

CONFIRM = "confirm"
"""The kind of notice whose link confirms an address."""
_LENGTH = 16
"""Bytes of a token: 128 bits, which nobody guesses."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for."""

    case: UUID
    tag: bytes
    """Of the address that it was sent to; empty for a recipient's."""
    expires_at: datetime
    recipient: str = ""
    """Who it was sent to; empty for an address."""
    right: str = ""
    """What they were told for."""


def token(key: bytes, event: Event) -> str:
    """The secret in the mail that an event orders: of this case, order and reader alone."""
    n, tag = getattr(event, "n", 0), getattr(event, "identifier", b"")
    said = f"{event.case}/{n}/{tag.hex()}".encode()
    if isinstance(event, InstructionOrdered):
        said = f"{event.case}/instruction/{n}/{event.right}/{event.recipient}".encode()
    return hmac.digest(key, said, sha256)[:_LENGTH].hex()


async def remember(connection: AsyncConnection, event: Event, token: str, now: datetime) -> None:
    """Know a notice's link from here on, if it has one; a repeated order changes nothing."""
    link = _link(event)
    if link is None:
        return
    row = {
        "digest": _digest(token),
        "case_id": link.case,
        "tag": link.tag,
        "expires_at": link.expires_at,
        "created_at": now,
        "recipient": link.recipient,
        "right": link.right,
    }
    await connection.execute(inserted(connection, links).on_conflict_do_nothing(), row)


async def find(connection: AsyncConnection, token: str, now: datetime) -> Link | None:
    """What a token is for; None if there is none such, or its time is over."""
    named = links.c.digest == _digest(token)
    row = (await connection.execute(select(links).where(named))).first()
    if row is None or row.expires_at <= now:
        return None
    return Link(row.case_id, row.tag, row.expires_at, row.recipient, row.right)


async def forget(connection: AsyncConnection, case: UUID, tag: bytes) -> None:
    """The links that confirm this address have done their work."""
    mine = (links.c.case_id == case) & (links.c.tag == tag) & (links.c.recipient == "")
    await connection.execute(delete(links).where(mine))


async def forget_of(connection: AsyncConnection, case: UUID, recipient: str, right: str) -> None:
    """The links by which this recipient acknowledges what they were told for a right."""
    mine = (links.c.case_id == case) & (links.c.recipient == recipient) & (links.c.right == right)
    await connection.execute(delete(links).where(mine))


async def forget_expired(connection: AsyncConnection, now: datetime) -> None:
    """The time of these is over."""
    await connection.execute(delete(links).where(links.c.expires_at <= now))


async def remember_again(
    connection: AsyncConnection, keys: CaseKeys, cases: Collection[UUID], now: datetime
) -> None:
    """Know the links that these cases' ledgers tell of, where a backup did not: they are out.

    Not those whose time is over, that did their work, or whose case has no living record key.
    """
    kinds = NoticeOrdered, IdentityProved, InstructionOrdered, RecipientAcknowledged
    names = [event_name(it) for it in kinds]
    told = select(ledger).where(ledger.c.case_id.in_(cases), ledger.c.type.in_(names))
    events = [from_body(it.type, it.version, it.body) for it in await connection.execute(told)]
    used = {_reader(it) for it in events if isinstance(it, IdentityProved | RecipientAcknowledged)}
    living = await keys.of(connection, cases)
    for event in events:
        key, link = living.get((event.case, RECORD)), _link(event)
        if link is None or key is None or link.expires_at <= now or _reader(link) in used:
            continue
        made = token(grants.token_key(key.key, key.id), event)
        await remember(connection, event, made, now)


def _link(event: Event) -> Link | None:
    """What the link in the mail that an event orders is for; None if it has none."""
    match event:
        case NoticeOrdered() if event.kind == CONFIRM and event.expires_at is not None:
            return Link(event.case, event.identifier, event.expires_at)
        case InstructionOrdered():
            return Link(event.case, b"", event.expires_at, event.recipient, event.right)
        case _:
            return None


def _reader(it: Link | IdentityProved | RecipientAcknowledged) -> tuple[UUID, bytes, str, str]:
    """Who has a link, or has used one."""
    tag, recipient = getattr(it, "tag", b""), getattr(it, "recipient", "")
    return it.case, tag, recipient, getattr(it, "right", "")


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
