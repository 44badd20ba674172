"""A data folder belongs to one cluster: whoever is given another says so, and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from pipeline import app
from pipeline.app import Place
from pipeline.kafka import local_kafka
from pipeline.kafka.cluster import OtherClusterError
from pipeline.settings import Settings
from tests.fakes.hosts import bootstrap

__all__ = ["bootstrap"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Two:
    """A pipeline, and another cluster than its own."""

    settings: Settings
    other: str


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def two(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    other = await local_kafka.start(folder / "kafka")
    settings = Settings(data=folder / "data", broker=bootstrap, systems="freshdesk", partitions=1)
    await app.prepare(settings, bootstrap)
    yield Two(settings, other.bootstrap)
    await other.stop()


def files(folder: Path) -> dict[str, tuple[int, float]]:
    return {
        str(it.relative_to(folder)): (it.stat().st_size, it.stat().st_mtime)
        for it in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    "does", ["prepare", "orchestrator", "freshdesk", "reports", "recover", "submit"]
)
async def test_another_clusters_address_changes_nothing(two: Two, does: str) -> None:
    other = replace(two.settings, broker=two.other)
    before = files(two.settings.data)
    with pytest.raises(OtherClusterError, match="Correct HABEAS_BROKER or HABEAS_DATA"):
        await _do(does, other)
    assert files(two.settings.data) == before
    assert await _topics(two.other) == set()


async def _do(does: str, settings: Settings) -> None:
    match does:
        case "prepare":
            await app.prepare(settings, settings.broker)
        case "recover":
            await app.recover(settings, settings.broker)
        case "submit":
            async with app.local_edge(settings):
                pass
        case role:
            await app.run_roles([role], settings, settings.broker, {}, above={})


async def _topics(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def test_its_own_cluster_is_known_again_at_every_address(two: Two) -> None:
    await app.prepare(two.settings, two.settings.broker)
    elsewhere = two.settings.broker.replace("127.0.0.1", "localhost")
    await app.refuse_other_cluster(two.settings, elsewhere)
    named = Place(two.settings.data).cluster.read_text()
    with pytest.raises(OtherClusterError, match=named):
        await app.refuse_other_cluster(two.settings, two.other)
