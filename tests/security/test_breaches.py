"""Who may say that data were breached, and to whom letters go: nobody's word is the pipeline's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline import flow
from pipeline.intake.edge import Edge
from pipeline.intake.incidents import MOST
from pipeline.intake.roles import Role
from pipeline.register import reading, store
from schemas import events as e
from schemas.records import Actor, SealedAffected, SealedIdentifier
from tests.spec.breaches import affected, opened, words
from tests.spec.people import ANN, BOB
from tests.spec.world import CODEC, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A pipeline over one system, where records may be refused."""
    async with World(tmp_path, systems=("freshdesk",), puts_aside=True) as made:
        yield made


def opening(world: World, by: str = "dpo") -> e.IncidentOpened:
    return e.IncidentOpened(
        case=uuid4(),
        by=by,
        what="confidentiality",
        aware_at=world.now,
        since=world.now,
        systems=("freshdesk",),
        categories=("contact",),
    )


async def refused(world: World, event: e.Event, actor: Actor) -> str:
    """Why a decision is put aside."""
    world.put_aside.clear()
    await world.decided(event, actor)
    (why,) = world.put_aside
    return why.rpartition(": ")[2].partition(" (")[0]


async def test_nobody_says_that_the_pipeline_found_a_breach_in_itself(world: World) -> None:
    unsigned = opening(world, by="")
    place = world.place
    edge = Edge(name="dpo", files=place.keys, codec=CODEC, producer=world._sent)
    await edge.send(flow.DECISIONS, unsigned)
    await world.run()
    assert "unknown_console" in world.put_aside[-1]
    claims = replace(opening(world), suspect=uuid4())
    assert await refused(world, claims, words()) == "out_of_bounds:suspect"
    unknown = replace(opening(world), what="anothers_data")
    assert await refused(world, unknown, words()) == "out_of_bounds:what"
    assert not await reading.incidents(world.engine)


async def test_a_reviewer_opens_nothing_and_tells_nobody(world: World) -> None:
    by = world.colleague("rita", Role.REVIEWER)
    assert await refused(world, opening(world, by), words()) == "role_may_not"
    incident = await opened(world)
    await affected(world, incident, [ANN])
    release = e.BreachNoticesReleased(case=incident, by=by, at=world.now)
    assert await refused(world, release, words()) == "role_may_not"
    assert not world.mails(to=ANN)


async def test_an_incident_takes_nobodys_place(world: World) -> None:
    """Not a request's, nor another incident's: an id is taken once."""
    case = await world.submit("access", email=ANN)
    assert await refused(world, replace(opening(world), case=case), words()) == "case_id_taken"
    event = e.PeopleAffected(case=uuid4(), by="dpo", list=b"a list of people", part=1, parts=1)
    assert await refused(world, event, SealedAffected(login="x")) == "unknown_case"


async def test_a_portion_is_of_addresses_and_bounded(world: World) -> None:
    incident = await opened(world)
    event = e.PeopleAffected(case=incident, by="dpo", list=b"a list of people", part=1, parts=1)
    many = [SealedIdentifier(tag=b"", kind="email", value=f"{n}@example.org") for n in range(501)]
    assert len(many) > MOST
    too_many = SealedAffected(login="x", identifiers=tuple(many))
    assert await refused(world, event, too_many) == "too_many_affected"
    for kind, value in (("phone", "+44 7700 900118"), ("email", "a@example.org\r\nBcc: b@c.org")):
        given = SealedIdentifier(tag=b"", kind=kind, value=value)
        no_address = SealedAffected(login="x", identifiers=(given,))
        assert await refused(world, event, no_address) == "affected_without_an_address"


async def test_what_a_letter_says_is_text_whatever_it_contains(world: World) -> None:
    incident = await opened(world)
    await affected(world, incident, [ANN, BOB])
    said = replace(words(), says="<script>alert(1)</script>\n\n{{ contact }}\n\nand more")
    await world.decided(e.BreachNoticesReleased(case=incident, by="dpo", at=world.now), said)
    (mail,) = world.mails(to=ANN)
    assert "<script>alert(1)</script> {{ contact }} and more" in mail.text
    assert mail.text.count("What it may lead to:") == 1


async def test_a_transaction_that_fails_opens_no_half_of_an_incident(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either the request says so and the incident is there, or neither; and only once."""
    world.holds("freshdesk", "contact", email=ANN)
    case = await world.submit("access", email=ANN)
    rejected = e.IdentityRejected(case=case, by="dpo", reason="eu-gdpr:A12IdentityFailure")
    real, failed = store.save_cases, list[int]()

    async def fails(connection: object, lines: list[store.Line]) -> None:
        if len(lines) > 1 and len(failed) < 2:
            failed.append(len(lines))
            raise ConnectionError
        await real(connection, lines)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "save_cases", fails)
    with pytest.raises(ConnectionError):
        await world.decide(rejected, says="She had asked for nothing.")
    assert not await reading.incidents(world.engine)
    assert not await world.said(e.IncidentRaised, case)
    with pytest.raises(ConnectionError):
        await world.later(minutes=1)
    await world.later(minutes=1)
    assert len(await reading.incidents(world.engine)) == 1
    assert len(await world.said(e.IncidentRaised, case)) == 1
