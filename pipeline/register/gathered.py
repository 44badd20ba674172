"""What the ledger's topic tells, set against what the register has: equal, missing, or another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.kafka.ledger_topic import Told
from schemas import events as e
from schemas.codec import CodecError, from_body
from schemas.derive import event_name
from schemas.records import LedgerEntry

from . import tables as t
from .store import entry

MOST_DOUBTS = 20
AT_ONCE = 5000
"""Parameters of one statement; SQLite takes 32,766."""
DESTROYED, OPENED = event_name(e.KeyDestroyed), event_name(e.ObligationOpened)


@dataclass(slots=True)
class Gathered:
    """Grows with what was decided since the backup; of all else it keeps a bit an event."""

    seen: dict[UUID, int] = field(default_factory=dict)
    """By case: the numbers that the topic has, as a bitmap."""
    missing: dict[UUID, dict[int, LedgerEntry]] = field(default_factory=dict)
    """By case and number: what the register lacks; without a body where it cannot be read."""
    differing: set[UUID] = field(default_factory=set)
    """Cases of which one number, or one event id, stands for two events."""
    destroyed: dict[UUID, list[e.KeyDestroyed]] = field(default_factory=dict)
    """By case: the keys of which its ledger says that they were destroyed."""
    doubted: Counter[str] = field(default_factory=Counter)
    """Events that the register does not have and nobody need believe, by doubt."""
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
        if it.doubt and not (ours is not None and _same(ours, it)):
            self.doubt(it.doubt)  # it changes nothing, and makes nothing look broken
            return
        if it.is_foreign or (ours is not None and not _same(ours, it)):
            self.differing.add(case)
        if ours is None or (said.body and not ours.entry.body):  # it can be read now
            before = self.missing.setdefault(case, {}).setdefault(said.number, said)
            if not _same(Told(case, before), it):
                self.differing.add(case)
        self.seen[case] = self.seen.get(case, 0) | 1 << said.number
        if said.type in {DESTROYED, OPENED}:
            self._note(case, said if said.body or ours is None else ours.entry)

    def doubt(self, why: str) -> None:
        """Count what is not believed; keys that are not here by name, up to a number."""
        room = why in self.doubted or len(self.doubted) < MOST_DOUBTS
        self.doubted[why if room else "others"] += 1

    def _note(self, case: UUID, said: LedgerEntry) -> None:
        try:
            event = from_body(said.type, said.version, said.body)
        except CodecError:
            return  # its case is found to be broken where it is joined
        if event.case != case:
            self.differing.add(case)
        elif isinstance(event, e.KeyDestroyed):
            self.destroyed.setdefault(case, []).append(event)
        elif isinstance(event, e.ObligationOpened):
            self.obligations[event.obligation] = event


async def _ours(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Told]:
    """The register's entries with these event ids, chained or not."""
    found = {}
    for table, portion in product((t.unchained, t.ledger), _portions(ids)):
        chosen = select(table).where(table.c.event_id.in_(portion))
        for it in await connection.execute(chosen):
            found[it.event_id] = Told(it.case_id, entry(it))
    return found


def _portions(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (ids[it : it + AT_ONCE] for it in range(0, len(ids), AT_ONCE))


def _same(one: Told, other: Told) -> bool:
    """Whether two are one, but for the time, which no chain is over, and for what is not read."""
    left, right = one.entry, other.entry
    if not (left.body and right.body):
        left, right = replace(left, body=b""), replace(right, body=b"")
    return one.case == other.case and replace(left, at=right.at) == right
