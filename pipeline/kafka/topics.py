"""Create the route's topics on a broker, explicitly and with their settings; refuse others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from pipeline.flow import Topic

from . import connection

MAX_BYTES = 600 * 1024
"""Room for a record of 512 KiB and its frame."""

REPLICAS = 3
"""Of every record, two of them in sync before it counts; fewer on a cluster with fewer brokers."""
GROUPS = "__consumer_offsets"
"""The brokers' own topic of where everybody stands."""


class TopicsError(Exception):
    """Topics that could not be made. The message says which and why."""


@dataclass(frozen=True, slots=True)
class Replication:
    """What is asked of a cluster; 0 asks nothing of topics that are there."""

    replicas: int = 0
    in_sync: int = 0

    def made(self, brokers: int) -> Replication:
        """What a new topic gets."""
        replicas = self.replicas or min(brokers, REPLICAS)
        return Replication(replicas, self.in_sync or max(1, replicas - 1))

    @property
    def settings(self) -> dict[str, str]:
        """What a topic must have."""
        return {"min.insync.replicas": str(self.in_sync)} if self.in_sync else {}


NOTHING_ASKED = Replication()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a broker lacks of the route."""

    missing: tuple[Topic, ...]
    present: tuple[Topic, ...]
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of topics that are there, by name: what is set otherwise, as it should be."""
    thin: Mapping[str, int] = field(default_factory=dict)
    """Topics with fewer replicas than asked, and how many they have; `GROUPS` may be one."""


@connection.of_any_broker
async def compare(
    bootstrap: str, topics: Sequence[Topic], asked: Replication = NOTHING_ASKED
) -> Difference:
    """Which of the topics the broker has, and which of their settings are others.

    Raises `TopicsError` if it does not tell.
    """
    admin = AIOKafkaAdminClient(**connection.client(bootstrap))
    await admin.start()
    try:
        there = set(await admin.list_topics())
        present = tuple(it for it in topics if it.name in there)
        told = await _told(admin, present)
        replicas = await _replicas(admin, [*(it.name for it in present), GROUPS])
    finally:
        await admin.close()
    differing = {
        it.name: _differing({**settings_of(it), **asked.settings}, told[it.name]) for it in present
    }
    return Difference(
        missing=tuple(it for it in topics if it.name not in there),
        present=present,
        settings={name: others for name, others in differing.items() if others},
        thin={name: count for name, count in replicas.items() if count < asked.replicas},
    )


async def _replicas(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """How many replicas every partition of these topics has; nothing of those that it hides."""
    return {
        it["topic"]: min(len(part["replicas"]) for part in it["partitions"])
        for it in await admin.describe_topics(list(names))
        if it["partitions"]
    }


async def _told(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic]
) -> Mapping[str, Mapping[str, str]]:
    """The settings of topics, by their names."""
    if not topics:
        return {}
    found = {}
    for answer in await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, it.name) for it in topics]
    ):
        for code, _, _, name, entries in answer.resources:
            if code:
                why = for_code(code).__name__
                raise TopicsError(f"cannot read the settings of {name}: {why} (DescribeConfigs)")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _differing(wanted: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if told.get(name) != value}


@connection.of_any_broker
async def create(
    bootstrap: str, topics: Sequence[Topic], asked: Replication = NOTHING_ASKED
) -> tuple[str, ...]:
    """Make the topics that are missing; their names.

    Raises `TopicsError`, also if one that is there has other settings, or fewer replicas than
    asked: those are not changed.
    """
    difference = await compare(bootstrap, topics, asked)
    if difference.thin:
        raise TopicsError(_how_to_thicken(difference.thin, asked.replicas))
    if difference.settings:
        raise TopicsError(_how_to_mend(difference.settings))
    if not difference.missing:
        return ()
    admin = AIOKafkaAdminClient(**connection.client(bootstrap))
    await admin.start()
    try:
        brokers = len((await admin.describe_cluster())["brokers"])
        made = asked.made(brokers)
        if made.replicas > brokers:
            raise TopicsError(
                f"HABEAS_REPLICATION asks for {made.replicas} replicas, and the cluster has"
                f" {brokers} brokers now: start the others, or ask for fewer"
            )
        answer = await admin.create_topics([_new(it, made) for it in difference.missing])
        for name, code, *message in answer.topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                why = message[0] if message and message[0] else for_code(code).__name__
                raise TopicsError(f"cannot create {name}: {why}")
    finally:
        await admin.close()
    return tuple(it.name for it in difference.missing)


def settings_of(topic: Topic) -> dict[str, str]:
    """A topic's settings as Kafka names them. The broker's time is the record's time.

    `uncompressed` makes the broker write out what a producer compressed, and refuse it if it is
    larger than `max.message.bytes` then: no consumer of ours ever inflates what a stranger packed.
    """
    keep = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    return {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "retention.ms": str(keep),
        "max.message.bytes": str(MAX_BYTES),
        "message.timestamp.type": "LogAppendTime",
    }


def _how_to_mend(settings: Mapping[str, Mapping[str, str]]) -> str:
    commands = [
        f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config "
        + ",".join(f"{key}={value}" for key, value in others.items())
        for name, others in settings.items()
    ]
    return "\n".join(["topics with other settings than theirs. Give them:", *commands])


def _how_to_thicken(thin: Mapping[str, int], wanted: int) -> str:
    named = ", ".join(f"{name} has {count}" for name, count in sorted(thin.items()))
    return (
        f"HABEAS_REPLICATION asks for {wanted} replicas, and of topics that are there {named}: give"
        " them more with kafka-reassign-partitions.sh, or ask for fewer"
    )


def _new(topic: Topic, asked: Replication) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=asked.replicas,
        topic_configs={**settings_of(topic), **asked.settings},
    )
