"""Locate: find what a system holds about a person; where access asks for it, export it as found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import structlog

from connectors.sdk.calls import Call, Caller
from connectors.sdk.interface import Connector, Holding, Page, Record
from schemas.codec import Codec
from schemas.events import Event, HoldingsLocated, SearchFailed, SearchOrdered
from schemas.records import ExportRow

from ..case.orders import VERIFY
from ..case.outcome import code
from ..crypto.grants import Grants
from ..crypto.segments import closed, cut
from ..ports import Objects
from . import answer
from .answer import Entry
from .export import export
from .look import Asked, Look, asked
from .owners import Owners
from .vendor import Clock, GaveUpError, Vendor, calling, utc_now

log = structlog.get_logger()


class Locate:
    """The work of a connector's host on `SearchOrdered`."""

    def __init__(
        self,
        connector: Connector,
        objects: Objects,
        codec: Codec,
        caller: Caller,
        *,
        now: Clock = utc_now,
    ) -> None:
        self.system = connector.capabilities.system
        self._connector = connector
        self._objects = objects
        self._codec = codec
        self._caller = caller
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """`HoldingsLocated` in parts, or `SearchFailed`: nothing is concluded from half a look."""
        if not isinstance(order, SearchOrdered):
            raise TypeError("locate answers searches")
        whom = asked(self._codec, order, grants)
        search = _Search(Vendor(self._connector, order.case, self._now), order, whom)
        with calling(self._caller) as calls:
            try:
                exports = await self._run(search, grants)
            except GaveUpError as error:
                return [self._failed(order, grants, error.reason, calls)]
        whole = HoldingsLocated(
            case=order.case, order=order.order, system=self.system, part=1, parts=1, digest=b""
        )
        entries = _entries(search, exports)
        return answer.in_parts(self._codec, grants.record(), whole, entries, calls)

    async def _run(self, search: _Search, grants: Grants) -> tuple[ExportRow, ...]:
        if not search.asks:
            return ()  # what it cannot be asked by is not found there, and that is no «nothing»
        await search.vendor.check()
        if not search.kinds:
            async for _ in search.pages():
                pass
            return ()
        prefix = f"{search.order.case}/{search.order.order}"
        grant = grants.package(self.system)
        return await export(self._objects, grant, prefix, search.records())

    def _failed(
        self, order: SearchOrdered, grants: Grants, reason: str, calls: Sequence[Call]
    ) -> SearchFailed:
        failed = SearchFailed(
            case=order.case,
            order=order.order,
            system=self.system,
            reason=code(reason),
            calls=len(calls),
        )
        return answer.sealed(self._codec, grants.record(), failed, calls)


class _Search:
    """One search under way: what was found so far, and of what the records came."""

    def __init__(self, vendor: Vendor, order: SearchOrdered, whom: Asked) -> None:
        self.vendor = vendor
        self.order = order
        self.kinds = frozenset(order.export_kinds)
        self.exported: set[Holding] = set()
        self._lacking: set[Holding] = set()
        """Holdings of which a file could not be fetched."""
        self.whom = whom
        copied = {it.tag for it in order.known if it.exported}
        self._copied = {it for tag, it in whom.known.items() if tag in copied}
        to_read = whom.known if order.purpose == VERIFY else _without(whom.known, copied)
        self._to_read = replace(whom, known=to_read)
        self.found = Look(frozenset(to_read.values()))
        self.usable = vendor.usable(whom)
        self.asks = bool(self.usable or to_read)
        self._owners = Owners(whom, order)

    def pages(self) -> AsyncIterator[Page]:
        """Look; what is found is in `found`.

        A `find` names what earlier rounds copied only so that it is not copied again, and reads
        the others by their own ids: they are known to be theirs by now.
        """
        return self.vendor.pages(self._to_read, self.found)

    async def records(self) -> AsyncIterator[Record]:
        """Look, and hand out what may be exported: list rows as they come, the others afterwards.

        What came whole in a page, or was exported by an earlier round, is not fetched again. Of
        what is not known to be theirs nothing is handed out.
        """
        async for page in self.pages():
            self._owners.take(self.found.those(page))
            fresh = [it for it in page.records if self._wanted(it.holding)]
            fresh = [it for it in fresh if self._owners.is_theirs(it.holding)]
            async for record in closed(_each(fresh)):
                self._hand_out(record)
                yield record
        theirs = self._owners.theirs(self.found)
        for holding in self.found.holdings:
            if holding in theirs and self._wanted(holding):
                async for record in self._fetched(holding):
                    yield record

    def _wanted(self, holding: Holding) -> bool:
        done = self.exported, self._lacking, self._copied
        ours = holding.kind in self.kinds and not answer.document_of(holding, self.order.documents)
        return ours and not any(holding in it for it in done)

    def _hand_out(self, record: Record) -> None:
        """A holding is exported, unless a file of it is missing."""
        if record.missing:
            self._lacking.add(record.holding)
            self.exported.discard(record.holding)
        elif record.holding not in self._lacking:
            self.exported.add(self.found.found[record.holding])

    async def _fetched(self, holding: Holding) -> AsyncIterator[Record]:
        """A holding's records. One that cannot be read is not exported, and its row says so."""
        last: Record | None = None
        try:
            async for record in closed(self.vendor.export(holding)):
                self._lacking.update([holding] if record.missing else ())
                last = record
                yield record
        except GaveUpError as error:
            if last is not None and last.more:
                yield cut(last, error.reason)
            log.warning(
                "export.failed",
                case=str(self.order.case),
                system=self.order.system,
                kind=holding.kind,
                reason=error.reason,
            )
            return
        if last is not None and holding not in self._lacking:
            self.exported.add(holding)


async def _each(records: Iterable[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record


def _without(known: Mapping[bytes, Holding], copied: AbstractSet[bytes]) -> dict[bytes, Holding]:
    return {tag: it for tag, it in known.items() if tag not in copied}


def _entries(search: _Search, exports: Sequence[ExportRow]) -> list[Entry]:
    tags = search.whom.tags
    asked = {tags.identifier(it.kind, it.value) for it in search.usable}
    return [
        *(Entry("asked", it) for it in sorted(asked)),
        *(Entry("exports", it) for it in exports),
        *(Entry("facts", it) for it in search.found.fact_rows()),
        *answer.holdings("holdings", search.found, tags, frozenset(search.exported)),
        *answer.gone(search.found, tags),
        *answer.documents(search.found, tags, search.order.documents),
    ]
