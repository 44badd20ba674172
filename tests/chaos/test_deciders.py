"""Deciders that are stopped, killed, joined and left without their database decide all, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from pipeline import app, flow
from pipeline.kafka import wire
from pipeline.register import reading, tables
from tests.fakes.person import with_email
from tests.rig import PATIENCE, Rig, Role
from tests.soak import SEED, SOAK

REQUESTS = 3000 if SOAK else 400
PORTIONS = 8
TOLD = 2
"""Recipients without a connector that are asked for a copy: those who process for us."""
STORED_ONCE = {
    "request_received": 1,
    "case_opened": 1,
    "identity_verified": 1,
    "notice_ordered": 1,  # that it was received
    "instruction_ordered": TOLD,
}


async def submit(rig: Rig, cases: list[UUID]) -> None:
    """Publish requests of people who were vouched for."""
    async with app.local_edge(rig.settings) as edge:
        for it in cases:
            who = with_email(f"{it}@example.org")
            await edge.request(it, ("access",), who, level=2, received_at=datetime.now(UTC))


async def searches(rig: Rig) -> int:
    """How many searches are ordered, by the ledger."""
    is_search = tables.ledger.c.type == "search_ordered"
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        found = await connection.execute(select(func.count()).where(is_search))
        return int(found.scalar_one())


async def without_ledger(rig: Rig, deciders: list[Role], cases: list[UUID]) -> None:
    """Requests come while every decision fails in its transaction."""
    async with app.register(rig.settings) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE ledger RENAME TO away"))
        await submit(rig, cases)
        await rig.wait_for(lambda: any("batch.retried" in it.log.read_text() for it in deciders))
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO ledger"))


@pytest.mark.timeout(600)
async def test_no_request_is_lost_or_decided_twice(tmp_path: Path, register: str) -> None:
    print(f"HABEAS_SEED={SEED}")  # noqa: T201  to run it again
    random = Random(SEED)
    cases = [uuid4() for _ in range(REQUESTS)]
    async with Rig(tmp_path, register=register) as rig:
        deciders = [rig.run("run", "orchestrator") for _ in "12"]
        await submit(rig, cases[:1])
        await rig.until(cases[0], lambda it: it.state != "opened")
        happens = ["breaks", "joins", "stops", "is killed"]
        random.shuffle(happens)
        for n in range(PORTIONS):
            portion = cases[1 + n :: PORTIONS]
            what = happens.pop() if happens else ""
            if what == "breaks":
                await without_ledger(rig, deciders, portion)
            else:
                await submit(rig, portion)
                await happen(rig, what, deciders, random)
            await asyncio.sleep(random.uniform(0, 1))
        async with asyncio.timeout(PATIENCE):
            while await searches(rig) < len(cases) * len(rig.systems):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        async with app.register(rig.settings) as engine:
            for name in cases:
                entries = await reading.entries(engine, name)
                assert [it.number for it in entries] == list(range(1, len(entries) + 1))
                told = Counter(it.type for it in entries)
                assert told == {**STORED_ONCE, "search_ordered": len(rig.systems)}
        await _orders_are_out(rig, set(cases))


async def happen(rig: Rig, what: str, deciders: list[Role], random: Random) -> None:
    """Something that is done to deciders at work."""
    it = random.choice(deciders)
    match what:
        case "joins":
            deciders.append(rig.run("run", "orchestrator"))
        case "stops":
            assert await asyncio.to_thread(it.stop) in {0, 130}
            it.start()
        case "is killed":
            it.kill()
            it.again()
        case _:
            pass


async def _orders_are_out(rig: Rig, cases: set[UUID]) -> None:
    """Each order is on its topic, under one id however often."""
    async with asyncio.timeout(60):
        while True:
            topics = {flow.work(it) for it in rig.systems}
            orders = [it for it in await rig.records() if it.topic in topics]
            ids = {(it.topic, it.key, wire.read(it.headers)["ce_id"]) for it in orders}
            if len({(topic, key) for topic, key, _ in ids}) == len(cases) * len(rig.systems):
                break
            await asyncio.sleep(1)
    assert len(ids) == len(cases) * len(rig.systems)
    print(f"{len(orders) - len(ids)} of {len(ids)} orders published again")  # noqa: T201
