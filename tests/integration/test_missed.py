"""Records that the stream dropped are noticed by their offsets and read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from aiokafka import TopicPartition

from pipeline import flow
from pipeline.app import Place
from pipeline.kafka import local_kafka, topics
from pipeline.kafka.incoming import Incoming, missing, read_range
from pipeline.kafka.producer import producer
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.orchestrator import Orchestrator
from pipeline.orchestrator.publisher import Publisher
from pipeline.orchestrator.rotation import Rotation
from pipeline.register import store
from pipeline.register.engine import connect, migrate, url_of
from pipeline.settings import Settings
from tests.fakes.deciders import Sent, set_up


@pytest.mark.parametrize(
    ("following", "came", "gaps"),
    [
        (22, [22, 23], []),
        (22, [23, 24], [range(22, 23)]),
        (22, [22, 25, 28], [range(23, 25), range(26, 28)]),
        (22, [20, 21, 22], []),  # what comes again is no gap
        (None, [7, 8], []),  # a partition of which nothing was decided yet
        (None, [7, 9], [range(8, 9)]),
        (22, [24, 23], [range(22, 23)]),
    ],
)
def test_a_gap_is_what_should_have_come_first(
    following: int | None, came: list[int], gaps: list[range]
) -> None:
    assert missing(following, came) == gaps


async def test_a_range_of_a_partition_is_read_again(tmp_path: Path) -> None:
    kafka = await local_kafka.start(tmp_path / "kafka")
    try:
        await topics.create(kafka.bootstrap, flow.topics((), Settings(partitions=2)))
        async with producer(kafka.bootstrap) as out:
            for n in range(10):
                await out.send_and_wait(flow.RESULTS, b"%d" % n, key=b"k", partition=1)
        found = await read_range(kafka.bootstrap, TopicPartition(flow.RESULTS, 1), range(3, 6))
        assert [(it.offset, it.value) for it in found] == [(3, b"3"), (4, b"4"), (5, b"5")]
    finally:
        await kafka.stop()


async def test_what_the_stream_dropped_is_decided_with_the_next_batch(tmp_path: Path) -> None:
    """Offsets 3 and 4 never come: those after them are taken together with them, in order."""
    taken: list[int] = []

    class Taking:
        async def take(self, batch: Sequence[Incoming]) -> None:
            taken.extend(it.offset for it in batch)

    settings = set_up(tmp_path, "")
    engine = await connect(url_of("", tmp_path))
    await migrate(engine)
    kafka = await local_kafka.start(tmp_path / "kafka")
    try:
        await topics.create(kafka.bootstrap, flow.topics((), settings))
        async with producer(kafka.bootstrap) as out:
            for n in range(7):
                await out.send_and_wait(flow.RESULTS, b"%d" % n, key=b"k", partition=1)
        found = await read_range(kafka.bootstrap, TopicPartition(flow.RESULTS, 1), range(7))
        async with engine.begin() as connection:
            await store.save_offsets(connection, found[:3])
        orchestrator = Orchestrator(
            decider=cast("Decider", Taking()),
            publisher=Publisher(engine, Sent(), Place(tmp_path).keys.orchestrator()),
            rotation=Rotation(engine, Place(tmp_path).keys, settings),
            engine=engine,
            settings=settings,
            bootstrap=kafka.bootstrap,
            folder=tmp_path / "faust",
        )
        await orchestrator._take_until_done(flow.RESULTS, found[5:])
        assert taken == [3, 4, 5, 6]
    finally:
        await kafka.stop()
        await engine.dispose()
