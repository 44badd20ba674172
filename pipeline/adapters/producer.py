"""A Kafka producer whose sends count only once every replica in sync has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from . import wire
from .topics import MAX_BYTES


@asynccontextmanager
async def producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A connected producer, flushed and closed afterwards."""
    made = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_request_size=MAX_BYTES,
    )
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def send(out: AIOKafkaProducer, records: Iterable[wire.Record]) -> None:
    """Send records in their order; returns when all are acknowledged."""
    sent = [
        await out.send(it.topic, it.value, key=it.key, headers=list(it.headers)) for it in records
    ]
    await asyncio.gather(*sent)
