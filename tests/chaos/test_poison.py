"""A record that nobody can read, on every topic: a dead letter, and the rest flows."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pipeline import flow
from pipeline.app import Place
from pipeline.crypto.proofs import Slot
from pipeline.kafka import dead_letters, wire
from pipeline.kafka.authentication import proved
from pipeline.kafka.producer import producer
from schemas.codec import locked
from schemas.events import IdentityOverdue
from tests.fakes.proofs import granted
from tests.rig import Rig, Role, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")
READ = (
    flow.REQUESTS,
    flow.PREFERENCES,
    flow.RESULTS,
    flow.DECISIONS,
    flow.REPORTS,
    *(flow.work(it) for it in ("freshdesk", "salesforce", *flow.OURS)),
)
IN_THE_CLEAR = flow.ENCLOSED
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
    """If a host proves it: it may be said by a host that was updated first."""
    async with Rig(tmp_path) as rig:
        role = rig.run("up")
        case = await rig.settled(await rig.submit("access", email=plant(rig, "before").email))
        later = await _of_a_later_release(rig, case.id)
        async with producer(rig.bootstrap) as out:
            for it in (replace(later, headers=later.headers[:1]), later):
                await out.send_and_wait(it.topic, it.value, key=it.key, headers=list(it.headers))
        rig.roles.remove(role)
        assert await _ends(role) == 1
        said = role.log.read_text()
        assert "orchestrator.stopped" in said
        assert (
            "Error: holdings_located.v99 is an event of a later release: update this process"
            in said
        )
        again = rig.run("up")  # it is not skipped: the next start meets it again
        rig.roles.remove(again)
        assert await _ends(again) == 1


async def _of_a_later_release(rig: Rig, case: UUID) -> wire.Record:
    """An answer that a host of a later release gives, proved with what its order brought."""
    work, key = flow.work("freshdesk"), str(case).encode()
    order = next(it for it in await rig.records() if (it.topic, it.key) == (work, key))
    sent = wire.Record(topic=work, key=key, value=order.value or b"", headers=order.headers)
    grant = granted(Place(rig.settings.data).keys, sent).record()
    record = wire.Record(
        topic=flow.RESULTS,
        key=key,
        value=b"\x00" + (999_999).to_bytes(4, "big") + b"later",
        headers=(("ce_type", b"habeas.holdings_located.v99"),),
    )
    slot = Slot(case=case, order=uuid4(), system="freshdesk", event="holdings_located")
    return proved(record, grant, slot)


async def _ends(role: Role) -> int:
    assert role.process is not None
    return await asyncio.to_thread(role.process.wait, 60)


async def _letters(rig: Rig, count: int) -> list[dead_letters.Letter]:
    found: list[dead_letters.Letter] = []
    for _ in range(50):
        found, _ = await dead_letters.read_all(rig.bootstrap, locked())
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"{len(found)} of {count} dead letters; {rig.tail()}")
