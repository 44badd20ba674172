"""Read the register as a person does: lists of cases, one case whole, keys, who waits for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline.case.case import Case
from pipeline.case.deadline import deadline
from pipeline.case.fold import fold
from pipeline.case.lifecycle import OF_INCIDENTS
from pipeline.case.lost import UNREAD
from pipeline.case.rules import Rules
from pipeline.policy.clock import Clock
from schemas.codec import from_body
from schemas.events import CaseReported, Event, PlanMade
from schemas.records import LedgerEntry, PlanRow

from . import holds, store
from . import tables as t
from .holds import Waits

DIGITS = 32
"""Hexadecimal digits of a case id."""


class NoCaseError(Exception):
    """No such case, or more than one that begins so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """A line of the list of cases."""

    id: UUID
    state: str
    claims: str
    waiting: str
    broken: str
    received_at: datetime
    due_at: datetime
    held: tuple[Waits, ...] = ()
    """Where erasing waits for a hold to be lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event of a ledger, with its place and time."""

    number: int
    at: datetime
    type: str
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """A key as the list of keys shows it: never its bytes."""

    id: UUID
    owner: UUID
    purpose: str
    wrapping: str
    created_at: datetime
    destroy_at: datetime | None
    destroyed_at: datetime | None


async def cases(engine: AsyncEngine) -> list[CaseLine]:
    """Every case that is a request or follows one up, the nearest deadline first."""
    return [it for it in await _every(engine) if it.state not in OF_INCIDENTS]


async def incidents(engine: AsyncEngine) -> list[CaseLine]:
    """Every incident, the nearest end of its 72 hours first."""
    return [it for it in await _every(engine) if it.state in OF_INCIDENTS]


async def _every(engine: AsyncEngine) -> list[CaseLine]:
    columns = [t.cases.c[name] for name in CaseLine.__dataclass_fields__ if name != "held"]
    async with engine.connect() as connection:
        rows = await connection.execute(select(*columns))
        held = await holds.waiting(connection)
        lines = [
            CaseLine(**it._mapping, held=held.get(it.id, ()))  # noqa: SLF001  SQLAlchemy's public name
            for it in rows
        ]
        lines += await _unread(connection)
    return sorted(lines, key=lambda line: (line.due_at, line.id))


async def _unread(connection: AsyncConnection) -> list[CaseLine]:
    """Cases of which nothing can be read; by when their request was taken in, no earlier."""
    known = select(t.cases.c.id)
    chosen = (
        select(t.set_aside.c.case_id, t.set_aside.c.why, t.unchained.c.at)
        .join(t.unchained, t.unchained.c.case_id == t.set_aside.c.case_id)
        .where(t.unchained.c.number == 1, t.set_aside.c.case_id.not_in(known))
    )
    return [
        CaseLine(
            id=it.case_id,
            state=UNREAD,
            claims="",
            waiting="",
            broken=it.why,
            received_at=it.at,
            due_at=deadline(it.at, Clock()).due,
        )
        for it in await connection.execute(chosen)
    ]


async def held(engine: AsyncEngine, case: UUID) -> tuple[Waits, ...]:
    """Where a case waits for a hold to be lifted before anything is erased."""
    async with engine.connect() as connection:
        return (await holds.waiting(connection, case)).get(case, ())


async def find(engine: AsyncEngine, begins: str) -> UUID:
    """The one case whose id begins so. Raises `NoCaseError`."""
    wanted = begins.replace("-", "").lower()
    if not 0 < len(wanted) <= DIGITS or not set(wanted) <= set("0123456789abcdef"):
        raise NoCaseError(f"{begins!r} is not a case id, nor the beginning of one")
    first, last = UUID(wanted.ljust(DIGITS, "0")), UUID(wanted.ljust(DIGITS, "f"))
    chosen = select(t.cases.c.id).where(t.cases.c.id.between(first, last)).limit(2)
    async with engine.connect() as connection:
        found = (await connection.execute(chosen)).scalars().all()
    if len(found) != 1:
        many = "more than one case begins" if found else "no case begins"
        raise NoCaseError(f"{many} with {begins}: `habeas cases` lists them")
    return UUID(str(found[0]))


async def broken(engine: AsyncEngine, case: UUID) -> str:
    """What is wrong with a case as its row says it; empty if nothing is."""
    async with engine.connect() as connection:
        found = await connection.execute(select(t.cases.c.broken).where(t.cases.c.id == case))
        return str(found.scalar() or "")


async def entries(engine: AsyncEngine, case: UUID) -> list[Entry]:
    """A case's ledger."""
    chosen = select(t.ledger).where(t.ledger.c.case_id == case).order_by(t.ledger.c.number)
    async with engine.connect() as connection:
        return [
            Entry(
                number=it.number,
                at=it.at,
                type=it.type,
                event=from_body(it.type, it.version, it.body),
            )
            for it in await connection.execute(chosen)
        ]


async def ledger(engine: AsyncEngine, case: UUID) -> list[LedgerEntry]:
    """A case's ledger as it is chained: bodies, not events."""
    async with engine.connect() as connection:
        return await store.entries(connection, case)


def folded(found: Sequence[Entry], rules: Rules) -> Case:
    """The case that these entries make."""
    case = fold((it.event for it in found), rules)
    if case is None:
        raise NoCaseError("the ledger is empty")
    return case


def last_report(found: Sequence[Entry]) -> CaseReported | None:
    """The report that replaces all others."""
    reports = [it.event for it in found if isinstance(it.event, CaseReported)]
    return reports[-1] if reports else None


def last_plan(found: Sequence[Entry]) -> tuple[PlanRow, ...]:
    """What the latest plan decides, as counts."""
    plans = [it.event for it in found if isinstance(it.event, PlanMade)]
    return plans[-1].rows if plans else ()


async def keys(engine: AsyncEngine) -> list[KeyLine]:
    """Every case key there is or was."""
    columns = [t.keys.c[name] for name in KeyLine.__dataclass_fields__]
    async with engine.connect() as connection:
        rows = await connection.execute(select(*columns).order_by(t.keys.c.created_at))
        return [KeyLine(**it._mapping) for it in rows]  # noqa: SLF001  SQLAlchemy's public name
