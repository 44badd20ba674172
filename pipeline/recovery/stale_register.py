"""Refuse to decide on a register that is older than what was decided: it was restored, or lost.

Kafka is asked first and the register afterwards. A decision is in the register before its ledger's
record leaves, so what Kafka knows and the register does not, the register has lost.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import flow
from pipeline.crypto.proofs import PublicKeys
from pipeline.kafka import ledger_topic, positions
from pipeline.kafka.ledger_topic import Told
from pipeline.kafka.positions import Place
from pipeline.register import store
from pipeline.register import tables as t
from pipeline.register.engine import WHAT_TO_DO, RegisterBehindError
from schemas.codec import Codec

from . import register_rows

TAIL = 10
"""Records at the end of each partition of the ledger's topic that the register must know."""


async def refuse_if_behind(
    engine: AsyncEngine, bootstrap: str, codec: Codec, keys: PublicKeys
) -> None:
    """Raise `RegisterBehindError` unless the register knows all that was decided.

    Of the ledger's topic only what an orchestrator signed counts. Where the group of deciders
    stands proves nothing: Faust commits past what it dropped, and that is read again.
    """
    told = await ledger_topic.last(bootstrap, codec, keys, TAIL)
    async with engine.connect() as connection:
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
    bounds = await positions.bounds(
        bootstrap, flow.DECIDED
    )  # asked later: others may read on meanwhile
    gone = sorted(it for it, at in bounds.items() if stored.get(it, 0) > at.end)
    async with engine.begin() as connection:
        for it in gone:
            await register_rows.set_offset(connection, it, bounds[it].begin)
    return gone


async def _lacking(connection: AsyncConnection, told: list[Told]) -> int:
    """How many of these entries the register lacks; of cases set aside, none is expected."""
    aside = frozenset((await connection.execute(select(t.set_aside.c.case_id))).scalars())
    wanted = {it.entry.id for it in told if it.case not in aside}
    return len(wanted) - len(await store.known_events(connection, list(wanted)))
