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
from .details import DATA, READ, says
from .individuals import LINK, SHARED, Individuals
from .marks import Checkbox, Flag, Mark
from .org import Org, check_ids
from .recycle_bin import unchangeable
from .rest import Rest
from .schema import Row, Schema
from .search import owner
from .tables import CONVERTED, LINKED, PEOPLE, TABLES

IS_CONVERTED: Final = "IsConverted"


class Standings:
    """Of the records of one org."""

    def __init__(
        self, org: Org, rest: Rest, individuals: Individuals, restriction_field: str
    ) -> None:
        """`restriction_field` is the checkbox; where there is none, the Individual is flagged."""
        self._org = org
        self._rest = rest
        self._flag = Flag(rest, individuals)
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
        if is_set is (not lift):
            return Restricted()
        if mark is None:
            return await self._unmarked(it, row)
        kept = await _kept(mark, row, lift=lift)
        return kept or await self._write(it, row, mark, lift=lift)

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
            *({"FirstName", "LastName", IS_CONVERTED, CONVERTED, *DATA.get(it.kind, {}).values()}),
            *READ.get(it.kind, ()),
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
        has_one = "individual" in schemas and kind in PEOPLE and LINK in schemas[kind].names
        return self._flag if has_one else None

    async def _is_restricted(self, it: Holding, row: Row) -> bool | None:
        """By its own mark, or by that of what it is part of; None if that may be another's."""
        mark = await self._mark(it.kind)
        if mark is not None:
            return await mark.is_set(row)
        of = owner(await self.schema(it.kind), row)
        around = None if of is None else await self.row(of)
        if of is None or around is None:
            return False
        return await self._is_restricted(of, around)

    async def _unmarked(self, it: Holding, row: Row) -> Outcome:
        """Why it cannot be marked by itself."""
        if owner(await self.schema(it.kind), row) is not None:
            return NotSupported("follows")
        return NeedsHuman("no_mark") if it.kind in PEOPLE else NotSupported("no_owner")


async def _kept(mark: Mark, row: Row, *, lift: bool) -> Outcome | None:
    """Why a record's own mark is not ours to change; None if it is."""
    if row.get(IS_CONVERTED):
        return NotSupported("converted")
    if lift and mark.is_ours(row):
        return None
    if await mark.is_shared(row):
        return NeedsHuman(SHARED)
    return NeedsHuman("whose_flag") if lift else None
