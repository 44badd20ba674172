"""Individuals: whom contacts and leads are records of, where Data Protection and Privacy is on.

Several records may be linked to one, and Salesforce does not ask whether they are one person's:
what is changed of it, or read from it, is changed and read for all of them.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_individual.htm
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Final

from connectors.sdk.interface import RetryableError

from . import soql
from .org import Org
from .rest import Rest
from .schema import Row, Schema
from .tables import CONVERTED, INDIVIDUAL, PEOPLE

LINK: Final = "IndividualId"
OBJECT: Final = INDIVIDUAL.name
SHARED: Final = "shared_individual"
"""The catalogue's code of one that is linked to what may be somebody else's."""
MADE: Final = "Habeas: not to be processed"
"""The last name of an Individual that we made for a record that had none: it names nobody."""

_LINKED: Final[tuple[str, ...]] = ("Id", "IsDeleted", LINK)


class Individuals:
    """Those of one org."""

    def __init__(self, org: Org, rest: Rest) -> None:
        self._org = org
        self._rest = rest

    async def shared(self, ids: Iterable[str], theirs: Collection[str]) -> set[str]:
        """Those of `ids` that are linked to any other record than `theirs`, given by their ids.

        A lead that became one of theirs is theirs; what lies in the bin is nobody's.
        """
        return {
            row[LINK]
            async for row in self._linked(ids)
            if row["Id"] not in theirs and row.get(CONVERTED) not in theirs
        }

    async def remove(self, id_: str) -> None:
        """Take one away that we made, once nothing is linked to it; any other stays."""
        schema, fields = (await self._org.schemas())["individual"], ("Id", "IsDeleted", "LastName")
        (condition,) = soql.any_of({"Id": [id_]})
        rows = [row async for row in self._rows(schema, fields, condition)]
        is_made = any(row["Id"] == id_ and row["LastName"] == MADE for row in rows)
        if is_made and not await self.shared([id_], ()):
            await self._rest.delete(OBJECT, id_)

    async def _linked(self, ids: Iterable[str]) -> AsyncIterator[Row]:
        wanted, schemas = frozenset(ids), await self._org.schemas()
        for schema in (schemas[kind] for kind in PEOPLE if LINK in schemas[kind].names):
            fields = [it for it in (*_LINKED, CONVERTED) if it in schema.names]
            for condition in soql.any_of({LINK: wanted}, fields):
                async for row in self._rows(schema, fields, condition):
                    if row[LINK] in wanted:  # and not whatever a filter lets pass
                        yield row

    async def _rows(
        self, schema: Schema, fields: Sequence[str], condition: str
    ) -> AsyncIterator[Row]:
        """Without those in the bin."""
        name = schema.table.name
        async for rows in self._rest.query(soql.select(fields, name, f"WHERE {condition}")):
            if not all(schema.is_row(row, fields) for row in rows):
                raise RetryableError(f"GET /queryAll: not a {name}")
            for row in rows:
                if row["IsDeleted"] is not True:
                    yield row
