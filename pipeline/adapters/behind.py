"""Refuse to decide on a register that is older than what was decided: it was restored, or lost.

Kafka is asked first and the register afterwards. A decision is in the register before its ledger's
record and its commit leave, so what Kafka knows and the register does not, the register has lost.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import flow
from schemas.codec import Codec

from . import ledger_topic, positions
from .ledger_topic import Told
from .positions import Place
from .register import recovering, store
from .register import tables as t

DECIDED = (flow.REQUESTS, flow.RESULTS, flow.DECISIONS)
"""The topics that the decider reads."""
TAIL = 10
"""Records at the end of each partition of the ledger's topic that the register must know."""
WHAT_TO_DO = (
    "Was it restored from a backup, or is this another register? Stop every orchestrator and run"
    " `habeas recover --dry-run`, then `habeas recover`: until then nothing is decided."
)


class RegisterBehindError(Exception):
    """The register lacks what was decided already. The message says what, and what to do."""


async def refuse_if_behind(engine: AsyncEngine, bootstrap: str, codec: Codec, group: str) -> None:
    """Raise `RegisterBehindError` unless the register knows all that the group has decided."""
    committed = await positions.committed(bootstrap, group)
    told = await ledger_topic.last(bootstrap, codec, TAIL)
    async with engine.connect() as connection:
        stored = await store.offsets(connection)
        for (topic, partition), at in sorted(committed.items()):
            known = stored.get((topic, partition), 0)
            if topic in DECIDED and at > known:
                raise RegisterBehindError(
                    f"the register is older than what was decided: {topic}/{partition} was decided"
                    f" up to {at}, the register knows {known}. {WHAT_TO_DO}"
                )
        lacking = await _lacking(connection, told)
    if lacking:
        raise RegisterBehindError(
            f"the register is older than what was decided: {flow.LEDGER} has {lacking} events at"
            f" its end that are not in it. {WHAT_TO_DO}"
        )


async def forget_recreated(engine: AsyncEngine, bootstrap: str) -> list[Place]:
    """Forget where topics were read that were made anew since; which partitions.

    Otherwise an offset of the old topic would hide, for long, that the register is behind.
    """
    async with engine.begin() as connection:
        stored = await store.offsets(connection)
    bounds = await positions.bounds(bootstrap, DECIDED)  # asked later: others may read on meanwhile
    gone = sorted(it for it, at in bounds.items() if stored.get(it, 0) > at.end)
    async with engine.begin() as connection:
        for it in gone:
            await recovering.set_offset(connection, it, bounds[it].begin)
    return gone


async def _lacking(connection: AsyncConnection, told: list[Told]) -> int:
    """How many of these entries the register lacks; of cases set aside, none is expected."""
    aside = frozenset((await connection.execute(select(t.set_aside.c.case_id))).scalars())
    wanted = {it.entry.id for it in told if it.case not in aside}
    return len(wanted) - len(await store.known_events(connection, list(wanted)))
