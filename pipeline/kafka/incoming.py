"""What a topic delivered: the raw record, before anything of it is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from connectors.sdk import wall_clock

from . import connection, header_names

header_names.install()  # before anything is consumed: one record would stop its readers for good
READ_WITHIN = 30.0
"""Seconds for records that are read a second time."""
LOG_APPEND_TIME = 1
"""As Kafka writes it: the broker's time, which `topics` asks for. Else it is the sender's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A record as a consumer got it. `at` is the broker's time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    at: datetime

    @property
    def place(self) -> tuple[str, int]:
        """Its topic and partition."""
        return self.topic, self.partition

    def __repr__(self) -> str:
        return f"<Incoming {self.topic}/{self.partition}@{self.offset}>"


def of_kafka(record: Any) -> Incoming:
    """A record as aiokafka gives it."""
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        at=broker_time(record.timestamp / 1000, record.timestamp_type),
    )


def broker_time(seconds: float, kind: int | None) -> datetime:
    """When the broker received a record, by the time in it and what kind of time that is.

    Where a topic keeps the sender's word for it, that is now: it came no later than it is read.
    """
    if kind != LOG_APPEND_TIME:
        return wall_clock.now()
    return datetime.fromtimestamp(seconds, UTC) + wall_clock.ahead()


async def read_to_end(bootstrap: str, *topics: str) -> AsyncIterator[Incoming]:
    """Every record that lies on these topics now; nothing if the broker does not have one."""
    consumer = AIOKafkaConsumer(
        *topics, **connection.consumer(bootstrap), auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        while [it for it, end in ends.items() if await consumer.position(it) < end]:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for it in records:
                    yield of_kafka(it)
    except UnknownTopicOrPartitionError:
        return
    finally:
        await consumer.stop()


async def read_range(bootstrap: str, where: TopicPartition, offsets: range) -> list[Incoming]:
    """The records of a partition at these offsets; those that retention took are not there."""
    consumer = AIOKafkaConsumer(**connection.consumer(bootstrap), auto_offset_reset="earliest")
    found: list[Incoming] = []
    try:
        await consumer.start()
        consumer.assign([where])
        consumer.seek(where, offsets.start)
        async with asyncio.timeout(READ_WITHIN):
            while await consumer.position(where) < offsets.stop:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [of_kafka(it) for it in records if it.offset in offsets]
    finally:
        await consumer.stop()
    return found


def missing(following: int | None, offsets: Sequence[int]) -> list[range]:
    """The gaps before and between a partition's offsets, when `following` should come next."""
    found = []
    for it in sorted(offsets):
        if following is not None and it > following:
            found.append(range(following, it))
        following = max(it + 1, following or 0)
    return found
