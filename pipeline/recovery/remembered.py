"""Remember again for whom something was erased: a backup may not say so, or under a lost key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline.case.erased import asked_in, erased_at
from pipeline.case.fold import fold
from pipeline.case.rights import ERASURE
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import memory, store
from pipeline.register import tables as t
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.register.memory import Memory, memory_key
from pipeline.register.sealing import Opened
from schemas import events as e
from schemas.codec import Codec, UnknownEventError, from_body
from schemas.derive import event_name
from schemas.events import Event

AT_ONCE = 100
"""Cases that are folded at once."""
_SETTLED = t.ledger.c.type == event_name(e.ClaimSettled)
log = structlog.get_logger()


async def begin(
    engine: AsyncEngine, codec: Codec, rules: Rules, wrapping: KeyFolder, now: datetime
) -> None:
    """Remember, once, whom erasures were for that settled before there was a memory.

    The log names the cases of which nothing tells that any more.
    """
    async with engine.begin() as connection:
        key = memory_key(CaseKeys(wrapping))
        if await key.find(connection) is None:
            await key.get(connection, now)
            cases = await _that_settled(connection)
            again = await _again(connection, codec, rules, wrapping, cases, now)
            gone = await not_remembered(connection, rules, now)
            for case in gone:
                log.warning("erasure.not_remembered", case=str(case))
            log.info("erasures.remembered", cases=len(again), not_remembered=len(gone))


async def not_remembered(
    connection: AsyncConnection, rules: Rules, now: datetime
) -> tuple[UUID, ...]:
    """The cases that erased so lately that the memory should know for whom, and does not.

    A case that cannot be folded is one of them: nobody can tell.
    """
    alive = select(t.erased.c.case_id).where(t.erased.c.forget_at > now).distinct()
    known = frozenset((await connection.execute(alive)).scalars())
    since = now - rules.settings.erasure_memory
    cases = await _whose_erasure_settled(connection, since) - known
    found = [
        _erased_in(events, named, rules, since)
        async for named, events in ledgers(connection, cases)
    ]
    return tuple(sorted({it for it in found if it is not None} - known))


def _erased_in(events: Sequence[Event], named: UUID, rules: Rules, since: datetime) -> UUID | None:
    """The case in which a person asked of whom something was erased after a time; else None."""
    try:
        case = fold(events, rules)
    except Exception:  # noqa: BLE001  whatever it is, it must not hide the others
        return named
    at = None if case is None else erased_at(case)
    return asked_in(case) if case is not None and at is not None and at > since else None


async def remembered_again(  # noqa: PLR0917  what it takes to open a case
    connection: AsyncConnection,
    codec: Codec,
    rules: Rules,
    wrapping: KeyFolder,
    taken_over: Collection[UUID],
    now: datetime,
) -> tuple[UUID, ...]:
    """Whom the cases that were taken over erased for; and all, if the memory's key is lost.

    Those of which it is not known any more for whom they were, because their own key is gone.
    """
    forgotten = await memory.forget_if_lost(connection, wrapping)
    cases = taken_over if forgotten is None else await _that_settled(connection)
    again = await _again(connection, codec, rules, wrapping, cases, now)
    return tuple(sorted((forgotten or frozenset()) - again))


async def _again(  # noqa: PLR0917  what it takes to open a case
    connection: AsyncConnection,
    codec: Codec,
    rules: Rules,
    wrapping: KeyFolder,
    cases: Collection[UUID],
    now: datetime,
) -> set[UUID]:
    """Remember whom these erased for, and of which that could be done."""
    keys, again = CaseKeys(wrapping), set[UUID]()
    known = Memory(codec, keys, rules.settings.erasure_memory)
    async for named, events in ledgers(connection, cases):
        _, key = (await keys.record_keys(connection, [named])).get(named, (None, None))
        if key is None:
            continue
        try:
            case = fold(events, rules)
            if case is not None and erased_at(case) is not None:
                await known.remember(connection, case, Opened({RECORD: key}), now)
                again.add(asked_in(case))
        except (UnknownEventError, SQLAlchemyError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  one case must not hold all the others
            what = type(error).__name__
            log.warning("erasure.not_remembered", case=str(named), error=what)
    return again


async def ledgers(
    connection: AsyncConnection, cases: Collection[UUID]
) -> AsyncIterator[tuple[UUID, list[Event]]]:
    """The ledgers of cases, some at once."""
    waiting = iter(sorted(cases))
    while some := list(islice(waiting, AT_ONCE)):
        for ledger in (await store.events_of(connection, some)).items():
            yield ledger


async def _that_settled(connection: AsyncConnection) -> list[UUID]:
    rows = await connection.execute(select(t.ledger.c.case_id).where(_SETTLED).distinct())
    return list(rows.scalars())


async def _whose_erasure_settled(connection: AsyncConnection, since: datetime) -> set[UUID]:
    """The cases of claims to erasure that settled after a time."""
    chosen = select(t.ledger).where(_SETTLED, t.ledger.c.at > since)
    found = set[UUID]()
    async with connection.stream(chosen) as rows:
        async for row in rows:
            event = from_body(row.type, row.version, row.body)
            if isinstance(event, e.ClaimSettled) and event.right == ERASURE:
                found.add(row.case_id)
    return found
