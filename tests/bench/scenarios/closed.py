"""How much more a case costs when the register holds very many closed ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Column, Select, Table, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.functions import Function

from pipeline import app
from pipeline.register import tables as t

from ..results import Result, Row
from ..rig import Bench

AIM = 1.1
ROUNDS = 3
"""The best round counts: whatever else a machine does can only make a round worse."""
AT_ONCE = 1000
"""Closed cases that one transaction copies."""
CACHE = -512 * 1024
"""KiB that SQLite may keep in memory while it copies: ids are random, so is where they go."""
SINGLE = {t.ledger.c.event_id, t.keys.c.id}
"""What has to be new in every copied row, besides the case."""


async def closed(bench: Bench, count: int, cases: int) -> Result:
    """Rounds of `cases` accesses, before and after `count` closed cases are in the register."""
    await bench.run("closed cases: warming up", ("access",), cases)
    empty = [await _round(bench, n, cases) for n in range(ROUNDS)]
    (settled,), _ = await bench.run("a case to copy", ("access",), 1)
    await fill(bench, settled, count)
    full = [await _round(bench, n, cases) for n in range(ROUNDS)]
    rows = [Row(name="closed cases", figure=count, unit="cases")]
    for n, what in enumerate(("CPU", "time")):
        before, after = (min(it[n] for it in rounds) for rounds in (empty, full))
        rows += [
            Row(name=f"{what} a case without", figure=round(before, 1), unit="ms"),
            Row(name=f"{what} a case with", figure=round(after, 1), unit="ms"),
            Row(
                name=f"{what}, with over without",
                figure=round(after / before, 2),
                unit="times",
                aim=AIM,
            ),
        ]
    return Result(
        rows=rows,
        series={
            f"{what} {when}": [round(it[n], 2) for it in rounds]
            for n, what in enumerate(("CPU", "time"))
            for when, rounds in (("without", empty), ("with", full))
        },
    )


async def _round(bench: Bench, n: int, count: int) -> tuple[float, float]:
    """Milliseconds of CPU and of the clock that a case took."""
    cpu = bench.cpu()
    cases, began = await bench.run(f"closed cases: round {n + 1} of {ROUNDS}", ("access",), count)
    cpu = bench.cpu() - cpu
    ended = max(it[-1].at for it in await bench.ledgers(cases))
    return 1000 * cpu / count, 1000 * (ended - began).total_seconds() / count


async def fill(bench: Bench, settled: UUID, count: int) -> None:
    """Put so many copies of a settled case into the register: rows, ledgers, dues and keys."""
    async with app.register(bench.settings) as engine:
        for done in range(0, count, AT_ONCE):
            bench.told("closing cases", done, count)
            async with engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    await connection.exec_driver_sql(f"PRAGMA cache_size={CACHE}")
                await _copy(connection, settled, min(AT_ONCE, count - done))
        await _tidy(engine)


async def _tidy(engine: AsyncEngine) -> None:
    """What PostgreSQL does by and by while cases gather, and SQLite at once."""
    if engine.dialect.name == "sqlite":
        return
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for it in ("VACUUM ANALYZE", "CHECKPOINT"):
            await connection.exec_driver_sql(it)


async def _copy(connection: AsyncConnection, settled: UUID, count: int) -> None:
    row = (await connection.execute(select(t.cases).where(t.cases.c.id == settled))).one()
    copies = [uuid4() for _ in range(count)]
    await connection.execute(
        insert(t.cases),
        [{**row._mapping, "id": it} for it in copies],
    )
    for table, owner in ((t.ledger, "case_id"), (t.dues, "case_id"), (t.keys, "owner")):
        chosen = _copied(connection, table, table.c[owner], settled, copies)
        await connection.execute(insert(table).from_select(list(table.c), chosen))


def _copied(
    connection: AsyncConnection, table: Table, owner: Column[Any], of: UUID, copies: Sequence[UUID]
) -> Select[Any]:
    """The rows of one case, once for each copy of it."""

    def value(column: Column[Any]) -> Any:
        if column is owner:
            return t.cases.c.id
        return _new_id(connection) if column in SINGLE else column

    chosen = select(*map(value, table.c)).join_from(table, t.cases, literal(value=True))
    return chosen.where(owner == of, t.cases.c.id.in_(copies))


def _new_id(connection: AsyncConnection) -> Function[Any]:
    """A random id as this database keeps it."""
    if connection.dialect.name == "sqlite":
        return func.lower(func.hex(func.randomblob(16)))
    return func.gen_random_uuid()
