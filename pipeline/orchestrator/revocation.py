"""Revoke a key that signed responses and reports: another takes over, its private half goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline.keys.key_files import SIGNING, KeyFiles
from pipeline.register import wrapping

log = structlog.get_logger()


async def revoke_signing(
    engine: AsyncEngine,
    files: KeyFiles,
    key: str,
    as_of: datetime,
    clock: Callable[[], datetime] = wall_clock.now,
) -> str:
    """Have what a key signed as of a moment not count; the id of the key that is in force then.

    Under the register's lock, as everything that makes or destroys keys. Done again, it goes on
    where it stopped. Raises `KeyFileError` if there is no such key.
    """
    async with engine.begin() as connection:
        await wrapping.lock(connection)
        signing, now = files.signing(), clock()
        named = signing.named(key)
        if signing.current(now) == named:
            signing.create(now)
        signing.revoke(key, as_of)
        if named in signing:
            signing.destroy(named)
        log.info("key.revoked", purpose=SIGNING, key=key, as_of=as_of.isoformat())
        return signing.key_ids()[signing.current(now)]
