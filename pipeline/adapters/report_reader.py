"""Read `rights.reports` and hand each report on. Nothing waits for it; a repeat is harmless."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from pipeline import flow
from schemas.codec import Codec, CodecError
from schemas.events import CaseReported

from .dead_letters import refused
from .incoming import of_kafka
from .producer import producer, send

GROUP = "habeas.reports"
log = structlog.get_logger()


async def read_reports(
    bootstrap: str,
    codec: Codec,
    publish: Callable[[CaseReported], None],
    pipeline_public: Callable[[], tuple[str, X25519PublicKey]],
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
            async for record in consumer:
                try:
                    event = codec.decode(record.value or b"")
                    if not isinstance(event, CaseReported):
                        raise CodecError("not a report")  # noqa: TRY301  the same dead letter
                except CodecError as error:
                    letter = refused(of_kafka(record), str(error), codec, pipeline_public())
                    await send(out, [letter])
                    log.warning("report.refused", offset=record.offset, reason=str(error))
                else:
                    publish(event)
                    log.info("report.published", case=str(event.case), n=event.n)
                with suppress(KafkaError):  # a report that comes again is written again
                    await consumer.commit()
        finally:
            await consumer.stop()
