"""Read `rights.reports` and hand each report on. Nothing waits for it; a repeat is harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from pipeline import crash, flow
from pipeline.settings import Settings
from schemas.codec import Codec, CodecError
from schemas.events import CaseReported

from .dead_letters import InARow, refused
from .incoming import Incoming, of_kafka
from .producer import producer, send
from .wire import Record

GROUP = "habeas.reports"
WAIT = 1000
"""Milliseconds to wait for the next reports."""
Recipient = Callable[[], tuple[str, X25519PublicKey]]
log = structlog.get_logger()


async def read_reports(
    bootstrap: str,
    codec: Codec,
    publish: Callable[[CaseReported], None],
    pipeline_public: Recipient,
    settings: Settings,
) -> None:
    """Publish every report until cancelled, each before its offset is committed.

    Raises `DeadLetterLimitError`.
    """
    in_a_row = InARow(flow.REPORTS, settings.dead_letter_limit)
    session = int(settings.session_timeout.total_seconds() * 1000)
    async with producer(bootstrap) as out:
        consumer = AIOKafkaConsumer(
            flow.REPORTS,
            bootstrap_servers=bootstrap,
            group_id=GROUP,
            group_instance_id=settings.instance or None,
            session_timeout_ms=session,
            heartbeat_interval_ms=session // 4,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            while True:
                arrived = await consumer.getmany(timeout_ms=WAIT)
                for records in arrived.values():
                    for it in records:
                        letters = await _take(
                            of_kafka(it), codec, publish, pipeline_public, in_a_row
                        )
                        await send(out, letters)
                        if letters:  # what is put aside stays so, should the next one stop us
                            await _commit(
                                consumer, {TopicPartition(it.topic, it.partition): it.offset + 1}
                            )
                if arrived:
                    crash.passing("reports.before-commit")
                    await _commit(consumer)
        finally:
            await consumer.stop()


async def _commit(
    consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int] | None = None
) -> None:
    with suppress(KafkaError):  # a report that comes again is written again
        await consumer.commit(offsets)


async def _take(
    record: Incoming,
    codec: Codec,
    publish: Callable[[CaseReported], None],
    pipeline_public: Recipient,
    in_a_row: InARow,
) -> list[Record]:
    """Publish one report, or say its dead letter."""
    try:
        event = codec.decode(record.value or b"")
        if not isinstance(event, CaseReported):
            raise CodecError("not a report")  # noqa: TRY301  the same dead letter
    except CodecError as error:
        in_a_row.was_refused(str(error))
        log.warning("report.refused", offset=record.offset, reason=str(error))
        return [refused(record, str(error), codec, pipeline_public())]
    in_a_row.was_read()
    await asyncio.to_thread(publish, event)
    log.info("report.published", case=str(event.case), n=event.n)
    return []
