"""What Faust does with a handler that fails, on a real Kafka: what the orchestrator rests on.

Streams are taken with `noack_take`, acknowledged after the transaction, one batch at a time
(`pipeline/orchestrator/orchestrator.py`). If one of these fails after an upgrade, look there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import faust
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.flow import Topic
from pipeline.kafka import topics
from pipeline.kafka.producer import producer
from tests.fakes.hosts import bootstrap

__all__ = ["bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
COMMITTED_EVERY = 0.2
"""Seconds."""
Handler = Callable[[Any], AsyncIterator[None]]


@asynccontextmanager
async def agent(
    bootstrap: str, folder: Path, handler: Handler, **options: Any
) -> AsyncIterator[str]:
    """An agent on a topic of one partition with five records, `b"0"` to `b"4"`; its name."""
    name = f"t{uuid4().hex}"
    only = Topic(name=name, partitions=1, retention=timedelta(days=1), about="a test")
    await topics.create(bootstrap, [only])
    async with producer(bootstrap) as out:
        for n in range(5):
            await out.send_and_wait(name, str(n).encode())
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        datadir=str(folder),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMITTED_EVERY,
        stream_wait_empty=False,
        loghandlers=[],
    )
    channel = app.topic(name, value_type=bytes, value_serializer="raw")
    app.agent(channel, name=f"take.{name}", **options)(handler)
    await app.start()
    try:
        yield name
    finally:
        await asyncio.wait_for(app.stop(), 20)


async def committed(bootstrap: str, group: str) -> int:
    """The offset that a group has committed; 0 if none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return max([it.offset for it in offsets.values()], default=0)


async def until_committed(bootstrap: str, group: str, least: int) -> None:
    async with asyncio.timeout(30):
        while await committed(bootstrap, group) < least:  # noqa: ASYNC110  Faust makes it so
            await asyncio.sleep(COMMITTED_EVERY)


async def test_an_ordinary_stream_acknowledges_what_its_handler_failed_at(
    bootstrap: str, tmp_path: Path
) -> None:
    done = []

    async def handler(stream: Any) -> AsyncIterator[None]:
        async for value in stream:
            if value == b"2":
                raise ZeroDivisionError
            done.append(value)
            yield

    async with agent(bootstrap, tmp_path, handler) as name:
        await until_committed(bootstrap, name, 3)
    assert b"2" not in done


async def test_noack_take_acknowledges_nothing_by_itself(bootstrap: str, tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def handler(stream: Any) -> AsyncIterator[None]:
        async for _ in stream.noack_take(10, within=0.01):
            taken.set()
            yield

    async with agent(bootstrap, tmp_path, handler) as name:
        await asyncio.wait_for(taken.wait(), 30)
        await asyncio.sleep(5 * COMMITTED_EVERY)
        assert await committed(bootstrap, name) <= 0


async def test_noack_take_does_not_acknowledge_what_its_handler_failed_at(
    bootstrap: str, tmp_path: Path
) -> None:
    """What arrives behind a batch while its handler fails may be acknowledged: here nothing does.

    The commit then passes the batch by. That a handler never ends by an exception is ours to see.
    """
    failed = asyncio.Event()

    async def handler(stream: Any) -> AsyncIterator[None]:
        async for _ in stream.noack_take(5, within=30):  # all there are
            failed.set()
            raise ZeroDivisionError
            yield

    async with agent(bootstrap, tmp_path, handler) as name:
        await asyncio.wait_for(failed.wait(), 30)
        await asyncio.sleep(5 * COMMITTED_EVERY)
        assert await committed(bootstrap, name) <= 0


async def test_noack_take_commits_what_was_acknowledged(bootstrap: str, tmp_path: Path) -> None:
    async def handler(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(10, within=0.01):
            for it in events:
                it.ack()
            yield

    async with agent(bootstrap, tmp_path, handler) as name:
        await until_committed(bootstrap, name, 5)


async def test_more_than_one_at_once_commits_past_what_is_still_worked_on(
    bootstrap: str, tmp_path: Path
) -> None:
    """Why slow work is not done by Faust: stopped now, the first record would be lost."""
    free, done = asyncio.Event(), list[bytes]()

    async def handler(stream: Any) -> AsyncIterator[None]:
        async for value in stream:
            if value == b"0":
                await free.wait()
            done.append(value)
            yield

    async with agent(bootstrap, tmp_path, handler, concurrency=2) as name:
        try:
            await until_committed(bootstrap, name, 1)
            assert b"0" not in done
        finally:
            free.set()
