"""Read `rights.reports` and hand on what an orchestrator signed. A repeat is harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from pipeline import flow
from pipeline.crypto.proofs import NotProvedError, PublicKeys
from pipeline.disk import DiskError
from pipeline.faults import broke, crash
from pipeline.kafka import connection, wire
from pipeline.kafka.authentication import check_signature
from pipeline.kafka.connection import stop
from pipeline.kafka.dead_letters import InARow, refused
from pipeline.kafka.incoming import Incoming, of_kafka
from pipeline.kafka.producer import producer, send_patiently
from pipeline.kafka.unauthenticated import Unauthenticated
from pipeline.kafka.wire import Record
from pipeline.keys.key_folder import KeyFileError
from pipeline.settings import Settings
from pipeline.stages.publish_report import AnotherReportError
from schemas.codec import Codec, CodecError
from schemas.events import CaseReported

GROUP = flow.group(flow.REPORTER)
PAUSE = 1.0
"""Seconds before a report that could not be written is written again."""
COMMIT_WITHIN = 5.0
"""Seconds."""
WAIT = 1000
"""Milliseconds to wait for the next reports."""
Recipient = Callable[[], tuple[str, X25519PublicKey]]
log = structlog.get_logger()


async def read_reports(
    bootstrap: str,
    codec: Codec,
    *,
    publish: Callable[[CaseReported], None],
    pipeline_public: Recipient,
    settings: Settings,
    keys: PublicKeys,
) -> None:
    """Publish every report until cancelled, each before its offset is committed.

    What no orchestrator signed is put aside, and stops nothing. Raises `DeadLetterLimitError`, and
    `UnknownEventError` for a signed report of a later release.
    """
    desk = ReportDesk(codec, publish, pipeline_public, keys, settings.dead_letter_limit)
    session = int(settings.session_timeout.total_seconds() * 1000)
    async with producer(bootstrap, settings.give_up_after / 2) as out:
        consumer = AIOKafkaConsumer(
            flow.REPORTS,
            **connection.consumer(bootstrap),
            group_id=GROUP,
            group_instance_id=settings.instance or None,
            session_timeout_ms=session,
            heartbeat_interval_ms=session // 4,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            while True:
                arrived = await consumer.getmany(timeout_ms=WAIT)
                for records in arrived.values():
                    for it in records:
                        letters = await desk.take_until_done(of_kafka(it))
                        await send_patiently(out, letters, settings.give_up_after, _retried)
                        if letters:  # what is put aside stays so, should the next one stop us
                            await _commit(
                                consumer, {TopicPartition(it.topic, it.partition): it.offset + 1}
                            )
                if arrived:
                    crash.passing("reports.before-commit")
                    await _commit(consumer)
        finally:
            await stop(consumer)


def _retried(error: KafkaError) -> None:
    log.warning("letter.retried", error=type(error).__name__)


async def _commit(
    consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int] | None = None
) -> None:
    with suppress(KafkaError, TimeoutError):  # a report that comes again is written again
        async with asyncio.timeout(COMMIT_WITHIN):
            await consumer.commit(offsets)


class ReportDesk:
    """What the reader does with each record: a report is published, anything else put aside."""

    def __init__(
        self,
        codec: Codec,
        publish: Callable[[CaseReported], None],
        pipeline_public: Recipient,
        keys: PublicKeys,
        limit: int,
    ) -> None:
        self._codec = codec
        self._publish = publish
        self._pipeline_public = pipeline_public
        self._keys = keys
        self._in_a_row = InARow(flow.REPORTS, limit)
        self._unauthenticated = Unauthenticated()

    async def take_until_done(self, record: Incoming) -> list[Record]:
        """As `take`; a disk that takes nothing, or a key that is not here yet, is waited for."""
        while True:
            try:
                return await self.take(record)
            except (OSError, KeyFileError) as error:
                ours = isinstance(error, DiskError | KeyFileError)
                reason = str(error) if ours else broke.at(error)
                log.error("report.retried", error=type(error).__name__, reason=reason)  # noqa: TRY400
                await asyncio.sleep(PAUSE)

    async def take(self, record: Incoming) -> list[Record]:
        """Publish one report, or say its dead letter, unless there are too many of them."""
        try:
            check_signature(record, self._keys)
            event = self._read(record)
            await asyncio.to_thread(self._publish, event)
        except NotProvedError as error:
            reason = self._unauthenticated.put_aside(record, str(error))
            return [] if reason is None else self._letter(record, reason)
        except (CodecError, AnotherReportError) as error:
            log.error("report.refused", offset=record.offset, reason=str(error))  # noqa: TRY400
            self._in_a_row.was_refused(record, str(error))
            return self._letter(record, str(error))
        self._in_a_row.was_read()
        log.info("report.published", case=str(event.case), n=event.n)
        return []

    def _read(self, record: Incoming) -> CaseReported:
        wire.refuse_later(wire.read(record.headers))
        event = self._codec.decode(record.value or b"")
        if not isinstance(event, CaseReported) or record.key != str(event.case).encode():
            raise CodecError("not a report")
        return event

    def _letter(self, record: Incoming, reason: str) -> list[Record]:
        return [refused(record, reason, self._codec, self._pipeline_public())]
