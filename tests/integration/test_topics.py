"""Topics are made explicitly, on a real broker, with their settings."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry
from confluent_kafka.admin._config import ConfigResource as Resource
from confluent_kafka.admin._resource import ResourceType

from pipeline import flow, settings
from pipeline.flow import Topic
from pipeline.kafka import positions, topics
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer
from pipeline.kafka.topics import Replication, TopicsError
from pipeline.settings import Settings, SettingsError
from tests.fakes.hosts import bootstrap

__all__ = ["bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
SLACK = timedelta(seconds=5)
ROUTE = flow.topics(("freshdesk", "salesforce"), Settings(partitions=3))


async def test_missing_topics_are_made_once_with_their_settings(bootstrap: str) -> None:
    before = await topics.compare(bootstrap, ROUTE)
    assert before.missing == ROUTE
    made = await topics.create(bootstrap, ROUTE)
    assert set(made) == {it.name for it in ROUTE}
    assert await topics.create(bootstrap, ROUTE) == ()
    after = await topics.compare(bootstrap, ROUTE)
    assert (after.missing, after.present) == ((), ROUTE)
    for it in ROUTE:
        told = await _told(bootstrap, it)
        assert told["message.timestamp.type"] == "LogAppendTime"
        assert told["max.message.bytes"] == str(topics.MAX_BYTES)
        kept = -1 if it.retention is None else int(it.retention.total_seconds() * 1000)
        assert told["retention.ms"] == str(kept)
    assert [it.name for it in ROUTE if it.retention is None] == [flow.LEDGER]


async def test_a_topic_with_other_settings_is_refused_with_the_command_that_mends_it(
    bootstrap: str,
) -> None:
    """Such as one that an earlier release made, or that takes what somebody packed."""
    route = tuple(replace(it, name=f"other.{it.name}") for it in ROUTE)
    await topics.create(bootstrap, route)
    await _alter(bootstrap, route[0], {"compression.type": "producer", "retention.ms": "1000"})
    with pytest.raises(TopicsError) as refused:
        await topics.create(bootstrap, route)
    first, *commands = str(refused.value).splitlines()
    assert first.endswith("Give them:")
    (command,) = commands
    assert command.startswith("kafka-configs.sh --alter")
    assert f"--entity-name {route[0].name} --add-config" in command
    given = command.rpartition(" ")[2].split(",")
    settings = dict(it.split("=") for it in given)
    assert settings.keys() == {"compression.type", "retention.ms"}
    await _alter(bootstrap, route[0], settings)
    assert await topics.create(bootstrap, route) == ()


async def test_fewer_replicas_than_asked_are_named_and_more_than_brokers_refused(
    bootstrap: str,
) -> None:
    await positions.committed(bootstrap, "any")  # the broker makes its own topic for it
    made, missing = (replace(ROUTE[0], name=it) for it in ("thin", "missing"))
    await topics.create(bootstrap, [made])
    await positions.bounds(bootstrap, [made.name])  # once it is known
    with pytest.raises(
        TopicsError, match=r"asks for 2 .* there __consumer_offsets has 1, thin has 1:"
    ):
        await topics.create(bootstrap, [made], Replication(2, 1))
    difference = await topics.compare(bootstrap, [made, missing], Replication(2, 1))
    assert difference.thin == {"thin": 1, topics.GROUPS: 1}
    with pytest.raises(TopicsError, match=r"min\.insync\.replicas=2"):
        await topics.create(bootstrap, [made], Replication(1, 2))
    assert (await topics.compare(bootstrap, [made, missing])).thin == {}


async def test_more_replicas_than_there_are_brokers_cannot_be_made(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "GROUPS", "not-there-yet")
    missing = replace(ROUTE[0], name="missing")
    with pytest.raises(TopicsError, match="asks for 3 replicas, and the cluster has 1 brokers"):
        await topics.create(bootstrap, [missing], Replication(3, 2))
    assert (await topics.compare(bootstrap, [missing])).missing == (missing,)


async def test_more_copies_in_sync_than_there_are_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="HABEAS_MIN_ISR is more than HABEAS_REPLICATION"):
        settings.load({"HABEAS_REPLICATION": "2", "HABEAS_MIN_ISR": "3"})


async def _alter(bootstrap: str, topic: Topic, settings: dict[str, str]) -> None:
    """As `kafka-configs.sh --add-config` does, which leaves the others as they are."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    asked = Resource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
    for done in admin.incremental_alter_configs([asked]).values():
        await asyncio.to_thread(done.result, 30)
    async with asyncio.timeout(20):  # the controller knows of it before the broker does
        while settings.items() - (await _told(bootstrap, topic)).items():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _told(bootstrap: str, topic: Topic) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic.name)]
        )
        (about,) = await admin.describe_topics([topic.name])
    finally:
        await admin.close()
    assert len(about["partitions"]) == topic.partitions
    (resource,) = answer.resources
    return {name: value for name, value, *_ in resource[4]}


@pytest.mark.parametrize("kept", ["LogAppendTime", "CreateTime"])
async def test_a_sender_does_not_say_when_the_broker_received_it(bootstrap: str, kept: str) -> None:
    """Nor where somebody made the topic without our settings."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    made = {"message.timestamp.type": kept}
    topic = NewTopic(kept, num_partitions=1, replication_factor=1, topic_configs=made)
    await admin.create_topics([topic])
    await admin.close()
    before = datetime.now(UTC) - SLACK
    async with producer(bootstrap) as out:
        long_ago = int((before - timedelta(days=30)).timestamp() * 1000)
        await out.send_and_wait(kept, b"", timestamp_ms=long_ago)
    (record,) = [it async for it in read_to_end(bootstrap, kept)]
    assert before < record.at < datetime.now(UTC) + SLACK
