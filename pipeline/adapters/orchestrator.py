"""The deciding process: one Faust agent a topic, in order, a batch at a time, and the clock beside.

What Faust may be trusted with was measured (DESIGN section 4): streams are taken with `noack_take`
and acknowledged only after the batch's transaction; a handler never ends by an exception: what can
be tried again is tried again here, and anything else stops the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import broke, flow
from pipeline.settings import Settings
from schemas.codec import UnknownEventError

from .behind import RegisterBehindError
from .clock import sweep_for_ever
from .dead_letters import DeadLetterLimitError
from .decider import Decider
from .incoming import Incoming, missing, read_range
from .key_folder import KeyFileError
from .publisher import Publisher
from .register import store
from .rotation import Rotation

GROUP = "habeas.orchestrator"
BATCH = 200
WITHIN = 0.01
"""Seconds to wait for a batch to fill."""
STOPS_WITHIN = 10.0
"""Seconds: Faust waits for ever for partitions that a process never got. Nothing depends on it."""
PAUSE = 1.0
"""Seconds before a batch that met a busy or absent database or broker is taken again."""
OURS = (DeadLetterLimitError, RegisterBehindError, UnknownEventError)
"""What stops a process on purpose. Their texts name nobody."""
log = structlog.get_logger()


class Orchestrator:
    """Runs until it is stopped or something happens that must stop it."""

    def __init__(
        self,
        *,
        decider: Decider,
        publisher: Publisher,
        rotation: Rotation,
        engine: AsyncEngine,
        settings: Settings,
        bootstrap: str,
        folder: Path,
    ) -> None:
        self._decider = decider
        self._publisher = publisher
        self._rotation = rotation
        self._engine = engine
        self._settings = settings
        self._bootstrap = bootstrap
        self._failed: asyncio.Future[None] | None = None
        self._app = faust.App(
            GROUP,
            broker=f"kafka://{bootstrap}",
            datadir=str(folder),
            autodiscover=False,
            web_enabled=False,
            processing_guarantee="at_least_once",
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            broker_commit_interval=1.0,
            consumer_group_instance_id=settings.instance or None,
            broker_session_timeout=settings.session_timeout.total_seconds(),
            broker_heartbeat_interval=settings.session_timeout.total_seconds() / 4,
            stream_wait_empty=False,
            loghandlers=[],
        )
        for topic in (flow.REQUESTS, flow.RESULTS, flow.DECISIONS):
            channel = self._app.topic(
                topic,
                key_type=bytes,
                value_type=bytes,
                key_serializer="raw",
                value_serializer="raw",
            )
            self._app.agent(channel, name=f"take.{topic}")(self._agent(topic))
        self._app.on_partitions_assigned.connect(_assigned)

    async def run(self) -> None:
        """Decide until cancelled. Raises what stopped it."""
        self._failed = asyncio.get_running_loop().create_future()
        clock: asyncio.Task[None] = asyncio.create_task(
            sweep_for_ever(
                self._decider, self._publisher, self._engine, self._settings, self._rotation
            )
        )
        try:
            await self._app.start()
            both: set[asyncio.Future[None]] = {clock, self._failed}
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for it in done:
                it.result()
        finally:
            clock.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._app.stop(), STOPS_WITHIN)

    def _agent(self, topic: str) -> Callable[[Any], AsyncIterator[None]]:
        async def take(stream: Any) -> AsyncIterator[None]:
            async for events in stream.noack_take(BATCH, within=WITHIN):
                await self._take_until_done(topic, [_incoming(it) for it in events])
                for it in events:
                    it.ack()
                yield

        return take

    async def _take_until_done(self, topic: str, batch: Sequence[Incoming]) -> None:
        while True:
            try:
                whole = [*await self._missed(topic, batch), *batch]
                await self._decider.take(sorted(whole, key=lambda it: (it.partition, it.offset)))
            except (OperationalError, DBAPIError, KafkaError, OSError) as error:
                log.warning("batch.retried", topic=topic, error=type(error).__name__)
                await asyncio.sleep(PAUSE)
            except KeyFileError as error:  # such as one that has not reached this machine yet
                log.warning("batch.retried", topic=topic, error="KeyFileError", reason=str(error))
                await asyncio.sleep(PAUSE)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  never leave the handler by an exception
                self._stop(error)
                await asyncio.Event().wait()  # nothing after this batch may be acknowledged
            else:
                return

    async def _missed(self, topic: str, batch: Sequence[Incoming]) -> list[Incoming]:
        """Records before and in a batch that never came here.

        Faust drops what it has fetched when partitions are shared out anew, and may go on behind
        it. What the register has not seen is read again; what it has is dropped by the decider.
        """
        async with self._engine.connect() as connection:
            following = await store.offsets(connection)
        found: list[Incoming] = []
        for partition in {it.partition for it in batch}:
            came = [it.offset for it in batch if it.partition == partition]
            for gap in missing(following.get((topic, partition)), came):
                log.warning("records.missed", topic=topic, partition=partition, count=len(gap))
                where = TopicPartition(topic, partition)
                found += await read_range(self._bootstrap, where, gap)
        return found

    def _stop(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, OURS) else broke.at(error)  # no stranger's words
        log.error("orchestrator.stopped", error=type(error).__name__, reason=reason)
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)


def _assigned(_: Any, /, *given: Any, **__: Any) -> None:
    (partitions,) = given
    log.info("orchestrator.assigned", partitions=len(partitions))


def _incoming(event: Any) -> Incoming:
    message = event.message
    return Incoming(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(
            message.headers.items() if isinstance(message.headers, dict) else message.headers or ()
        ),
        at=datetime.fromtimestamp(message.timestamp, UTC),
    )
