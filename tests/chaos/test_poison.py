"""A record that nobody can read, on every topic: a dead letter, and the rest flows."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline import flow
from pipeline.adapters import dead_letters
from pipeline.adapters.producer import producer
from pipeline.app import Place
from schemas.codec import locked
from schemas.events import IdentityOverdue
from tests.rig import Rig, Role, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")
READ = (
    flow.REQUESTS,
    flow.RESULTS,
    flow.DECISIONS,
    flow.REPORTS,
    *(flow.work(it) for it in ("freshdesk", "salesforce", flow.RESPONSE, flow.NOTICE)),
)
IN_THE_CLEAR = {flow.REQUESTS, flow.DECISIONS}
"""Where the value may be a person in the clear, so that it is not kept."""


def poison() -> list[tuple[bytes | None, bytes | None]]:
    """(key, value): garbage, a cut frame, a tombstone, another event, and a key that is no case."""
    said = IdentityOverdue(case=uuid4())
    whole = locked().encode(said)
    return [
        (b"poison", os.urandom(100)),
        (str(said.case).encode(), whole[:7]),
        (str(said.case).encode(), None),
        (str(said.case).encode(), whole),
        (b"\xff\xfe", whole),
    ]


async def test_poison_on_every_topic_is_put_aside_and_the_rest_flows(up: Rig) -> None:
    given = poison()
    async with producer(up.bootstrap) as out:
        for topic in READ:
            for key, value in given:
                await out.send_and_wait(topic, value, key=key)
    who = plant(up, "afterwards")
    case = await up.settled(await up.submit("access", "erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    letters = await _letters(up, len(READ) * len(given))
    assert {it.event.topic for it in letters} == set(READ)
    keys = Place(up.settings.data).keys.letters()
    for it in letters:
        value = dead_letters.value_of(it.event, keys)
        if it.event.topic in IN_THE_CLEAR:
            assert value is None
            assert it.event.reason.startswith("incident: ")
        else:
            assert value in {None, *(value for _, value in given)}
    kept = [it for it in letters if dead_letters.value_of(it.event, keys) is not None]
    assert len(kept) == (len(READ) - len(IN_THE_CLEAR)) * 4


async def test_an_event_of_a_later_release_stops_the_decider(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        role = rig.run("up")
        await rig.settled(await rig.submit("access", email=plant(rig, "before").email))
        unknown = b"\x00" + (999_999).to_bytes(4, "big") + b"later"
        told = [("ce_type", b"habeas.holdings_located.v2")]
        async with producer(rig.bootstrap) as out:
            await out.send_and_wait(flow.RESULTS, unknown, key=str(uuid4()).encode(), headers=told)
        rig.roles.remove(role)
        assert await _ends(role) == 1
        said = role.log.read_text()
        assert "orchestrator.stopped" in said
        assert (
            "Error: holdings_located.v2 is an event of a later release: update this process" in said
        )
        again = rig.run("up")  # it is not skipped: the next start meets it again
        rig.roles.remove(again)
        assert await _ends(again) == 1


async def _ends(role: Role) -> int:
    assert role.process is not None
    return await asyncio.to_thread(role.process.wait, 60)


async def _letters(rig: Rig, count: int) -> list[dead_letters.Letter]:
    found: list[dead_letters.Letter] = []
    for _ in range(50):
        found = await dead_letters.read_all(rig.bootstrap, locked())
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"{len(found)} of {count} dead letters; {rig.tail()}")
