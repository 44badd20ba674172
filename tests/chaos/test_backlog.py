"""In quiet, when nothing comes after: what lies on a topic is decided, whoever committed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from pipeline import app, flow
from pipeline.kafka import positions
from pipeline.orchestrator.orchestrator import GROUP
from pipeline.register import store
from tests.rig import Rig, Role
from tests.soak import SEED, SOAK

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUNDS = 30 if SOAK else 3
BEHIND = 3
"""Records that the group has committed and nobody has decided on."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with Rig(tmp_path_factory.mktemp("rig"), systems=("freshdesk",)) as made:
        yield made


async def submit(rig: Rig, count: int) -> list[UUID]:
    return [await rig.submit("access", email=f"{uuid4()}@example.org") for _ in range(count)]


async def decided(rig: Rig, cases: list[UUID]) -> None:
    for it in cases:
        await rig.until(it, lambda case: case.under_way())


async def committed_by_nobody(rig: Rig) -> None:
    """As after an event that Faust dropped: the group stands behind it."""
    async with asyncio.timeout(30):
        while await positions.members(rig.bootstrap, GROUP):  # noqa: ASYNC110  they leave
            await asyncio.sleep(0.2)
    ends = await positions.bounds(rig.bootstrap, flow.DECIDED)
    await positions.move(rig.bootstrap, GROUP, {it: at.end for it, at in ends.items()})


async def places(rig: Rig) -> tuple[dict[positions.Place, int], dict[positions.Place, int]]:
    """How far the register is, and how far it could be."""
    ends = await positions.bounds(rig.bootstrap, flow.DECIDED)
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        return await store.offsets(connection), {it: at.end for it, at in ends.items() if at.end}


async def test_what_the_group_has_committed_and_nobody_decided_is_read_on_in_quiet(
    rig: Rig,
) -> None:
    first = await submit(rig, BEHIND)
    await committed_by_nobody(rig)
    role = rig.run("run", "orchestrator")
    await decided(rig, first)  # of partitions of which the register knew nothing
    assert role.stop() == 130
    rig.roles.remove(role)
    second = await submit(rig, BEHIND)
    await committed_by_nobody(rig)
    role = rig.run("run", "orchestrator")
    await decided(rig, second)
    assert role.stop() == 130
    rig.roles.remove(role)
    stored, ends = await places(rig)
    assert stored == ends


async def test_two_orchestrators_come_and_go_around_a_few_requests(rig: Rig) -> None:
    print(f"HABEAS_SEED={SEED}")  # noqa: T201  to run it again
    random, cases = Random(SEED), list[UUID]()
    pair = [rig.run("run", "orchestrator") for _ in "12"]
    for _ in range(ROUNDS):
        for goes in random.sample(pair, 2):
            cases += await submit(rig, random.randint(0, 2))
            await asyncio.sleep(random.uniform(0, 3))
            cases += await submit(rig, 1)
            await asyncio.sleep(random.uniform(0, 0.5))
            await restarted(goes)
    await decided(rig, cases)
    stored, ends = await places(rig)
    assert stored == ends
    for case in cases:
        entries = [entry.type for entry in await rig.entries(case)]
        assert entries.count("search_ordered") == 1
    for role in pair:  # the group is nobody's again
        await asyncio.to_thread(role.stop)
        rig.roles.remove(role)


async def restarted(role: Role) -> None:
    assert await asyncio.to_thread(role.stop) in {130, -15}  # -15: it had only just started
    role.start()
