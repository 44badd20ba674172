"""The host when partitions move, commits are refused, or what was committed cannot be read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from pipeline import flow
from pipeline.host import offset_bitmap
from schemas import events as e
from tests.fakes.hosts import Bench, Scripted, bench, bootstrap, decoded, nothing

__all__ = ["bench", "bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE = 40.0


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  a broker and other tasks make it so
            await asyncio.sleep(0.05)


async def answered(bench: Bench, cases: set[UUID]) -> list[e.Event]:
    """The answers, once every case has one."""
    for _ in range(200):
        found = decoded(await bench.answers(len(cases)))
        if cases <= {it.case for it in found}:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("not every case was answered")


async def test_a_call_of_a_minute_holds_up_neither_others_nor_the_rebalance(bench: Bench) -> None:
    """While it waits, another host joins and gets its part, and every other order is answered."""
    free, shares = asyncio.Event(), dict[str, float]()
    slow = bench.order()

    async def act(order: e.SearchOrdered) -> None:
        if order.order == slow[1].order:
            await asyncio.wait_for(free.wait(), 60)

    works = [Scripted(bench.system, act) for _ in "ab"]
    async with bench.host(works[0], share=lambda it: shares.update(a=it)):
        await bench.send(slow)
        await until(lambda: slow[1].order in works[0].begun)
        async with bench.host(works[1], share=lambda it: shares.update(b=it)):
            await until(lambda: "b" in shares and shares["a"] < 1)
            others = [bench.order() for _ in range(30)]
            await bench.send(*others)
            early = await answered(bench, {case.id for case, _ in others})
            assert not free.is_set()
            assert slow[0].id not in {it.case for it in early}
            free.set()
            await answered(bench, {slow[0].id, *(case.id for case, _ in others)})
    begun = Counter(works[0].begun + works[1].begun)
    assert begun.keys() == {slow[1].order, *(order.order for _, order in others)}
    repeated = {it for it, times in begun.items() if times > 1}
    assert repeated <= {slow[1].order}  # if its partition moved; it was the only one in flight


async def test_commits_that_are_refused_lose_nothing(bench: Bench) -> None:
    """A second process under the same name: they take everything from each other, again and again.

    aiokafka does not know that it is fenced (error 82): it joins anew.
    """
    bench.settings = replace(bench.settings, instance="the-one")
    orders = [bench.order() for _ in range(20)]
    stuck = {order.order for _, order in orders[::4]}

    async def act(order: e.SearchOrdered) -> None:
        if order.order in stuck:
            await asyncio.sleep(60)

    first, second = Scripted(bench.system, act), Scripted(bench.system, nothing)
    with capture_logs() as said:
        async with bench.host(first):
            await bench.send(*orders)
            await until(lambda: len(first.begun) == len(orders))
            async with bench.host(second):
                await answered(bench, {case.id for case, _ in orders})
                await until(lambda: "commit.refused" in {it["event"] for it in said})
    assert stuck <= set(second.begun)
    assert len(first.begun) == len(orders)  # what it works on, it does not begin again


@pytest.mark.parametrize("metadata", ["rubbish", "1:AAAA", "2:eJwDAAAAAAE=", "x" * 4096])
async def test_what_others_wrote_beside_a_commit_costs_nothing(bench: Bench, metadata: str) -> None:
    """What cannot be read says that nothing is finished past the commit."""
    orders = [bench.order() for _ in range(12)]
    await bench.send(*orders)
    mine = [TopicPartition(flow.work(bench.system), it) for it in range(3)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bench.bootstrap,
        group_id=f"habeas.host.{bench.system}",
        enable_auto_commit=False,
    )
    await consumer.start()
    consumer.assign(mine)
    await consumer.commit({it: OffsetAndMetadata(0, metadata) for it in mine})
    await consumer.stop()
    work = Scripted(bench.system, nothing)
    async with bench.host(work):
        await answered(bench, {case.id for case, _ in orders})
    assert Counter(work.begun) == Counter(order.order for _, order in orders)


async def test_commits_that_cannot_be_read_at_all_cost_a_repetition(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.host.host.READ_WITHIN", 0.0)
    work, told = Scripted(bench.system, nothing), list[float]()
    async with bench.host(work, share=told.append):
        orders = [bench.order() for _ in range(6)]
        await bench.send(*orders)
        await answered(bench, {case.id for case, _ in orders})
    assert told == [1]


async def test_no_partition_is_worked_on_further_ahead_than_a_commit_can_say(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest order holds its own partition, in the end; the others go on."""
    furthest, many = 20, 300
    monkeypatch.setattr(offset_bitmap, "FURTHEST", furthest)
    bench.settings = replace(bench.settings, window=4)
    free, slow = asyncio.Event(), bench.order()

    async def act(order: e.SearchOrdered) -> None:
        if order.order == slow[1].order:
            await free.wait()

    work = Scripted(bench.system, act)
    async with bench.host(work):
        (sent,) = await bench.send(slow)
        await until(lambda: slow[1].order in work.begun)
        orders = [bench.order() for _ in range(many)]
        await bench.send(*orders)
        by_partition = await bench.partitions()
        held = by_partition[sent.key]
        elsewhere = {case.id for case, _ in orders if by_partition[str(case.id).encode()] != held}
        await answered(bench, elsewhere)
        ahead = [
            order.order
            for case, order in orders
            if by_partition[str(case.id).encode()] == held and order.order in work.begun
        ]
        assert furthest - 1 <= len(ahead) < furthest + bench.settings.window
        assert len(orders) - len(elsewhere) > furthest + bench.settings.window
        free.set()
        await answered(bench, {slow[0].id, *(case.id for case, _ in orders)})
    assert Counter(work.begun) == Counter(it.order for _, it in [slow, *orders])
    assert await bench.committed() == many + 1
