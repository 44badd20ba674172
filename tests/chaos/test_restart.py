"""A process that comes back under its own name finds its partitions waiting: nobody else moves."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from connectors.sdk.sandbox import Fault
from pipeline import flow
from tests.rig import Rig, Role, plant


def assignments(role: Role) -> list[int]:
    """How many partitions a host got, each time that it was told."""
    return [partitions for _, partitions in role.assigned()]


async def both_have_some(rig: Rig, hosts: list[Role]) -> None:
    """Wait until the partitions are shared out."""
    await rig.wait_for(lambda: all(assignments(it)[-1:] not in ([], [0]) for it in hosts))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_a_named_host_that_restarts_moves_nobody(tmp_path: Path, how: str) -> None:
    options = {"HABEAS_SESSION_TIMEOUT": "20"}
    async with Rig(tmp_path, systems=("freshdesk",), options=options) as rig:
        rig.run("run", "orchestrator", "response", "notice", "recipients")
        hosts = [rig.run("run", "host", "freshdesk", HABEAS_INSTANCE=f"host-{n}") for n in "ab"]
        await both_have_some(rig, hosts)
        before = [assignments(it) for it in hosts]
        if how == "SIGKILL":
            hosts[0].kill()
            hosts[0].again()
        else:
            hosts[0].stop()
            hosts[0].start()
        await rig.wait_for(lambda: len(assignments(hosts[0])) > len(before[0]))
        assert assignments(hosts[0])[-1] == before[0][-1]
        # It works, on all partitions, and the other was not told anything.
        cases = [
            await rig.submit("access", email=plant(rig, f"restarted-{n}").email) for n in range(6)
        ]
        for case in cases:
            await rig.settled(case)
        assert assignments(hosts[1]) == before[1]


async def test_what_was_finished_beyond_a_slow_order_is_not_done_again(tmp_path: Path) -> None:
    """The commit stops at the slow one; its metadata says what is done past it."""
    async with Rig(tmp_path, systems=("freshdesk",)) as rig:
        rig.run("run", "orchestrator", "response", "notice", "recipients")
        host = rig.run("run", "host", "freshdesk")
        slow = plant(rig, "slow", tickets=0)
        number = slow.contact.partition("/")[2]
        hang = Fault(mode="hang", seconds=60, route=f"/contacts/{number}$", times=None)
        rig.sandboxes["freshdesk"].faults.append(hang)
        waiting = await rig.submit("access", email=slow.email)
        await rig.until(waiting, lambda it: it.under_way())
        quick = [
            await rig.submit("access", email=plant(rig, f"quick-{n}", tickets=0).email)
            for n in range(20)
        ]
        for case in quick:
            await rig.settled(case)
        await asyncio.sleep(1)  # a commit is made four times a second
        host.kill()
        rig.clear_faults()
        await rig.settled(waiting)
        assert host.died == 1
        keys = {str(it).encode() for it in quick}
        told = [it for it in await rig.records() if it.topic == flow.RESULTS and it.key in keys]
        # An order that is worked on again is answered again, under the same derived id.
        ids = Counter(dict(it.headers)["ce_id"] for it in told)
        assert [it for it in ids.values() if it > 1] == []
