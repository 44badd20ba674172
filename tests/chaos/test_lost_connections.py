"""Connections to a healthy broker are lost at every kind of request: cases go on, nobody ends."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from connectors.sdk.sandbox import Fault
from pipeline.cli.console import GAVE_UP
from tests.fakes.proxy import COMMIT, FETCH, HEARTBEAT, PRODUCE, Kind, Proxy, proxy
from tests.rig import Planted, Rig, plant, states
from tests.soak import SOAK

EACH = 40 if SOAK else 3
"""Losses of each kind."""
HOSTS, ORCHESTRATOR = "aiokafka", "faust"
KINDS: tuple[Kind, ...] = (
    *product((PRODUCE, FETCH, COMMIT, HEARTBEAT), (HOSTS,)),
    *product((FETCH, COMMIT, HEARTBEAT), (ORCHESTRATOR,)),
)
PATIENCE = 600 if SOAK else 120


@pytest.mark.timeout(1500 if SOAK else 240)
async def test_a_connection_lost_at_any_request_costs_nothing(tmp_path: Path) -> None:
    async with proxy() as way, Rig(tmp_path, systems=("freshdesk",), way=way) as rig:
        for roles in (
            ("orchestrator",),
            ("host", "freshdesk"),
            ("response", "notice", "recipients", "reports"),
        ):
            rig.run("run", *roles)
        first = plant(rig, "first", tickets=1)
        await rig.settled(await rig.submit("access", email=first.email))
        way.losses.update(dict.fromkeys(KINDS, EACH))
        cases: list[tuple[Planted, UUID]] = []
        async with asyncio.timeout(PATIENCE):
            while any(way.losses[it] for it in KINDS):
                who = plant(rig, f"lost-{len(cases)}", tickets=1)
                cases.append((who, await rig.submit("access", "erasure", email=who.email)))
                await asyncio.sleep(2)
        for who, it in cases:
            case = await rig.settled(it)
            assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
            assert {len(done) for done in rig.effects(who.contact, *who.tickets).values()} == {1}
            entries = await rig.entries(it)
            assert [it.number for it in entries] == list(range(1, len(entries) + 1))
        assert way.lost == dict.fromkeys(KINDS, EACH)
        assert [it.died for it in rig.roles] == [0, 0, 0]
        assert [it.process.poll() for it in rig.roles if it.process] == [None] * 3
        await _who_cannot_answer_gives_up(rig, way)


async def _who_cannot_answer_gives_up(rig: Rig, way: Proxy) -> None:
    """It says so, and ends for a supervisor; started again, it answers."""
    await asyncio.to_thread(rig.roles.pop(1).stop)  # the way to the broker is in this loop
    who = plant(rig, "late", tickets=0)
    slow = Fault(mode="hang", seconds=3, route=f"/contacts/{who.contact.partition('/')[2]}$")
    rig.sandboxes["freshdesk"].faults.append(slow)
    host = rig.run("run", "host", "freshdesk", HABEAS_GIVE_UP_AFTER="2")
    case = await rig.submit("access", email=who.email)
    await rig.wait_for(lambda: not rig.sandboxes["freshdesk"].faults)
    way.close()
    assert host.process is not None
    await rig.wait_for(lambda: host.process and host.process.poll() is not None)
    assert host.process.returncode == GAVE_UP
    told = host.log.read_text().splitlines()
    first, *_ = [json.loads(it) for it in told if '"gave_up"' in it]
    assert (first["level"], first["what"]) == ("critical", "sending to the broker")
    assert any(it.startswith("Error: ") and "HABEAS_GIVE_UP_AFTER" in it for it in told)
    way.closed = False
    await rig.settled(case)
