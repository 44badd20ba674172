"""What a recovery changes in the register, one function a change. All run in its transaction."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import flow
from pipeline.case.brake import EVERY
from pipeline.crypto import grants
from pipeline.crypto.grants import Grant
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.ledger_topic import RecordKey
from pipeline.register import holds
from pipeline.register import tables as t
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKey, CaseKeys, destroy

COMMAND = "habeas recover"
NO_PARTITION = -1
"""Of a record that is in the outbox still."""
HELD_FOR = "the register was restored from a backup"


async def alone(connection: AsyncConnection) -> None:
    """Let nobody else write a ledger until the transaction ends."""
    if connection.dialect.name != "sqlite":  # there, BEGIN IMMEDIATE locked the whole register
        await connection.execute(text("LOCK TABLE ledger, cases IN SHARE ROW EXCLUSIVE MODE"))


async def hold(connection: AsyncConnection, now: datetime) -> None:
    """Engage a hold of every system, unless one of ours is engaged."""
    engaged = await holds.listed(connection)
    if not any(it.engaged_by == COMMAND for it in engaged):
        await holds.engage(connection, EVERY, reason=HELD_FOR, by=COMMAND, at=now)


async def journalled(connection: AsyncConnection) -> list[Incoming]:
    """The ledger's records that the outbox still owes, as the topic will have them."""
    chosen = select(t.outbox).where(t.outbox.c.topic == flow.LEDGER).order_by(t.outbox.c.id)
    return [
        Incoming(
            topic=it.topic,
            partition=NO_PARTITION,
            offset=it.id,
            key=it.key,
            value=it.value,
            headers=(),  # it is ours, and signed as it leaves
            at=it.at,
        )
        for it in await connection.execute(chosen)
    ]


async def forget_orders(connection: AsyncConnection) -> None:
    """Forget the orders that the outbox owes: they may have been carried out long ago.

    Those that were not are under way as their cases know them: the clock issues them again, and no
    hold is passed by.
    """
    work = t.outbox.c.topic.startswith(flow.work(""), autoescape=True)
    await connection.execute(delete(t.outbox).where(work))


async def case_numbers(connection: AsyncConnection) -> dict[UUID, int]:
    """The number of every case's last event."""
    rows = await connection.execute(select(t.cases.c.id, t.cases.c.number))
    return {it.id: it.number for it in rows}


async def key_owners(
    connection: AsyncConnection, wrapping: Container[str], purposes: Collection[str], *more: str
) -> frozenset[UUID]:
    """Whose key of one of these purposes is here, or was destroyed as it should be.

    Who has a living key of them, or of `more`, whose wrapping key is not at hand has lost it.
    """
    chosen = select(t.keys).where(t.keys.c.purpose.in_((*purposes, *more)))
    rows = list(await connection.execute(chosen))
    lost = {it.owner for it in rows if it.destroyed_at is None and it.wrapping not in wrapping}
    return frozenset({it.owner for it in rows if it.purpose in purposes} - lost)


async def record_keys(
    connection: AsyncConnection, keys: CaseKeys, cases: Collection[UUID]
) -> dict[UUID, RecordKey]:
    """What the register has of these cases' record keys: what the topic is read with."""
    found = await keys.record_keys(connection, cases)
    return {case: RecordKey(named, _ledger_grant(key)) for case, (named, key) in found.items()}


def _ledger_grant(key: CaseKey | None) -> Grant | None:
    if key is None:
        return None
    return grants.grant(RECORD, key.key, key.id, grants.LEDGER)


async def destroy_again(
    connection: AsyncConnection, gone: Container[tuple[UUID, UUID]], now: datetime
) -> int:
    """Destroy those of these keys, by (case, key), that a backup brought back; how many.

    A case's ledger destroys no key of another's.
    """
    chosen = select(t.keys.c.owner, t.keys.c.id).where(t.keys.c.destroyed_at.is_(None))
    living = await connection.execute(chosen)
    back = [key for case, key in living if (case, key) in gone]
    for it in back:
        await destroy(connection, it, now)
    return len(back)


async def expire_package(connection: AsyncConnection, case: UUID, at: datetime) -> None:
    """Say when a case's living package key is to be destroyed."""
    mine = (t.keys.c.owner == case) & (t.keys.c.purpose == PACKAGE)
    await connection.execute(
        update(t.keys).where(mine, t.keys.c.destroyed_at.is_(None)).values(destroy_at=at)
    )


async def set_aside(connection: AsyncConnection, why: Mapping[UUID, str], now: datetime) -> int:
    """Decide nothing more about these cases, and about all others again; how many are new."""
    before = {it.case_id: it.why for it in await connection.execute(select(t.set_aside))}
    for case in before.keys() - why.keys():
        await connection.execute(delete(t.set_aside).where(t.set_aside.c.case_id == case))
    for case, reason in why.items():
        if case not in before:
            row = {"case_id": case, "why": reason, "at": now}
            await connection.execute(insert(t.set_aside), row)
        await connection.execute(delete(t.dues).where(t.dues.c.case_id == case))
        await connection.execute(update(t.cases).where(t.cases.c.id == case).values(broken=reason))
    return len(why.keys() - before.keys())


async def set_offset(connection: AsyncConnection, place: tuple[str, int], at: int) -> None:
    """Say where a partition is read on, also if that is further back."""
    topic, partition = place
    here = (t.offsets.c.topic == topic) & (t.offsets.c.partition == partition)
    await connection.execute(delete(t.offsets).where(here))
    await connection.execute(insert(t.offsets).values(topic=topic, partition=partition, next=at))
