"""What marks a record as not to be used: a checkbox of the org's own, or its Individual.

An Individual is whom contacts and leads are records of, where Data Protection and Privacy is on:
its flag `HasOptedOutProcessing` holds for all that are linked to it. Salesforce enforces neither:
what works with the records has to look. A flag may as well be the person's own wish: only an
Individual that we made ourselves is taken away again, of any other a person decides.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_individual.htm
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Final

from connectors.sdk.interface import ConnectorError, RetryableError, TerminalError

from . import soql
from .rest import Rest
from .schema import Row, Schema
from .tables import INDIVIDUAL, PROCESSING

LINK: Final = "IndividualId"
OBJECT: Final = INDIVIDUAL.name
MADE: Final = "Habeas: not to be processed"
"""The last name of an Individual that we made for a record that had none: it names nobody."""


class Mark(ABC):
    """On the records of some objects; `fields` are what has to be read to see it."""

    fields: tuple[str, ...]

    @abstractmethod
    def is_set(self, row: Row) -> bool:
        """Whether a record bears it."""

    def is_ours(self, row: Row) -> bool:
        """Whether it says nothing but that we set it."""
        del row
        return True

    @abstractmethod
    async def write(self, schema: Schema, row: Row, *, is_set: bool) -> bool:
        """Set it, or take it off; false if the record is deleted."""


class Checkbox(Mark):
    """A field of the org's own, `Processing_Restricted__c`."""

    def __init__(self, rest: Rest, field: str) -> None:
        self._rest = rest
        self._field = field
        self.fields = (field,)

    def is_set(self, row: Row) -> bool:
        """Whether it is ticked."""
        return row[self._field] is True

    async def write(self, schema: Schema, row: Row, *, is_set: bool) -> bool:
        """One change of the record."""
        return await self._rest.update(schema.table.name, row["Id"], {self._field: is_set})


class Flag(Mark):
    """`HasOptedOutProcessing` of the Individual that a record is linked to."""

    fields = (LINK, f"{OBJECT}.{PROCESSING}", f"{OBJECT}.LastName")

    def __init__(self, rest: Rest, objects: tuple[str, ...]) -> None:
        """`objects` are those that can be linked to an Individual, by API name."""
        self._rest = rest
        self._objects = objects

    def is_set(self, row: Row) -> bool:
        """Whether there is an Individual with the flag."""
        return bool(row[LINK]) and _person(row)[PROCESSING] is True

    def is_ours(self, row: Row) -> bool:
        """Whether we made the Individual, and nobody has named it since."""
        return bool(row[LINK]) and _person(row)["LastName"] == MADE

    async def write(self, schema: Schema, row: Row, *, is_set: bool) -> bool:
        """The flag; without an Individual one is made, and what we made is taken away again."""
        name = schema.table.name
        if not is_set:
            return await self._unlink(name, row)
        if not row[LINK]:
            return await self._link(name, row["Id"])
        if not await self._rest.update(OBJECT, row[LINK], {PROCESSING: True}):
            raise RetryableError(f"PATCH /sobjects/{OBJECT}/{{id}}: gone meanwhile")
        return True

    async def _link(self, name: str, id_: str) -> bool:
        made = await self._rest.create(OBJECT, {"LastName": MADE, PROCESSING: True})
        try:
            is_there = await self._rest.update(name, id_, {LINK: made})
        except ConnectorError:
            with suppress(ConnectorError):
                await self._rest.delete(OBJECT, made)
            raise
        if not is_there:
            await self._rest.delete(OBJECT, made)
        return is_there

    async def _unlink(self, name: str, row: Row) -> bool:
        """One that others were linked to meanwhile stays theirs."""
        is_there = await self._rest.update(name, row["Id"], {LINK: None})
        if not await self._is_linked(row[LINK]):
            await self._rest.delete(OBJECT, row[LINK])
        return is_there

    async def _is_linked(self, person: str) -> bool:
        for name in self._objects:
            where = f"WHERE {LINK} = {soql.text(person)}"
            async for rows in self._rest.query(soql.select(["Id"], name, where)):
                if rows:
                    return True
        return False


def _person(row: Row) -> dict[str, Any]:
    """The Individual of a record that has one, which the user must see to know how it stands."""
    match row.get(OBJECT):
        case dict() as person:
            return person
        case _:
            raise TerminalError(f"{OBJECT}: hidden", reason="forbidden")
