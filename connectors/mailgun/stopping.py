"""What is restricted is marked, and mail to whoever objects is stopped everywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from connectors.sdk.http import as_form, as_json
from connectors.sdk.interface import (
    Failed,
    Holding,
    NeedsHuman,
    NotSupported,
    Outcome,
    Restricted,
)
from connectors.sdk.pages import Row
from connectors.sdk.wall_clock import now

from . import marks
from .entry import MEMBERS, TABLES, Table
from .places import NoDomainError, Places, holding_of, parts


class Stopping:
    """In one account. What `marks` says is entered here, and read."""

    def __init__(self, places: Places, transactional: frozenset[str]) -> None:
        """`transactional` are the domains that an objection leaves open."""
        self._places = places
        self._transactional = transactional

    # A restriction.

    async def restrict(self, holding: Holding, *, lift: bool) -> Outcome:
        """Set the mark inside the entry, or take it off."""
        row = await self._places.again(holding)
        if row is None:
            return Failed("not_found")
        if marks.is_restricted(holding.kind, row) is not lift:
            return Restricted()
        change = marks.lifted if lift else marks.restricted
        new = change(holding.kind, row)
        if new is None:
            return NeedsHuman("own_word") if lift else NotSupported("no_mark")
        of, address = parts(holding)
        if TABLES[holding.kind] is MEMBERS:
            is_there = await self._write(of, address, new)
            return Restricted() if is_there else Failed("not_found")
        await self._enter(TABLES[holding.kind], of, [new])
        return Restricted()

    # An objection.

    async def stop(self, addresses: Sequence[str]) -> None:
        """Opt out in every domain that markets, seen there or not, and of every list."""
        async for domain, entries in self._open(addresses):
            await self._enter(TABLES["unsubscribe"], domain, entries)
        async for of, address, row in self._subscribed(addresses):
            await self._write(of, address, marks.unsubscribed(row))

    async def is_stopped(self, addresses: Sequence[str]) -> bool:
        """Whether all of that is so."""
        async for _ in self._open(addresses):
            return False
        async for _ in self._subscribed(addresses):
            return False
        return True

    async def is_stopped_anywhere(self, address: str) -> bool:
        """Whether some mail to it is: that would begin again if the address were another one."""
        async for domain in self._places.domains():
            for kind in ("unsubscribe", "complaint"):
                if await self._places.read(holding_of(kind, domain, address)) is not None:
                    return True
        return False

    async def _open(
        self, addresses: Sequence[str]
    ) -> AsyncIterator[tuple[str, list[Mapping[str, Any]]]]:
        """Domains that may still market, and what has to be entered there."""
        async for domain in self._places.domains():
            if domain in self._transactional:
                continue
            read, kind = self._places.read, "unsubscribe"
            rows = {it: await read(holding_of(kind, domain, it)) for it in addresses}
            due = {it: row for it, row in rows.items() if not marks.is_stopped(row)}
            if due:
                yield domain, [marks.stopped(it, row, now()) for it, row in due.items()]

    async def _subscribed(self, addresses: Sequence[str]) -> AsyncIterator[tuple[str, str, Row]]:
        """Lists that still write to one of them, to which, and as what."""
        async for of in self._places.lists():
            for address in addresses:
                row = await self._places.read(holding_of("member", of, address))
                if row is not None and marks.is_written_to(row):
                    yield of, address, row

    async def _write(self, of: str, address: str, new: Mapping[str, str]) -> bool:
        """Change a member; False if it is gone."""
        route, changes = MEMBERS.route, as_form(new)
        return await self._places.http.put(route, changes, of=of, address=address) is not None

    async def _enter(self, table: Table, of: str, entries: Sequence[Mapping[str, Any]]) -> None:
        route = table.route.removesuffix("/{address}")
        if await self._places.http.post(route, as_json(entries), of=of) is None:
            raise NoDomainError(f"POST {route}: 404", reason="not_found")
