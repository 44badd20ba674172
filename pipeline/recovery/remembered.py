"""Remember again for whom something was erased: a backup may not say so, or under a lost key."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline.case.erased import asked_in, erased_at
from pipeline.case.fold import fold
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import memory, store
from pipeline.register import tables as t
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.register.memory import Memory, memory_key
from pipeline.register.sealing import Opened
from schemas import events as e
from schemas.codec import Codec, UnknownEventError
from schemas.derive import event_name

AT_ONCE = 100
"""Cases that are folded at once."""
log = structlog.get_logger()


async def begin(
    engine: AsyncEngine, codec: Codec, rules: Rules, wrapping: KeyFolder, now: datetime
) -> None:
    """Remember, once, whom erasures were for that settled before there was a memory."""
    async with engine.begin() as connection:
        key = memory_key(CaseKeys(wrapping))
        if await key.find(connection) is None:
            await key.get(connection, now)
            cases = await _that_settled(connection)
            again = await _again(connection, codec, rules, wrapping, cases, now)
            log.info("erasures.remembered", cases=len(again))


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
    known, waiting = Memory(codec, keys, rules.settings.erasure_memory), iter(sorted(cases))
    while some := list(islice(waiting, AT_ONCE)):
        living = await keys.record_keys(connection, some)
        for named, events in (await store.events_of(connection, some)).items():
            _, key = living.get(named, (None, None))
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


async def _that_settled(connection: AsyncConnection) -> list[UUID]:
    settled = t.ledger.c.type == event_name(e.ClaimSettled)
    rows = await connection.execute(select(t.ledger.c.case_id).where(settled).distinct())
    return list(rows.scalars())
