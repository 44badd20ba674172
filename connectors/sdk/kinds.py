"""Reads that are declared: which records a vendor has, where they are, what they bear and hang on.

From its kinds a connector gets `check`, `locate` and `export`, or the steps of them that fit. How
something is erased stays code: half of it is decisions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, Literal

from .download import filed
from .fields import Fields, at
from .http import Http
from .interface import (
    Borne,
    Category,
    Datum,
    Holding,
    NotFoundError,
    Page,
    Record,
    RetryableError,
    Subject,
    TerminalError,
)
from .pages import Paging, Row, first, pages, row_of
from .spelling import cleaned

STRONG: Final = frozenset({"email", "user_id"})
"""The kinds of identifiers that tell people apart: a phone and a name are shared."""
CANARY: Final = "habeas-canary"
"""An id that nothing has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of records: of those that bear an identifier, or of those that are part of another."""

    route: str
    paging: Paging
    by: Mapping[str, str] = field(default_factory=dict)
    """Parameters that ask for an identifier, and its kind."""
    of: str = ""
    """The kind that the records are part of, if they are asked for by that."""
    parameter: str = "id"
    """Where the id of that one goes: a part of the route if it is in it, else of the query."""
    queries: Sequence[Mapping[str, str]] = ({},)
    """What else is said, each in its turn: a list may leave out what is blocked or deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that a record names: `address` as the record gives it, or its own `route` and parts.

    `name` is what the vendor calls it, `size` how many bytes it says that it has.
    """

    route: str
    address: str = ""
    name: str = ""
    size: int | None = None
    parts: Mapping[str, str] = field(default_factory=dict)


Files = Callable[[Row], Iterable[File]]


def _no_files(_: Row) -> Iterable[File]:
    return ()


def _never(_: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A list inside a record. What is absent from the record is not empty: it is asked for.

    A route without `/` at its beginning goes on from the record's own.
    """

    listing: Listing
    is_all: Callable[[Any], bool] = _never
    """Whether what the record itself shows is all of it."""
    files: Files = _no_files
    """Of each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record."""

    name: str
    routes: tuple[str, ...]
    """By its id: where it may be, `/contacts/{id}`; the first place that has it counts."""
    fields: Fields
    bears: Mapping[str, str] | Callable[[Row], Iterable[Borne]] = field(default_factory=dict)
    """Which field is which kind of identifier, or everything it bears."""
    owner: tuple[str, str] | None = None
    """The kind that owns it, and the field with its id (or with it, expanded)."""
    key: str = "id"
    lists: Sequence[Listing] = ()
    listed: Literal["whole", "part", "id"] = "whole"
    """What of it a list's row is: all of it; enough to know whose it is; no more than its id."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    files: Files = _no_files
    made: str = ""
    """The field that says when it was made; empty if none does."""
    data: Mapping[Datum, str] = field(default_factory=dict)
    """Which field says which of what can be corrected: `Datum.CITY` is `address.city`."""
    passing: frozenset[str] = frozenset()
    """Fields that say something else at each reading, wherever they are: addresses that are good
    for some minutes. A copy is without them.
    """

    def record(self, it: Holding, row: Row) -> Record:
        """A row as it is copied."""
        return Record.of(it, _without(row, self.passing) if self.passing else row)

    def holding(self, row: Row, owner: Holding | None = None) -> Holding:
        """What a row is. `owner` is told where the row names none."""
        of, name = self.owner or ("", "")
        id_ = reference(at(row, name)) if name else ""
        return Holding(
            self.name,
            str(row[self.key]),
            self.fields.of(row),
            tuple(self.borne(row)),
            Holding(of, id_) if id_ else owner,
        )

    def borne(self, row: Row) -> Iterable[Borne]:
        """All that a row itself says about who it is of."""
        if callable(self.bears):
            return self.bears(row)
        told = ((name, kind, at(row, name)) for name, kind in self.bears.items())
        return [
            Borne(name, kind, str(value))
            for name, kind, value in told
            if isinstance(value, str | int) and not isinstance(value, bool) and cleaned(str(value))
        ]

    def says(self, row: Row) -> dict[Datum, str]:
        """For `Standing.data`: what a row says now of what can be corrected."""
        told = {it: at(row, name) for it, name in self.data.items()}
        return {it: "" if value is None else str(value) for it, value in told.items()}

    def is_whole(self, row: Row) -> bool:
        """Whether nothing has to be fetched beside a row that is whole itself."""
        shown = all(part.is_all(row.get(name)) for name, part in self.parts.items())
        return shown and not any(True for _ in self.files(row))


def categories(kinds: Iterable[Kind]) -> dict[str, frozenset[Category]]:
    """For `Capabilities.kinds`."""
    return {kind.name: kind.fields.every for kind in kinds}


def tables(kinds: Iterable[Kind]) -> dict[str, Fields]:
    """For `Capabilities.fields`."""
    return {kind.name: kind.fields for kind in kinds}


def reference(value: Any) -> str:
    """The id of another record, which may stand there whole; empty if there is none."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(it, names) for key, it in value.items() if key not in names}
    return [_without(it, names) for it in value] if isinstance(value, list) else value


