"""Three brokers, of which one or two are away: what was acknowledged is kept, and cases go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from aiokafka.errors import KafkaError

from pipeline.case.case import Case
from pipeline.flow import Topic
from pipeline.kafka import topics, wire
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer
from pipeline.kafka.topics import Replication, TopicsError
from tests.fakes.cluster import Cluster, cluster
from tests.rig import Planted, Rig, plant, states
from tests.soak import SEED, SOAK

ROUNDS = 8 if SOAK else 1
AWAY = 8.0 if SOAK else 4.0
"""Seconds: longer than a broker's session with the others."""
THRICE = Replication(3, 2)
COUNTED = Topic(name="counted", partitions=3, retention=timedelta(days=1), about="a test")


@dataclass
class Count:
    """Numbers that are written all the time, and which of them were acknowledged."""

    bootstrap: str
    acknowledged: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Write meanwhile."""
        writing = asyncio.create_task(self._write())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.wait([writing])

    async def _write(self) -> None:
        n = 0
        async with producer(self.bootstrap, timedelta(seconds=4)) as out:
            while True:
                n += 1
                record = wire.Record(topic=COUNTED.name, key=b"%d" % n, value=b"%d" % n, headers=())
                try:
                    await out.publish([record])
                    self.acknowledged.append(n)
                except KafkaError:
                    continue
                await asyncio.sleep(0.05)

    async def grows(self) -> None:
        """Wait until one more is acknowledged."""
        before = len(self.acknowledged)
        async with asyncio.timeout(60):
            while len(self.acknowledged) == before:  # noqa: ASYNC110  brokers make it so
                await asyncio.sleep(0.1)


@pytest.mark.timeout(1800 if SOAK else 290)
async def test_nothing_acknowledged_is_lost_whoever_of_three_is_away(tmp_path: Path) -> None:
    print(f"HABEAS_SEED={SEED}")  # noqa: T201  to run it again
    random = Random(SEED)
    options = {"HABEAS_REPLICATION": "3", "HABEAS_MIN_ISR": "2"}
    async with cluster(tmp_path) as brokers:
        await _thin_topics_are_named(brokers)
        await topics.create(brokers.bootstrap, [COUNTED], THRICE)
        rig_ = Rig(tmp_path, systems=("freshdesk",), cluster=brokers, options=options)
        count = Count(brokers.bootstrap)
        async with rig_ as rig, count.going_on():
            rig.run("up")
            cases = []
            for n in range(ROUNDS):
                for happens in (killed, both_killed, frozen, cut, rolled):
                    who = plant(rig, f"{happens.__name__.replace('_', '-')}-{n}", tickets=1)
                    cases.append((who, await rig.submit("access", "erasure", email=who.email)))
                    await happens(brokers, random, count)
                    await count.grows()
            for who, case in cases:
                await _is_done(who, rig, await rig.settled(case))
        lying = {int(it.value or b"") async for it in read_to_end(brokers.bootstrap, "counted")}
        assert set(count.acknowledged) <= lying


async def killed(brokers: Cluster, random: Random, count: Count) -> None:
    """The two others go on without it."""
    one = random.choice(brokers.members)
    one.signal(signal.SIGKILL)
    await asyncio.sleep(AWAY)
    await count.grows()
    await one.start()


async def both_killed(brokers: Cluster, random: Random, count: Count) -> None:
    """One alone acknowledges nothing."""
    gone = random.sample(brokers.members, 2)
    for it in gone:
        it.signal(signal.SIGKILL)
    await asyncio.sleep(1)
    before = len(count.acknowledged)
    await asyncio.sleep(AWAY)
    assert len(count.acknowledged) == before
    await asyncio.gather(*(it.start() for it in gone))


async def frozen(brokers: Cluster, random: Random, count: Count) -> None:
    """The others take its place; what it does when it is back counts for nothing."""
    one = random.choice(brokers.members)
    one.signal(signal.SIGSTOP)
    await asyncio.sleep(AWAY)
    await count.grows()
    one.signal(signal.SIGCONT)


async def cut(brokers: Cluster, random: Random, _: Count) -> None:
    """It is well, and none of its clients reaches it: they wait."""
    one = random.choice(brokers.members)
    one.way.close()
    await asyncio.sleep(AWAY)
    one.way.closed = False


async def rolled(brokers: Cluster, _: Random, count: Count) -> None:
    """As for an upgrade: each in turn, when the one before it is back."""
    for it in brokers.members:
        await it.stop()
        await it.start()
        await count.grows()


async def _thin_topics_are_named(brokers: Cluster) -> None:
    """What is there with fewer replicas than asked keeps everybody from starting."""
    thin = Topic(name="thin", partitions=1, retention=timedelta(days=1), about="a test")
    await topics.create(brokers.bootstrap, [thin], Replication(1, 1))
    with pytest.raises(TopicsError, match=r"HABEAS_REPLICATION asks for 3 .* thin has 1"):
        await topics.create(brokers.bootstrap, [thin], THRICE)
    with pytest.raises(TopicsError, match=r"min\.insync\.replicas=2"):
        await topics.create(brokers.bootstrap, [thin], Replication(1, 2))


async def _is_done(who: Planted, rig: Rig, case: Case) -> None:
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    assert {len(done) for done in rig.effects(who.contact, *who.tickets).values()} == {1}
    entries = await rig.entries(case.id)
    assert [it.number for it in entries] == list(range(1, len(entries) + 1))
