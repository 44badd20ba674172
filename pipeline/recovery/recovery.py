"""Bring a register that was restored from a backup up to what was decided since.

Everything happens in one transaction: what is killed has changed nothing and is begun again, and a
dry run is the same without the commit. Only where Kafka's group stands is set afterwards: whoever
starts before that reads on where the register says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.case.lost import LostCase
from pipeline.case.rules import Rules
from pipeline.crypto.proofs import PublicKeys
from pipeline.faults import crash
from pipeline.intake.envelopes import Envelopes
from pipeline.kafka import ledger_topic, positions
from pipeline.kafka.authentication import case_of
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.ledger_topic import EARLY, Progress, Told, Unreadable
from pipeline.kafka.resume_offsets import ResumeOffset, resume_offsets
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import links, store
from pipeline.register.case_keys import OBLIGATION, OF_RECORD, PACKAGE, CaseKeys
from pipeline.register.gathered import Gathered
from schemas.codec import Codec

from . import preferences, register_rows, remembered, whose
from .takeover import BrokenCase, Takeover

LEAVES_WITHIN = timedelta(seconds=5)
"""Beyond its session: a process that was killed is a member of the group for so long."""
LOOK_EVERY = 0.5


class StillRunningError(Exception):
    """An orchestrator is running: nothing was done."""


class UnsignedLedgerError(Exception):
    """Whether what nobody signed is to be believed, a person must say: nothing was done."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} events at the beginning of rights.ledger are signed by nobody, and the"
            " register does not have them. A release before signatures wrote them, or somebody who"
            " could write on the topic then. If your pipeline was of such a release when the backup"
            " was made, run `habeas recover --trust-unsigned`: what they say is done, and keys that"
            " they call destroyed are destroyed. Else run it with --ignore-unsigned. Nothing was"
            " changed."
        )


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
    resume_offsets: tuple[ResumeOffset, ...]
    """Partitions that are read on elsewhere than the group stood."""
    lost: tuple[LostCase, ...]
    broken: tuple[BrokenCase, ...]
    obligations: tuple[LostObligation, ...]
    unreadable: tuple[Unreadable, ...]
    doubted: Mapping[str, int]
    """Events on the ledger's topic that no orchestrator's signature vouches for, and that the
    register does not have either, by why. They were left out.
    """
    keys_kept: tuple[UUID, ...]
    """Cases of which a key is said to be destroyed, and was not: their chains are broken."""
    forgotten: tuple[UUID, ...]
    """Cases that erased something, and of which nobody can tell any more for whom."""


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
        wrapping: KeyFolder,
        keys: PublicKeys,
        envelopes: Envelopes,
        trust_unsigned: bool | None,
    ) -> None:
        self._engine = engine
        self._bootstrap = bootstrap
        self._group = group
        self._codec = codec
        self._rules = rules
        self._wrapping = wrapping
        self._keys = keys
        self._envelopes = envelopes
        self._trust_unsigned = trust_unsigned
        self._now = wall_clock.now()
        self._told = Gathered()
        self._unreadable: list[Unreadable] = []
        self._read = 0

    async def run(self, progress: Progress, *, dry_run: bool) -> Recovered:
        """Recover; a dry run changes nothing.

        Raises `UnknownEventError` if a later release wrote, `UnsignedLedgerError` if it is not said
        whether what nobody signed is to be believed.
        """
        session = self._rules.settings.session_timeout
        await wait_until_alone(self._bootstrap, self._group, session)
        committed = await positions.committed(self._bootstrap, self._group)
        bounds = await positions.bounds(self._bootstrap, flow.DECIDED)
        async with self._engine.connect() as connection, connection.begin() as transaction:
            await register_rows.alone(connection)
            await self._gather(connection, progress)
            early = self._told.doubted[EARLY]
            if early and self._trust_unsigned is None and not dry_run:
                raise UnsignedLedgerError(early)
            stored = await store.offsets(connection)
            done = await self._recover(connection, resume_offsets(stored, committed, bounds))
            crash.passing("recover.before-commit")
            await (transaction.rollback() if dry_run else transaction.commit())
        crash.passing("recover.after-commit")
        moved = {(it.topic, it.partition): it.commit for it in done.resume_offsets}
        if moved and not dry_run:
            await positions.move(self._bootstrap, self._group, moved)
        return done

    async def _gather(self, connection: AsyncConnection, progress: Progress) -> None:
        """Set what the topic tells against the register; what the outbox owes counts as told."""
        owed = await register_rows.journalled(connection)
        await self._add(connection, [(it, "") for it in owed])
        async for run in ledger_topic.every(self._bootstrap, self._keys, progress):
            self._read += await self._add(connection, run)

    async def _add(
        self, connection: AsyncConnection, records: Sequence[tuple[Incoming, str]]
    ) -> int:
        """Take in what these records tell, each with why it is doubted; how many events that is."""
        cases = {case for it, _ in records if (case := case_of(it)) is not None}
        keys = await register_rows.record_keys(connection, CaseKeys(self._wrapping), cases)
        run = [
            found
            for it, doubt in records
            for found in ledger_topic.entries(it, self._codec, doubt, keys)
        ]
        told = [it for it in run if isinstance(it, Told)]
        if self._trust_unsigned:
            told = [replace(it, doubt="") if it.doubt == EARLY else it for it in told]
        for it in run:
            if isinstance(it, Unreadable) and it.doubt:
                self._told.doubt(f"unreadable_and_{it.doubt}")
            elif isinstance(it, Unreadable):
                self._unreadable.append(it)
        await self._told.add(connection, told)
        return len(run)

    async def _recover(
        self, connection: AsyncConnection, places: tuple[ResumeOffset, ...]
    ) -> Recovered:
        keyed = await register_rows.key_owners(connection, self._wrapping, OF_RECORD, PACKAGE)
        keyed |= {
            case
            for case, destroyed in self._told.destroyed.items()
            if any(it.purpose in OF_RECORD for it in destroyed)
        }
        behind = any(it.is_behind for it in places)
        taking = Takeover(
            connection,
            self._told,
            keyed=keyed,
            behind=behind,
            rules=self._rules,
            codec=self._codec,
            envelopes=self._envelopes,
            now=self._now,
        )
        taken = await taking.every()
        broken = {it.case for it in taken.broken}
        gone = {
            (case, it.key)
            for case, destroyed in self._told.destroyed.items()
            if case not in broken
            for it in destroyed
        }
        destroyed = await register_rows.destroy_again(connection, gone, self._now)
        aside = {it.case for it in taken.lost} | {it.case for it in taken.broken}
        whole, keys = self._told.missing.keys() - aside, CaseKeys(self._wrapping)
        await links.remember_again(connection, keys, whole, self._now)
        await whose.known_again(
            connection, self._codec, self._rules, self._wrapping, whole, self._now
        )
        forgotten = await remembered.remembered_again(
            connection, self._codec, self._rules, self._wrapping, whole, self._now
        )
        await preferences.known_again(
            connection, self._codec, self._rules, self._wrapping, whole, self._now
        )
        for it in places:
            if it.at != (it.stored or 0):
                await register_rows.set_offset(connection, (it.topic, it.partition), it.at)
        was_behind = bool(behind or taken.events or taken.newly_aside or destroyed)
        if was_behind:
            await register_rows.hold(connection, self._now)
            await register_rows.forget_orders(connection)
        return Recovered(
            was_behind=was_behind,
            read=self._read,
            cases=taken.cases,
            events=taken.events,
            keys_destroyed=destroyed,
            resume_offsets=tuple(it for it in places if it.moves),
            lost=tuple(taken.lost),
            broken=tuple(taken.broken),
            obligations=await self._lost_obligations(connection, {it.case for it in taken.lost}),
            unreadable=tuple(self._unreadable),
            doubted=dict(self._told.doubted),
            keys_kept=tuple(sorted(broken & self._told.destroyed.keys())),
            forgotten=forgotten,
        )

    async def _lost_obligations(
        self, connection: AsyncConnection, lost: set[UUID]
    ) -> tuple[LostObligation, ...]:
        keyed = await register_rows.key_owners(connection, self._wrapping, {OBLIGATION})
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
            if (it.follow_up or it.obligation) not in keyed and it.case not in lost
        )
