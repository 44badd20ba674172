"""Publish what the register owes. Any process publishes any committed row, oldest first.

The ledger's records go first, and are acknowledged before anything else leaves: whatever a host was
told to do is in `rights.ledger`, also when the register is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import crash, flow

from .producer import send
from .register import store
from .register.store import Owed

FORGOTTEN_AFTER = timedelta(seconds=5)
"""A row this old was not published by the process that wrote it: that process is gone, or slow."""


class Publisher:
    """The outbox's way to Kafka: send, wait for acknowledgements, then forget the rows."""

    def __init__(
        self,
        engine: AsyncEngine,
        producer: AIOKafkaProducer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._producer = producer
        self._clock = clock
        self.records = 0
        """Records acknowledged so far, by this process."""

    async def publish(self, rows: Sequence[Owed]) -> None:
        """Send rows that are committed; returns when all are acknowledged and forgotten."""
        if not rows:
            return
        journal = [it.record for it in rows if it.record.topic == flow.LEDGER]
        await send(self._producer, journal)
        await send(self._producer, [it.record for it in rows if it.record.topic != flow.LEDGER])
        crash.passing("publisher.before-forget")
        self.records += len(rows)
        async with self._engine.begin() as connection:
            await store.forget(connection, [it.id for it in rows])

    async def sweep(self) -> int:
        """Publish rows that another process left behind; how many."""
        before = self._clock() - FORGOTTEN_AFTER
        async with self._engine.connect() as connection:
            rows = await store.owed(connection, before)
        await self.publish(rows)
        return len(rows)
