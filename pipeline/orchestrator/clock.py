"""The clock: say what is due, publish what was left, destroy keys whose time is up, turn others."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NoReturn

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline.faults import crash
from pipeline.faults.patience import Patience
from pipeline.register import links, memory, preferences, store
from pipeline.settings import Settings

from .decider import Decider
from .publisher import Publisher
from .retries import tried_again
from .rotation import Rotation

log = structlog.get_logger()


async def sweep_for_ever(
    decider: Decider,
    publisher: Publisher,
    engine: AsyncEngine,
    settings: Settings,
    rotation: Rotation,
) -> NoReturn:
    """Sweep every `settings.sweep`; a busy or absent database, broker or folder is tried again.

    Raises `GaveUpError`.
    """
    sweeping = Patience("the clock's sweep", settings.give_up_after)
    turning = Patience("turning the keys", settings.give_up_after)
    while True:
        with tried_again("sweep.retried", sweeping):
            await sweep(decider, publisher, engine, wall_clock.now())
        with tried_again("keys.not_turned", turning):
            await rotation.turn()
        await asyncio.sleep(settings.sweep.total_seconds())


async def sweep(decider: Decider, publisher: Publisher, engine: AsyncEngine, now: datetime) -> None:
    """One sweep."""
    async with engine.begin() as connection:
        found = await store.claim_dues(connection, now, await decider.brake(connection))
        await links.forget_expired(connection, now)
        await memory.forget_expired(connection, now)
        await preferences.forget_expired(connection, now)
    if found:
        crash.passing("clock.after-claim")
        log.info("clock.due", cases=len(found), rows=sum(map(len, found.values())))
        await decider.tick(found)
    await decider.let_go(now)
    await decider.expire_keys(now)
    left = await publisher.sweep()
    if left:
        log.info("outbox.swept", records=left)
