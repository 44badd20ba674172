"""What no pipeline on this machine can beat: the same records and calls with nothing in between.

Raw aiokafka produces and consumes the records, aiohttp makes as many calls to the same server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaConsumer

from pipeline.flow import Topic
from pipeline.kafka import topics, wire
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.producer import producer

from .rig import PATIENCE, Bench

AT_ONCE = 64
"""Calls that are made at the same time."""
WARM = 100
"""Records that come before: until every partition of a new topic has its leader."""


async def floor(bench: Bench, records: Sequence[Incoming], calls: int) -> float:
    """Seconds that it takes."""
    topic = f"floor-{uuid4()}"
    made = Topic(name=topic, partitions=12, retention=timedelta(days=1), about="the floor")
    await topics.create(bench.bootstrap, [made])
    first = records[:WARM]
    async with asyncio.timeout(PATIENCE):
        await _produce(bench.bootstrap, topic, first)
        began = time.monotonic()
        await _produce(bench.bootstrap, topic, records)
        await _consume(bench.bootstrap, topic, len(first) + len(records))
        await _call(bench.server, calls)
    return time.monotonic() - began


async def _produce(bootstrap: str, topic: str, records: Sequence[Incoming]) -> None:
    async with producer(bootstrap) as out:
        await out.publish(
            wire.Record(topic=topic, key=it.key or b"", value=it.value or b"", headers=it.headers)
            for it in records
        )


async def _consume(bootstrap: str, topic: str, count: int) -> None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        while count > 0:
            count -= sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))
    finally:
        await consumer.stop()


async def _call(server: str, calls: int) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def call(n: int) -> None:
            async with room, session.get(f"{server}/things/floor/{n}") as said:
                await said.json()

        await asyncio.gather(*(call(n) for n in range(calls)))
