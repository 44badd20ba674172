"""The machinery under every host: take orders, work on them, answer, commit.

Up to `settings.window` orders at once, those of one case strictly one after the other. Offsets are
committed only up to the oldest unfinished order of a partition, so that a killed host's work comes
again; what was finished beyond it is told in the commit's metadata, and does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.crypto.proofs import NotProvedError
from pipeline.faults import crash
from pipeline.faults.patience import Patience
from pipeline.kafka import connection, wire
from pipeline.kafka.connection import stop
from pipeline.kafka.dead_letters import InARow, refused
from pipeline.kafka.incoming import Incoming, of_kafka
from pipeline.kafka.producer import Producer, producer, send_patiently
from pipeline.kafka.unauthenticated import Unauthenticated
from pipeline.ports import Work
from pipeline.settings import Settings
from schemas.codec import Codec

from .offset_bitmap import Partition
from .order_handler import OrderHandler, UnreadableError

WHILE_BUSY, WHILE_IDLE = 100, 1000
"""Milliseconds to wait for the next orders."""
COMMIT_EVERY = 0.25
"""Seconds."""
COMMIT_WITHIN = 5.0
"""Seconds: aiokafka waits for a broker without end, and whoever waits here takes no orders."""
LAST_ORDERS = 5.0
"""Seconds that running orders get when the host is stopped."""
READ_WITHIN = 3.0
"""Seconds to learn what is finished, within the shortest session: a broker may just be starting."""
log = structlog.get_logger()
Recipient = Callable[[], tuple[str, X25519PublicKey]]
"""Says what dead letters are sealed to now."""
Share = Callable[[float], None]
Committed = Callable[[set[TopicPartition]], Awaitable[Mapping[TopicPartition, OffsetAndMetadata]]]


async def run_host(
    work: Work,
    *,
    settings: Settings,
    bootstrap: str,
    host_keys: Path,
    codec: Codec,
    pipeline_public: Recipient,
    share: Share = lambda _: None,
    clock: Callable[[], datetime] = wall_clock.now,
) -> NoReturn:
    """Answer one system's orders until cancelled. Raises what must stop the process.

    `share` is told which part of the topic's partitions is this worker's.
    """
    topic = flow.work(work.system)
    session = int(settings.session_timeout.total_seconds() * 1000)
    group = flow.group(flow.host(work.system))
    async with producer(bootstrap, settings.give_up_after / 2) as out:
        consumer = AIOKafkaConsumer(
            **connection.consumer(bootstrap),
            group_id=group,
            group_instance_id=settings.instance or None,
            auto_offset_reset="earliest",
            session_timeout_ms=session,
            heartbeat_interval_ms=session // 4,
            max_poll_interval_ms=int(timedelta(minutes=10).total_seconds() * 1000),
        )
        desk = OrderHandler(
            work,
            codec=codec,
            host_keys=host_keys,
            clock=clock,
            most_waiting=max(settings.window // 2, 1),
        )
        committed = partial(_committed, bootstrap, group)
        host = _Host(desk, consumer, out, settings, codec, pipeline_public, share, committed)
        consumer.subscribe([topic], listener=host)
        try:
            await consumer.start()
            await host.run()
        finally:
            await host.drain()
            await stop(consumer)


async def _committed(
    bootstrap: str, group: str, partitions: set[TopicPartition]
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """A group's commits. The consumer itself tells offsets alone."""
    admin = AIOKafkaAdminClient(**connection.client(bootstrap))
    try:
        async with asyncio.timeout(READ_WITHIN):
            await admin.start()
            while True:
                found: dict[TopicPartition, OffsetAndMetadata]
                found = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
                if partitions <= found.keys():  # aiokafka tells an error by leaving them out
                    return found
                await asyncio.sleep(WHILE_BUSY / 1000)
    finally:
        await admin.close()


