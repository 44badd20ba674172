"""Remember again for whom something was erased: a backup may not say so, or under a lost key."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.erased import asked_in, erased_at
from pipeline.case.fold import fold
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import memory, store
from pipeline.register import tables as t
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.register.memory import Memory
from pipeline.register.sealing import Opened
from schemas import events as e
from schemas.codec import Codec, CodecError
from schemas.derive import event_name
from schemas.sealed import SealError

AT_ONCE = 100
"""Cases that are folded at once."""
log = structlog.get_logger()


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
    keys, kept = CaseKeys(wrapping), rules.settings.erasure_memory
    known, again = Memory(codec, keys, kept), set[UUID]()
    waiting = iter(sorted(cases))
    while some := list(islice(waiting, AT_ONCE)):
        living = await keys.record_keys(connection, some)
        for events in (await store.events_of(connection, some)).values():
            case = fold(events, rules)
            _, key = living.get(case.id, (None, None)) if case is not None else (None, None)
            if case is None or key is None:
                continue
            if await _remembered(connection, known, case, Opened({RECORD: key}), now):
                again.add(asked_in(case))
    return tuple(sorted((forgotten or frozenset()) - again))


async def _remembered(
    connection: AsyncConnection, known: Memory, case: Case, opened: Opened, now: datetime
) -> bool:
    """Whether a case that erased something is remembered."""
    if erased_at(case) is None:
        return False
    try:
        await known.remember(connection, case, opened, now)
    except (SealError, CodecError) as error:
        log.warning("erasure.not_remembered", case=str(case.id), error=type(error).__name__)
        return False
    return True


async def _that_settled(connection: AsyncConnection) -> list[UUID]:
    settled = t.ledger.c.type == event_name(e.ClaimSettled)
    rows = await connection.execute(select(t.ledger.c.case_id).where(settled).distinct())
    return list(rows.scalars())
