"""The erasure memory: for whom something was erased, by keyed hashes, so that nobody comes back.

One key for all makes the hashes, other ones than those by which open cases are compared. A row says
nothing of who it was, ends at a date of its own, and outlives the keys of its case.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.erased import asked_in, erased_at
from schemas.codec import Codec

from . import own_key, store, subjects
from . import tables as t
from .case_keys import RECORD, CaseKeys
from .own_key import OwnKey
from .sealing import Opened

log = structlog.get_logger()
AT_ONCE = 1000
"""Hashes that are looked up at once: a database takes no more than so many in a statement."""
MEMORY = "memory"
"""Purpose of the one key."""
OWNER = UUID("5ab1ec75-0000-4000-8000-000000000002")
"""Who owns it, and its id."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is remembered of an identifier: the case in which its person asked, and when it was."""

    case: UUID
    at: datetime


class Memory:
    """Remembers whom erasures were for, in the transaction that settles them."""

    def __init__(self, codec: Codec, keys: CaseKeys, kept: timedelta) -> None:
        self._codec = codec
        self._key = memory_key(keys)
        self._kept = kept

    async def remember(
        self, connection: AsyncConnection, case: Case, opened: Opened, now: datetime
    ) -> None:
        """Keep every identifier that is known to be the person's, if a case erased anything.

        Again changes nothing but the date. Raises `SealError` if they do not open.
        """
        at = erased_at(case)
        if at is None or at + self._kept <= now:
            return
        if RECORD not in opened.keys:  # it settled before as well, and was remembered then
            log.warning("erasure.not_remembered", case=str(case.id))
            return
        key, tags = await self._key.get(connection, now), case.usable().keys()
        found = await subjects.hashes_of(connection, self._codec, case, opened, key, tags)
        rows = [
            {"hash": it, "case_id": asked_in(case), "erased_at": at, "forget_at": at + self._kept}
            for it in sorted(found)
        ]
        if rows:
            await _keep(connection, rows)


async def _keep(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    """Write rows; of one that is there, the later date holds."""
    statement = store.inserted(connection, t.erased)
    new = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["hash", "case_id"],
            set_={"erased_at": new.erased_at, "forget_at": new.forget_at},
            where=t.erased.c.erased_at < new.erased_at,
        ),
        rows,
    )


def memory_key(keys: CaseKeys) -> OwnKey:
    """The key that hashes whom erasures were for."""
    return OwnKey(keys, OWNER, MEMORY)


async def find(
    connection: AsyncConnection, hashes: Collection[bytes], now: datetime
) -> dict[bytes, Erasure]:
    """The latest erasure by each of these hashes; nothing of those that none was for."""
    found, waiting = dict[bytes, Erasure](), iter(hashes)
    while some := list(islice(waiting, AT_ONCE)):
        chosen = (
            select(t.erased)
            .where(t.erased.c.hash.in_(some), t.erased.c.forget_at > now)
            .order_by(t.erased.c.erased_at, t.erased.c.case_id)
        )
        rows = await connection.execute(chosen)
        found |= {it.hash: Erasure(it.case_id, it.erased_at) for it in rows}
    return found


async def entries(
    connection: AsyncConnection, hashes: Collection[bytes], now: datetime
) -> Sequence[Row[Any]]:
    """Everything that is remembered by one of these hashes."""
    chosen = (
        select(t.erased)
        .where(t.erased.c.hash.in_(sorted(hashes)), t.erased.c.forget_at > now)
        .order_by(t.erased.c.case_id, t.erased.c.hash)
    )
    return (await connection.execute(chosen)).all()


async def entries_of(connection: AsyncConnection, case: UUID, now: datetime) -> Sequence[Row[Any]]:
    """Everything that is remembered of one case."""
    chosen = select(t.erased).where(t.erased.c.case_id == case, t.erased.c.forget_at > now)
    return (await connection.execute(chosen)).all()


async def forget_expired(connection: AsyncConnection, now: datetime) -> None:
    """Forget whose time is over."""
    await connection.execute(delete(t.erased).where(t.erased.c.forget_at <= now))


async def forget_if_lost(
    connection: AsyncConnection, wrapping: Container[str]
) -> frozenset[UUID] | None:
    """Begin anew if what wraps the key is not there: the cases that were forgotten so, or None."""
    cases = (await connection.execute(select(t.erased.c.case_id).distinct())).scalars().all()
    if not await own_key.forget_if_lost(connection, OWNER, wrapping, t.erased):
        return None
    return frozenset(cases)
