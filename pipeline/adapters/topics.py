"""Create the route's topics on a broker, explicitly and with their settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from pipeline.flow import Topic

MAX_BYTES = 600 * 1024
"""Room for a record of 512 KiB and its frame."""

REPLICAS = 3
"""Of every record, two of them in sync before it counts; fewer on a cluster with fewer brokers."""


class TopicsError(Exception):
    """Topics that could not be made. The message says which and why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a broker lacks of the route."""

    missing: tuple[Topic, ...]
    present: tuple[Topic, ...]


async def compare(bootstrap: str, topics: Sequence[Topic]) -> Difference:
    """Which of the topics the broker has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
    finally:
        await admin.close()
    return Difference(
        missing=tuple(it for it in topics if it.name not in there),
        present=tuple(it for it in topics if it.name in there),
    )


async def create(bootstrap: str, topics: Sequence[Topic]) -> tuple[str, ...]:
    """Make the topics that are missing; their names. Raises `TopicsError`."""
    difference = await compare(bootstrap, topics)
    if not difference.missing:
        return ()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        brokers = len((await admin.describe_cluster())["brokers"])
        replicas = min(brokers, REPLICAS)
        answer = await admin.create_topics([_new(it, replicas) for it in difference.missing])
        for name, code, *message in answer.topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                why = message[0] if message and message[0] else for_code(code).__name__
                raise TopicsError(f"cannot create {name}: {why}")
    finally:
        await admin.close()
    return tuple(it.name for it in difference.missing)


def settings_of(topic: Topic) -> dict[str, str]:
    """A topic's settings as Kafka names them. The broker's time is the record's time."""
    keep = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(keep),
        "max.message.bytes": str(MAX_BYTES),
        "message.timestamp.type": "LogAppendTime",
    }


def _new(topic: Topic, replicas: int) -> NewTopic:
    in_sync = str(max(1, replicas - 1))
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=replicas,
        topic_configs={**settings_of(topic), "min.insync.replicas": in_sync},
    )
