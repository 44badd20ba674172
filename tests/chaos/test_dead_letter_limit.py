"""More in a row than the limit that nobody can read: the process stops, and skips none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import flow
from pipeline.adapters import dead_letters
from pipeline.adapters.producer import producer
from schemas.codec import locked
from tests.rig import Rig, Role, plant, states

LIMIT = 3
ADVICE = "a higher HABEAS_DEAD_LETTER_LIMIT lets them be put aside"
WORK = flow.work("freshdesk")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    options = {"HABEAS_DEAD_LETTER_LIMIT": str(LIMIT)}
    async with Rig(tmp_path, systems=("freshdesk",), options=options) as made:
        made.run("run", "response", "notice")
        yield made


async def test_a_host_and_the_reports_go_on_with_the_record_that_stopped_them(rig: Rig) -> None:
    rig.run("run", "orchestrator")
    await rubbish(rig, WORK, 2 * LIMIT + 2)
    await rubbish(rig, flow.REPORTS, LIMIT + 1)
    for stops in (1, 2):
        await stopped(rig, rig.run("run", "host", "freshdesk"), WORK)
        assert await put_aside(rig, WORK) == list(range(stops * LIMIT))
    await stopped(rig, rig.run("run", "reports"), flow.REPORTS)
    assert await put_aside(rig, flow.REPORTS) == list(range(LIMIT))
    rig.run("run", "host", "freshdesk")
    rig.run("run", "reports")
    case = await a_case_settles(rig, "behind-rubbish")
    assert await put_aside(rig, WORK) == list(range(2 * LIMIT + 2))
    await rig.wait_for((rig.settings.data / "reports" / f"{case}-1.dsse.json").exists)
    assert await put_aside(rig, flow.REPORTS) == list(range(LIMIT + 1))


async def test_an_orchestrator_does_nothing_of_such_a_batch_until_it_is_told_to(rig: Rig) -> None:
    many = 40
    rig.run("run", "host", "freshdesk")
    await rubbish(rig, flow.RESULTS, many)
    for _ in "12":
        await stopped(rig, rig.run("run", "orchestrator"), flow.RESULTS)
        assert len(await put_aside(rig, flow.RESULTS)) <= LIMIT
    rig.run("run", "orchestrator", HABEAS_DEAD_LETTER_LIMIT=str(many))
    await a_case_settles(rig, "behind-an-orchestrator")
    assert await put_aside(rig, flow.RESULTS) == list(range(many))


async def rubbish(rig: Rig, topic: str, count: int) -> None:
    """Records that nobody can read, on one partition, one after the other."""
    key = str(UUID(int=7)).encode()
    async with producer(rig.bootstrap) as out:
        for sent in [await out.send(topic, b"\x00rubbish", key=key) for _ in range(count)]:
            await asyncio.wait_for(sent, 20)


async def stopped(rig: Rig, role: Role, topic: str) -> None:
    """It ends by itself, with an error that says where and what to do."""
    rig.roles.remove(role)
    assert role.process is not None
    assert await asyncio.to_thread(role.process.wait, 60) == 1
    last = role.log.read_text().rstrip().rpartition("\n")[2]
    assert last.startswith(f"Error: {topic}: {LIMIT + 1} records in a row were refused"), last
    assert ADVICE in last


async def put_aside(rig: Rig, topic: str) -> list[int]:
    """The offsets of a topic's dead letters, each once: all lie on one partition."""
    letters = await dead_letters.read_all(rig.bootstrap, locked())
    return sorted({it.event.offset for it in letters if it.event.topic == topic})


async def a_case_settles(rig: Rig, who: str) -> UUID:
    person = plant(rig, who)
    case = await rig.settled(await rig.submit("access", "erasure", email=person.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    return case.id
