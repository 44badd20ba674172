"""Case keys: random, one per (owner, purpose), kept wrapped, gone when destroyed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import keys

RECORD, PACKAGE, OBLIGATION = "record", "package", "obligation"


class KeyDestroyedError(Exception):
    """The key is gone, and with it what it sealed."""


@dataclass(frozen=True, slots=True)
class CaseKey:
    """A case key, in the clear, in memory only."""

    id: UUID
    owner: UUID
    purpose: str
    key: bytes

    def __repr__(self) -> str:
        return f"<CaseKey {self.purpose} {self.id}>"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is not in the table yet."""

    key: CaseKey
    at: datetime
    destroy_at: datetime | None = None


def new_key(owner: UUID, purpose: str) -> CaseKey:
    """A new random key."""
    return CaseKey(uuid4(), owner, purpose, os.urandom(32))


class CaseKeys:
    """The `keys` table under the wrapping keys of the key files; the last wraps new ones."""

    def __init__(self, wrapping: Mapping[str, bytes]) -> None:
        self._wrapping = dict(wrapping)
        self._newest = list(wrapping)[-1]

    async def save(self, connection: AsyncConnection, made: Sequence[NewKey]) -> None:
        """Keep new keys, wrapped."""
        rows = [
            {
                "id": it.key.id,
                "owner": it.key.owner,
                "purpose": it.key.purpose,
                "wrapping": self._newest,
                "wrapped": aes_key_wrap(self._wrapping[self._newest], it.key.key),
                "created_at": it.at,
                "destroy_at": it.destroy_at,
            }
            for it in made
        ]
        if rows:
            await connection.execute(insert(keys), rows)

    async def of(
        self, connection: AsyncConnection, owners: Iterable[UUID]
    ) -> dict[tuple[UUID, str], CaseKey]:
        """The living keys of these owners by (owner, purpose)."""
        rows = await connection.execute(
            select(keys).where(keys.c.owner.in_(list(owners)), keys.c.destroyed_at.is_(None))
        )
        return {
            (it.owner, it.purpose): CaseKey(
                it.id, it.owner, it.purpose, aes_key_unwrap(self._wrapping[it.wrapping], it.wrapped)
            )
            for it in rows
        }


@dataclass(frozen=True, slots=True)
class Expired:
    """A case key whose time is up."""

    id: UUID
    owner: UUID
    purpose: str


async def expired_keys(
    connection: AsyncConnection, now: datetime, most: int = 100
) -> list[Expired]:
    """Living keys of cases that were to be destroyed by now."""
    rows = await connection.execute(
        select(keys)
        .where(keys.c.destroy_at <= now, keys.c.destroyed_at.is_(None))
        .where(keys.c.purpose != OBLIGATION)
        .limit(most)
    )
    return [Expired(it.id, it.owner, it.purpose) for it in rows]


async def expire(connection: AsyncConnection, which: Collection[UUID], at: datetime) -> None:
    """Say when keys are to be destroyed."""
    if which:
        await connection.execute(update(keys).where(keys.c.id.in_(which)).values(destroy_at=at))


async def destroy(connection: AsyncConnection, key: UUID, at: datetime) -> None:
    """Destroy a key: its bytes are overwritten; that it existed, and when it went, is kept."""
    await connection.execute(
        update(keys).where(keys.c.id == key).values(wrapped=b"", destroyed_at=at)
    )
