"""What does the register hold of somebody? On both databases: page by page, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk.interface import (
    Category,
    Erased,
    Expires,
    Fact,
    Holding,
    Identifier,
    Page,
    RetryableError,
    Subject,
    TerminalError,
)
from pipeline import app
from pipeline.app import Place
from pipeline.own_records import OwnRecordsConnector
from pipeline.own_records.erasures import ERASURE
from pipeline.own_records.requests import REQUEST
from pipeline.register import memory, subjects, tables
from pipeline.register.case_keys import RECORD, CaseKeys, destroy
from pipeline.register.memory import memory_key
from pipeline.register.own_records import PAGE
from pipeline.settings import Settings
from tests.fakes.deciders import CODEC, NOW, Sent, decider, requests

from .test_register import engine, settings

__all__ = ["engine", "settings"]

ANN, BOB = "Ann@Example.org", "bob@example.org"
SOMEBODY = UUID(int=7)


def now() -> datetime:
    return NOW


def whom(*emails: str) -> Subject:
    return Subject(tuple(Identifier("email", it) for it in emails))


async def asked(settings: Settings, engine: AsyncEngine, *cases: UUID, email: str = ANN) -> None:
    """Somebody asked, so often."""
    await decider(settings, engine, Sent(), now).take(await requests(settings, *cases, email=email))


async def remembered(settings: Settings, engine: AsyncEngine, case: UUID, *emails: str) -> None:
    """Something was erased for whoever has these."""
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.begin() as connection:
        key = await memory_key(keys).get(connection, NOW)
        rows = [
            {
                "hash": subjects.hashed(key, "email", it),
                "case_id": case,
                "erased_at": NOW,
                "forget_at": NOW + settings.erasure_memory,
            }
            for it in emails
        ]
        await connection.execute(insert(tables.erased), rows)


async def look(
    settings: Settings, subject: Subject, *known: Holding, case: UUID = SOMEBODY
) -> list[Page]:
    """What a search finds, page by page, as the host makes it."""
    async with app.own_records_of(settings, CODEC) as records:
        connector = OwnRecordsConnector(records, case, now)
        await connector.check()
        return [it async for it in connector.locate(subject, known)]


def found(pages: Sequence[Page]) -> list[Holding]:
    return [of for page in pages for of in (*page.holdings, *(it.holding for it in page.records))]


def facts(pages: Sequence[Page]) -> dict[str, object]:
    told: list[Fact] = [it for page in pages for it in page.facts]
    return {it.name: it.value for it in told}


async def record_key(engine: AsyncEngine, case: UUID) -> UUID:
    chosen = select(tables.keys.c.id).where(
        tables.keys.c.owner == case, tables.keys.c.purpose == RECORD
    )
    async with engine.connect() as connection:
        return UUID(str((await connection.execute(chosen)).scalar_one()))


async def test_nothing_was_ever_asked(settings: Settings, engine: AsyncEngine) -> None:
    pages = await look(settings, whom(ANN))
    assert found(pages) == []
    assert facts(pages) == {"last_request": False, "last_erasure": False}


async def test_every_request_of_theirs_is_found_once_in_pages_and_none_of_another(
    settings: Settings, engine: AsyncEngine
) -> None:
    mine, theirs = [uuid4() for _ in range(PAGE + 3)], uuid4()
    await asked(settings, engine, *mine)
    await asked(settings, engine, theirs, email=BOB)
    pages = await look(settings, whom("ann@EXAMPLE.org"))
    assert sorted(it.id for it in found(pages)) == sorted(map(str, mine))
    assert max(len(it.records) for it in pages) == PAGE
    assert {of.value for it in found(pages) for of in it.bears} == {ANN}
    assert facts(pages)["last_request"] == NOW.date()
    (other,) = found(await look(settings, whom(BOB)))
    assert other.id == str(theirs)


async def test_the_case_that_asks_is_left_out_and_tells_no_date(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    await asked(settings, engine, case)
    pages = await look(settings, whom(ANN), case=case)
    assert found(pages) == []
    assert facts(pages)["last_request"] is False


async def test_a_row_without_a_proof_in_its_ledger_leads_to_nothing(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Nothing is believed because a table says so: the case's own ledger has the last word."""
    case = uuid4()
    await asked(settings, engine, case, email=BOB)
    async with engine.begin() as connection:
        keys = CaseKeys(Place(settings.data).keys.wrapping())
        key = await subjects.SubjectsKey(keys).get(connection, NOW)
        row = (subjects.hashed(key, "email", ANN), case)
        await subjects.remember(connection, [row], NOW)
    assert found(await look(settings, whom(ANN))) == []


