"""Who else is this person? On both databases: found by whoever proves last, compared, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.app import Place
from pipeline.case import lifecycle
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.kafka.incoming import Incoming
from pipeline.orchestrator.clock import sweep
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.publisher import Publisher
from pipeline.orchestrator.rotation import Rotation
from pipeline.recovery import whose
from pipeline.register import reading, store, subjects, tables
from pipeline.register.case_keys import CaseKeys
from pipeline.register.engine import connect, url_of
from pipeline.settings import Settings
from schemas import events as e
from tests.fakes.deciders import CODEC, NOW, Sent, again, decider, requests

from .test_register import engine, settings

__all__ = ["engine", "settings"]

LATER = NOW + timedelta(hours=1)


def now() -> datetime:
    return NOW


def later() -> datetime:
    return LATER


async def said(engine: AsyncEngine, case: UUID, *kinds: type[e.Event]) -> list[e.Event]:
    return [it.event for it in await reading.entries(engine, case) if isinstance(it.event, kinds)]


async def case_of(settings: Settings, engine: AsyncEngine, case: UUID) -> Case:
    return reading.folded(await reading.entries(engine, case), app.rules(settings))


async def swept(settings: Settings, engine: AsyncEngine, one: Decider) -> None:
    keys = Place(settings.data).keys.orchestrator()
    await sweep(one, Publisher(engine, Sent(), keys), engine, LATER)


async def of_persons(settings: Settings, count: int) -> list[tuple[UUID, UUID, list[Incoming]]]:
    """So many people who ask twice: both cases, and what lies on the topic of each."""
    found = []
    for n in range(count):
        one, other = uuid4(), uuid4()
        batch = [*await requests(settings, one, other, email=f"person-{n}@example.org")]
        found.append((one, other, batch))
    return found


async def test_of_two_processes_that_prove_the_same_at_once_the_later_finds_the_other(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Also if each has many people, in another order: neither stops the other."""
    await decider(settings, engine, Sent(), now).take(await requests(settings, uuid4()))
    people = await of_persons(settings, 12)
    other = await connect(url_of(settings.register, settings.data))
    deciders = [decider(settings, it, Sent(), now) for it in (engine, other)]
    batches: Sequence[list[Incoming]] = (
        [batch[0] for _, _, batch in people],
        [batch[1] for _, _, batch in reversed(people)],
    )
    batches = [[replace(it, partition=n) for it in batch] for n, batch in enumerate(batches)]
    await asyncio.gather(*(it.take(of) for it, of in zip(deciders, batches, strict=True)))
    for pair in people:
        found = [await said(engine, it, e.SamePersonFound) for it in pair[:2]]
        (event,) = [event for events in found for event in events]
        assert isinstance(event, e.SamePersonFound)
        assert {event.case, *event.others} == set(pair[:2])
    ticking = [decider(settings, it, Sent(), later) for it in (engine, other)]
    async with engine.begin() as connection:
        due = await store.claim_dues(connection, LATER, Brake())
    await asyncio.gather(*(it.tick(due) for it in ticking))
    await other.dispose()
    for one, another, _ in people:
        (joined,) = [
            *await said(engine, one, e.RequestJoined),
            *await said(engine, another, e.RequestJoined),
        ]
        assert isinstance(joined, e.RequestJoined)
        assert {joined.case, joined.into} == {one, another}
        assert not await said(engine, joined.case, e.SearchOrdered)
        assert await said(engine, joined.into, e.SearchOrdered)


async def test_many_of_one_person_in_one_batch_all_join_the_first(
    settings: Settings, engine: AsyncEngine
) -> None:
    """None joins one that has joined another in the same moment."""
    cases = [uuid4() for _ in range(6)]
    batch = await requests(settings, *cases, email="person@example.org")
    one = decider(settings, engine, Sent(), now)
    await one.take(batch)
    for _ in range(2):
        await swept(settings, engine, decider(settings, engine, Sent(), later))
    first, *others = [await case_of(settings, engine, it) for it in cases]
    assert first.joined is None
    assert not first.comparing
    assert await said(engine, first.id, e.SearchOrdered)
    for it in others:
        assert (it.joined, it.state) == (first.id, lifecycle.JOINED)
        assert not await said(engine, it.id, e.SearchOrdered)


async def test_a_batch_that_comes_twice_finds_nobody_anew(
    settings: Settings, engine: AsyncEngine
) -> None:
    ((one, other, batch),) = await of_persons(settings, 1)
    first = decider(settings, engine, Sent(), now)
    await first.take(batch)
    await swept(settings, engine, decider(settings, engine, Sent(), later))
    before = [await reading.entries(engine, it) for it in (one, other)]
    for it in (first, decider(settings, engine, Sent(), later)):
        await it.take(again(batch))
        await swept(settings, engine, it)
    assert [await reading.entries(engine, it) for it in (one, other)] == before


async def test_who_asks_alone_costs_no_event(settings: Settings, engine: AsyncEngine) -> None:
    case, stranger = uuid4(), uuid4()
    one = decider(settings, engine, Sent(), now)
    await one.take(await requests(settings, case, stranger))
    assert not await said(engine, case, e.SamePersonFound, e.RequestsCompared)
    async with engine.connect() as connection:
        rows = list(await connection.execute(select(tables.subjects)))
    assert {it.case_id for it in rows} == {case, stranger}
    assert len({it.hash for it in rows}) == 2
    assert not any(b"example" in it.hash for it in rows)


