"""What a person may take along, as files of its own: JSON with a schema, and a table of each kind.

Beside an access copy, never instead of it (GDPR Art. 20, 15(3)). Of a record only the fields of
those categories are here that the data map says they provided, by consent or contract.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from typing import Any

from connectors.sdk.fields import Fields
from connectors.sdk.interface import Category, Record
from pipeline.policy.applicable import Sort

from .cards import read
from .files import File

FOLDER = "portability"
DATA, SCHEMA = f"{FOLDER}/data.json", f"{FOLDER}/schema.json"
COLUMNS = 500
"""Of a table, at most: the JSON has what does not fit."""
ROWS = 500
"""Rows that are written at once, in a thread."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Tables = Mapping[str, Mapping[str, Fields]]
"""By system and kind: which field is of which category."""
Items = Callable[[], AsyncIterator[Record | File]]
"""A system's records and files, from the start, each time it is called."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What of records may be taken along."""

    sorts: frozenset[Sort]
    tables: Tables

    def has(self, system: str, kind: str) -> bool:
        """Whether anything of a kind may be taken along."""
        return any((of, name) == (system, kind) for of, name, _ in self.sorts)

    def of(self, system: str, item: Record | File) -> dict[str, Any] | None:
        """The portion of a record or file as it is written; None if there is none."""
        said = self._data(system, item)
        head = {"system": system, "kind": item.holding.kind, "id": item.holding.id}
        return None if said is None else {**head, **said}

    def _data(self, system: str, item: Record | File) -> dict[str, Any] | None:
        kind = item.holding.kind
        categories = {Category(it) for of, name, it in self.sorts if (of, name) == (system, kind)}
        table = self.tables.get(system, {}).get(kind)
        if isinstance(item, File):
            return {"file": item.path, "name": item.given} if categories and item.path else None
        row = read(item.body)
        if table is None or not isinstance(row, dict):
            return {"data": _text(item, row)} if categories else None
        found = table.only(row, frozenset(categories))
        return {"data": found} if found else None


def _text(record: Record, row: Any) -> Any:
    return record.body.decode("utf-8", "replace") if row is None else row


def schema() -> bytes:
    """The JSON Schema (2020-12) of `data.json`, as it is published."""
    return files(__package__).joinpath("templates", "portability.schema.json").read_bytes()


async def data(
    about: Mapping[str, str], systems: Mapping[str, Items], portion: Portion
) -> AsyncIterator[bytes]:
    """All of it as JSON, a record a line."""
    head = json.dumps({"$schema": "schema.json", **about}, ensure_ascii=False)
    yield head[:-1].encode() + b', "records": ['
    between = b"\n"
    for system, items in systems.items():
        async for rows in _batches(system, items, portion):
            lines = await asyncio.to_thread(_lines, rows)
            yield between + b",\n".join(lines)
            between = b",\n"
    yield b"\n]}\n"


async def tables(
    systems: Mapping[str, Items], portion: Portion
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """A table for each kind of each system: its name, and the table as CSV (RFC 4180, UTF-8)."""
    for system, items in systems.items():
        columns: dict[str, dict[str, None]] = {}
        async for rows in _batches(system, items, portion):
            for row in rows:
                names = columns.setdefault(row["kind"], {})
                names.update(dict.fromkeys(list(flat(row))[: COLUMNS - len(names)]))
        for n, (kind, names) in enumerate(sorted(columns.items()), start=1):
            named = kind if _NAME.fullmatch(kind) else f"kind-{n}"
            name = f"{FOLDER}/{system}-{named}.csv"
            yield name, _table(system, kind, list(names), items, portion)


async def _table(
    system: str, kind: str, names: list[str], items: Items, portion: Portion
) -> AsyncIterator[bytes]:
    yield _csv([[_cell(it) for it in names]])
    async for rows in _batches(system, items, portion):
        mine = [flat(row) for row in rows if row["kind"] == kind]
        cells = [[row.get(name, "") for name in names] for row in mine]
        yield await asyncio.to_thread(_csv, cells)


async def _batches(
    system: str, items: Items, portion: Portion
) -> AsyncIterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    async for item in items():
        row = portion.of(system, item)
        if row is not None:
            rows.append(row)
        if len(rows) == ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def flat(row: Mapping[str, Any]) -> dict[str, str]:
    """A record as one row of a table: `address.city` is a column, a list is JSON.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    of_file = {it: row[it] for it in ("name", "file") if it in row}
    found = {"id": _cell(row["id"]), **{it: _cell(value) for it, value in of_file.items()}}
    said = row.get("data")
    inside = said if isinstance(said, Mapping) else {} if said is None else {"text": said}
    return {**found, **dict(_cells("", inside))}


def _cells(prefix: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    for name, value in row.items():
        if isinstance(value, Mapping):
            cells += _cells(f"{prefix}{name}.", value)
        else:
            cells.append((f"{prefix}{name}", _cell(value)))
    return cells


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _csv(rows: list[list[str]]) -> bytes:
    written = StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return written.getvalue().encode("utf-8", "backslashreplace")


def _lines(rows: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(it, ensure_ascii=False).encode("utf-8", "backslashreplace") for it in rows]
