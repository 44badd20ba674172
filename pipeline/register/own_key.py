"""A key of the register itself, that hashes what is to be found again over all cases.

It is wrapped as case keys are, turns with them, and travels nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Container
from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .case_keys import CaseKey, CaseKeys, NewKey


class OwnKey:
    """The one key of a purpose; made when it is used first. `owner` is its id, too."""

    def __init__(
        self, keys: CaseKeys, owner: UUID, purpose: str, destroy_at: datetime | None = None
    ) -> None:
        self._keys = keys
        self._destroy_at = destroy_at
        self._owner = owner
        self._purpose = purpose
        self._known = b""
        self._made_in: AsyncConnection | None = None

    async def get(self, connection: AsyncConnection, now: datetime) -> bytes:
        """The key. Raises `KeyFileError` if what wraps it is not there."""
        if self._known:
            return self._known
        if (found := await self.find(connection)) is not None:
            if connection is not self._made_in:  # else its transaction may yet come to nothing
                self._known = found
            return found
        made = CaseKey(self._owner, self._owner, self._purpose, os.urandom(32))
        await self._keys.save_unless_there(connection, NewKey(made, now, self._destroy_at))
        self._made_in = connection
        kept = await self.find(connection)  # another process may have been faster
        assert kept is not None  # noqa: S101  a key is never taken away while somebody decides
        return kept

    async def find(self, connection: AsyncConnection) -> bytes | None:
        """The key; None if it was never used. Raises `KeyFileError` as `get`."""
        found = await self._keys.of(connection, [self._owner])
        key = found.get((self._owner, self._purpose))
        return None if key is None else key.key


async def forget_if_lost(
    connection: AsyncConnection, owner: UUID, wrapping: Container[str], hashes: Table
) -> bool:
    """Begin anew if what wraps a key is not there: nobody can tell what its hashes stand for.

    Whether that was so.
    """
    row = (await connection.execute(select(t.keys).where(t.keys.c.id == owner))).first()
    if row is None or row.wrapping in wrapping:
        return False
    await connection.execute(delete(hashes))
    await connection.execute(delete(t.keys).where(t.keys.c.id == owner))
    return True
