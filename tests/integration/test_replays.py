"""What was brought back is erased again, on both databases: a case and a key of its own, once."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.case import replays
from pipeline.case.case import Case
from pipeline.register import reading, tables
from pipeline.register.case_keys import OBLIGATION, PACKAGE
from pipeline.settings import Settings
from pipeline.stages.report import broken
from schemas import events as e
from tests.fakes.years import Years

from .test_memory import ANN, BOB, asked
from .test_register import engine, settings

__all__ = ["engine", "settings"]


@pytest.fixture
def years(settings: Settings, engine: AsyncEngine) -> Years:
    return Years(settings, engine)


async def replayed(years: Years, case: UUID, *systems: str) -> UUID:
    """A vendor brought something back; the case that looks, once it does."""
    event = e.ErasureReplayed(case=case, by="", at=years.now, systems=systems)
    await years.say(event)
    await years.until(years.now)
    return replays.follow_up_of(event)


async def approved(years: Years, looks: UUID) -> Case:
    plan = (await years.case(looks)).plan
    assert plan is not None
    assert plan.state == "asked"
    await years.say(e.PlanApproved(case=looks, by="", digest=plan.digest))
    await years.until(years.now)
    return await years.case(looks)


async def test_it_is_found_under_every_spelling_and_goes_by_a_case_and_a_key_of_its_own(
    years: Years, engine: AsyncEngine
) -> None:
    case, _ = await asked(years), await asked(years, BOB)
    desk = years.desks["freshdesk"]
    desk.put(ANN, "ticket", "restored", "profile")
    desk.put(BOB, "ticket", "of bob", "profile")
    years.begin_anew()
    looks = await replayed(years, case, "freshdesk")
    assert set(desk.ids(ANN)) == {"restored"}
    after = await approved(years, looks)
    assert desk.ids(ANN) == {}
    assert set(desk.ids(BOB)) == {"of bob"}
    assert (after.state, after.claims["erasure"].state) == ("answered", "fulfilled")
    assert not broken(after, years.rules)
    assert not broken(await years.case(case), years.rules)
    assert [it["Subject"].partition(" [")[0] for it in years.mails.to(ANN)][-1] == (
        "Something of yours was there again, and we have seen to it"
    )
    chosen = select(tables.keys.c.purpose).where(tables.keys.c.owner == looks)
    async with engine.connect() as connection:
        assert set((await connection.execute(chosen)).scalars()) == {OBLIGATION, PACKAGE}
    types = [it.type for it in await reading.entries(engine, case)]
    assert types.count("obligation_due") == types.count("obligation_closed") == 1


async def test_what_the_clock_meets_twice_is_begun_once(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case = await asked(years)
    years.desks["freshdesk"].put(ANN, "ticket", "restored", "profile")
    looks = await replayed(years, case, "freshdesk")
    before = await reading.entries(engine, looks)
    again = await replayed(years, case, "freshdesk")
    assert again == looks
    years.begin_anew()
    await years.until(years.now)
    assert await reading.entries(engine, looks) == before
    assert (await years.case(case)).replays == {}


async def test_where_the_record_does_not_open_it_is_said_that_none_can_look(
    years: Years, engine: AsyncEngine
) -> None:
    case = await asked(years)
    opened = (tables.ledger.c.case_id == case) & (tables.ledger.c.type == "case_opened")
    async with engine.begin() as connection:
        body = (await connection.execute(select(tables.ledger.c.body).where(opened))).scalar_one()
        spoilt = body[:-1] + bytes([body[-1] ^ 1])
        await connection.execute(update(tables.ledger).where(opened).values(body=spoilt))
    years.begin_anew()
    looks = await replayed(years, case, "freshdesk")
    assert await reading.entries(engine, looks) == []
    assert (await years.case(case)).replays == {}
    closed = [it.event for it in await reading.entries(engine, case)]
    assert [it.follow_up for it in closed if isinstance(it, e.ObligationClosed)] == [looks]
