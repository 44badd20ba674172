"""Know again who objects: a backup may not say so, or under a lost key.

What lies on `rights.preferences` still is read again as everything that came since the backup; this
is of what was asked for as a request, and of words whose hashes nobody can tell any more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.fold import fold
from pipeline.case.preferences import objects
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import preferences
from pipeline.register import tables as t
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.register.preferences import Preferences
from pipeline.register.sealing import Opened
from schemas.codec import Codec, UnknownEventError

from .remembered import ledgers

log = structlog.get_logger()


async def known_again(  # noqa: PLR0917  what it takes to open a case
    connection: AsyncConnection,
    codec: Codec,
    rules: Rules,
    wrapping: KeyFolder,
    taken_over: Collection[UUID],
    now: datetime,
) -> None:
    """Keep who objects in the cases that were taken over; in all, if the hashes' key is lost.

    The log says of how many words nothing tells any more whose they are. Of those a yes counts no
    longer, and a no neither: who is not known gets no marketing.
    """
    keys, cases = CaseKeys(wrapping), taken_over
    again = await preferences.rehashed(connection, codec, keys, wrapping, now)
    if again is not None:
        log.warning("preferences.rehashed", kept=again[0], lost=again[1])
        every = await connection.execute(select(t.cases.c.id))
        cases = list(every.scalars())
    kept = Preferences(codec, keys, rules.policy)
    async for named, events in ledgers(connection, cases):
        _, key = (await keys.record_keys(connection, [named])).get(named, (None, None))
        try:
            case = fold(events, rules) if key is not None else None
            if case is not None and key is not None and objects(case):
                await kept.objected(connection, case, Opened({RECORD: key}), now)
        except (UnknownEventError, SQLAlchemyError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  one case must not hold all the others
            log.warning("preference.not_kept", case=str(named), error=type(error).__name__)