class Reads:
    """Reads the kinds of one account."""

    def __init__(
        self,
        http: Http,
        kinds: Iterable[Kind],
        *,
        asked_by: frozenset[str] = frozenset({"email"}),
        missing: str = "",
    ) -> None:
        """`missing` is the catalogue code of a file that could not be fetched."""
        self.http = http
        self.kinds = {kind.name: kind for kind in kinds}
        self.tells = STRONG & asked_by
        """What a record says of who it is of that would have found it."""
        self._missing = missing

    async def check(self) -> None:
        """Read one of every list that can be read by itself; of a kind without any, an id."""
        for kind in self.kinds.values():
            by_itself = [it for it in kind.lists if "{" not in it.route]
            for it in by_itself[:1]:
                await first(self.http, it.route, it.paging, it.queries[0])
            if not by_itself:
                await self.http.get(kind.routes[0], id=CANARY)

    async def find(self, it: Holding) -> tuple[str, Row] | None:
        """A record, by its own id, and the route that has it; None if there is none."""
        kind = self.kinds.get(it.kind)
        if kind is None:
            raise TerminalError("not the id of a holding")
        for route in kind.routes:
            answer = await self.http.get(route, id=it.id)
            if answer is not None:
                return route, row_of(answer.body, f"GET {route}", kind.key)
        return None

    async def row(self, it: Holding) -> Row | None:
        """A record, by its own id; None if there is none."""
        found = await self.find(it)
        return None if found is None else found[1]

    async def listed(
        self, listing: Listing, of: str = "", more: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Row]]:
        """Every page of a list, or of that part of it that is `of` another record."""
        in_route = f"{{{listing.parameter}}}" in listing.route
        parts = {listing.parameter: of} if of and in_route else {}
        asked = {listing.parameter: of} if of and not in_route else {}
        for query in listing.queries:
            given = {**query, **asked, **(more or {})}
            async for rows in pages(self.http, listing.route, listing.paging, given, **parts):
                yield rows

    async def export(self, it: Holding) -> AsyncIterator[Record]:
        """The record, the lists inside it page by page, and its files."""
        found = await self.find(it)
        if found is None:
            return
        route, row = found
        try:
            async for record in self._whole(it, route, row):
                yield record
        except NotFoundError:
            now = await self.find(it)
            if now is None:  # it vanished meanwhile, and took them along
                return
            if now[0] == route:
                raise
            raise RetryableError(f"GET {route}: moved meanwhile") from None

    async def _whole(self, it: Holding, route: str, row: Row) -> AsyncIterator[Record]:
        kind = self.kinds[it.kind]
        files = list(kind.files(row))
        for name, part in kind.parts.items():
            if part.is_all(row.get(name)):
                continue
            async for rows in self.listed(_from(route, part.listing), it.id):
                yield kind.record(it, {**row, name: rows})
                row = {kind.key: row[kind.key]}
                files += [file for inner in rows for file in part.files(inner)]
        if len(row) > 1 or not kind.parts:
            yield kind.record(it, row)
        for file in files:
            opening = self.http.download(file.route, None, address=file.address, **file.parts)
            name, size = file.name, file.size
            async for record in filed(opening, it, name=name, size=size, missing=self._missing):
                yield record


def _from(route: str, listing: Listing) -> Listing:
    if listing.route.startswith("/"):
        return listing
    return Listing(
        route=f"{route}/{listing.route}",
        paging=listing.paging,
        parameter=listing.parameter,
        queries=listing.queries,
    )


