"""Wrap the case keys of the register anew, and know when no living one is under an old key."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from sqlalchemy import bindparam, delete, exists, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from .case_keys import RECORD
from .tables import keys, set_aside, wrapping_keys

TURNING = 0x6B657973
"""The advisory lock of whoever makes or destroys key files."""


async def lock(connection: AsyncConnection) -> None:
    """Be the only one who makes or destroys key files until the transaction ends."""
    if connection.dialect.name != "sqlite":  # there BEGIN IMMEDIATE locked the whole register
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURNING})


async def rewrap(
    connection: AsyncConnection, old: tuple[str, bytes], new: tuple[str, bytes], most: int = 200
) -> int:
    """Wrap some living keys anew; how many. Those that others hold are left for the next time."""
    chosen = (
        select(keys.c.id, keys.c.wrapped)
        .where(keys.c.wrapping == old[0], keys.c.destroyed_at.is_(None))
        .limit(most)
    )
    if connection.dialect.name != "sqlite":
        chosen = chosen.with_for_update(skip_locked=True)
    rows = [
        {"named": it.id, "again": aes_key_wrap(new[1], aes_key_unwrap(old[1], it.wrapped))}
        for it in await connection.execute(chosen)
    ]
    change = update(keys).where(keys.c.id == bindparam("named"))
    if rows:
        await connection.execute(change.values(wrapping=new[0], wrapped=bindparam("again")), rows)
    return len(rows)


async def missing(connection: AsyncConnection, here: Container[str]) -> list[str]:
    """The wrapping keys that are not `here`, of cases that are decided about.

    Those have a living record key, and are not set aside.
    """
    aside = select(set_aside.c.case_id)
    is_living = keys.c.destroyed_at.is_(None)
    decided = select(keys.c.owner).where(is_living, keys.c.purpose == RECORD)
    chosen = select(keys.c.wrapping).where(
        is_living, keys.c.owner.in_(decided), keys.c.owner.not_in(aside)
    )
    every = (await connection.execute(chosen.distinct())).scalars()
    return sorted(it for it in every if it not in here)


async def left(connection: AsyncConnection) -> dict[str, datetime]:
    """The old wrapping keys that no living case key is under, and since when."""
    return {it.id: it.left_at for it in await connection.execute(select(wrapping_keys))}


async def note_left(connection: AsyncConnection, named: str, at: datetime) -> bool:
    """Note that nothing is under a wrapping key any more, if that is so; if it is."""
    if not await is_empty(connection, named):
        return False
    if named in await left(connection):
        return True  # another process was faster
    await connection.execute(insert(wrapping_keys).values(id=named, left_at=at))
    return True


async def is_empty(connection: AsyncConnection, named: str) -> bool:
    """Whether no living case key is under a wrapping key: nor in a transaction under way."""
    if connection.dialect.name != "sqlite":
        await connection.execute(text("LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE"))
    living = exists().where(keys.c.wrapping == named, keys.c.destroyed_at.is_(None))
    return not (await connection.execute(select(living))).scalar()


async def forget(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Wrapping keys that are gone, or that something is under again."""
    chosen = wrapping_keys.c.id.in_(list(names))
    await connection.execute(delete(wrapping_keys).where(chosen))
