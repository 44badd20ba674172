"""Stripe's lists, objects and changes, as its API conventions have them.

Errors: https://docs.stripe.com/api/errors; idempotency: https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

from connectors.sdk.calls import idempotency_key
from connectors.sdk.http import ABSENT, Absent, Ceilings, Classify, Download, Http, as_form
from connectors.sdk.interface import NotFoundError, RetryableError, TerminalError
from connectors.sdk.pages import OF_EVERYBODY, Cursor, Row, first, pages, row_of

VERSION: Final = "2026-10-28.endive"
"""The version of the API that the fields here are named by."""


class Owner(NamedTuple):
    """An object that a list is a list of."""

    route: str
    id: str


class _BrokenError(TerminalError):
    """Stripe broke over a change. To the same key it says so again: the host must not repeat it."""


def _classify(status: int, body: Any) -> Exception | Absent | None:
    """A 404 is absence only if Stripe says which thing it misses; an unknown route is none."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} and code == "resource_missing":
        return ABSENT
    if status == HTTPStatus.NOT_FOUND:
        return TerminalError("no such route") if isinstance(body, dict) else RetryableError("")
    if status == HTTPStatus.CONFLICT:  # the same key in use, or another change under way
        return RetryableError("")
    return None


def _classify_change(status: int, body: Any) -> Exception | Absent | None:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(body, dict) and "error" in body:
        return _BrokenError("")
    return _classify(status, body)


class Client:
    """One Stripe account."""

    def __init__(self, url: str, api_key: str, ceilings: Ceilings) -> None:
        def http(classify: Classify) -> Http:
            return Http(
                url,
                authorization=f"Bearer {api_key}",
                classify=classify,
                headers={"Stripe-Version": VERSION},
                ceilings=ceilings,
            )

        self._http, self._changes = http(_classify), http(_classify_change)

    async def get(self, route: str, id_: str, expand: Sequence[str] = ()) -> Row | None:
        """An object by its id; None if Stripe has none. `deleted` is true of some that it had."""
        route = f"{route}/{{id}}"
        answer = await self._http.get(route, _expanded(expand), id=id_)
        return None if answer is None else row_of(answer.body, f"GET {route}")

    async def part(self, route: str, id_: str) -> Row | None:
        """What an object has one of, and has no id of its own."""
        answer = await self._http.get(route, id=id_)
        if answer is not None and not isinstance(answer.body, dict):
            raise RetryableError(f"GET {route}: not an object")
        return None if answer is None else answer.body

    async def first(self, route: str, query: Mapping[str, str]) -> None:
        """Read one of a list: proves that the key may."""
        await first(self._http, route, LISTS, query)

    async def pages(
        self,
        route: str,
        query: Mapping[str, str],
        of: Owner | None = None,
        expand: Sequence[str] = (),
        **parts: str,
    ) -> AsyncIterator[list[Row]]:
        """Every page of a list, be it empty; none if what it is `of` is not there any more.

        A list is missing only with its owner: that one is read again before it is believed.
        """
        asked = {**query, **_expanded([f"data.{it}" for it in expand])}
        try:
            async for rows in pages(self._http, route, LISTS, asked, **parts):
                yield rows
        except NotFoundError:
            owner = await self.get(of.route, of.id) if of else None
            if of is None or (owner is not None and owner.get("deleted") is not True):
                raise

    async def hits(self, route: str, query: str) -> AsyncIterator[list[Row]]:
        """Every page of a search. Its index is late: what it finds may be changed or gone."""
        async for rows in pages(self._http, route, HITS, {"query": query}):
            yield rows

    def file(self, route: str, address: str) -> AbstractAsyncContextManager[Download | None]:
        """A file at an address that Stripe gave; see `Http.download`."""
        return self._http.download(route, address=address)

    async def post(
        self, route: str, id_: str, fields: Mapping[str, str], *, action: str = ""
    ) -> bool:
        """Change an object, or do with it what has a route of its own: `action` is `/detach`.

        False if Stripe has no such object any more.

        Stripe answers a repeated key with what it said first, be it a 500: then, if the object can
        be read, the change is sent once more under a key that was never used.
        """
        # Another change of the same object in the same effect is another request.
        said = [f"{name}={value}" for name, value in sorted(fields.items())]
        change = f"{route}/{{id}}{action}"
        key = idempotency_key(change, id_, *said)
        try:
            return await self._post(change, id_, fields, key)
        except _BrokenError:
            await self.get(route, id_)
            try:
                return await self._post(change, id_, fields, uuid4().hex)
            except _BrokenError as error:
                raise RetryableError(str(error)) from None

    async def delete(self, route: str, id_: str, **parts: str) -> None:
        """Delete an object; also if it is gone already."""
        await self._http.delete(f"{route}/{{id}}", None, id=id_, **parts)

    async def close(self) -> None:
        """Release the session."""
        await self._http.__aexit__()
        await self._changes.__aexit__()

    async def _post(self, route: str, id_: str, fields: Mapping[str, str], key: str) -> bool:
        answer = await self._changes.send(
            "POST",
            route,
            payload=as_form(fields),
            headers={"Idempotency-Key": key},
            parts={"id": id_},
        )
        return answer is not None


def _expanded(names: Sequence[str]) -> dict[str, str]:
    return {f"expand[{n}]": name for n, name in enumerate(names)}


def _last(body: Any) -> object:
    """The cursor of a list: its last object, while there are more."""
    rows = body["data"]
    if not body.get("has_more"):
        return None
    if not rows:
        raise RetryableError("Stripe: a page that comes again")
    return rows[-1]["id"]


def _next(body: Any) -> object:
    return body.get("next_page") if body.get("has_more") else None


LISTS: Final = Cursor(
    parameter="starting_after", after=_last, rows="data", size=100, last=OF_EVERYBODY
)
HITS: Final = Cursor(parameter="page", after=_next, rows="data", size=100)
