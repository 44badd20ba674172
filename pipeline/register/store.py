"""What the decider asks of the register, one function a question. All run in its transaction."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    delete,
    insert,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.brake import EVERY, Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said
from pipeline.case.dues import Due
from pipeline.case.planned import turns
from pipeline.case.waiting import QUEUED, queues
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.wire import Record
from schemas.codec import MAX_BYTES, CodecError, body, from_body
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import LedgerEntry

from . import tables as t

PORTION = 300 * 1024
"""Bytes of bodies in one ledger record, so that none exceeds the limit of a record."""
LARGEST = MAX_BYTES - 1024
"""Bytes of an event's body, at most: with what stands around it, it still fits into a record."""
CLAIM = timedelta(seconds=5)
"""How long a due row belongs to the process that claimed it."""


_NEVER = datetime.min.replace(tzinfo=UTC)
_LOCKED = text(
    "SELECT pg_advisory_xact_lock(key) FROM"
    " (SELECT unnest(CAST(:keys AS bigint[])) AS key ORDER BY 1) AS in_order"
)


@dataclass(frozen=True, slots=True)
class Owed:
    """A committed row of the outbox."""

    id: int
    record: Record


@dataclass(frozen=True, slots=True)
class Last:
    """Where a case's ledger ends: the number of its last event, and the head of its chain."""

    number: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """A case as its row shows it, and what the clock must come back for."""

    case: Case
    head: bytes
    broken: str
    dues: tuple[Due, ...]


async def lock(connection: AsyncConnection, cases: Iterable[UUID]) -> None:
    """Lock these cases until the transaction ends, also those that have no row yet.

    In one order for all, so that no two transactions wait for each other. What is read afterwards
    is what others have committed by then.
    """
    if connection.dialect.name == "sqlite":
        return  # BEGIN IMMEDIATE locked the whole register
    keys = [int.from_bytes(it.bytes[:8], signed=True) for it in cases]
    await connection.execute(_LOCKED, {"keys": keys})


