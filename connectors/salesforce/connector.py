"""Salesforce: comments, cases, leads and contacts, those in the recycle bin included.

Left to a person: person accounts and individuals, e-mails, tasks and events, campaign membership,
files, what field history remembers of a field that was blanked, records that were merged into one
with another address, and fields that only some orgs have (middle name, suffix, pronouns).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Erased,
    Expires,
    Failed,
    Holding,
    Limit,
    NotSupported,
    Outcome,
    Page,
    Record,
    Redacted,
    Right,
    Subject,
    TerminalError,
    lower,
)

from . import soql
from .rest import Rest, Row
from .search import Search, record
from .tables import SYSTEM, TABLES, Table

IN_BIN: Final = timedelta(days=16)
"""The recycle bin is emptied after 15 days, and shows what was in it for about one more."""

_ID: Final = re.compile(r"[0-9A-Za-z]{18}")

REASONS: Final = {
    "forbidden": "The integration user may not change or delete this record.",
    "refused": "Salesforce refused the change.",
    "in_use": "Other records need this one (a contact's cases): erase those first.",
    "rule": "A validation rule or a trigger of this org refuses the change.",
    "converted": "A converted lead can be deleted, but not changed.",
    "required": "Salesforce keeps a last name (and a lead's company) as long as the record stays.",
    "still_there": "Salesforce said that it deleted the record, and it is still there.",
}


class Salesforce(Connector):
    """One org. Reading needs View All Data: a sharing rule hides rows and says nothing."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        """`url` is My Domain: `https://acme.my.salesforce.com`."""

        url: str
        client_id: str
        client_secret: str = field(repr=False)
        custom_fields: tuple[str, ...] = ("User_Id__c", "Other_Email__c", "Marketing_Interests__c")
        """The `__c` fields of `tables.py` that the org has; others are not asked for."""

    capabilities = Capabilities(
        system="salesforce",
        rights=frozenset({Right.ACCESS, Right.PORTABILITY, Right.ERASURE}),
        kinds={kind: frozenset(table.content) for kind, table in TABLES.items()},
        limits=(Limit(calls=100_000, per=timedelta(hours=24)),),
        facts=frozenset({"customer"}),
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._rest = Rest(settings.url, settings.client_id, settings.client_secret)
        self._custom = frozenset(settings.custom_fields)

    async def check(self) -> None:
        """Read each field of each kind: one that the user may not see is an error."""
        for kind in TABLES:
            async for _ in self._rest.query(self._select(kind, "LIMIT 1")):
                pass
        permissions = soql.select(["PermissionsViewAllData"], "UserPermissionAccess")
        async for rows in self._rest.query(permissions):
            if not any(row["PermissionsViewAllData"] for row in rows):
                raise TerminalError("check: View All Data is not granted", reason="forbidden")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        found = Search(subject, has_user_ids=self._has("User_Id__c"))
        for kind in TABLES:
            async for rows in self._find(kind, {"Id": [it.id for it in known if it.kind == kind]}):
                yield found.page(kind, rows)
        ours = [it for it in known if it.kind in TABLES]
        yield Page(gone=tuple(it for it in ours if it.id not in found.ids[it.kind]))
        for kind, wanted in found.steps():
            async for rows in self._find(kind, wanted):
                yield found.page(kind, rows)
        yield Page(facts=found.facts())

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        row = await self._row(holding)
        if row is not None:
            yield record(holding.kind, row)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        row = await self._row(holding)
        if row is None or row["IsDeleted"]:
            return _gone(row)
        table = TABLES[holding.kind]
        try:
            if keep.isdisjoint(table.content):
                await self._rest.delete(table.name, holding.id)
            elif await self._blank(holding, row, keep):
                return {it: _blanked(table, it) for it in sorted(holding.categories - keep)}
        except TerminalError as error:
            if error.reason not in REASONS:
                raise
            return Failed(error.reason)
        row = await self._row(holding)
        return _gone(row) if row is None or row["IsDeleted"] else Failed("still_there")

    async def __aexit__(self, *_: object) -> None:
        await self._rest.close()

    async def _blank(self, holding: Holding, row: Row, keep: frozenset[Category]) -> bool:
        """Blank what can be blank and is not yet; false if the record was deleted meanwhile."""
        table = TABLES[holding.kind]
        fields = (it for category in table.content.keys() - keep for it in table.content[category])
        blank = {it: None for it in fields if row.get(it) and it not in table.required}
        return not blank or await self._rest.update(table.name, holding.id, blank)

    async def _row(self, holding: Holding) -> Row | None:
        found = [
            row async for rows in self._find(holding.kind, {"Id": [holding.id]}) for row in rows
        ]
        return found[0] if found else None

    async def _find(
        self, kind: str, wanted: Mapping[str, Iterable[str]]
    ) -> AsyncIterator[list[Row]]:
        """The rows of `kind` in which a field has one of the values wanted of it."""
        if not all(_ID.fullmatch(it) for it in wanted.get("Id", ())):
            raise TerminalError("locate: not an id of Salesforce's")  # and not an absent record
        there = {field: list(values) for field, values in wanted.items() if self._has(field)}
        meant = {
            field: frozenset(_folded(field, it) for it in values) for field, values in there.items()
        }
        for condition in soql.any_of(there):
            async for rows in self._rest.query(self._select(kind, f"WHERE {condition}")):
                # SOQL's own idea of what is equal is wider than ours.
                yield [row for row in rows if _bears(row, meant)]

    def _select(self, kind: str, rest: str) -> str:
        table = TABLES[kind]
        content = (it for fields in table.content.values() for it in fields)
        fields = [it for it in (*SYSTEM, *table.also, *content) if self._has(it)]
        return soql.select(fields, table.name, rest)

    def _has(self, field: str) -> bool:
        return not field.endswith("__c") or field in self._custom


def _bears(row: Row, meant: Mapping[str, frozenset[str]]) -> bool:
    return any(
        _folded(field, str(row.get(field) or "")) in values for field, values in meant.items()
    )


def _folded(field: str, value: str) -> str:
    """What is equal to us: e-mails whatever their case, all else as it is written."""
    return lower(value) if "Email" in field else value


def _blanked(table: Table, category: Category) -> Outcome:
    stays = table.required.intersection(table.content[category])
    return NotSupported("required") if stays else Redacted()


def _gone(row: Row | None) -> Erased | Expires:
    """What became of a row that is deleted: its last change was the deletion."""
    if row is None:
        return Erased()
    return Expires(datetime.fromisoformat(row["SystemModstamp"]) + IN_BIN)
