"""What marks a record as not to be used: a checkbox of the org's own, or its Individual.

The flag `HasOptedOutProcessing` of an Individual holds for all that are linked to it. Salesforce
enforces neither: what works with the records has to look. A flag may as well be the person's own
wish: only an Individual that we made ourselves is taken away again, of any other a person decides.
So they do of one that other records are linked to, which may be somebody else's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from connectors.sdk.interface import ConnectorError, RetryableError, TerminalError

from .individuals import LINK, MADE, OBJECT, Individuals
from .rest import Rest
from .schema import Row, Schema
from .tables import CONVERTED, PROCESSING


class Mark(ABC):
    """On the records of some objects; `fields` are what has to be read to see it."""

    fields: tuple[str, ...]

    @abstractmethod
    async def is_set(self, row: Row) -> bool | None:
        """Whether a record bears it; None if what it bears may be set for somebody else."""

    def is_ours(self, row: Row) -> bool:
        """Whether it says nothing but that we set it."""
        del row
        return True

    async def is_shared(self, row: Row) -> bool:
        """Whether setting it would mark other records as well."""
        del row
        return False

    @abstractmethod
    async def write(self, schema: Schema, row: Row, *, is_set: bool) -> bool:
        """Set it, or take it off; false if the record is deleted."""


class Checkbox(Mark):
    """A field of the org's own, `Processing_Restricted__c`."""

    def __init__(self, rest: Rest, field: str) -> None:
        self._rest = rest
        self._field = field
        self.fields = (field,)

    async def is_set(self, row: Row) -> bool:
        """Whether it is ticked."""
        return row[self._field] is True

    async def write(self, schema: Schema, row: Row, *, is_set: bool) -> bool:
        """One change of the record."""
        return await self._rest.update(schema.table.name, row["Id"], {self._field: is_set})


class Flag(Mark):
    """`HasOptedOutProcessing` of the Individual that a record is linked to."""

    fields = (LINK, f"{OBJECT}.{PROCESSING}", f"{OBJECT}.LastName")

    def __init__(self, rest: Rest, individuals: Individuals) -> None:
        self._rest = rest
        self._individuals = individuals

    async def is_set(self, row: Row) -> bool | None:
        """Whether there is an Individual with the flag. One that we made is linked to be marked."""
        if not row[LINK] or _person(row)[PROCESSING] is not True:
            return False
        return None if not self.is_ours(row) and await self.is_shared(row) else True

    def is_ours(self, row: Row) -> bool:
        """Whether we made the Individual, and nobody has named it since."""
        return bool(row[LINK]) and _person(row)["LastName"] == MADE

    async def is_shared(self, row: Row) -> bool:
        """Whether others are linked to the Individual: whose they are is not known."""
        theirs = {row["Id"], row.get(CONVERTED) or row["Id"]}
        return bool(row[LINK]) and bool(await self._individuals.shared([row[LINK]], theirs))

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
        await self._individuals.remove(row[LINK])
        return is_there


def _person(row: Row) -> dict[str, Any]:
    """The Individual of a record that has one, which the user must see to know how it stands."""
    match row.get(OBJECT):
        case dict() as person:
            return person
        case _:
            raise TerminalError(f"{OBJECT}: hidden", reason="forbidden")
