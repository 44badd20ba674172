"""More authentic ones in a row than the limit that nobody can read: the process stops, and skips
none of them. What anybody may have written stops nobody, however much of it there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pipeline import flow
from pipeline.app import Place
from pipeline.crypto.proofs import Slot
from pipeline.kafka import dead_letters, wire
from pipeline.kafka.authentication import proved, signed
from pipeline.kafka.producer import producer
from pipeline.keys.key_folder import KeyFolder
from schemas.codec import locked
from tests.fakes.orders import CaseOf, framed
from tests.fakes.proofs import granted
from tests.rig import Rig, Role, plant, states

LIMIT = 3
ADVICE = "a higher HABEAS_DEAD_LETTER_LIMIT lets them be put aside"
WORK = flow.work("freshdesk")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    options = {"HABEAS_DEAD_LETTER_LIMIT": str(LIMIT)}
    async with Rig(tmp_path, systems=("freshdesk",), options=options) as made:
        made.run("run", "response", "notice", "recipients")
        yield made


async def test_a_host_and_the_reports_go_on_with_the_record_that_stopped_them(rig: Rig) -> None:
    rig.run("run", "orchestrator")
    orders = await publish(rig, unsealed_orders(rig, 2 * LIMIT + 2))
    reports = await publish(rig, signed_rubbish(rig, LIMIT + 1))
    for stops in (1, 2):
        await stopped(rig, rig.run("run", "host", "freshdesk"), WORK)
        assert await put_aside(rig, WORK) == orders[: stops * LIMIT]
    await stopped(rig, rig.run("run", "reports"), flow.REPORTS)
    assert await put_aside(rig, flow.REPORTS) == reports[:LIMIT]
    rig.run("run", "host", "freshdesk")
    rig.run("run", "reports")
    case = await a_case_settles(rig, "behind-rubbish")
    assert await put_aside(rig, WORK) == orders
    await rig.wait_for((rig.settings.data / "reports" / f"{case}-1.dsse.json").exists)
    assert await put_aside(rig, flow.REPORTS) == reports


async def test_an_orchestrator_does_nothing_of_such_a_batch_until_it_is_told_to(rig: Rig) -> None:
    many = 40
    rig.run("run", "host", "freshdesk")
    first = rig.run("run", "orchestrator")
    case = await a_case_settles(rig, "before")
    rig.roles.remove(first)
    first.stop()
    answers = await publish(rig, await proved_rubbish(rig, case, many))
    for _ in "12":
        await stopped(rig, rig.run("run", "orchestrator"), flow.RESULTS)
        assert len(await put_aside(rig, flow.RESULTS)) <= LIMIT
    rig.run("run", "orchestrator", HABEAS_DEAD_LETTER_LIMIT=str(many))
    await a_case_settles(rig, "behind-an-orchestrator")
    assert await put_aside(rig, flow.RESULTS) == answers


async def test_what_strangers_write_stops_nobody(rig: Rig) -> None:
    rig.run("run", "orchestrator", "reports")
    rig.run("run", "host", "freshdesk")
    topics = (flow.REQUESTS, flow.RESULTS, flow.DECISIONS, flow.REPORTS, WORK)
    told = (("ce_type", b"habeas.search_ordered.v99"),)
    key = str(uuid4()).encode()
    for topic in topics:
        await publish(
            rig,
            [
                wire.Record(topic=topic, key=key, value=b"rubbish %d" % n, headers=told)
                for n in range(10 * LIMIT)
            ],
        )
    case = await a_case_settles(rig, "among-strangers")
    await rig.wait_for((rig.settings.data / "reports" / f"{case}-1.dsse.json").exists)
    for topic in topics:
        assert len(await put_aside(rig, topic)) == 10 * LIMIT, topic


def unsealed_orders(rig: Rig, count: int) -> list[wire.Record]:
    """Orders as an orchestrator gives them, all of one case; what they seal was left out."""
    keys = KeyFolder(Place(rig.settings.data).keys.hosts("freshdesk"))
    named = keys.current(datetime.now(UTC))
    case = CaseOf(system="freshdesk", id=UUID(int=7))
    orders = [case.changed(case.search(), sealed=b"") for _ in range(count)]
    return [framed(case, it, named, keys[named]) for it in orders]


def signed_rubbish(rig: Rig, count: int) -> list[wire.Record]:
    """Reports that an orchestrator signed, and nobody can read."""
    keys = Place(rig.settings.data).keys.orchestrator()
    named = keys.current(datetime.now(UTC))
    return [signed(it, named, keys[named]) for it in rubbish(flow.REPORTS, UUID(int=7), count)]


async def proved_rubbish(rig: Rig, case: UUID, count: int) -> list[wire.Record]:
    """Answers that a case's host proved, and nobody can read."""
    key = str(case).encode()
    order = next(it for it in await rig.records() if (it.topic, it.key) == (WORK, key))
    sent = wire.Record(topic=WORK, key=key, value=order.value or b"", headers=order.headers)
    grant = granted(Place(rig.settings.data).keys, sent).record()
    slot = Slot(case=case, order=uuid4(), system="freshdesk", event="search_failed")
    return [proved(it, grant, slot) for it in rubbish(flow.RESULTS, case, count)]


def rubbish(topic: str, case: UUID, count: int) -> list[wire.Record]:
    record = wire.Record(topic=topic, key=str(case).encode(), value=b"")
    return [replace(record, value=b"\x00rubbish %d" % n) for n in range(count)]


async def publish(rig: Rig, records: Sequence[wire.Record]) -> list[int]:
    """Publish records of one key, one after the other; their offsets."""
    async with producer(rig.bootstrap) as out:
        return [it.offset for it in await out.publish(records)]


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
    letters, _ = await dead_letters.read_all(rig.bootstrap, locked())
    return sorted({it.event.offset for it in letters if it.event.topic == topic})


async def a_case_settles(rig: Rig, who: str) -> UUID:
    person = plant(rig, who)
    case = await rig.settled(await rig.submit("access", "erasure", email=person.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    return case.id