async def known_events(connection: AsyncConnection, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of the event ids that are in a ledger already, or known to belong to one."""
    chosen = union_all(
        *(select(it.c.event_id).where(it.c.event_id.in_(ids)) for it in (t.ledger, t.unchained))
    )
    return frozenset((await connection.execute(chosen)).scalars())


async def last_of(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Last]:
    """Where each case's ledger ends."""
    columns = (t.cases.c.id, t.cases.c.number, t.cases.c.head)
    chosen = select(*columns).where(t.cases.c.id.in_(list(ids)))
    return {it.id: Last(it.number, it.head) for it in await connection.execute(chosen)}


async def events_of(
    connection: AsyncConnection, cases: Collection[UUID]
) -> dict[UUID, list[Event]]:
    """The whole ledgers of cases, each in order. Raises `UnknownEventError`."""
    found: dict[UUID, list[Event]] = {}
    if cases:
        chosen = (
            select(t.ledger).where(t.ledger.c.case_id.in_(cases)).order_by(*t.ledger.primary_key)
        )
        for it in await connection.execute(chosen):
            event = from_body(it.type, it.version, it.body)
            found.setdefault(it.case_id, []).append(event)
    return found


async def event_of(connection: AsyncConnection, case: UUID, number: int) -> Event | None:
    """One event of a case's ledger."""
    chosen = select(t.ledger).where(t.ledger.c.case_id == case, t.ledger.c.number == number)
    row = (await connection.execute(chosen)).first()
    return None if row is None else from_body(row.type, row.version, row.body)


async def entries(connection: AsyncConnection, case: UUID) -> list[LedgerEntry]:
    """A case's whole ledger as it is chained: bodies, not events."""
    return await _entries(connection, t.ledger, case)


async def unchained(connection: AsyncConnection, case: UUID) -> list[LedgerEntry]:
    """What was said of a case after its ledger ends; without a body where it cannot be read."""
    return await _entries(connection, t.unchained, case)


async def _entries(connection: AsyncConnection, table: Table, case: UUID) -> list[LedgerEntry]:
    chosen = select(table).where(table.c.case_id == case).order_by(table.c.number)
    return [entry(it) for it in await connection.execute(chosen)]


def entry(row: Row[Any]) -> LedgerEntry:
    """A row of the ledger, or of what is not chained to it, as an entry."""
    return LedgerEntry(
        number=row.number,
        id=row.event_id,
        type=row.type,
        version=row.version,
        body=row.body,
        at=row.at,
    )


async def append(
    connection: AsyncConnection, entries: Mapping[UUID, Sequence[LedgerEntry]]
) -> None:
    """Add entries to the ledgers of these cases."""
    rows = [row for case, added in entries.items() for row in _rows(case, added)]
    if rows:
        await connection.execute(insert(t.ledger), rows)


async def set_unchained(
    connection: AsyncConnection, case: UUID, entries: Sequence[LedgerEntry]
) -> None:
    """Say what was said of a case after its ledger ends, instead of what was known of it."""
    await connection.execute(delete(t.unchained).where(t.unchained.c.case_id == case))
    if entries:
        await connection.execute(insert(t.unchained), _rows(case, entries))


def _rows(case: UUID, entries: Iterable[LedgerEntry]) -> list[dict[str, object]]:
    return [
        {
            "case_id": case,
            "number": it.number,
            "event_id": it.id,
            "type": it.type,
            "version": it.version,
            "body": it.body,
            "at": it.at,
        }
        for it in entries
    ]


def chained(
    said: Sequence[Said], head: bytes, at: datetime
) -> tuple[tuple[LedgerEntry, ...], bytes]:
    """What was said as ledger entries, and the head of the hash chain after them.

    Raises `CodecError` if one is too large for the ledger's topic.
    """
    entries = tuple(_entry(it, at) for it in said)
    for it in entries:
        if len(it.body) > LARGEST:
            raise CodecError(f"{it.type}: {len(it.body)} bytes exceed {LARGEST}")
        head = _chain(head, it)
    return entries, head


def head_after(head: bytes, said: Sequence[Said]) -> bytes:
    """The head of the chain after these events."""
    for it in said:
        head = _chain(head, _entry(it, _NEVER))
    return head


def chain(entries: Iterable[LedgerEntry], head: bytes = b"") -> bytes:
    """The head of the hash chain after these entries, from the head before them."""
    for it in entries:
        head = _chain(head, it)
    return head


def portions(entries: Sequence[LedgerEntry]) -> Iterator[tuple[LedgerEntry, ...]]:
    """The entries in runs that fit into a record each."""
    run: list[LedgerEntry] = []
    size = 0
    for it in entries:
        if run and size + len(it.body) > PORTION:
            yield tuple(run)
            run, size = [], 0
        run.append(it)
        size += len(it.body)
    if run:
        yield tuple(run)


async def save_cases(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    """Write the rows of cases, and the rows that the clock finds them by."""
    if not lines:
        return
    await _upsert(connection, t.cases, ("id",), [_row(it) for it in lines])
    await connection.execute(
        delete(t.dues).where(t.dues.c.case_id.in_([it.case.id for it in lines]))
    )
    rows = [
        {
            "case_id": it.case.id,
            "kind": due.kind,
            "ref": due.ref,
            "at": due.at,
            "claimed_until": due.at,
            "system": due.system,
        }
        for it in lines
        for due in it.dues
    ]
    if rows:
        await connection.execute(insert(t.dues), rows)


def _row(line: Line) -> dict[str, object]:
    case = line.case
    return {
        "id": case.id,
        "number": case.number,
        "head": line.head,
        "state": case.state,
        "claims": ",".join(f"{it.right}={it.state}" for it in case.claims.values()),
        "waiting": ",".join(_waiting(case)),
        "broken": line.broken,
        "received_at": case.received_at,
        "due_at": case.due_at,
    }


def _waiting(case: Case) -> Iterator[str]:
    for it in case.under_way():
        why = f":{it.reason}" if it.reason else ""
        yield f"{it.slot[1]}:{it.slot[0]}:{it.state}{why}"
    yield from (f"{it}:task:not_ordered" for it in turns(case))
    yield from (f"{it.system}:look:{QUEUED}" for it in queues(case))
    yield from (f"{it}:copy:comes first" for it in sorted(case.awaits))


async def claim_dues(
    connection: AsyncConnection, now: datetime, brake: Brake, most: int = 200
) -> dict[UUID, list[Due]]:
    """Claim rows that are due: one statement, no leader; nobody else gets them for `CLAIM`.

    Rows that lead to erasing where the brake holds are left until it is lifted.
    """
    chosen = (
        select(t.dues.c.case_id, t.dues.c.kind, t.dues.c.ref)
        .where(t.dues.c.at <= now, t.dues.c.claimed_until <= now, _may_go(brake))
        .order_by(t.dues.c.at)
        .limit(most)
    )
    if connection.dialect.name != "sqlite":
        chosen = chosen.with_for_update(skip_locked=True)
    which = chosen.subquery()
    claimed = await connection.execute(
        update(t.dues)
        .where(
            t.dues.c.case_id == which.c.case_id,
            t.dues.c.kind == which.c.kind,
            t.dues.c.ref == which.c.ref,
        )
        .values(claimed_until=now + CLAIM)
        .returning(t.dues.c.case_id, t.dues.c.kind, t.dues.c.ref, t.dues.c.at, t.dues.c.system)
    )
    found: dict[UUID, list[Due]] = {}
    for it in claimed:
        found.setdefault(it.case_id, []).append(Due(it.at, it.kind, it.ref, it.system))
    return found


def _may_go(brake: Brake) -> ColumnElement[bool]:
    free = t.dues.c.system == ""
    if brake.observe or EVERY in brake.held:
        return free
    return or_(free, t.dues.c.system.not_in(sorted(brake.held)))


def due_id(case: UUID, due: Due) -> UUID:
    """The id of what the clock says of a due row: the same whoever says it."""
    return uuid5(case, f"due/{due.kind}/{due.ref}/{due.at.isoformat()}")


async def set_aside(connection: AsyncConnection, *cases: UUID) -> dict[UUID, str]:
    """Of these cases, or of all if none is named: which nothing is decided about, and why."""
    chosen = select(t.set_aside)
    if cases:
        chosen = chosen.where(t.set_aside.c.case_id.in_(cases))
    return {it.case_id: it.why for it in await connection.execute(chosen)}


async def save_offsets(connection: AsyncConnection, batch: Sequence[Incoming]) -> None:
    """Store each partition's next offset. It never goes back: a batch may come twice, and late."""
    following: dict[tuple[str, int], int] = {}
    for it in batch:
        following[it.place] = max(it.offset + 1, following.get(it.place, 0))
    rows = [
        {"topic": topic, "partition": partition, "next": offset}
        for (topic, partition), offset in sorted(following.items())
    ]
    statement = inserted(connection, t.offsets)
    newer = statement.excluded.next
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["topic", "partition"],
            set_={"next": newer},
            where=t.offsets.c.next < newer,
        ),
        rows,
    )


