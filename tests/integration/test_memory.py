"""For whom was something erased? On both databases: remembered as it settles, found, forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk.interface import Borne, Category, Holding
from pipeline import app
from pipeline.app import Place
from pipeline.orchestrator.rotation import Rotation
from pipeline.recovery import remembered
from pipeline.register import memory, subjects, tables
from pipeline.register.case_keys import CaseKeys
from pipeline.register.engine import connect, url_of
from pipeline.register.memory import Erasure, memory_key
from pipeline.settings import Settings
from schemas import events as e
from tests.fakes.deciders import CODEC, NOW, decider
from tests.fakes.years import Years, a_customer

from .test_register import engine, settings

__all__ = ["engine", "settings"]

ANN, BOB = "Ann@Example.org", "bob@example.org"
ENDED = date(2025, 3, 14)


@pytest.fixture
def years(settings: Settings, engine: AsyncEngine) -> Years:
    return Years(settings, engine)


async def asked(years: Years, email: str = ANN, *, holds: bool = True) -> UUID:
    """Somebody asked to be erased, and was as far as it goes."""
    case = uuid4()
    if holds:
        years.desks["freshdesk"].put(email, "ticket", f"ticket of {email}", "profile")
    await years.ask(case, email)
    return case


async def found(
    settings: Settings, engine: AsyncEngine, *emails: str, at: datetime = NOW
) -> list[Erasure | None]:
    """What is remembered of these."""
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        key = await memory_key(keys).find(connection)
        if key is None:
            return [None] * len(emails)
        hashes = [subjects.hashed(key, "email", it) for it in emails]
        known = await memory.find(connection, hashes, at)
    return [known.get(it) for it in hashes]


async def rows(engine: AsyncEngine) -> list[tuple[bytes, UUID, datetime, datetime]]:
    async with engine.connect() as connection:
        return [tuple(it) for it in await connection.execute(select(tables.erased))]


async def again(
    settings: Settings, engine: AsyncEngine, *cases: UUID, now: datetime = NOW
) -> tuple[UUID, ...]:
    """What a recovery does of the memory."""
    wrapping = Place(settings.data).keys.wrapping()
    async with engine.begin() as connection:
        return await remembered.remembered_again(
            connection, CODEC, app.rules(settings), wrapping, cases, now
        )


async def test_who_was_erased_is_found_however_spelt_and_nobody_else(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case = await asked(years)
    same, other = await found(settings, engine, "ann@EXAMPLE.ORG", BOB)
    assert same == Erasure(case, NOW)
    assert other is None
    ((hash_, _, at, until),) = await rows(engine)
    assert b"ann" not in hash_.lower()
    assert (at, until) == (NOW, NOW + settings.erasure_memory)


async def test_what_stands_for_them_differs_from_what_compares_open_cases(
    years: Years, engine: AsyncEngine
) -> None:
    await asked(years)
    async with engine.connect() as connection:
        compared = set((await connection.execute(select(tables.subjects.c.hash))).scalars())
    assert compared
    assert compared.isdisjoint(it[0] for it in await rows(engine))


async def test_of_whom_nothing_was_held_is_remembered_as_well(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case = await asked(years, holds=False)
    assert (await years.case(case)).claims["erasure"].state == "no_data"
    assert await found(settings, engine, ANN) == [Erasure(case, NOW)]


async def test_who_is_only_observed_or_kept_or_asked_for_a_copy_is_not_remembered(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    years.decider = decider(
        settings, engine, years.sent, years.time, observe=True, rules=years.rules
    )
    observed = await asked(years)
    case = await years.case(observed)
    assert case.plan is not None
    assert (case.plan.state, case.claims["erasure"].active) == ("observed", False)
    years.begin_anew()
    years.desks["salesforce"].put(BOB, "contact", "contact", "identity")
    years.desks["salesforce"].facts[BOB] = a_customer(ended=ENDED)
    kept = await asked(years, BOB, holds=False)
    (row,) = (await years.case(kept)).claims["erasure"].coverage
    assert row.state == "kept"
    assert await rows(engine) == []
    assert await unknown(years, engine) == ()


async def test_who_takes_it_back_is_not_remembered(years: Years, engine: AsyncEngine) -> None:
    for n in range(30):
        years.desks["freshdesk"].put(ANN, "ticket", f"ticket {n}", "profile")
    case = await asked(years)
    assert (await years.case(case)).state == "approval_asked"
    assert await rows(engine) == []
    withdrawn = e.ClaimWithdrawn(case=case, by="", right="erasure", together=("erasure",))
    await years.say(withdrawn)
    assert (await years.case(case)).state == "withdrawn"
    assert await rows(engine) == []


async def test_what_is_remembered_again_changes_nothing_and_a_later_erasure_counts(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case = await asked(years)
    before = await rows(engine)
    for _ in "12":
        assert await again(settings, engine, case) == ()
        assert await rows(engine) == before
    years.now += timedelta(days=40)
    second = await asked(years, "ann@example.org")
    assert await found(settings, engine, ANN, at=years.now) == [Erasure(second, years.now)]
    assert len(await rows(engine)) == 2


async def test_what_goes_years_later_is_remembered_of_the_case_in_which_the_person_asked(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    years.desks["salesforce"].put(ANN, "contact", "contact", "identity")
    years.desks["salesforce"].facts[ANN] = a_customer(ended=ENDED)
    case = await asked(years)
    (owed,) = (await years.case(case)).obligations
    await years.until(owed.look_at + timedelta(hours=1))
    assert years.desks["salesforce"].ids(ANN) == {}
    (erasure,) = await found(settings, engine, ANN, at=years.now)
    assert erasure is not None
    assert erasure.case == case
    assert erasure.at >= owed.look_at
    assert await unknown(years, engine) == ()


async def test_the_clock_forgets_when_its_time_is_over_and_not_with_the_cases_key(
    settings: Settings, engine: AsyncEngine
) -> None:
    longer = replace(settings, erasure_memory=settings.record_key_lives + timedelta(days=100))
    years = Years(longer, engine)
    case = await asked(years)
    await years.until(NOW + settings.record_key_lives + timedelta(days=99))
    assert (await years.case(case)).keyless
    assert await found(settings, engine, ANN, at=years.now) == [Erasure(case, NOW)]
    over = NOW + longer.erasure_memory
    assert await found(settings, engine, ANN, at=over) == [None]
    await years.until(over)
    assert await rows(engine) == []


async def test_the_key_is_made_once_and_wrapped_anew_with_all_others(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    files = Place(settings.data).keys
    other = await connect(url_of(settings.register, settings.data))

    async def key(of: AsyncEngine) -> bytes:
        async with of.begin() as connection:
            return await memory_key(CaseKeys(files.wrapping())).get(connection, NOW)

    made = set(await asyncio.gather(*(key(it) for it in (engine, other) * 3)))
    await other.dispose()
    assert len(made) == 1
    case = await asked(years)
    rotation = Rotation(engine, files, settings)
    (wrapping,) = [it for it in files.kinds(settings) if it.purpose == "wrapping"]
    named = await rotation.turn_now(wrapping)
    async with engine.connect() as connection:
        mine = tables.keys.c.purpose == memory.MEMORY
        (row,) = await connection.execute(select(tables.keys).where(mine))
    assert row.wrapping == named
    assert {await key(engine)} == made
    assert await found(settings, engine, ANN) == [Erasure(case, NOW)]


async def test_a_key_whose_transaction_came_to_nothing_is_used_for_nothing(
    settings: Settings, engine: AsyncEngine
) -> None:
    key = memory_key(CaseKeys(Place(settings.data).keys.wrapping()))
    async with engine.connect() as connection:
        lost = {await key.get(connection, NOW) for _ in range(2)}
        await connection.rollback()
    async with engine.begin() as connection:
        kept = {await key.get(connection, NOW) for _ in range(2)}
    async with engine.connect() as connection:
        assert {await key.get(connection, NOW)} == kept
    assert len(lost) == len(kept) == 1
    assert lost != kept


@pytest.mark.parametrize("is_lost", [False, True], ids=["kept", "lost"])
async def test_a_recovery_remembers_again_what_the_backup_did_not_know(
    years: Years, settings: Settings, engine: AsyncEngine, *, is_lost: bool
) -> None:
    """With the wrapping key of the memory's go all hashes: then of every case that opens."""
    case, other = await asked(years), await asked(years, BOB)
    before = sorted(await rows(engine))
    async with engine.begin() as connection:
        if is_lost:
            key = tables.keys.c.id == memory.OWNER
            await connection.execute(update(tables.keys).where(key).values(wrapping="elsewhere"))
        else:
            mine = tables.erased.c.case_id == case
            await connection.execute(delete(tables.erased).where(mine))
    assert await again(settings, engine, *(() if is_lost else (case,))) == ()
    assert await found(settings, engine, ANN, BOB) == [Erasure(case, NOW), Erasure(other, NOW)]
    assert (sorted(await rows(engine)) == before) is not is_lost


