"""A process is frozen for longer than its session, and comes back: another was in its place.

Nothing is done twice, nothing is decided twice, and what it still says does not count.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from connectors.sdk.sandbox import Fault
from schemas.events import TaskCompleted, TaskOrdered
from tests.rig import SESSION, Planted, Rig, Role, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONGER = SESSION.total_seconds() + 3
HOSTS = ("run", "host", "freshdesk")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Everything but who decides; the partition is one host's, and another waits for it."""
    options = {"HABEAS_PARTITIONS": "1"}
    async with Rig(tmp_path_factory.mktemp("rig"), systems=("freshdesk",), options=options) as made:
        made.run("run", "response", "notice", "recipients", "reports")
        for _ in "12":
            made.run(*HOSTS)
        await made.wait_for(lambda: all(it.assigned() for it in hosts(made)))
        yield made


@contextmanager
def deciders(rig: Rig, count: int, **environ: str) -> Iterator[list[Role]]:
    started = [rig.run("run", "orchestrator", **environ) for _ in range(count)]
    try:
        yield started
    finally:
        for it in started:
            rig.roles.remove(it)
            told(it, signal.SIGCONT)
            assert it.stop() in {130, -signal.SIGTERM}


def told(role: Role, what: signal.Signals) -> None:
    assert role.process is not None
    os.kill(role.process.pid, what)


def is_frozen(role: Role) -> bool:
    assert role.process is not None
    status = Path(f"/proc/{role.process.pid}/status")
    return "\nState:\tT" in status.read_text()


def hosts(rig: Rig) -> list[Role]:
    return [it for it in rig.roles if tuple(it.arguments) == HOSTS]


def working(rig: Rig) -> list[Role]:
    """The hosts that have the partition, as far as they know."""
    return [it for it in hosts(rig) if it.assigned() and it.assigned()[-1][1]]


async def test_a_host_that_was_frozen_in_the_middle_of_an_effect(rig: Rig) -> None:
    who = plant(rig, "in-effect", tickets=1)
    number = who.contact.partition("/")[2]
    slow = Fault(mode="hang", seconds=2, method="DELETE", route=f"/contacts/{number}")
    with deciders(rig, 1):
        await rig.wait_for(lambda: len(working(rig)) == 1)
        (frozen,) = working(rig)
        rig.sandboxes["freshdesk"].faults.append(slow)
        case = await rig.submit("erasure", email=who.email)
        await rig.wait_for(lambda: not rig.sandboxes["freshdesk"].faults)
        told(frozen, signal.SIGSTOP)
        try:
            await is_done_once(rig, who, case)  # by the other
        finally:
            told(frozen, signal.SIGCONT)
        await rig.wait_for(lambda: "TaskCompleted" in frozen.log.read_text())
        late = plant(rig, "after-effect", tickets=0)
        await is_done_once(rig, late, await rig.submit("erasure", email=late.email))
        await is_done_once(rig, who, case)


@pytest.mark.parametrize("point", ["decider.before-commit", "decider.after-commit"])
async def test_an_orchestrator_that_was_frozen_around_its_commit(rig: Rig, point: str) -> None:
    who = plant(rig, point.replace(".", "-"), tickets=1)
    with deciders(rig, 2, HABEAS_FREEZE_AT=point) as both:
        case = await rig.submit("access", "erasure", email=who.email)
        await rig.wait_for(lambda: any(map(is_frozen, both)))
        (frozen,) = [it for it in both if is_frozen(it)]
        await asyncio.sleep(LONGER)
        told(frozen, signal.SIGCONT)
        await is_done_once(rig, who, case)


async def test_a_broker_that_was_frozen(rig: Rig) -> None:
    with deciders(rig, 1):
        people = [plant(rig, f"broker-{n}", tickets=1) for n in range(3)]
        cases = [await rig.submit("access", "erasure", email=it.email) for it in people]
        await rig.until(cases[0], lambda it: it.state != "opened")
        os.kill(rig.kafka.pid, signal.SIGSTOP)
        await asyncio.sleep(LONGER)
        os.kill(rig.kafka.pid, signal.SIGCONT)
        for who, case in zip(people, cases, strict=True):
            await is_done_once(rig, who, case)
    assert [it.died for it in rig.roles] == [0, 0, 0]


async def is_done_once(rig: Rig, who: Planted, case: UUID) -> None:
    settled = await rig.settled(case)
    assert states(settled, "erasure")["freshdesk", "contact"] == {"proved"}
    for key, done in rig.effects(who.contact, *who.tickets).items():
        assert len(done) == 1, (key, done)
    entries = await rig.entries(case)
    assert [it.number for it in entries] == list(range(1, len(entries) + 1))
    for kind in (TaskOrdered, TaskCompleted):  # a search that is repeated may say another thing
        said = Counter(it.event.order for it in entries if isinstance(it.event, kind))
        assert set(said.values()) <= {1}, kind
    assert len({it.n for it in settled.responses}) == len(settled.responses)
