"""Where a consumer group stands on its topics, where it could stand, and how to move it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, UnknownTopicOrPartitionError

from . import connection
from .topics import TopicsError

COORDINATOR_WITHIN = 30.0
"""Seconds: a broker that was never asked for a group makes the topic of commits first."""
MADE_WITHIN = 10.0
"""Seconds: a topic that was made a moment ago is not known to every broker yet."""
PAUSE = 0.2
Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a partition holds: offsets from `begin`, up to and without `end`."""

    begin: int
    end: int


async def bounds(bootstrap: str, topics: Iterable[str]) -> dict[Place, Bounds]:
    """What every partition of these topics holds now. Raises `TopicsError` if there is no such."""
    wanted = frozenset(topics)
    until = time.monotonic() + MADE_WITHIN
    while True:
        consumer = AIOKafkaConsumer(*wanted, **connection.consumer(bootstrap))
        try:
            await consumer.start()
            parts = consumer.assignment()
            if {it.topic for it in parts} == wanted:
                begins = await consumer.beginning_offsets(parts)
                ends = await consumer.end_offsets(parts)
                return {(it.topic, it.partition): Bounds(begins[it], ends[it]) for it in parts}
        except UnknownTopicOrPartitionError:
            pass
        finally:
            await consumer.stop()
        if time.monotonic() > until:
            raise TopicsError(
                f"the broker lacks some of {', '.join(sorted(wanted))}: is it the right one?"
                " `habeas topics` makes what is missing"
            )
        await asyncio.sleep(PAUSE)


async def committed(bootstrap: str, group: str) -> dict[Place, int]:
    """The next offset of every partition that the group has committed."""
    async with _admin(bootstrap, group) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {(it.topic, it.partition): at.offset for it, at in found.items()}


async def members(bootstrap: str, group: str) -> int:
    """How many processes are in the group; one that was killed, until its session ends."""
    async with _admin(bootstrap, group) as admin:
        (told,) = await admin.describe_consumer_groups([group])
    return sum(len(it["members"]) for it in told.to_object()["groups"])


async def move(bootstrap: str, group: str, to: Mapping[Place, int]) -> None:
    """Commit these offsets for a group that has no members. The broker refuses if it has."""
    consumer = AIOKafkaConsumer(group_id=group, **connection.consumer(bootstrap))
    await consumer.start()
    try:
        offsets = {TopicPartition(*place): at for place, at in to.items()}
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()


@asynccontextmanager
async def _admin(bootstrap: str, group: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that knows the group's coordinator."""
    admin = AIOKafkaAdminClient(**connection.client(bootstrap))
    await admin.start()
    try:
        async with asyncio.timeout(COORDINATOR_WITHIN):
            while not await _has_coordinator(admin, group):  # noqa: ASYNC110  the broker makes it
                await asyncio.sleep(PAUSE)
        yield admin
    finally:
        await admin.close()


async def _has_coordinator(admin: AIOKafkaAdminClient, group: str) -> bool:
    try:
        await admin.find_coordinator(group)
    except GroupCoordinatorNotAvailableError:
        return False
    return True