class Look:
    """One search for one person: what it found it goes on with, and nothing is said twice."""

    def __init__(self, reads: Reads, asked: Subject) -> None:
        """`asked` is the subject by those identifiers that the system can be asked by."""
        self._reads = reads
        self.asked = asked
        self.found: dict[Holding, Holding] = {}
        """By kind and id."""
        self.followed: dict[Holding, None] = {}
        """What is looked for the children of: it bears what was asked for."""
        self._gone: set[Holding] = set()

    async def locate(self, known: Sequence[Holding]) -> AsyncIterator[Page]:
        """All steps, one after the other."""
        async for page in self.known(known):
            yield page
        for kind in self._reads.kinds.values():
            async for page in self.asked_by(kind):
                yield page
        async for page in self.children():
            yield page

    async def known(self, known: Sequence[Holding]) -> AsyncIterator[Page]:
        """Each of `known`, read by its own id, or said to be gone."""
        for it in known:
            row = await self._reads.row(it)
            if row is None:
                self._gone.add(it)
                yield Page(gone=(it,))
            else:
                yield self.page(self._reads.kinds[it.kind], [row], is_known=True)

    async def asked_by(self, kind: Kind) -> AsyncIterator[Page]:
        """What bears an identifier, from each list that can be asked by one."""
        for listing in kind.lists:
            for parameter, of in listing.by.items():
                for value in self.asked.forms(of):
                    async for rows in self._reads.listed(listing, more={parameter: value}):
                        async for page in self._new(kind, rows):
                            yield page

    async def children(self) -> AsyncIterator[Page]:
        """What is part of what is followed, and the children of these."""
        done: set[Holding] = set()
        while due := [it for it in self.followed if it not in done]:
            done.update(due)
            for kind, of in product(self._reads.kinds.values(), due):
                for listing in kind.lists:
                    if listing.of != of.kind:
                        continue
                    async for rows in self._reads.listed(listing, of.id):
                        own = [row for row in rows if _is_part(kind, row, of)]
                        yield self.page(kind, own, of, is_whole=kind.listed == "whole")

    def page(
        self,
        kind: Kind,
        rows: Iterable[Row],
        owner: Holding | None = None,
        *,
        is_known: bool = False,
        is_whole: bool = True,
    ) -> Page:
        """The rows that are new, each with its record if the row is the whole of it.

        `owner` is what led to those that name none themselves; `is_known` says that they were
        asked for by id.
        """
        fresh: dict[Holding, Row] = {}
        for row in rows:
            it = kind.holding(row, owner)
            if it in self.found or (it in self._gone):
                continue
            self.found[it], fresh[it] = it, row
            if self._is_followed(it, is_known=is_known):
                self.followed[it] = None
            self.take(it, row)
        whole = [it for it, row in fresh.items() if is_whole and kind.is_whole(row)]
        return Page(
            holdings=tuple(fresh), records=tuple(kind.record(it, fresh[it]) for it in whole)
        )

    def take(self, it: Holding, row: Row) -> None:
        """Called with everything that is found, for connectors that tell facts."""

    def bears_asked(self, it: Holding) -> bool:
        """Whether it bears an identifier that was asked by, which a careless filter may not see."""
        return any(self.asked.bears(one.kind, one.value) for one in it.bears)

    async def _new(self, kind: Kind, rows: list[Row]) -> AsyncIterator[Page]:
        if kind.listed != "id":
            theirs = [row for row in rows if self.bears_asked(kind.holding(row))]
            yield self.page(kind, theirs, is_whole=kind.listed == "whole")
            return
        for row in rows:
            it = Holding(kind.name, str(row[kind.key]))
            now = None if it in self.found else await self._reads.row(it)
            if now is not None and self.bears_asked(kind.holding(now)):
                yield self.page(kind, [now])

    def _is_followed(self, it: Holding, *, is_known: bool) -> bool:
        """A known one that bears nothing any more was blanked, perhaps by us."""
        tells = any(one.kind in self._reads.tells for one in it.bears)
        return self.bears_asked(it) or it.part_of in self.followed or (is_known and not tells)


def _is_part(kind: Kind, row: Row, of: Holding) -> bool:
    """Whether a row of a list of what is part of `of` says so itself, if it can."""
    return kind.owner is None or reference(at(row, kind.owner[1])) == of.id