async def test_erasures_of_before_there_was_a_memory_are_remembered_once(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case, files = await asked(years), Place(settings.data).keys
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased))
        await connection.execute(delete(tables.keys).where(tables.keys.c.id == memory.OWNER))
    for _ in "12":
        await remembered.begin(engine, CODEC, years.rules, files.wrapping(), NOW)
        assert await found(settings, engine, ANN) == [Erasure(case, NOW)]
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased))
    await remembered.begin(engine, CODEC, years.rules, files.wrapping(), NOW)
    assert await rows(engine) == []


async def unknown(years: Years, engine: AsyncEngine) -> tuple[UUID, ...]:
    """The cases of which the memory should know for whom they erased, and does not."""
    async with engine.connect() as connection:
        return await remembered.not_remembered(connection, years.rules, years.now)


async def test_erasures_that_the_memory_should_know_and_does_not_are_told_by_their_cases(
    years: Years, engine: AsyncEngine
) -> None:
    case, other = await asked(years), await asked(years, BOB)
    assert await unknown(years, engine) == ()
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased).where(tables.erased.c.case_id == case))
    assert await unknown(years, engine) == (case,)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased))
    assert await unknown(years, engine) == tuple(sorted((case, other)))
    years.now = NOW + years.settings.erasure_memory
    assert await unknown(years, engine) == ()


