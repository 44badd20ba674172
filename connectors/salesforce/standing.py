"""How a record stands: read small and anew, by its own id.

Contacts, leads, and what else has the checkbox that the settings name, bear the mark themselves.
All else stands through the contact or lead that it is part of, as whoever works with it sees them
together: a case through its contact, a comment through its case, with one read for each step.
What is part of nobody bears no mark.
"""

from __future__ import annotations

from typing import Final

from connectors.sdk.interface import (
    Failed,
    Holding,
    NeedsHuman,
    NotSupported,
    Outcome,
    Restricted,
    RetryableError,
    Standing,
    TerminalError,
)

from . import soql
from .catalogue import REASONS
from .details import DATA, says
from .marks import LINK, Checkbox, Flag, Mark
from .org import Org, check_ids
from .recycle_bin import unchangeable
from .rest import Rest
from .schema import Row, Schema
from .search import owner
from .tables import LINKED, PEOPLE, TABLES

IS_CONVERTED: Final = "IsConverted"


class Standings:
    """Of the records of one org."""

    def __init__(self, org: Org, rest: Rest, restriction_field: str) -> None:
        """`restriction_field` is the checkbox; where there is none, the Individual is flagged."""
        self._org = org
        self._rest = rest
        self._checkbox = Checkbox(rest, restriction_field) if restriction_field else None
        self._restriction_field = restriction_field

    async def of(self, it: Holding) -> Standing | None:
        """None if it is gone; what lies in the bin is still there."""
        row = await self.row(it)
        if row is None:
            return None
        schema = await self.schema(it.kind)
        return Standing(restricted=await self._is_restricted(it, row), data=says(schema, row))

    async def restrict(self, it: Holding, *, lift: bool) -> Outcome:
        """Mark a record, or take the mark off; what bears none itself is not changed."""
        row = await self.row(it)
        if row is None or row["IsDeleted"]:
            return unchangeable(row)
        mark = await self._mark(it.kind)
        is_set = await self._is_restricted(it, row)
        if is_set is not lift:
            return Restricted()
        if mark is None:
            return await self._unmarked(it, row)
        return _kept(mark, row, lift=lift) or await self._write(it, row, mark, lift=lift)

    async def _write(self, it: Holding, row: Row, mark: Mark, *, lift: bool) -> Outcome:
        try:
            is_there = await mark.write(await self.schema(it.kind), row, is_set=not lift)
        except TerminalError as error:
            if error.reason not in REASONS:
                raise
            return Failed(error.reason)
        return Restricted() if is_there else unchangeable(await self.row(it))

    async def row(self, it: Holding) -> Row | None:
        """What is to be known of a record: one query. Those in the bin are found as well."""
        id_, *linked = it.id.split("/")
        if len(linked) != (it.kind == "file"):  # of which the record follows that it hangs on
            raise TerminalError("not the id of a holding")
        check_ids((id_, *linked))
        schema, mark = await self.schema(it.kind), await self._mark(it.kind)
        fields = {
            *("Id", "IsDeleted", "SystemModstamp"),
            *(set(schema.table.owners) - {LINKED}),
            *({"FirstName", "LastName", IS_CONVERTED, *DATA.get(it.kind, {}).values()}),
        }
        asked = [*sorted(fields & schema.names), *(mark.fields if mark else ())]
        (condition,) = soql.any_of({"Id": [id_]})
        query = soql.select(asked, schema.table.name, f"WHERE {condition}")
        found = [row async for rows in self._rest.query(query) for row in rows]
        if not all(row.keys() >= {name.partition(".")[0] for name in asked} for row in found):
            raise RetryableError(f"GET /queryAll: not a {schema.table.name}")
        found = [row for row in found if row["Id"] == id_]
        return found[0] | ({LINKED: linked[0]} if linked else {}) if found else None

    async def schema(self, kind: str) -> Schema:
        """Raises `TerminalError` for what is no kind of ours."""
        if kind not in TABLES:
            raise TerminalError("not the id of a holding")
        return (await self._org.schemas())[kind]

    async def _mark(self, kind: str) -> Mark | None:
        """The one that records of a kind bear themselves."""
        schemas = await self._org.schemas()
        if self._checkbox:
            return self._checkbox if self._restriction_field in schemas[kind].names else None
        linked = {it: schemas[it] for it in PEOPLE if LINK in schemas[it].names}
        if "individual" not in schemas or kind not in linked:
            return None
        return Flag(self._rest, tuple(it.table.name for it in linked.values()))

    async def _is_restricted(self, it: Holding, row: Row) -> bool:
        """By its own mark, or by that of what it is part of."""
        mark = await self._mark(it.kind)
        if mark is not None:
            return mark.is_set(row)
        of = owner(await self.schema(it.kind), row)
        around = None if of is None else await self.row(of)
        return of is not None and around is not None and await self._is_restricted(of, around)

    async def _unmarked(self, it: Holding, row: Row) -> Outcome:
        """Why it cannot be marked by itself."""
        if owner(await self.schema(it.kind), row) is not None:
            return NotSupported("follows")
        return NeedsHuman("no_mark") if it.kind in PEOPLE else NotSupported("no_owner")


def _kept(mark: Mark, row: Row, *, lift: bool) -> Outcome | None:
    """Why a record's own mark is not ours to change; None if it is."""
    if row.get(IS_CONVERTED):
        return NotSupported("converted")
    return NeedsHuman("whose_flag") if lift and not mark.is_ours(row) else None
