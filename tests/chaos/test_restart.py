"""A process that comes back under its own name finds its partitions waiting: nobody else moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rig import Rig, Role, plant


def assignments(role: Role) -> list[int]:
    """How many partitions a host got, each time that it was told."""
    lines = [it for it in role.log.read_text().splitlines() if '"event": "host.assigned"' in it]
    return [json.loads(it)["partitions"] for it in lines]


async def both_have_some(rig: Rig, hosts: list[Role]) -> None:
    """Wait until the partitions are shared out."""
    await rig.wait_for(lambda: all(assignments(it)[-1:] not in ([], [0]) for it in hosts))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_a_named_host_that_restarts_moves_nobody(tmp_path: Path, how: str) -> None:
    options = {"HABEAS_SESSION_TIMEOUT": "20"}
    async with Rig(tmp_path, systems=("freshdesk",), options=options) as rig:
        for role in ("orchestrator", "response", "notice"):
            rig.run("run", role)
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