class _Host(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    def __init__(  # noqa: PLR0917  made in one place
        self,
        desk: OrderHandler,
        consumer: AIOKafkaConsumer,
        out: Producer,
        settings: Settings,
        codec: Codec,
        pipeline_public: Recipient,
        share: Share,
        committed: Committed,
    ) -> None:
        self._desk = desk
        self._consumer = consumer
        self._producer = out
        self._settings = settings
        self._codec = codec
        self._pipeline_public = pipeline_public
        self._share = share
        self._committed = committed
        self._partitions: dict[TopicPartition, Partition] = {}
        self._running: dict[asyncio.Task[None], TopicPartition] = {}
        self._last: dict[bytes | None, asyncio.Task[None]] = {}
        self._refused = InARow(flow.work(desk.system), settings.dead_letter_limit)
        self._unauthenticated = Unauthenticated()
        self._committed_at = 0.0
        self._committing = Patience("committing", settings.give_up_after)
        self._reading = Patience("reading commits", settings.give_up_after)
        self._restoring = asyncio.Lock()
        """Held while it is learnt what is finished: records of a new partition arrive meanwhile."""

    async def run(self) -> NoReturn:
        while True:
            room = self._settings.window - len(self._running)
            full = {it for it, state in self._partitions.items() if state.is_full}
            ours = self._consumer.assignment()
            still = ours & full if room > 0 else ours
            self._consumer.resume(*(self._consumer.paused() - still))
            self._consumer.pause(*still)
            arrived = await self._consumer.getmany(
                timeout_ms=WHILE_BUSY if self._running else WHILE_IDLE,
                max_records=max(room, 1),
            )
            async with self._restoring:
                ours = self._consumer.assignment()  # it may have changed since they arrived
                for partition in arrived.keys() & ours:
                    for it in arrived[partition]:
                        self._start(partition, of_kafka(it))
            self._collect()
            if time.monotonic() - self._committed_at > COMMIT_EVERY:
                await self._commit()

    async def drain(self) -> None:
        """No new orders; running ones get a little time, and what is done is committed."""
        if self._running:
            await asyncio.wait(self._running, timeout=LAST_ORDERS)
        left = list(self._running)
        for it in left:
            it.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._commit()

    async def on_partitions_revoked(self, _revoked: set[TopicPartition]) -> None:
        """Work goes on: most partitions come back at once."""
        await self._commit()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Drop the work on what went to another worker: it starts there anew."""
        for task, partition in self._running.items():
            if partition not in assigned:
                task.cancel()
        fresh = assigned - self._partitions.keys()
        self._partitions = {it: self._partitions.get(it, Partition()) for it in assigned}
        for topic in {it.topic for it in assigned}:
            every = self._consumer.partitions_for_topic(topic) or range(self._settings.partitions)
            self._share(len(assigned) / len(every))
        async with self._restoring:
            await self._restore(fresh)
        topics = sorted({it.topic for it in assigned})
        log.info("host.assigned", topics=topics, partitions=len(assigned))

    async def _restore(self, fresh: set[TopicPartition]) -> None:
        """Learn what the workers before us have finished past their commits."""
        with _costs_repetition("commits.unread", self._reading):
            found = await self._committed(fresh) if fresh else {}
            for it, told in found.items():
                self._partitions[it].restore(told.offset, told.metadata or "")

    def _start(self, partition: TopicPartition, record: Incoming) -> None:
        state = self._partitions.setdefault(partition, Partition())
        if not state.begin(record.offset):
            return  # delivered again after a rebalance, while we work on it
        before = self._last.get(record.key)
        task = asyncio.create_task(self._finish(record, state, before))
        self._running[task] = partition
        self._last[record.key] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._last = {key: it for key, it in self._last.items() if it is not task}

    def _collect(self) -> None:
        """Forget tasks that ended; raise what must stop the process."""
        for it in [it for it in self._running if it.done()]:
            del self._running[it]
            if not it.cancelled():
                it.result()

    async def _finish(
        self, record: Incoming, state: Partition, before: asyncio.Task[None] | None
    ) -> None:
        try:
            opened = await self._desk.open(record)  # first: who has no keys makes nobody wait
            if before is not None:
                await asyncio.wait({before})
            await self._send(self._desk.beginning(opened))
            answers = await self._desk.answer(opened)
        except NotProvedError as error:
            reason = self._unauthenticated.put_aside(record, str(error))
            answers = [] if reason is None else self._letter(record, reason)
        except UnreadableError as error:
            log.warning("order.refused", topic=record.topic, reason=str(error))
            self._refused.was_refused(record, str(error))
            answers = self._letter(record, str(error))
        else:
            self._refused.was_read()
        crash.passing("host.before-answer")
        await self._send(answers)
        crash.passing("host.after-answer")
        state.end(record.offset)

    def _letter(self, record: Incoming, reason: str) -> list[wire.Record]:
        return [refused(record, reason, self._codec, self._pipeline_public())]

    async def _send(self, answers: Sequence[wire.Record]) -> None:
        await send_patiently(
            self._producer,
            answers,
            self._settings.give_up_after,
            lambda error: log.warning("answer.retried", error=type(error).__name__),
        )

    async def _commit(self) -> None:
        states = dict(self._partitions)  # a rebalance may exchange them before the broker answers
        told = {it: state.to_commit() for it, state in states.items()}
        offsets = {it: said for it, said in told.items() if said is not None}
        self._committed_at = time.monotonic()
        with _costs_repetition("commit.refused", self._committing):
            if offsets:
                crash.passing("host.before-commit")
                async with asyncio.timeout(COMMIT_WITHIN):
                    await self._consumer.commit(offsets)
            for it, said in offsets.items():
                states[it].committed(said)


@contextmanager
def _costs_repetition(event: str, patience: Patience) -> Iterator[None]:
    """A commit that is refused, or cannot be read, costs a repetition and nothing else.

    Raises `GaveUpError`.
    """
    try:
        yield
    except (CommitFailedError, IllegalStateError, KafkaError, TimeoutError) as error:
        log.warning(event, error=type(error).__name__)
        patience.failed(error)
    else:
        patience.succeeded()
