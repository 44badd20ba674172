"""What falls due over all cases, read from their ledgers: no key and no policy is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.case import follow_up
from schemas import events as e
from schemas.codec import from_body
from schemas.derive import event_name

from . import tables as t

OPENED, DUE, CLOSED = map(event_name, (e.ObligationOpened, e.ObligationDue, e.ObligationClosed))
WAITING, LOOKING = follow_up.WAITING, follow_up.LOOKING
OVERDUE, FOR_PEOPLE = "overdue", "for people"
"""Beside what a case knows: nobody looked in time; looked at, and left to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An obligation, with the case that owes it and the case that looks, or is to look."""

    look_at: datetime
    system: str
    state: str
    """waiting, overdue, looking, for people, done, by hand, renewed or unreadable."""
    kind: str
    """`kept` or `dated`."""
    count: int
    rule: str
    until: datetime | None
    case: UUID
    follow_up: UUID
    obligation: UUID
    closed_at: datetime | None = None


async def every(engine: AsyncEngine, now: datetime) -> list[Owed]:
    """All obligations that were ever opened, by the date on which they are looked at."""
    found: dict[UUID, Owed] = {}
    chosen = (
        select(t.ledger, t.cases.c.received_at)
        .join(t.cases, t.cases.c.id == t.ledger.c.case_id)
        .where(t.ledger.c.type.in_((OPENED, DUE, CLOSED)))
        .order_by(t.ledger.c.case_id, t.ledger.c.number)
    )
    async with engine.connect() as connection:
        states = {
            it.id: it.state
            for it in await connection.execute(select(t.cases.c.id, t.cases.c.state))
        }
        for row in await connection.execute(chosen):
            _take(found, row)
    told = (replace(it, state=_state(it, states, now)) for it in found.values())
    return sorted(told, key=lambda it: (it.look_at, it.system, it.obligation))


def _take(found: dict[UUID, Owed], row: Row[Any]) -> None:
    match from_body(row.type, row.version, row.body):
        case e.ObligationOpened() as event:
            found[event.obligation] = Owed(
                look_at=event.look_at or follow_up.look_at(event.until, row.received_at),
                system=event.system,
                state=WAITING,
                kind=event.state,
                count=sum(len(it.erase) for it in event.rows),
                rule=event.rule or "",
                until=event.until,
                case=event.case,
                follow_up=event.follow_up or event.obligation,
                obligation=event.obligation,
            )
        case e.ObligationDue() as event:
            for it in list(found.values()):
                if it.follow_up == event.follow_up:
                    found[it.obligation] = replace(it, state=LOOKING)
        case e.ObligationClosed() as event:
            for closed in event.closed:
                if closed.obligation in found:
                    before = found[closed.obligation]
                    found[closed.obligation] = replace(before, state=closed.how, closed_at=event.at)
        case _:
            return


def _state(it: Owed, states: Mapping[UUID, str], now: datetime) -> str:
    if it.state == WAITING and it.look_at + follow_up.MARGIN < now:
        return OVERDUE
    if it.state == LOOKING and states.get(it.follow_up) in follow_up.REPORTED:
        return FOR_PEOPLE
    return it.state
