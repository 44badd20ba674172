"""Bring a register that was restored from a backup up to what was decided since.

Everything happens in one transaction: what is killed has changed nothing and is begun again, and a
dry run is the same without the commit. Only where Kafka's group stands is set afterwards; until it
is, no orchestrator starts on the register.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import crash
from pipeline.case.lost import LostCase
from pipeline.case.rules import Rules
from schemas.codec import Codec

from . import ledger_topic, positions
from .behind import DECIDED
from .ledger_topic import Progress, Told, Unreadable
from .reading_on import ReadOn, read_on
from .register import recovering, store
from .register.case_keys import OBLIGATION, PACKAGE, RECORD
from .register.gathered import Gathered
from .taking_over import BrokenCase, TakingOver

LEAVES_WITHIN = timedelta(seconds=5)
"""Beyond its session: a process that was killed is a member of the group for so long."""
LOOK_EVERY = 0.5


class StillRunningError(Exception):
    """An orchestrator is running: nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostObligation:
    """Something to be done later whose key is lost, of a case whose own key is there."""

    case: UUID
    obligation: UUID
    system: str
    state: str
    rule: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a recovery did, or would do; and what cannot be recovered: each run says that again."""

    was_behind: bool
    """Whether there was anything to do. Only then erasing is held."""
    read: int
    """Events on the ledger's topic."""
    cases: int
    events: int
    keys_destroyed: int
    read_on: tuple[ReadOn, ...]
    """Partitions that are read on elsewhere than the group stood."""
    lost: tuple[LostCase, ...]
    broken: tuple[BrokenCase, ...]
    obligations: tuple[LostObligation, ...]
    unreadable: tuple[Unreadable, ...]


async def wait_until_alone(bootstrap: str, group: str, session: timedelta) -> None:
    """Return once the group has no members. Raises `StillRunningError`."""
    until = time.monotonic() + (session + LEAVES_WITHIN).total_seconds()
    while count := await positions.members(bootstrap, group):
        if time.monotonic() > until:
            raise StillRunningError(
                f"orchestrators are running on this broker ({count}): stop them all"
                " (`habeas up` is one too) and run `habeas recover` again. Nothing was changed."
            )
        await asyncio.sleep(LOOK_EVERY)


class Recovery:
    """One recovery of one register. It may be repeated, and killed at any time."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        bootstrap: str,
        group: str,
        codec: Codec,
        rules: Rules,
        wrapping: Collection[str],
    ) -> None:
        self._engine = engine
        self._bootstrap = bootstrap
        self._group = group
        self._codec = codec
        self._rules = rules
        self._wrapping = wrapping
        self._now = datetime.now(UTC)
        self._told = Gathered()
        self._unreadable: list[Unreadable] = []
        self._read = 0

    async def run(self, progress: Progress, *, dry_run: bool) -> Recovered:
        """Recover; a dry run changes nothing. Raises `UnknownEventError`: a later release wrote."""
        session = self._rules.settings.session_timeout
        await wait_until_alone(self._bootstrap, self._group, session)
        committed = await positions.committed(self._bootstrap, self._group)
        bounds = await positions.bounds(self._bootstrap, DECIDED)
        async with self._engine.connect() as connection, connection.begin() as transaction:
            await recovering.alone(connection)
            await self._gather(connection, progress)
            stored = await store.offsets(connection)
            done = await self._recover(connection, read_on(stored, committed, bounds))
            crash.passing("recover.before-commit")
            await (transaction.rollback() if dry_run else transaction.commit())
        crash.passing("recover.after-commit")
        moved = {(it.topic, it.partition): it.commit for it in done.read_on}
        if moved and not dry_run:
            await positions.move(self._bootstrap, self._group, moved)
        return done

    async def _gather(self, connection: AsyncConnection, progress: Progress) -> None:
        """Set what the topic tells against the register; what the outbox owes counts as told."""
        for it in await recovering.journalled(connection):
            await self._add(connection, list(ledger_topic.entries(it, self._codec)))
        async for run in ledger_topic.every(self._bootstrap, self._codec, progress):
            self._read += len(run)
            await self._add(connection, run)

    async def _add(self, connection: AsyncConnection, run: list[Told | Unreadable]) -> None:
        self._unreadable += [it for it in run if isinstance(it, Unreadable)]
        await self._told.add(connection, [it for it in run if isinstance(it, Told)])

    async def _recover(self, connection: AsyncConnection, places: tuple[ReadOn, ...]) -> Recovered:
        keyed = await recovering.key_owners(connection, self._wrapping, RECORD, PACKAGE)
        keyed |= {it.case for it in self._told.destroyed if it.purpose == RECORD}
        behind = any(it.is_behind for it in places)
        taking = TakingOver(
            connection,
            self._told,
            keyed=keyed,
            behind=behind,
            rules=self._rules,
            codec=self._codec,
            now=self._now,
        )
        taken = await taking.every()
        gone = {it.key for it in self._told.destroyed}
        destroyed = await recovering.destroy_again(connection, gone, self._now)
        for it in places:
            if it.at != (it.stored or 0):
                await recovering.set_offset(connection, (it.topic, it.partition), it.at)
        was_behind = bool(behind or taken.events or taken.newly_aside or destroyed)
        if was_behind:
            await recovering.hold(connection, self._now)
            await recovering.forget_orders(connection)
        return Recovered(
            was_behind=was_behind,
            read=self._read,
            cases=taken.cases,
            events=taken.events,
            keys_destroyed=destroyed,
            read_on=tuple(it for it in places if it.moves),
            lost=tuple(taken.lost),
            broken=tuple(taken.broken),
            obligations=await self._lost_obligations(connection, {it.case for it in taken.lost}),
            unreadable=tuple(self._unreadable),
        )

    async def _lost_obligations(
        self, connection: AsyncConnection, lost: set[UUID]
    ) -> tuple[LostObligation, ...]:
        keyed = await recovering.key_owners(connection, self._wrapping, OBLIGATION)
        return tuple(
            LostObligation(
                case=it.case,
                obligation=it.obligation,
                system=it.system,
                state=it.state,
                rule=it.rule,
                until=it.until,
            )
            for it in self._told.obligations.values()
            if it.obligation not in keyed and it.case not in lost
        )
