"""Read `rights.reports` and hand each report on. Nothing waits for it; a repeat is harmless."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer

from pipeline import flow
from schemas.codec import Codec, CodecError
from schemas.events import CaseReported

GROUP = "habeas.reports"
log = structlog.get_logger()


async def read_reports(
    bootstrap: str, codec: Codec, publish: Callable[[CaseReported], None]
) -> None:
    """Publish every report until cancelled, each before its offset is committed."""
    consumer = AIOKafkaConsumer(
        flow.REPORTS,
        bootstrap_servers=bootstrap,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async for record in consumer:
            try:
                event = codec.decode(record.value)
            except CodecError as error:
                log.warning("report.unreadable", offset=record.offset, reason=str(error))
            else:
                if isinstance(event, CaseReported):
                    publish(event)
                    log.info("report.published", case=str(event.case), n=event.n)
            await consumer.commit()
    finally:
        await consumer.stop()