async def test_once_its_key_is_destroyed_a_request_is_found_by_nobody_and_known_to_be_gone(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    await asked(settings, engine, case)
    (before,) = found(await look(settings, whom(ANN)))
    assert found(await look(settings, whom(ANN), before)) == [before, before]
    key = await record_key(engine, case)
    async with engine.begin() as connection:
        await destroy(connection, key, NOW)
    pages = await look(settings, whom(ANN), before)
    assert found(pages) == []
    assert [it for page in pages for it in page.gone] == [before]
    async with app.own_records_of(settings, CODEC) as records:
        connector = OwnRecordsConnector(records, SOMEBODY, now)
        assert [it async for it in connector.export(before)] == []
        assert await connector.erase(before) == Erased()
        assert await connector.standing(before) is None


async def test_what_does_not_open_is_shown_with_what_is_known_and_as_nobody_s(
    settings: Settings, engine: AsyncEngine
) -> None:
    mine, other = uuid4(), uuid4()
    await asked(settings, engine, mine)
    await asked(settings, engine, other, email=BOB)
    ledger = tables.ledger
    opening = select(ledger.c.body).where(ledger.c.case_id == other, ledger.c.number == 2)
    async with engine.begin() as connection:
        body = (await connection.execute(opening)).scalar_one()
        await connection.execute(
            update(ledger).where(ledger.c.case_id == mine, ledger.c.number == 2).values(body=body)
        )
    pages = await look(settings, whom(ANN))
    (holding,) = found(pages)
    assert (holding.id, holding.bears) == (str(mine), ())
    (record,) = [it for page in pages for it in page.records]
    assert b"example.org" not in record.body.lower()
    assert b'"right": "access"' in record.body


async def test_it_goes_on_its_own_date_and_no_sooner(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, erased = uuid4(), uuid4()
    await asked(settings, engine, case)
    await remembered(settings, engine, erased, ANN, BOB)
    those = {it.kind: it for it in found(await look(settings, whom(ANN)))}
    async with app.own_records_of(settings, CODEC) as records:
        connector = OwnRecordsConnector(records, SOMEBODY, now)
        assert await connector.erase(those[REQUEST]) == Expires(NOW + settings.record_key_lives)
        assert await connector.erase(those[ERASURE]) == Expires(NOW + settings.erasure_memory)
        assert await connector.erase(those[ERASURE], frozenset({Category.CONTACT})) == {}


async def test_the_memory_tells_of_whoever_asks_and_of_nobody_beside_them(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    await remembered(settings, engine, case, ANN, BOB)
    pages = await look(settings, whom(ANN))
    (holding,) = found(pages)
    assert (holding.kind, holding.id) == (ERASURE, str(case))
    assert [it.value for it in holding.bears] == [ANN]
    assert facts(pages)["last_erasure"] == NOW.date()
    assert found(await look(settings, whom("carol@example.org"))) == []
    async with engine.begin() as connection:
        await memory.forget_expired(connection, NOW + settings.erasure_memory)
    (after,) = [it for page in await look(settings, whom(ANN), holding) for it in page.gone]
    assert after == holding


async def test_who_reads_waits_for_nobody_who_decides(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    await asked(settings, engine, case)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.outbox))
        async with asyncio.timeout(10):
            (holding,) = found(await look(settings, whom(ANN)))
    assert holding.id == str(case)


async def test_without_the_keys_nothing_is_said_to_be_there_or_not(
    settings: Settings, engine: AsyncEngine
) -> None:
    await asked(settings, engine, uuid4())
    folder = Place(settings.data).keys.wrapping().root
    async with app.own_records_of(settings, CODEC) as records:
        for it in folder.glob("*.key"):
            it.unlink()
        with pytest.raises(TerminalError) as refused:
            await OwnRecordsConnector(records, SOMEBODY, now).check()
    assert refused.value.reason == "keys_missing"
    with pytest.raises(app.SetupError, match="no wrapping keys"):
        await look(settings, whom(ANN))


async def test_a_register_that_does_not_answer_is_asked_again(
    settings: Settings, engine: AsyncEngine
) -> None:
    async with app.own_records_of(settings, CODEC) as records:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE erased"))
        with pytest.raises(RetryableError) as later:
            await OwnRecordsConnector(records, SOMEBODY, now).check()
    assert "erased" not in str(later.value)
