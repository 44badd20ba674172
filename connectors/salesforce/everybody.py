"""Everybody whom a Salesforce org holds: of every record of each object, the bin included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Final

from connectors.sdk.interface import Holding, RetryableError, Subject
from connectors.sdk.people import People, in_copy, is_until

from . import soql
from .files import Files
from .org import Org
from .rest import Rest
from .schema import Row, Schema
from .search import owner
from .tables import LINKED, PREFIXES, TABLES

FILE, MADE = "file", "CreatedDate"
COPIED: Final = ("CcAddress", "BccAddress")
"""Of an e-mail."""


class Everybody:
    """Of one org, in one go. Of each record no more is asked for than who it is of, and when."""

    def __init__(self, org: Org, rest: Rest, files: Files) -> None:
        self._org = org
        self._rest = rest
        self._files = files
        self._people = People("salesforce", self._owners)

    async def pages(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """See `Connector.people`."""
        schemas = await self._org.schemas()
        for kind in reversed([*TABLES]):  # what hangs on a record comes after it
            if kinds and kind not in kinds:
                continue
            async for rows in self._rows(schemas[kind]):
                there = [row for row in rows if is_until(row.get(MADE), until)]
                yield await self._people.of(await self._held(schemas[kind], there))
                yield tuple(in_copy(row.get(name) for row in there for name in COPIED))

    async def _held(self, schema: Schema, rows: Sequence[Row]) -> list[Holding]:
        """A file is of whoever it hangs on; one that hangs on no record of ours is nobody's."""
        if schema.kind != FILE:
            return [_held(schema, row) for row in rows]
        linked = [it async for it in self._files.linked([row["Id"] for row in rows])]
        held = (_held(schema, {"Id": it, LINKED: of}) for it, of in linked if of[:3] in PREFIXES)
        return list(held)

    async def _owners(self, owners: Sequence[Holding]) -> Iterable[Holding]:
        ids: dict[str, set[str]] = defaultdict(set)
        for it in owners:
            ids[it.kind].add(it.id)
        schemas = await self._org.schemas()
        return [
            _held(schemas[kind], row)
            for kind, wanted in ids.items()
            for condition in soql.any_of({"Id": wanted}, _asked(schemas[kind]))
            async for rows in self._rows(schemas[kind], f"WHERE {condition}")
            for row in rows
        ]

    async def _rows(self, schema: Schema, where: str = "") -> AsyncIterator[list[Row]]:
        name, fields = schema.table.name, _asked(schema)
        async for rows in self._rest.query(soql.select(fields, name, where)):
            if not all(schema.is_row(row, fields) for row in rows):
                raise RetryableError(f"GET /queryAll: not a {name}")
            yield rows


def _asked(schema: Schema) -> list[str]:
    """What tells when a record was made, and who it is of."""
    of_mails = ("Incoming", *COPIED) if schema.kind == "email" else ()
    owners = (it for it in schema.table.owners if it != LINKED)
    return list(dict.fromkeys(("Id", MADE, *owners, *schema.bearing, *of_mails)))


def _held(schema: Schema, row: Row) -> Holding:
    bears, of = tuple(schema.bears(row)), owner(schema, row)
    return Holding(schema.kind, row["Id"], bears=bears, part_of=of)
