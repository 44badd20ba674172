"""Stripe's lists, objects and changes, as its API conventions have them.

Errors: https://docs.stripe.com/api/errors; idempotency: https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from connectors.sdk.calls import idempotency_key
from connectors.sdk.http import ABSENT, Absent, Answer, Http, as_form
from connectors.sdk.interface import RetryableError, TerminalError

Row = Mapping[str, Any]

VERSION: Final = "2026-10-28.endive"
"""The version of the API that the fields here are named by."""
PAGE: Final = "100"
LAST_PAGE: Final = 10_000
OF_ANOTHER: Final = frozenset({"charge", "customer", "id", "payment_intent"})
"""What a list can be a list of: only then can it be missing."""


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

    def __init__(self, url: str, api_key: str) -> None:
        key, headers = f"Bearer {api_key}", {"Stripe-Version": VERSION}
        self._http = Http(url, authorization=key, classify=_classify, headers=headers)
        self._changes = Http(url, authorization=key, classify=_classify_change, headers=headers)

    async def get(self, route: str, id_: str) -> Row | None:
        """An object by its id; None if Stripe has none. `deleted` is true of some that it had."""
        answer = await self._http.get(f"{route}/{{id}}", id=id_)
        return None if answer is None else _object(answer)

    async def first(self, route: str, query: Mapping[str, str]) -> None:
        """Read one of a list: proves that the key may."""
        _rows(await self._http.require(route, {**query, "limit": "1"}))

    async def pages(
        self, route: str, query: Mapping[str, str], **parts: str
    ) -> AsyncIterator[list[Row]]:
        """Every page of a list; none if what it is a list of (a customer) is not there."""
        after: dict[str, str] = {}
        for _ in range(LAST_PAGE):
            answer = await self._http.get(route, {**query, "limit": PAGE, **after}, **parts)
            if answer is None and after:  # the last one of the page before was deleted meanwhile
                raise RetryableError(f"GET {route}: the cursor is gone")
            if answer is None and OF_ANOTHER.isdisjoint((*query, *parts)):
                raise TerminalError(f"GET {route}: 404 where a list is due")
            if answer is None:
                return
            rows = _rows(answer)
            if rows:
                yield rows
            if not answer.body.get("has_more"):
                return
            following = {"starting_after": str(rows[-1]["id"])} if rows else after
            if following == after:
                raise RetryableError(f"GET {route}: a page that comes again")
            after = following
        raise TerminalError(f"GET {route}: does not end")

    async def hits(self, route: str, query: str) -> AsyncIterator[list[Row]]:
        """Every page of a search. Its index is late: what it finds may be changed or gone."""
        after: dict[str, str] = {}
        for _ in range(LAST_PAGE):
            answer = await self._http.require(route, {"query": query, "limit": PAGE, **after})
            rows = _rows(answer)
            if rows:
                yield rows
            following = answer.body.get("next_page")
            if not answer.body.get("has_more") or not following:
                return
            if after == {"page": following}:
                raise RetryableError(f"GET {route}: a page that comes again")
            after = {"page": str(following)}
        raise TerminalError(f"GET {route}: does not end")

    async def post(
        self, route: str, id_: str, fields: Mapping[str, str], *, action: str = ""
    ) -> None:
        """Change an object, or do with it what has a route of its own: `action` is `/detach`.

        Stripe answers a repeated key with what it said first, be it a 500: then, if the object can
        be read, the change is sent once more under a key that was never used.
        """
        # Another change of the same object in the same effect is another request.
        said = [f"{name}={value}" for name, value in sorted(fields.items())]
        change = f"{route}/{{id}}{action}"
        key = idempotency_key(change, id_, *said)
        try:
            await self._post(change, id_, fields, key)
        except _BrokenError:
            await self.get(route, id_)
            try:
                await self._post(change, id_, fields, uuid4().hex)
            except _BrokenError as error:
                raise RetryableError(str(error)) from None

    async def delete(self, route: str, id_: str) -> None:
        """Delete an object; also if it is gone already."""
        await self._http.delete(f"{route}/{{id}}", id=id_)

    async def close(self) -> None:
        """Release the session."""
        await self._http.__aexit__()
        await self._changes.__aexit__()

    async def _post(self, route: str, id_: str, fields: Mapping[str, str], key: str) -> None:
        await self._changes.send(
            "POST",
            route,
            payload=as_form(fields),
            headers={"Idempotency-Key": key},
            parts={"id": id_},
        )


def _object(answer: Answer) -> Row:
    if not isinstance(answer.body, dict) or "id" not in answer.body:
        raise RetryableError("Stripe: not an object")
    found: Row = answer.body
    return found


def _rows(answer: Answer) -> list[Row]:
    rows = answer.body.get("data") if isinstance(answer.body, dict) else None
    if not isinstance(rows, list):
        raise RetryableError("Stripe: not a list")
    return rows
