"""Publish what the register owes. Any process publishes any committed row, oldest first.

The ledger's records go first, and are acknowledged before anything else leaves: whatever a host was
told to do is in `rights.ledger`, also when the register is lost. They and the reports leave with
the orchestrator's signature, by the key that is in force when they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.faults import crash
from pipeline.kafka.authentication import signed
from pipeline.kafka.producer import Publishes, send
from pipeline.kafka.wire import Record
from pipeline.keys.orchestrator_keys import OrchestratorKeys
from pipeline.register import store
from pipeline.register.store import Owed

FORGOTTEN_AFTER = timedelta(seconds=5)
"""A row this old was not published by the process that wrote it: that process is gone, or slow."""


class Publisher:
    """The outbox's way to Kafka: sign, send, wait for acknowledgements, then forget the rows."""

    def __init__(
        self,
        engine: AsyncEngine,
        producer: Publishes,
        keys: OrchestratorKeys,
        clock: Callable[[], datetime] = wall_clock.now,
    ) -> None:
        self._engine = engine
        self._producer = producer
        self._keys = keys
        self._clock = clock
        self.records = 0
        """Records acknowledged so far, by this process."""

    async def publish(self, rows: Sequence[Owed]) -> None:
        """Send rows that are committed; returns when all are acknowledged and forgotten.

        Raises `KeyFileError` if there is no key to sign with.
        """
        if not rows:
            return
        records = self._signed([it.record for it in rows])
        await send(self._producer, [it for it in records if it.topic == flow.LEDGER])
        await send(self._producer, [it for it in records if it.topic != flow.LEDGER])
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

    def _signed(self, records: Sequence[Record]) -> list[Record]:
        if not any(it.topic in flow.SIGNED for it in records):
            return list(records)
        named = self._keys.current(self._clock())
        key = self._keys[named]
        return [signed(it, named, key) if it.topic in flow.SIGNED else it for it in records]
