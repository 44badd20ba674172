"""Salesforce: contacts and leads, their cases, and what was said, noted and filed with them.

A lead and a contact stand for themselves, also one that became the other; all else is part of
them, those in the recycle bin included. What is never found is in `BEYOND`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.sdk.http import Ceilings, UnauthorisedError
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Capabilities,
    Category,
    Connector,
    Datum,
    Failed,
    Holding,
    Identifier,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    Right,
    Standing,
    Subject,
    TerminalError,
)
from connectors.sdk.spelling import cleaned

from . import soql
from .catalogue import BEYOND, REASONS
from .contact_dates import LAST_CONTACT
from .details import Details
from .everybody import Everybody
from .files import Files
from .individuals import LINK, Individuals
from .objection import Objection
from .org import Org
from .recycle_bin import gone, unchangeable
from .rest import Rest
from .schema import OwnFields, Row
from .search import BY_PIECES, Search
from .search import holding as holding_of
from .standing import Standings
from .tables import TABLES


class Salesforce(Connector):
    """One org. Reading needs View All Data and Query All Files: else rows are hidden in silence."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`url` is My Domain: `https://acme.my.salesforce.com`; `limits` are the edition's."""

        url: str
        client_id: str
        client_secret: str = field(repr=False)
        custom_fields: tuple[str, ...] = ("User_Id__c", "Other_Email__c", "Marketing_Interests__c")
        """The `__c` fields of `tables.py` that the org has, and others with their category:
        `Birthplace__c=identity`; `Score__c=none` for what says nothing of the person.
        """
        restriction_field: str = ""
        """The checkbox that marks a record as not to be used, `Processing_Restricted__c`, on those
        objects that have it. Without one, Individuals are flagged.
        """
        limits: tuple[str, ...] = ()
        answer_seconds: int = 130  # Salesforce itself gives a query up after 120

    capabilities = Capabilities(
        system="salesforce",
        rights=frozenset(
            {
                *(Right.ACCESS, Right.PORTABILITY, Right.ERASURE),
                *(Right.RECTIFICATION, Right.RESTRICTION, Right.OBJECTION),
            }
        ),
        kinds={kind: frozenset(table.content) for kind, table in TABLES.items()},
        fields={kind: table.fields for kind, table in TABLES.items()},
        limits=(Limit(calls=100_000, per=timedelta(hours=24)),),
        asked_by=frozenset({"email", "user_id"}),
        beyond=BEYOND,
        facts=frozenset({"customer", LAST_CONTACT}),
        lists_people=True,
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._rest = Rest(settings.url, settings.client_id, settings.client_secret, settings)
        self._own = OwnFields.read(settings.custom_fields, settings.restriction_field)
        self._org = Org(self._rest, self._own)
        self._files = Files(self._org, self._rest)
        self._individuals = Individuals(self._org, self._rest)
        self._standings = Standings(
            self._org, self._rest, self._individuals, settings.restriction_field
        )
        self._details = Details(self._rest)
        self._objection = Objection(self._org, self._rest, self._individuals)

    async def check(self) -> None:
        """Read each object's description: one that the user may not see is an error."""
        await self._org.described()
        needed = ("PermissionsViewAllData", "PermissionsQueryAllFiles")
        async for rows in self._rest.query(soql.select(["Id", *needed], "UserPermissionAccess")):
            for it in needed:
                if not any(row.get(it) is True for row in rows):
                    raise TerminalError(f"check: {it} is not granted", reason="forbidden")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        usable, ours = self.usable(subject), [it for it in known if it.kind in TABLES]
        if not usable and not ours:
            return
        found = Search(subject, usable, await self._org.schemas())
        for kind in reversed([*TABLES]):  # what hangs on a record comes after it
            ids = [it.id for it in ours if it.kind == kind]
            async for rows in self._find(kind, {"Id": ids}):
                yield found.page(kind, rows, is_known=True)
        yield Page(gone=tuple(it for it in ours if not found.has(it)))
        for kind, wanted in found.steps():
            async for rows in self._find(kind, wanted):
                yield found.page(kind, rows)
        yield Page(facts=found.facts())

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """What a field of Salesforce's can hold; user ids where the org has a field for them."""
        kinds = {"email", "user_id"} if "User_Id__c" in self._own.named else {"email"}
        strong = (it for it in subject.identifiers if it.strong and it.kind in kinds)
        return tuple(it for it in strong if soql.possible(cleaned(it.value)))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        row = await self._row(holding)
        if row is None:
            return
        it = holding_of((await self._org.schemas())[holding.kind], row)
        yield Record.of(it, row)
        if holding.kind in BY_PIECES:
            async for record in self._files.export(it, row):
                yield record

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        row = await self._row(holding)
        if row is None or row.get("IsDeleted"):
            return await self._gone(row)
        table = TABLES[holding.kind]
        try:
            if not keep.isdisjoint(table.content):
                said = await self._blank(holding, row, keep)
                if said is not None:
                    return said
            elif await self._is_shared(holding, row):
                return NeedsHuman("shared")
            else:
                await self._rest.delete(table.name, row["Id"])
        except TerminalError as error:
            if error.reason not in REASONS:
                raise
            return Failed(error.reason)
        row = await self._row(holding)
        is_there = row is not None and not row.get("IsDeleted")
        return Failed("still_there") if is_there else await self._gone(row)

    async def standing(self, holding: Holding) -> Standing | None:
        return await self._standings.of(holding)

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        return await self._standings.restrict(holding, lift=lift)

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        row = await self._standings.row(holding)
        if row is None or row["IsDeleted"]:
            return unchangeable(row)
        said = await self._details.write(await self._standings.schema(holding.kind), row, data)
        return unchangeable(await self._standings.row(holding)) if said is None else said

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        usable = Subject(self.usable(subject))
        if purpose != MARKETING or not usable.identifiers:
            return NotSupported(NOT_OFFERED)
        return await self._objection.make(usable)

    async def objected(self, subject: Subject, purpose: str) -> bool:
        usable = Subject(self.usable(subject))
        if purpose != MARKETING or not usable.identifiers:
            return await super().objected(subject, purpose)
        async for _ in self._objection.used(usable):
            return False
        return True

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Every record of each object, in the bin too, and what it hangs on."""
        async for page in Everybody(self._org, self._rest, self._files).pages(kinds, until):
            yield page

    async def __aexit__(self, *_: object) -> None:
        await self._rest.close()

    async def _gone(self, row: Row | None) -> Outcome:
        """What became of a deleted record. An Individual that we made to mark it goes with it.

        That one names nobody: it stays where the user may not delete it.
        """
        person = row and row.get(LINK)
        if person and "individual" in await self._org.schemas():
            try:
                await self._individuals.remove(person)
            except UnauthorisedError:
                raise
            except TerminalError as error:
                if error.reason not in REASONS:
                    raise
        return gone(row)

    async def _blank(
        self, holding: Holding, row: Row, keep: frozenset[Category]
    ) -> Mapping[Category, Outcome] | None:
        """Blank what can be blank and is not yet; None if the record was deleted meanwhile."""
        schema = (await self._org.schemas())[holding.kind]
        blank = {} if schema.table.is_whole else schema.fields.blanks(row, keep)
        if blank and not await self._rest.update(schema.table.name, holding.id, blank):
            return None
        return schema.fields.outcomes(row, holding.categories - keep)

    async def _find(
        self, kind: str, wanted: Mapping[str, Iterable[str]]
    ) -> AsyncIterator[list[Row]]:
        if kind == "file":
            yield await self._files.find(wanted)
            return
        async for rows in self._org.find(kind, wanted):
            yield rows

    async def _row(self, of: Holding) -> Row | None:
        found = [row async for rows in self._find(of.kind, {"Id": [of.id]}) for row in rows]
        return found[0] if found else None

    async def _is_shared(self, of: Holding, row: Row) -> bool:
        """Whether it is somebody else's too: a file on their record, or an appointment."""
        if of.kind == "file":
            return await self._files.is_shared(row["Id"])
        people = row.get("WhoCount")  # only where an org lets activities have several
        return isinstance(people, int) and people > 1
