"""Records that the stream dropped are noticed by their offsets and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import TopicPartition

from pipeline import flow
from pipeline.adapters import local_kafka, topics
from pipeline.adapters.incoming import missing, read_range
from pipeline.adapters.producer import producer
from pipeline.settings import Settings


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
