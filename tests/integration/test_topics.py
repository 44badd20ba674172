"""Topics are made explicitly, on a real broker, with their settings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline import flow
from pipeline.adapters import local_kafka, topics
from pipeline.flow import Topic
from pipeline.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUTE = flow.topics(("freshdesk", "salesforce"), Settings(partitions=3))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    kafka = await local_kafka.start(tmp_path_factory.mktemp("kafka"))
    yield kafka.bootstrap
    await kafka.stop()


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
