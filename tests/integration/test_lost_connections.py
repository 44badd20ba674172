"""A connection that is lost, whenever and however that is said, is a lost connection."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from pipeline.cli import console
from pipeline.faults.patience import GaveUpError
from pipeline.flow import Topic
from pipeline.kafka import topics, wire
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer, send_patiently
from tests.fakes.hosts import bootstrap
from tests.fakes.proxy import Proxy, proxy

__all__ = ["bootstrap"]


def test_a_write_in_the_tick_of_the_loss_is_a_lost_connection(bootstrap: str) -> None:
    """On the loop that our commands run on: uvloop calls it a mistake of who writes."""

    async def writes_then(way: Proxy) -> None:
        made = await create_conn("127.0.0.1", way.port)
        asyncio.get_running_loop().call_soon(way.close)
        async with asyncio.timeout(20):
            while made._reader.exception() is None:  # noqa: ASYNC110  until its loop knows
                await asyncio.sleep(0)
        assert made.connected()  # aiokafka learns of it with the next turn of the loop
        with pytest.raises(KafkaConnectionError):
            await made.send(MetadataRequest([]))
        assert not made.connected()

    @console.command
    async def run() -> None:
        async with proxy(int(bootstrap.rpartition(":")[2])) as way:
            await writes_then(way)

    run()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_producer_that_is_broken_for_good_is_replaced(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await _topic(bootstrap)
    sent, failures = AIOKafkaConnection.send, [ZeroDivisionError()]

    def send(self: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest) and failures:
            raise failures.pop()
        return sent(self, request, **options)

    monkeypatch.setattr(AIOKafkaConnection, "send", send)
    async with producer(bootstrap) as out:
        with pytest.raises(KafkaError):
            await out.publish([_record(name, b"1")])
        await out.publish([_record(name, b"2")])
    assert [it.value async for it in read_to_end(bootstrap, name)] == [b"2"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_producer_that_does_not_answer_is_replaced_for_all_who_wait(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever hangs in it: those who sent by it learn that, and others go on by another."""
    name = await _topic(bootstrap)
    async with producer(bootstrap, timedelta(seconds=1)) as out:
        await out.publish([_record(name, b"0")])
        assert out._client is not None
        out._client._sender._sender_task.cancel()
        found = await asyncio.gather(
            *(out.publish([_record(name, b"%d" % n)]) for n in (1, 2)), return_exceptions=True
        )
        assert [isinstance(it, KafkaError) for it in found] == [True, True]
        await out.publish([_record(name, b"3")])
    assert [it.value async for it in read_to_end(bootstrap, name)] == [b"0", b"3"]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_sent_in_vain_is_given_up_in_the_end(bootstrap: str) -> None:
    told: list[KafkaError] = []
    limit = timedelta(seconds=2)
    way = proxy(int(bootstrap.rpartition(":")[2]))
    async with way as passed, producer(f"127.0.0.1:{passed.port}", limit / 2) as out:
        passed.close()
        connected = out._client
        assert connected is not None
        await connected.stop()  # it would go on by the broker's own address
        with pytest.raises(GaveUpError, match="HABEAS_GIVE_UP_AFTER"):
            await send_patiently(out, [_record("any", b"1")], limit, told.append)
    assert len(told) > 1


async def _topic(bootstrap: str) -> str:
    name = f"t{uuid4().hex}"
    await topics.create(
        bootstrap, [Topic(name=name, partitions=1, retention=timedelta(days=1), about="a test")]
    )
    return name


def _record(topic: str, value: bytes) -> wire.Record:
    return wire.Record(topic=topic, key=b"k", value=value, headers=())
