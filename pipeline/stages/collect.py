"""Collect: what hosts exported, each object read whole and checked before a page is written.

An export that is not what its row says costs its system, not the response: all that a row names
was written by that system's host, or invented by it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from connectors.sdk.interface import Holding, Record
from schemas.events import ResponseOrdered
from schemas.records import ExportRow
from schemas.sealed import SealError

from ..case.rights import COPYING
from ..crypto.grants import GrantError, Grants, holding_tag
from ..crypto.segments import UnpackError, closed, open_stream, unpack
from ..ports import LaterError, ObjectMissingError, Objects
from ..response.copies import Copy, Lacking
from ..response.file_names import safe

WAIT = timedelta(minutes=1)
"""Until an export that is not there, or is another one meanwhile, is looked for again."""
PATIENCE = 3
"""Attempts until one that is missing was never written: storage may be away for a moment."""
UNKNOWN = "unknown"
"""What stands for a system that the case does not have: its name is whatever somebody wrote."""
NAMED = 50
"""Files of a system that could not be copied and are named on the first page, at most."""
_OBJECT = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,200}")
log = structlog.get_logger()


@dataclass(slots=True)
class _Seen:
    """What one search copied of one holding."""

    records: int = 0
    size: int = 0
    lacking: list[Lacking] = field(default_factory=list)
    files_lacking: int = 0

    def take(self, record: Record) -> None:
        """Add a record; a file counts once, with its last piece."""
        self.records += not record.more
        self.size += len(record.body)
        if record.missing:
            self.files_lacking += 1
            self.lacking += [Lacking(safe(record.name), record.missing)][
                : NAMED - len(self.lacking)
            ]


@dataclass(slots=True)
class _Counts:
    """Records, but a file counts once."""

    brought: int = 0
    withheld: int = 0


class _RefusedError(Exception):
    """The message is the code that the answer gives."""


class Exports:
    """The exports of a response's order, under its grants."""

    def __init__(
        self,
        order: ResponseOrdered,
        objects: Objects,
        grants: Grants,
        now: Callable[[], datetime],
    ) -> None:
        self._order = order
        self._objects = objects
        self._grants = grants
        self._now = now
        self._listed = Counter((it.system, it.name) for it in order.exports)
        self._repeated: dict[str, AbstractSet[tuple[str, Holding]]] = {}
        """By system, once `copies` looked: what another search copied as well, and better."""

    async def copies(self) -> tuple[Copy, ...]:
        """What can be copied of every system that listed anything, and what cannot, and why.

        Raises `LaterError` where an object is missing and may still come.
        """
        asked = {it.system for it in self._order.systems}
        listed = [await self._copy(system, asked) for system in self._systems()]
        return (*listed, *self._unlisted())

    def _unlisted(self) -> Iterator[Copy]:
        """Systems whose host said that it exported something, and listed nothing."""
        said = {
            it.system
            for it in self._order.coverage
            if it.right in COPYING and it.outcome.kind == "exported"
        }
        for system in sorted(said - {it.system for it in self._order.exports}):
            yield Copy(system=system, expected=0, refused="export_not_listed")

    async def records(self, system: str) -> AsyncIterator[Record]:
        """A system's records, from the start. Raises `LaterError` if they are not what `copies`
        saw: another attempt looks at them anew.
        """
        withheld, repeated = self._withheld(system), self._repeated.get(system, frozenset())
        try:
            for search in self._searches(system):
                async for record in closed(self._copied_by(system, search)):
                    if withheld and self._tag(system, record.holding) in withheld:
                        continue
                    if not repeated or (search, record.holding) not in repeated:
                        yield record
        except _RefusedError as error:
            raise LaterError(self._now() + WAIT, str(error)) from None

    def _systems(self) -> Iterator[str]:
        yield from dict.fromkeys(it.system for it in self._order.exports)

    def _searches(self, system: str) -> Sequence[str]:
        """The searches that copied something there, in their order."""
        return list(dict.fromkeys(map(_search, self._rows(system))))

    async def _copied_by(self, system: str, search: str) -> AsyncIterator[Record]:
        """All records of one search. Raises `_RefusedError`."""
        for row in self._rows(system):
            if _search(row) == search:
                async for record in self._opened(row):
                    yield record

    def _rows(self, system: str) -> Sequence[ExportRow]:
        return [it for it in self._order.exports if it.system == system]

    async def _copy(self, system: str, asked: set[str]) -> Copy:
        expected = sum(it.records for it in self._rows(system))
        if system not in asked:
            return Copy(system=UNKNOWN, expected=expected, refused="export_of_no_system")
        try:
            seen, counts = await self._seen(system)
        except _RefusedError as error:
            self._wait_for(str(error))
            log.warning(
                "export.refused", case=str(self._order.case), system=system, reason=str(error)
            )
            return Copy(system=system, expected=expected, refused=str(error))
        self._repeated[system] = repeated = _repeated(seen)
        again = sum(seen[it].records for it in repeated)
        lacking = [those for it, those in seen.items() if it not in repeated]
        return Copy(
            system=system,
            expected=counts.brought - again,
            withheld=counts.withheld,
            lacking=sum(it.files_lacking for it in lacking),
            named=tuple(named for it in lacking for named in it.lacking)[:NAMED],
        )

    async def _seen(self, system: str) -> tuple[dict[tuple[str, Holding], _Seen], _Counts]:
        """What must be known of what the objects have, by search and holding: all of what a later
        search copied, or copied again, and what lacks a file. And how many records there are.

        Raises `_RefusedError`, also where something is to be withheld that is not there.
        """
        seen: dict[tuple[str, Holding], _Seen] = defaultdict(_Seen)
        withheld, left_out = self._withheld(system), Counter[bytes]()
        counts, later = _Counts(), set[Holding]()
        searches = self._searches(system)
        for search in reversed(searches):
            async for record in closed(self._copied_by(system, search)):
                if withheld and (tag := self._tag(system, record.holding)) in withheld:
                    left_out[tag] += not record.more
                    continue
                counts.brought += not record.more
                if search != searches[0]:
                    later.add(record.holding)
                    seen[search, record.holding].take(record)
                elif record.missing or record.holding in later:
                    seen[search, record.holding].take(record)
        _refuse_unless(withheld == left_out.keys(), "export_not_told_apart")
        counts.withheld = left_out.total()
        return seen, counts

    def _withheld(self, system: str) -> frozenset[bytes]:
        return frozenset(it.tag for it in self._order.withheld if it.system == system)

    def _tag(self, system: str, held: Holding) -> bytes:
        """As the system's host tagged a holding. Raises `GrantError`."""
        return holding_tag(self._grants.tag_key(system), system, held.kind, held.id)

    def _wait_for(self, code: str) -> None:
        if code == "export_missing" and self._order.attempt < PATIENCE:
            raise LaterError(self._now() + WAIT, code)

    async def _opened(self, row: ExportRow) -> AsyncIterator[Record]:
        """The records of one object. Raises `_RefusedError`, at its end if it is another one."""
        self._check_name(row)
        digest, size, records = sha256(), 0, 0

        async def sealed() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in self._objects.get(row.name):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        try:
            key = self._grants.package(row.system).key
            async for record in unpack(open_stream(key, row.name, sealed())):
                records += not record.more
                yield record
        except ObjectMissingError:
            raise _RefusedError("export_missing") from None
        except GrantError:
            raise _RefusedError("export_without_key") from None
        except SealError:
            raise _RefusedError("export_not_opened") from None
        except UnpackError:
            raise _RefusedError("export_not_readable") from None
        if (digest.digest(), size, records) != (row.digest, row.size, row.records):
            raise _RefusedError("export_not_as_listed")

    def _check_name(self, row: ExportRow) -> None:
        """An object of this case, listed once: twice would be its records twice."""
        case, _, name = row.name.partition("/")
        if case != str(self._order.case) or not _OBJECT.fullmatch(name):
            raise _RefusedError("export_of_another_case")
        if self._listed[row.system, row.name] > 1:
            raise _RefusedError("export_listed_twice")


def _search(row: ExportRow) -> str:
    """Which search wrote an object: its name but for the number."""
    return row.name.rpartition("-")[0]


def _repeated(seen: dict[tuple[str, Holding], _Seen]) -> frozenset[tuple[str, Holding]]:
    """What several searches copied, but for the best copy of each holding: whole, then large.

    What a first search could not copy whole, a later one tried once more.
    """
    best: dict[Holding, tuple[str, Holding]] = {}
    worse = set()
    for it, those in seen.items():
        other = best.setdefault(it[1], it)
        if other == it:
            continue
        better = _worth(those) > _worth(seen[other])
        best[it[1]] = it if better else other
        worse.add(other if better else it)
    return frozenset(worse)


def _worth(seen: _Seen) -> tuple[bool, int]:
    return not seen.files_lacking, seen.size


def _refuse_unless(holds: bool, code: str) -> None:  # noqa: FBT001  what is asserted
    if not holds:
        raise _RefusedError(code)
