"""Locate: find what a system holds about a person; where access asks for it, export it as found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import structlog

from connectors.sdk.calls import Call, Caller
from connectors.sdk.interface import Connector, Holding, Page, Record
from schemas.codec import Codec
from schemas.events import Event, HoldingsLocated, SearchFailed, SearchOrdered
from schemas.records import ExportRow, IdentifierRow, SealedIdentifier

from ..grants import Grants, identifier_tag
from ..ports import Objects
from . import answer
from .answer import Entry
from .export import export
from .look import Asked, Look, asked
from .vendor import Clock, GaveUpError, Vendor, calling, utc_now

VERIFY = "verify"
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
        entries = _entries(search, exports, grants.tag_key(), self.system)
        return answer.in_parts(self._codec, grants.record(), whole, entries, calls)

    async def _run(self, search: _Search, grants: Grants) -> tuple[ExportRow, ...]:
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
            reason=reason,
            calls=len(calls),
        )
        return answer.sealed(self._codec, grants.record(), failed, calls)


class _Search:
    """One search under way: what was found so far, and of what the records came."""

    def __init__(self, vendor: Vendor, order: SearchOrdered, whom: Asked) -> None:
        self.vendor = vendor
        self.order = order
        self.kinds = frozenset(order.export_kinds)
        self.found = Look(frozenset(whom.known.values()))
        self.exported: set[Holding] = set()
        self._whom = whom
        earlier = {it.tag for it in order.known if it.exported}
        self._earlier = {it for tag, it in whom.known.items() if tag in earlier}

    def pages(self) -> AsyncIterator[Page]:
        """Look; what is found is in `found`.

        A `find` names what earlier rounds found only so that it is not exported again; to read
        each by its own id is for a `verify`.
        """
        whom = self._whom if self.order.purpose == VERIFY else replace(self._whom, known={})
        return self.vendor.pages(whom, self.found)

    async def records(self) -> AsyncIterator[Record]:
        """Look, and hand out what may be exported: list rows as they come, the others afterwards.

        What came whole in a page, or was exported by an earlier round, is not fetched again.
        """
        async for page in self.pages():
            fresh = [it for it in page.records if self._wanted(it.holding)]
            self.exported.update(it.holding for it in fresh)
            for record in fresh:
                yield record
        for holding in self.found.holdings:
            if self._wanted(holding):
                async for record in self._fetched(holding):
                    yield record

    def _wanted(self, holding: Holding) -> bool:
        done = holding in self.exported or holding in self._earlier
        return holding.kind in self.kinds and not done

    async def _fetched(self, holding: Holding) -> AsyncIterator[Record]:
        """A holding's records. One that cannot be read is not exported, and its row says so."""
        count = 0
        try:
            async for record in self.vendor.export(holding):
                count += 1
                yield record
        except GaveUpError as error:
            log.warning(
                "export.failed",
                case=str(self.order.case),
                system=self.order.system,
                kind=holding.kind,
                reason=error.reason,
            )
            return
        if count:
            self.exported.add(holding)


def _entries(
    search: _Search, exports: Sequence[ExportRow], tag_key: bytes, system: str
) -> list[Entry]:
    return [
        *(Entry("exports", it) for it in exports),
        *(Entry("facts", it) for it in search.found.fact_rows()),
        *_identifiers(search, tag_key),
        *answer.holdings("holdings", search.found, tag_key, system, frozenset(search.exported)),
        *answer.gone(search.found, tag_key, system),
    ]


def _identifiers(search: _Search, tag_key: bytes) -> list[Entry]:
    """Further identifiers, one for every spelling that means the same, by tag."""
    known = {it.tag for it in search.order.identifiers}
    found: dict[bytes, Entry] = {}
    for it in sorted(search.found.identifiers.values(), key=lambda it: (not it.strong, it.value)):
        tag = identifier_tag(tag_key, it.kind, it.value)
        if tag not in known and tag not in found:
            row = IdentifierRow(tag=tag, kind=it.kind, strong=it.strong)
            sealed = SealedIdentifier(tag=tag, kind=it.kind, value=it.value)
            found[tag] = Entry("identifiers", row, sealed)
    return [found[tag] for tag in sorted(found)]
