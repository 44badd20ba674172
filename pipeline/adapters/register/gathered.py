"""What the ledger's topic tells, set against what the register has: equal, missing, or another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.adapters.ledger_topic import Told
from schemas import events as e
from schemas.codec import CodecError, from_body
from schemas.derive import event_name
from schemas.records import LedgerEntry

from . import tables as t
from .store import entry

AT_ONCE = 5000
"""Parameters of one statement; SQLite takes 32,766."""
DESTROYED, OPENED = event_name(e.KeyDestroyed), event_name(e.ObligationOpened)


@dataclass(slots=True)
class Gathered:
    """Grows with what was decided since the backup; of all else it keeps a bit an event."""

    seen: dict[UUID, int] = field(default_factory=dict)
    """By case: the numbers that the topic has, as a bitmap."""
    missing: dict[UUID, dict[int, LedgerEntry]] = field(default_factory=dict)
    """By case and number: what the register lacks."""
    differing: set[UUID] = field(default_factory=set)
    """Cases of which one number, or one event id, stands for two events."""
    destroyed: list[e.KeyDestroyed] = field(default_factory=list)
    obligations: dict[UUID, e.ObligationOpened] = field(default_factory=dict)

    async def add(self, connection: AsyncConnection, told: Sequence[Told]) -> None:
        """Take in what the topic tells, in any order and any number of times."""
        ours = await _ours(connection, [it.entry.id for it in told])
        for it in told:
            self._add(it, ours.get(it.entry.id))

    def lacks(self, case: UUID, number: int) -> int:
        """The first number up to this one that the topic does not have; 0 if it has all."""
        there = self.seen.get(case, 0)
        return next((it for it in range(1, number + 1) if not there >> it & 1), 0)

    def _add(self, it: Told, ours: Told | None) -> None:
        case, said = it.case, it.entry
        if ours is not None and not _same(ours, it):
            self.differing.add(case)
        if ours is None:
            before = self.missing.setdefault(case, {}).setdefault(said.number, said)
            if not _same(Told(case, before), it):
                self.differing.add(case)
        self.seen[case] = self.seen.get(case, 0) | 1 << said.number
        if said.type in {DESTROYED, OPENED}:
            self._note(said)

    def _note(self, said: LedgerEntry) -> None:
        try:
            event = from_body(said.type, said.version, said.body)
        except CodecError:
            return  # its case is found to be broken where it is joined
        if isinstance(event, e.KeyDestroyed):
            self.destroyed.append(event)
        elif isinstance(event, e.ObligationOpened):
            self.obligations[event.obligation] = event


async def _ours(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Told]:
    """The register's entries with these event ids."""
    found = {}
    for portion in _portions(ids):
        chosen = select(t.ledger).where(t.ledger.c.event_id.in_(portion))
        for it in await connection.execute(chosen):
            found[it.event_id] = Told(it.case_id, entry(it))
    return found


def _portions(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (ids[it : it + AT_ONCE] for it in range(0, len(ids), AT_ONCE))


def _same(one: Told, other: Told) -> bool:
    """Whether two are one, but for the time, which no chain is over."""
    return one.case == other.case and replace(one.entry, at=other.entry.at) == other.entry
