"""Mailgun: list members, suppressions (bounces, unsubscribes, complaints) and events.

https://documentation.mailgun.com/docs/mailgun/api-reference

Everything is per sending domain, and there is no lookup over all of them: each domain and each list
is asked for the address. Beyond its API: stored messages (purged by the vendor within days, no
way to delete one), events of mail that the person sent to us, allowlists, and what a template, a
tag or a route may say of somebody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from connectors.sdk.http import Http, UnauthorisedError, as_form, basic
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
    RetryableError,
    Right,
    Subject,
    TerminalError,
    lower,
)

Row = Mapping[str, Any]

MEMBER = "/v3/lists/{of}/members/{address}"
SUPPRESSION = {
    "bounce": "/v3/{of}/bounces/{address}",
    "unsubscribe": "/v3/{of}/unsubscribes/{address}",
    "complaint": "/v3/{of}/complaints/{address}",
}
OPTED_OUT = "opted_out_member"
"""A member still on a list, and not subscribed: without it, the next import subscribes it."""
ROUTES = {"member": MEMBER, OPTED_OUT: MEMBER, **SUPPRESSION}
EVENTS = "/v3/{of}/events"
OF_MEMBER = frozenset({Category.IDENTITY, Category.CONTACT, Category.PROFILE, Category.MARKETING})
KINDS: Mapping[str, frozenset[Category]] = {
    "member": OF_MEMBER,
    OPTED_OUT: OF_MEMBER,
    "bounce": frozenset({Category.TECHNICAL}),
    "unsubscribe": frozenset({Category.MARKETING}),
    "complaint": frozenset({Category.MARKETING}),
    "events": frozenset({Category.TECHNICAL, Category.USAGE}),
}
BLANKABLE = {Category.IDENTITY: ("name", ""), Category.PROFILE: ("vars", "{}")}
"""What of a member can be blanked; the address and the membership are one with the member."""
LAST_PAGE = 10_000
AGAIN = "a page that comes again"
REASONS = {
    "forbidden": "The API key may not do this.",
    "indivisible": "Address and membership of a list can only go together, with the member.",
    "refused": "Mailgun refused the request.",
}


class _NoDomainError(TerminalError):
    """There is no such domain, or none of this account."""


def _classify(status: int, body: Any) -> Exception | None:
    """A 404 is absence only where the vendor says that the address is not there."""
    said = str(body.get("message", "")) if isinstance(body, dict) else ""
    if status == HTTPStatus.NOT_FOUND and said.lower().startswith("domain"):
        return _NoDomainError("no such domain")
    return None


class Mailgun(Connector):
    """One Mailgun account in one region."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        """`url` is `https://api.mailgun.net`, or `https://api.eu.mailgun.net`.

        `retention_days` is how long the plan keeps events (30 at most).
        """

        url: str
        api_key: str = field(repr=False)
        retention_days: int = 30

    capabilities = Capabilities(
        system="mailgun",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        kinds=KINDS,
        limits=(Limit(calls=100, per=timedelta(seconds=1)),),  # ours: none is published for these
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        key = basic("api", settings.api_key)
        self._http = Http(settings.url, authorization=key, classify=_classify)
        self._keeps = timedelta(days=settings.retention_days)

    async def check(self) -> None:
        """Reads a list, and of the first domain a suppression of each kind and an event."""
        _items((await self._http.require("/v3/lists/pages", {"limit": "1"})).body)
        async for domain in self._domains():
            for kind in SUPPRESSION:
                route = f"/v3/{{of}}/{kind}s"
                _items((await self._http.require(route, {"limit": "1"}, of=domain)).body)
            _items((await self._http.require(EVENTS, {"limit": "1"}, of=domain)).body)
            return

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """What every list and every domain has under an address, as written and in lower case."""
        seen = set(known)
        for holding in known:
            page = await self._again(holding)
            if page is None:
                yield Page(gone=(holding,))
            else:
                seen.update(page.holdings)
                yield _under(holding, page)
        emails = [it for it in subject.identifiers if it.kind == "email" and it.strong]
        written = {it.value.strip() for it in emails}
        written |= {lower(it) for it in written}
        addresses = sorted(it for it in written if _is_address(it))
        if not addresses:
            return
        places = [("member", it) async for it in self._lists()]
        async for domain in self._domains():
            places += [(kind, domain) for kind in (*SUPPRESSION, "events")]
        for kind, of in places:
            for address in addresses:
                page = await self._read(_holding(kind, of, address))
                # Mailgun may fold case: one thing that is found under two spellings is one.
                found = tuple(it for it in page.holdings if it not in seen) if page else ()
                if page and found:
                    seen.update(found)
                    yield page

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """Events, a page of them at a time; all else came whole."""
        of, address = _parts(holding)
        if holding.kind != "events":
            page = await self._read(holding)
            for record in page.records if page else ():
                yield record
            return
        async for rows in self._events(of, address):
            yield Record.of(holding, rows)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """A member or a suppression goes by its address, never a collection; events expire."""
        of, address = _parts(holding)
        keep &= KINDS.get(holding.kind, frozenset())
        try:
            if await self._again(holding) is None:
                return Erased()
            if holding.kind == "events":
                return await self._expiry(of, address)
            if keep:
                return await self._blank(holding, keep)
            await self._http.delete(ROUTES[holding.kind], of=of, address=address)
            return Erased()
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _blank(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        of, address = _parts(holding)
        due = (holding.categories or KINDS[holding.kind]) - keep
        blank = BLANKABLE.keys() if ROUTES[holding.kind] == MEMBER else frozenset()
        fields = dict(BLANKABLE[it] for it in due & blank)
        if fields:
            await self._http.put(MEMBER, as_form(fields), of=of, address=address)
        return {it: Redacted() if it in blank else NotSupported("indivisible") for it in due}

    async def _expiry(self, of: str, address: str) -> Outcome:
        """When the last event is purged: by its own time, so that asking twice agrees."""
        async for rows in self._events(of, address, limit=1):  # the newest
            latest = float(rows[0].get("timestamp") or 0)
            if not latest:
                raise RetryableError("Mailgun: an event without its time")
            return Expires(datetime.fromtimestamp(latest, UTC) + self._keeps)
        return Erased()

    async def _again(self, holding: Holding) -> Page | None:
        """A holding that was found once; None if it is gone, or its whole domain."""
        try:
            return await self._read(holding)
        except _NoDomainError:
            of, _ = _parts(holding)
            if of in [it async for it in self._domains()]:
                raise
            return None

    async def _read(self, holding: Holding) -> Page | None:
        """The holding, read by its own id; None if there is none."""
        of, address = _parts(holding)
        if holding.kind == "events":
            async for rows in self._events(of, address, limit=1):
                found = _holding("events", of, str(rows[0]["recipient"]))
                return Page(holdings=(_of(found, KINDS["events"]),))
            return None
        answer = await self._http.get(ROUTES[holding.kind], of=of, address=address)
        if answer is None:
            return None
        of_list = ROUTES[holding.kind] == MEMBER
        row = _row(answer.body.get("member") if of_list else answer.body)
        if not _same(row["address"], address):  # Mailgun may fold more than we do
            return None
        kind = holding.kind if not of_list else _member(row)
        found = _of(_holding(kind, of, str(row["address"])), _categories(kind, row))
        return Page(holdings=(found,), records=(Record.of(found, row),))

    async def _domains(self) -> AsyncIterator[str]:
        skip = 0
        before: list[Row] = []
        while True:
            query = {"limit": "1000", "skip": str(skip)}
            answer = await self._http.require("/v4/domains", query)
            rows = _items(answer.body)
            if rows and rows == before:
                raise RetryableError(f"GET /v4/domains: {AGAIN}")
            for it in rows:
                yield str(it["name"])
            skip, before = skip + len(rows), rows
            if not rows:
                return

    async def _lists(self) -> AsyncIterator[str]:
        query = {"limit": "100"}
        for _ in range(LAST_PAGE):
            answer = await self._http.require("/v3/lists/pages", query)
            rows = _items(answer.body)
            if not rows:
                return
            for it in rows:
                yield str(it["address"])
            following = dict(parse_qsl(urlsplit(_next(answer.body)).query))
            if following == query:
                raise RetryableError(f"GET /v3/lists/pages: {AGAIN}")
            query = following
        raise TerminalError("GET /v3/lists/pages: does not end")

    async def _events(self, of: str, address: str, limit: int = 300) -> AsyncIterator[list[Row]]:
        """Pages of events, the newest first; the end is an empty one.

        Ascending, Mailgun begins at the time of the request, and finds nothing.
        """
        query = {"recipient": address, "limit": str(limit), "ascending": "no"}
        answer, before = await self._http.require(EVENTS, query, of=of), ""
        for _ in range(LAST_PAGE):
            rows = [it for it in _items(answer.body) if _same(it.get("recipient"), address)]
            if not _items(answer.body):
                return
            if rows:
                yield rows
            token = unquote(urlsplit(_next(answer.body)).path.rpartition("/")[2])
            if token == before:
                raise RetryableError(f"GET {EVENTS}: {AGAIN}")
            before = token
            answer = await self._http.require(f"{EVENTS}/{{page}}", of=of, page=token)
        raise TerminalError(f"GET {EVENTS}: does not end")


def _holding(kind: str, of: str, address: str) -> Holding:
    """`of` is the list's address, or the sending domain."""
    return Holding(kind, f"{quote(of, safe='@')}/{address}")