@pytest.mark.parametrize("state", sorted(subjects.OVER))
async def test_what_is_over_is_compared_with_nothing(
    settings: Settings, engine: AsyncEngine, state: str
) -> None:
    ((one, other, batch),) = await of_persons(settings, 1)
    deciding = decider(settings, engine, Sent(), now)
    await deciding.take(batch[:1])
    async with engine.begin() as connection:
        chosen = update(tables.cases).where(tables.cases.c.id == one)
        await connection.execute(chosen.values(state=state))
    await deciding.take(batch[1:])
    assert not await said(engine, other, e.SamePersonFound)
    assert await said(engine, other, e.SearchOrdered)


async def test_one_that_is_set_aside_holds_up_nobody(
    settings: Settings, engine: AsyncEngine
) -> None:
    ((one, other, batch),) = await of_persons(settings, 1)
    await decider(settings, engine, Sent(), now).take(batch)
    aside = insert(tables.set_aside).values(case_id=one, why="its key is lost", at=NOW)
    async with engine.begin() as connection:
        await connection.execute(aside)
    await swept(settings, engine, decider(settings, engine, Sent(), later))
    after = await case_of(settings, engine, other)
    assert (after.joined, after.comparing) == (None, {})
    assert await said(engine, other, e.SearchOrdered)


async def test_with_the_record_key_goes_what_says_whose_a_case_is(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    one = decider(settings, engine, Sent())
    await one.take(await requests(settings, case))
    await one.expire_keys(datetime.now(NOW.tzinfo) + settings.record_key_lives + timedelta(days=1))
    async with engine.connect() as connection:
        assert list(await connection.execute(select(tables.subjects))) == []


async def test_the_key_is_made_once_and_wrapped_anew_with_all_others(
    settings: Settings, engine: AsyncEngine
) -> None:
    files = Place(settings.data).keys
    other = await connect(url_of(settings.register, settings.data))

    async def key(of: AsyncEngine) -> bytes:
        async with of.begin() as connection:
            return await subjects.SubjectsKey(CaseKeys(files.wrapping())).get(connection, NOW)

    made = set(await asyncio.gather(*(key(it) for it in (engine, other) * 3)))
    await other.dispose()
    assert len(made) == 1
    rotation = Rotation(engine, files, settings)
    (wrapping,) = [it for it in files.kinds(settings) if it.purpose == "wrapping"]
    named = await rotation.turn_now(wrapping)
    async with engine.connect() as connection:
        (row,) = await connection.execute(select(tables.keys))
    assert (row.wrapping, row.purpose) == (named, subjects.SUBJECTS)
    assert {await key(engine)} == made


@pytest.mark.parametrize("is_lost", [False, True], ids=["kept", "lost"])
async def test_after_a_recovery_a_persons_other_cases_are_found_again(
    settings: Settings, engine: AsyncEngine, *, is_lost: bool
) -> None:
    ((one, other, batch),) = await of_persons(settings, 1)
    deciding = decider(settings, engine, Sent(), now)
    await deciding.take(batch[:1])
    files = Place(settings.data).keys
    async with engine.begin() as connection:
        key = tables.keys.c.id == subjects.OWNER
        if is_lost:
            await connection.execute(update(tables.keys).where(key).values(wrapping="elsewhere"))
        else:
            await connection.execute(tables.subjects.delete())
        taken_over = set() if is_lost else {one}
        rules, wrapping = app.rules(settings), files.wrapping()
        await whose.known_again(connection, CODEC, rules, wrapping, taken_over, NOW)
    await decider(settings, engine, Sent(), now).take(batch[1:])
    (found,) = await said(engine, other, e.SamePersonFound)
    assert isinstance(found, e.SamePersonFound)
    assert found.others == (one,)


async def test_a_case_that_does_not_open_keeps_no_other_from_being_found_again(
    settings: Settings, engine: AsyncEngine
) -> None:
    (broken, _, first), (one, other, batch) = await of_persons(settings, 2)
    await decider(settings, engine, Sent(), now).take([*first[:1], *batch[:1]])
    opened = (tables.ledger.c.case_id == broken) & (tables.ledger.c.type == "case_opened")
    async with engine.begin() as connection:
        body = (await connection.execute(select(tables.ledger.c.body).where(opened))).scalar_one()
        spoilt = body[:-1] + bytes([body[-1] ^ 1])
        await connection.execute(update(tables.ledger).where(opened).values(body=spoilt))
        await connection.execute(tables.subjects.delete())
        rules, wrapping = app.rules(settings), Place(settings.data).keys.wrapping()
        await whose.known_again(connection, CODEC, rules, wrapping, {broken, one}, NOW)
    await decider(settings, engine, Sent(), now).take(batch[1:])
    (found,) = await said(engine, other, e.SamePersonFound)
    assert isinstance(found, e.SamePersonFound)
    assert found.others == (one,)
