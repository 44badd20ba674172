"""Every revision of the register, up and down, on both databases and with data in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, insert, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.register import reading, tables
from pipeline.register.engine import RegisterError, connect, downgrade, migrate, revisions, url_of
from pipeline.settings import Settings
from tests.fakes.deciders import Broken, Sent, again, decider, requests, set_up

Rows = dict[str, list[dict[str, Any]]]
"""By table; what a column holds in the database's own form."""
Schema = dict[str, Any]


@pytest.fixture
def settings(tmp_path: Path, register: str) -> Settings:
    return set_up(tmp_path, register)


@pytest.fixture
async def engine(settings: Settings) -> Any:
    made = await connect(url_of(settings.register, settings.data))
    yield made
    await made.dispose()


async def test_what_the_migrations_make_is_what_the_code_expects(engine: AsyncEngine) -> None:
    await migrate(engine)

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    assert await told(engine, differences) == []


async def test_down_loses_what_a_revision_added_and_up_again_nothing(
    settings: Settings, engine: AsyncEngine
) -> None:
    made: dict[str, Schema] = {}
    for revision in revisions():
        await migrate(engine, revision)
        made[revision] = await told(engine, schema)
    batch = await requests(settings, uuid4(), uuid4())
    await fill(settings, engine, batch)
    data = await told(engine, rows)
    assert all(data[it.name] for it in tables.metadata.sorted_tables)
    for revision in reversed(revisions()[:-1]):
        await down(engine, revision)
        assert await told(engine, schema) == made[revision]
        data = restricted(data, made[revision])
        assert await told(engine, rows) == data
    for revision in revisions():
        await migrate(engine, revision)
        assert await told(engine, schema) == made[revision]
        assert restricted(await told(engine, rows), made[revisions()[0]]) == data
    await decides_on(settings, engine, batch)
    await down(engine, "base")
    assert await told(engine, schema) == {}


async def test_one_that_a_later_release_wrote_is_refused_and_left_alone(
    settings: Settings, engine: AsyncEngine
) -> None:
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = await told(engine, schema)
    with pytest.raises(RegisterError, match=r"later release: it is at revision 9999, .* knows up"):
        await migrate(engine)
    assert await told(engine, schema) == before
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


async def test_processes_that_start_at_once_migrate_it_once(
    settings: Settings, engine: AsyncEngine
) -> None:
    engines = [await connect(url_of(settings.register, settings.data)) for _ in range(4)]
    await asyncio.gather(*(migrate(it) for it in engines))
    for it in engines:
        await it.dispose()
    assert tables.metadata.tables.keys() <= (await told(engine, schema)).keys()


async def told(engine: AsyncEngine, ask: Callable[[Connection], Any]) -> Any:
    async with engine.begin() as connection:
        return await connection.run_sync(ask)


async def down(engine: AsyncEngine, revision: str) -> None:
    await told(engine, lambda connection: downgrade(connection, revision))


def schema(connection: Connection) -> Schema:
    """Tables with their columns and indexes, without Alembic's own."""
    found = inspect(connection)
    return {
        table: (
            {it["name"]: (str(it["type"]), it["nullable"]) for it in found.get_columns(table)},
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (it["name"] or "", tuple(it["column_names"])) for it in found.get_indexes(table)
            ),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def rows(connection: Connection) -> Rows:
    """All that is in all tables."""
    there = MetaData()
    there.reflect(connection)
    return {
        table.name: sorted(
            (dict(it._mapping) for it in connection.execute(select(table))), key=repr
        )
        for table in there.sorted_tables
        if table.name != "alembic_version"
    }


def restricted(data: Rows, to: Schema) -> Rows:
    """What of it an older schema has room for."""
    return {
        table: sorted(({name: it[name] for name in columns} for it in data[table]), key=repr)
        for table, (columns, *_) in to.items()
    }


async def fill(settings: Settings, engine: AsyncEngine, batch: Any) -> None:
    """Cases as the decider writes them, still owed; and rows in the tables that it leaves empty."""
    with pytest.raises(ConnectionError):
        await decider(settings, engine, Broken()).take(batch)
    async with engine.begin() as connection:
        for table in tables.metadata.sorted_tables:
            if (await connection.execute(select(table))).first() is None:
                await connection.execute(insert(table), {it.name: something(it) for it in table.c})


def something(column: Column[Any]) -> Any:
    """A value that fits."""
    if isinstance(column.type, tables.Moment):
        return datetime(2026, 5, 4, tzinfo=UTC)
    values: dict[type, Any] = {
        int: 7,
        str: "some",
        bytes: b"some",
        bool: True,
        UUID: UUID(int=7),
    }
    return values[column.type.python_type]


async def decides_on(settings: Settings, engine: AsyncEngine, batch: Any) -> None:
    """The register still knows its cases, opens their keys, and takes new ones."""
    sent = Sent()
    await decider(settings, engine, sent).take(again(batch))
    assert sent.records == []
    for it in await reading.cases(engine):
        case = reading.folded(await reading.entries(engine, it.id), app.rules(settings))
        assert case.state == it.state
    await decider(settings, engine, sent).take(await requests(settings, uuid4()))
    assert sent.records
