"""Read `rights.reports` and hand each report on. Nothing waits for it; a repeat is harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from pipeline import flow
from schemas.codec import Codec, CodecError
from schemas.events import CaseReported

from .dead_letters import refused
from .incoming import Incoming, of_kafka
from .producer import producer, send

GROUP = "habeas.reports"
WAIT = 1000
"""Milliseconds to wait for the next reports."""
Recipient = tuple[str, X25519PublicKey]
log = structlog.get_logger()


async def read_reports(
    bootstrap: str,
    codec: Codec,
    publish: Callable[[CaseReported], None],
    pipeline_public: Recipient,
) -> None:
    """Publish every report until cancelled, each before its offset is committed."""
    consumer = AIOKafkaConsumer(
        flow.REPORTS,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with producer(bootstrap) as out:
        try:
            await consumer.start()
            while True:
                for records in (await consumer.getmany(timeout_ms=WAIT)).values():
                    for it in records:
                        await _take(of_kafka(it), codec, publish, pipeline_public, out)
                with suppress(KafkaError):  # a report that comes again is written again
                    await consumer.commit()
        finally:
            await consumer.stop()


async def _take(
    record: Incoming,
    codec: Codec,
    publish: Callable[[CaseReported], None],
    pipeline_public: Recipient,
    out: AIOKafkaProducer,
) -> None:
    try:
        event = codec.decode(record.value or b"")
        if not isinstance(event, CaseReported):
            raise CodecError("not a report")  # noqa: TRY301  the same dead letter
    except CodecError as error:
        await send(out, [refused(record, str(error), codec, pipeline_public)])
        log.warning("report.refused", offset=record.offset, reason=str(error))
    else:
        await asyncio.to_thread(publish, event)
        log.info("report.published", case=str(event.case), n=event.n)