async def offsets(connection: AsyncConnection) -> dict[tuple[str, int], int]:
    """The next offset of every partition that the register has decided on."""
    rows = await connection.execute(select(t.offsets))
    return {(it.topic, it.partition): it.next for it in rows}


async def owe(connection: AsyncConnection, records: Sequence[Record], at: datetime) -> list[Owed]:
    """Put records into the outbox."""
    if not records:
        return []
    rows = [
        {
            "topic": it.topic,
            "key": it.key,
            "value": it.value,
            "headers": orjson.dumps([(n, b64encode(v).decode()) for n, v in it.headers]).decode(),
            "at": at,
        }
        for it in records
    ]
    statement = insert(t.outbox).returning(t.outbox.c.id, sort_by_parameter_order=True)
    ids = (await connection.execute(statement, rows)).scalars()
    return [Owed(number, record) for number, record in zip(ids, records, strict=True)]


async def owed(connection: AsyncConnection, before: datetime, most: int = 500) -> list[Owed]:
    """The oldest rows of the outbox that were written before a moment."""
    chosen = select(t.outbox).where(t.outbox.c.at <= before).order_by(t.outbox.c.id).limit(most)
    return [
        Owed(
            it.id,
            Record(
                topic=it.topic,
                key=it.key,
                value=it.value,
                headers=tuple((n, b64decode(v)) for n, v in json.loads(it.headers)),
            ),
        )
        for it in await connection.execute(chosen)
    ]


async def forget(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Delete published rows from the outbox."""
    await connection.execute(delete(t.outbox).where(t.outbox.c.id.in_(ids)))


def _entry(said: Said, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        number=said.number,
        id=said.id,
        type=event_name(type(said.event)),
        version=said.event.VERSION,
        body=body(said.event),
        at=at,
    )


def _chain(head: bytes, it: LedgerEntry) -> bytes:
    frame = f"{it.number}/{it.type}/{it.version}/".encode()
    return sha256(head + frame + it.body).digest()


async def _upsert(
    connection: AsyncConnection, table: Table, key: Sequence[str], rows: Sequence[dict[str, object]]
) -> None:
    statement = inserted(connection, table)
    new = {it.name: statement.excluded[it.name] for it in table.c if it.name not in key}
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=new), rows)


def inserted(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that can be told what to do on conflict: each dialect has its own."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  whoever has SQLite need not load it

        return postgresql.insert(table)
    return sqlite.insert(table)
