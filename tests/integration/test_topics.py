"""Topics are made explicitly, on a real broker, with their settings."""

from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline import flow
from pipeline.adapters import topics
from pipeline.flow import Topic
from pipeline.settings import Settings
from tests.fakes.hosts import bootstrap

__all__ = ["bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
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