async def test_a_case_that_cannot_be_folded_may_have_erased_somebody(
    years: Years, engine: AsyncEngine
) -> None:
    case = await asked(years)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased))
        opened = (tables.ledger.c.case_id == case) & (tables.ledger.c.number == 1)
        await connection.execute(delete(tables.ledger).where(opened))
    assert await unknown(years, engine) == (case,)


async def test_who_cannot_be_remembered_again_is_said_by_the_case(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case, other = await asked(years), await asked(years, BOB)
    keys = tables.keys
    gone = keys.c.id == memory.OWNER
    async with engine.begin() as connection:
        mine = (keys.c.owner == case) & (keys.c.purpose == "record")
        await connection.execute(update(keys).where(gone | mine).values(wrapping="elsewhere"))
    assert await again(settings, engine) == (case,)
    assert await found(settings, engine, ANN, BOB) == [None, Erasure(other, NOW)]


async def test_what_a_recovery_finds_to_be_over_it_does_not_remember(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case = await asked(years)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.erased))
    assert await again(settings, engine, case, now=NOW + settings.erasure_memory) == ()
    assert await rows(engine) == []


async def test_what_only_stands_in_a_record_of_theirs_is_not_remembered(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    """A user id beside their address may be somebody else's: what is known to be theirs is."""
    both = (Borne("email", "email", ANN), Borne("cc", "user_id", "u-9"))
    ticket = Holding("ticket", "shared", frozenset({Category.PROFILE}), bears=both)
    years.desks["freshdesk"].held[ANN] = [ticket]
    case = await asked(years)
    assert {it.kind for it in (await years.case(case)).known.values()} == {"email", "user_id"}
    ((hash_, *_),) = await rows(engine)
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        key = await memory_key(keys).find(connection)
    assert key is not None
    assert hash_ == subjects.hashed(key, "email", ANN)
