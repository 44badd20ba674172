"""Know again whose the open cases are: a backup may not say so, or say it under a lost key."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.fold import fold
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import store, subjects
from pipeline.register.case_keys import CaseKeys
from schemas.codec import Codec


async def known_again(  # noqa: PLR0917  what it takes to open a case
    connection: AsyncConnection,
    codec: Codec,
    rules: Rules,
    wrapping: KeyFolder,
    taken_over: AbstractSet[UUID],
    now: datetime,
) -> None:
    """Those that were taken over; and all that are open, if the key of the hashes is lost."""
    if await subjects.forget_if_lost(connection, wrapping):
        taken_over = taken_over | await subjects.open_now(connection)
    read = await store.events_of(connection, taken_over)
    folded = (fold(events, rules) for events in read.values())
    cases = [it for it in folded if it is not None]
    if cases:
        await subjects.remember_again(connection, codec, CaseKeys(wrapping), cases, now)
