"""The clock: say what is due, publish what was left, destroy keys whose time is up, turn others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

import structlog
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import crash
from pipeline.settings import Settings

from .decider import Decider
from .key_folder import KeyFileError
from .publisher import Publisher
from .register import store
from .rotation import Rotation

log = structlog.get_logger()


async def sweep_for_ever(
    decider: Decider,
    publisher: Publisher,
    engine: AsyncEngine,
    settings: Settings,
    rotation: Rotation,
) -> NoReturn:
    """Sweep every `settings.sweep`; a busy or absent database, broker or folder is tried again."""
    while True:
        try:
            await sweep(decider, publisher, engine, datetime.now(UTC))
        except (DBAPIError, KafkaError, OSError) as error:
            log.warning("sweep.retried", error=type(error).__name__)
        except KeyFileError as error:
            log.warning("sweep.retried", error="KeyFileError", reason=str(error))
        try:
            await rotation.turn()
        except (DBAPIError, OSError) as error:
            log.warning("keys.not_turned", error=type(error).__name__)
        except KeyFileError as error:
            log.warning("keys.not_turned", error="KeyFileError", reason=str(error))
        await asyncio.sleep(settings.sweep.total_seconds())


async def sweep(decider: Decider, publisher: Publisher, engine: AsyncEngine, now: datetime) -> None:
    """One sweep."""
    async with engine.begin() as connection:
        found = await store.claim_dues(connection, now, await decider.brake(connection))
    if found:
        crash.passing("clock.after-claim")
        log.info("clock.due", cases=len(found), rows=sum(map(len, found.values())))
        await decider.tick(found)
    await decider.expire_keys(now)
    left = await publisher.sweep()
    if left:
        log.info("outbox.swept", records=left)