def _parts(holding: Holding) -> tuple[str, str]:
    quoted, _, address = holding.id.partition("/")
    of = unquote(quoted)
    if not of or not _is_address(address):  # an empty one would name the whole collection
        raise TerminalError("not the id of a holding")
    return of, address


def _of(holding: Holding, categories: frozenset[Category]) -> Holding:
    return Holding(holding.kind, holding.id, categories)


def _under(known: Holding, page: Page) -> Page:
    """What was read again, under the handle that it was known by: it may be spelt otherwise now."""
    found = _of(known, page.holdings[0].categories)
    records = tuple(Record(found, it.body, it.content_type) for it in page.records)
    return Page(holdings=(found,), records=records)


def _member(row: Row) -> str:
    return OPTED_OUT if row.get("subscribed") is False else "member"


def _categories(kind: str, row: Row) -> frozenset[Category]:
    if ROUTES.get(kind) != MEMBER:
        return KINDS[kind]
    content = {Category.IDENTITY: row.get("name"), Category.PROFILE: row.get("vars")}
    filled = {it for it, value in content.items() if value}
    return frozenset(filled | {Category.CONTACT, Category.MARKETING})


def _is_address(text: str) -> bool:
    """Something that a mailbox can be called; no lookup with anything else, whatever it means."""
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and text.isprintable() and " " not in text


def _same(one: object, other: str) -> bool:
    return lower(str(one)) == lower(other)


def _row(body: Any) -> Row:
    if not isinstance(body, dict) or "address" not in body:
        raise RetryableError("Mailgun: not a record")
    return body


def _items(body: Any) -> list[Row]:
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise RetryableError("Mailgun: not a list")
    found: list[Row] = body["items"]
    return found


def _next(body: Any) -> str:
    following = body.get("paging", {}).get("next") if isinstance(body, dict) else None
    if not following:
        raise RetryableError("Mailgun: a page without its next")
    return str(following)
