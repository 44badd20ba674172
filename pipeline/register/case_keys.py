"""Case keys: random, one per (owner, purpose), kept wrapped, gone when destroyed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.keys.key_folder import KeyFileError, KeyFolder

from .store import inserted
from .tables import keys, ledger, links, subjects

RECORD, PACKAGE, OBLIGATION = "record", "package", "obligation"
EVIDENCE = "evidence"
"""Of what shows a preference (`preferences.py`): it is no case's, and ends without a word."""
OF_RECORD = frozenset({RECORD, OBLIGATION})
"""An obligation's key is the record key of the case that looks at it, and owned by that."""


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
    """The `keys` table under the wrapping keys that lie in a folder now."""

    def __init__(self, wrapping: KeyFolder) -> None:
        self._wrapping = wrapping

    async def save(self, connection: AsyncConnection, made: Sequence[NewKey]) -> None:
        """Keep new keys, under the wrapping key that is in force."""
        if made:
            await connection.execute(insert(keys), self._rows(made))

    async def save_unless_there(self, connection: AsyncConnection, made: NewKey) -> None:
        """Keep a new key, unless one of its id is kept already, perhaps by another process."""
        statement = inserted(connection, keys).on_conflict_do_nothing()
        await connection.execute(statement, self._rows([made]))

    def _rows(self, made: Sequence[NewKey]) -> list[dict[str, object]]:
        named = self._wrapping.current(max(it.at for it in made))
        wrapping = self._wrapping[named]
        return [
            {
                "id": it.key.id,
                "owner": it.key.owner,
                "purpose": it.key.purpose,
                "wrapping": named,
                "wrapped": aes_key_wrap(wrapping, it.key.key),
                "created_at": it.at,
                "destroy_at": it.destroy_at,
            }
            for it in made
        ]

    async def of(
        self, connection: AsyncConnection, owners: Iterable[UUID]
    ) -> dict[tuple[UUID, str], CaseKey]:
        """The living keys of these owners by (owner, purpose); an obligation's is a record key.

        Raises `KeyFileError` if the wrapping key of one is not there.
        """
        chosen = select(keys).where(keys.c.owner.in_(list(owners)), keys.c.destroyed_at.is_(None))
        rows = list(await connection.execute(chosen))
        wrapping = {it: self._opened(it) for it in {row.wrapping for row in rows}}
        return {
            (it.owner, RECORD if it.purpose in OF_RECORD else it.purpose): CaseKey(
                it.id, it.owner, it.purpose, aes_key_unwrap(wrapping[it.wrapping], it.wrapped)
            )
            for it in rows
        }

    async def record_keys(
        self, connection: AsyncConnection, cases: Collection[UUID]
    ) -> dict[UUID, tuple[UUID, CaseKey | None]]:
        """The id of every record key that these cases had or have; and the key, if it is at hand.

        It is not if it is destroyed, or if its wrapping key is not there.
        """
        chosen = select(keys).where(keys.c.owner.in_(cases), keys.c.purpose.in_(OF_RECORD))
        rows = list(await connection.execute(chosen))
        named = {it.wrapping for it in rows if it.destroyed_at is None}
        wrapping = {it: self._wrapping[it] for it in named if it in self._wrapping}
        found: dict[UUID, tuple[UUID, CaseKey | None]] = {it.owner: (it.id, None) for it in rows}
        for it in rows:
            if it.destroyed_at is None and it.wrapping in wrapping:
                key = aes_key_unwrap(wrapping[it.wrapping], it.wrapped)
                found[it.owner] = it.id, CaseKey(it.id, it.owner, RECORD, key)
        return found

    def _opened(self, named: str) -> bytes:
        try:
            return self._wrapping[named]
        except KeyError:
            raise not_here(named, self._wrapping) from None


def not_here(named: str, wrapping: KeyFolder) -> KeyFileError:
    """The error that a wrapping key is missing, and what to do."""
    return KeyFileError(
        f"the wrapping key {named} of living case keys is not in {wrapping.root}: bring it back"
        " from the backup of the keys; if there is none, `habeas recover` sets those cases aside."
        " If this register, or this folder, is another installation's: correct HABEAS_REGISTER or"
        " HABEAS_DATA. Nothing was changed."
    )


async def answered(connection: AsyncConnection, most: int = 100) -> list[UUID]:
    """The newest cases that were given an answer which can still be opened."""
    signed = exists().where(ledger.c.case_id == keys.c.owner, ledger.c.type == "response_signed")
    chosen = select(keys.c.owner).where(
        keys.c.purpose == PACKAGE, keys.c.destroyed_at.is_(None), signed
    )
    return list(
        (await connection.execute(chosen.order_by(keys.c.created_at.desc()).limit(most))).scalars()
    )


@dataclass(frozen=True, slots=True)
class Expired:
    """A case key whose time is up."""

    id: UUID
    owner: UUID
    purpose: str
    wrapping: str


async def expired_keys(
    connection: AsyncConnection, now: datetime, most: int = 100
) -> list[Expired]:
    """Living keys of cases that were to be destroyed by now."""
    over = (keys.c.destroy_at <= now, keys.c.destroyed_at.is_(None), keys.c.purpose != EVIDENCE)
    rows = await connection.execute(select(keys).where(*over).limit(most))
    return [Expired(it.id, it.owner, it.purpose, it.wrapping) for it in rows]


async def expire(connection: AsyncConnection, ends: Mapping[UUID, datetime]) -> None:
    """Say when keys, by their ids, are to be destroyed."""
    moments: dict[datetime, list[UUID]] = {}
    for key, at in ends.items():
        moments.setdefault(at, []).append(key)
    for at, which in moments.items():
        await connection.execute(update(keys).where(keys.c.id.in_(which)).values(destroy_at=at))


async def destroy(connection: AsyncConnection, key: UUID, at: datetime) -> None:
    """Destroy a key: its bytes are overwritten; that it existed, and when it went, is kept.

    With a case's record key go the links in its mails, and what says whose case it is.
    """
    await connection.execute(
        update(keys).where(keys.c.id == key).values(wrapped=b"", destroyed_at=at)
    )
    of_record = select(keys.c.owner).where(keys.c.id == key, keys.c.purpose.in_(OF_RECORD))
    for table in (links, subjects):
        await connection.execute(delete(table).where(table.c.case_id.in_(of_record)))
