"""An incident in a register that was restored from a backup: taken over, or a person's to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.case.incident import counts
from pipeline.case.lost import lost
from pipeline.kafka.ledger_topic import Told
from pipeline.register import reading
from schemas import events as e
from tests.spec.breaches import addresses, affected, opened, released
from tests.spec.people import ANN
from tests.spec.world import World

from .test_recovery import aside, cut, row_of, take_over


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A pipeline over two systems."""
    async with World(tmp_path, systems=("freshdesk", "salesforce")) as made:
        yield made


async def told_of(world: World, incident: UUID) -> list[Told]:
    """What the ledger's topic tells of an incident."""
    entries = await reading.ledger(world.engine, incident)
    return [Told(case=incident, entry=it) for it in entries]


async def test_an_incident_is_taken_over_and_its_letters_go_on(world: World) -> None:
    incident = await opened(world)
    await affected(world, incident, addresses(3))
    known = await told_of(world, incident)
    row = await row_of(world.engine, incident)
    await cut(world.engine, incident, 3)
    taken = await take_over(world.settings, world.engine, known[::-1], known)
    assert (taken.broken, await aside(world.engine)) == ([], {})
    assert await row_of(world.engine, incident) == row
    await world.restart()
    await released(world, incident)
    case = await world.case(incident)
    assert case.incident is not None
    assert counts(case.incident).told == 3


async def test_what_the_pipeline_found_in_itself_is_taken_over_though_nobody_signed_it(
    world: World,
) -> None:
    world.holds("freshdesk", "contact", email=ANN)
    case = await world.submit("access", email=ANN)
    rejected = e.IdentityRejected(case=case, by="dpo", reason="eu-gdpr:A12IdentityFailure")
    await world.decide(rejected, says="She had asked for nothing.")
    (found,) = await reading.incidents(world.engine)
    known, of_request = await told_of(world, found.id), await told_of(world, case)
    await cut(world.engine, found.id, 0)
    taken = await take_over(world.settings, world.engine, known, of_request)
    assert taken.broken == []
    assert await told_of(world, found.id) == known


async def test_without_its_key_it_says_what_a_person_must_do(world: World) -> None:
    incident = await opened(world)
    await affected(world, incident, addresses(3), unreachable=2)
    authority, people = lost(await world.case(incident)).do
    assert "supervisory authority" in authority
    assert people.startswith("5 of the affected")
