"""The deciding process: one Faust agent a topic, in order, a batch at a time, and the clock beside.

What Faust may be trusted with was measured (DESIGN section 4): streams are taken with `noack_take`
and acknowledged only after the batch's transaction; a handler never ends by an exception: what can
be tried again is tried again here, and anything else stops the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import faust
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import flow
from pipeline.case.rules import UnknownPolicyError
from pipeline.faults import broke
from pipeline.faults.patience import GaveUpError, Patience
from pipeline.kafka import connection
from pipeline.kafka.dead_letters import DeadLetterLimitError
from pipeline.kafka.incoming import Incoming, broker_time
from pipeline.kafka.positions import Place
from pipeline.register.engine import RegisterBehindError
from pipeline.settings import Settings
from schemas.codec import UnknownEventError

from .backlog import Backlog
from .clock import sweep_for_ever
from .decider import Decider
from .faust_credentials import credentials
from .publisher import Publisher
from .retries import tried_again
from .rotation import Rotation

GROUP = flow.group(flow.ORCHESTRATOR)
BATCH = 200
WAITING = 1000
"""Records of a topic that wait in memory, at most: each may have half a megabyte."""
WITHIN = 0.01
"""Seconds to wait for a batch to fill."""
STOPS_WITHIN = 10.0
"""Seconds: Faust waits for ever for partitions that a process never got. Nothing depends on it."""
PAUSE = 1.0
"""Seconds before a batch that met a busy or absent database or broker is taken again."""
LOOK_EVERY = 5
"""Sweeps of the clock, between two looks at what nobody has decided on."""
OURS = (
    DeadLetterLimitError,
    GaveUpError,
    RegisterBehindError,
    UnknownEventError,
    UnknownPolicyError,
)
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
        self._backlog = Backlog(engine, bootstrap, decider.take)
        self._ours: set[Place] = set()
        self._failed: asyncio.Future[None] | None = None
        self._app = faust.App(
            GROUP,
            broker=[f"kafka://{it.strip()}" for it in bootstrap.split(",")],
            broker_credentials=credentials(bootstrap),
            broker_max_poll_records=connection.FETCH["max_poll_records"],
            consumer_max_fetch_size=connection.FETCH["max_partition_fetch_bytes"],
            topic_allow_declare=False,  # `habeas topics` makes them, with their settings
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
            stream_buffer_maxsize=WAITING,
            loghandlers=[],
        )
        for topic in flow.DECIDED:
            channel = self._app.topic(
                topic,
                key_type=bytes,
                value_type=bytes,
                key_serializer="raw",
                value_serializer="raw",
            )
            self._app.agent(channel, name=f"take.{topic}")(self._agent(topic))
        self._app.on_partitions_assigned.connect(self._assigned)

    async def run(self) -> None:
        """Decide until cancelled. Raises what stopped it."""
        self._failed = asyncio.get_running_loop().create_future()
        clock: asyncio.Task[None] = asyncio.create_task(
            sweep_for_ever(
                self._decider, self._publisher, self._engine, self._settings, self._rotation
            )
        )
        reading: asyncio.Task[None] = asyncio.create_task(self._read_on_for_ever())
        try:
            await self._app.start()
            every: set[asyncio.Future[None]] = {clock, reading, self._failed}
            done, _ = await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
            for it in done:
                it.result()
        finally:
            clock.cancel()
            reading.cancel()
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
        patience = Patience(f"deciding a batch of {topic}", self._settings.give_up_after)
        while True:
            try:
                with tried_again("batch.retried", patience, topic=topic):
                    await self._backlog.take(batch)
                    return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  never leave the handler by an exception
                await self._stop(error)
            await asyncio.sleep(PAUSE)

    async def _read_on_for_ever(self) -> NoReturn:
        """Decide what Faust passed by and nothing comes after. Raises what must stop us."""
        patience = Patience("reading the topics' ends", self._settings.give_up_after)
        pause = self._settings.sweep.total_seconds() * LOOK_EVERY
        while True:
            await asyncio.sleep(pause)
            with tried_again("backlog.retried", patience):
                await self._backlog.look(self._ours)

    def _assigned(self, _: Any, /, *given: Any, **__: Any) -> None:
        (partitions,) = given
        self._ours = {(it.topic, it.partition) for it in partitions}
        log.info("orchestrator.assigned", partitions=len(partitions))

    async def _stop(self, error: Exception) -> NoReturn:
        """End the process, and never return: nothing after this may be acknowledged."""
        reason = str(error) if isinstance(error, OURS) else broke.at(error)  # no stranger's words
        log.error("orchestrator.stopped", error=type(error).__name__, reason=reason)
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
        while True:
            await asyncio.Event().wait()


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
        at=broker_time(message.timestamp, message.timestamp_type),
    )
