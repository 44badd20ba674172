"""One org's records, found by what their fields hold, row by whole row."""

from __future__ import annotations

import re
from asyncio import Lock
from collections import ChainMap, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from time import monotonic
from typing import Final

from connectors.sdk.interface import Holding, RetryableError, TerminalError
from connectors.sdk.spelling import normal

from . import soql
from .rest import Rest
from .schema import OwnFields, Row, Schema
from .tables import BESIDE, INDIVIDUAL, TABLES

LASTS: Final = 60.0
"""Seconds for which a description is believed: it is fourteen calls. What is hidden meanwhile is
missed by the query that names it.
"""
_ID: Final = re.compile(r"[0-9A-Za-z]{18}")


class Org:
    """Rows come as they are queried, those in the recycle bin included."""

    def __init__(self, rest: Rest, own: OwnFields) -> None:
        self._rest = rest
        self._own = own
        self._schemas: dict[str, Schema] = {}
        self._described = -LASTS
        self._describing = Lock()

    async def described(self) -> None:
        """Have every description, none older than `LASTS`.

        Raises `TerminalError` for what is not there or hidden.
        """
        async with self._describing:
            if monotonic() >= self._described + LASTS:
                await self._describe()

    async def _describe(self) -> None:
        if self._own.unread:
            names = ", ".join(sorted(self._own.unread))
            raise TerminalError(f"check: custom_fields: no category of {names}", reason="settings")
        tables = {**TABLES, **BESIDE}
        described = {
            kind: Schema(kind, table, await self._rest.describe(table.name), self._own)
            for kind, table in tables.items()
        }
        absent = self._own.named - {it for schema in described.values() for it in schema.names}
        if absent:
            names = ", ".join(sorted(absent))
            raise TerminalError(f"check: custom_fields: the org has no {names}", reason="settings")
        self._check_checkbox([described[kind] for kind in TABLES])
        people = await self._rest.description(INDIVIDUAL.name)
        if people is not None:
            described["individual"] = Schema("individual", INDIVIDUAL, people, self._own)
        self._schemas, self._described = described, monotonic()

    def _check_checkbox(self, schemas: Iterable[Schema]) -> None:
        name = self._own.checkbox
        found = [it.field(name) for it in schemas if name in it.names]
        if name and not found:
            wrong = f"the org has no {name}"
        elif any(it is None or it.type != "boolean" for it in found):
            wrong = f"{name} is no checkbox"
        else:
            return
        raise TerminalError(f"check: restriction_field: {wrong}", reason="settings")

    async def schemas(self) -> Mapping[str, Schema]:
        """What the last description said, by kind; `individual` where the org has those."""
        if not self._schemas:
            await self.described()
        return self._schemas

    async def row(self, of: Holding) -> Row | None:
        """A holding's row; None if it is not there."""
        found = [row async for rows in self.find(of.kind, {"Id": [of.id]}) for row in rows]
        return found[0] if found else None

    async def find(
        self, kind: str, wanted: Mapping[str, Iterable[str]]
    ) -> AsyncIterator[list[Row]]:
        """The rows of `kind` in which a field has one of the values wanted of it."""
        values = {field: frozenset(those) for field, those in wanted.items()}
        check_ids(values.get("Id", ()))
        schema = (await self.schemas())[kind]
        async for rows in self.query(schema, values):
            # SOQL's own idea of what is equal is wider than ours.
            yield [row for row in rows if _has(schema, row, values)]

    async def query(
        self, schema: Schema, wanted: Mapping[str, Collection[str]]
    ) -> AsyncIterator[list[Row]]:
        """Rows with all their fields. A wide object takes as many queries as it has parts."""
        parts = schema.selects()
        for condition in soql.any_of(wanted, parts[0]):
            if len(parts) == 1:
                async for rows in self._rows(schema, parts[0], condition):
                    yield rows
                continue
            whole: dict[str, list[Row]] = defaultdict(list)
            for fields in parts:
                async for rows in self._rows(schema, fields, condition):
                    for row in rows:
                        whole[row["Id"]].append(row)
            if any(len(it) != len(parts) for it in whole.values()):
                raise RetryableError(f"GET /queryAll: {schema.table.name} changed meanwhile")
            yield [dict(ChainMap(*it)) for it in whole.values()]

    async def _rows(
        self, schema: Schema, fields: list[str], condition: str
    ) -> AsyncIterator[list[Row]]:
        name = schema.table.name
        async for rows in self._rest.query(soql.select(fields, name, f"WHERE {condition}")):
            if not all(schema.is_row(row, fields) for row in rows):
                raise RetryableError(f"GET /queryAll: not a {name}")
            yield rows


def check_ids(ids: Iterable[str]) -> None:
    """Raises `TerminalError` for what was never an id of Salesforce's."""
    if not all(_ID.fullmatch(it) for it in ids):
        raise TerminalError("locate: not an id of Salesforce's")  # and not an absent record


def _has(schema: Schema, row: Row, wanted: Mapping[str, Collection[str]]) -> bool:
    """Whether a row bears one of the values, or refers to one."""
    if any(row.get(field) in values for field, values in wanted.items() if field.endswith("Id")):
        return True
    return any(
        normal(it.kind, it.value) in {normal(it.kind, value) for value in wanted.get(it.field, ())}
        for it in schema.bears(row)
    )
