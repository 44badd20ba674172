"""That something was erased for somebody, and when: the erasure memory, which names nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from connectors.sdk.interface import Borne, Category, Holding, Identifier
from pipeline.register.own_records import Erasure, OwnRecords

from .entry import Entry, moment

ERASURE = "erasure"
LAST_ERASURE = "last_erasure"


class Erasures:
    """What the memory has by an identifier, but for what the case itself erased."""

    kinds: ClassVar[Mapping[str, frozenset[Category]]] = {ERASURE: frozenset({Category.CONTACT})}
    fact: ClassVar[str] = LAST_ERASURE

    def __init__(self, records: OwnRecords, case: UUID, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._case = case
        self._clock = clock

    async def of(self, whom: Sequence[Identifier]) -> AsyncIterator[Sequence[Entry]]:
        yield [_entry(it) for it in await self._records.erasures(whom, self._case, self._clock())]

    async def one(self, holding: Holding, whom: Sequence[Identifier]) -> Entry | None:
        named, now = UUID(holding.id), self._clock()
        mine = await self._records.erasures(whom, self._case, now)
        found = next((it for it in mine if it.case == named), None)
        found = found or await self._records.remembered(named, now)
        return None if found is None else _entry(found)


def _entry(it: Erasure) -> Entry:
    bears = tuple(Borne(f"hash.{of.kind}", of.kind, of.value) for of in it.known_by)
    return Entry(
        holding=Holding(ERASURE, str(it.case), Erasures.kinds[ERASURE], bears),
        says={
            "erased": moment(it.at),
            "for_request": str(it.case),
            "known_by": "a keyed hash of each identifier that was yours: nobody can read it back",
            "kept_until": moment(it.kept_until),
        },
        since=it.at,
        kept_until=it.kept_until,
    )
