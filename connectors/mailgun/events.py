"""Mailgun's events of one address, and the messages that they are about.

https://documentation.mailgun.com/docs/mailgun/user-manual/events/events
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.fields import at
from connectors.sdk.http import Http, UnauthorisedError
from connectors.sdk.interface import Holding, Record, RetryableError, TerminalError
from connectors.sdk.pages import OF_EVERYBODY, Link, Row, first, pages

from . import entry

ROUTE = "/v3/{of}/events"
MESSAGE = "/v3/domains/{of}/messages/{key}"
"""Of the API's own host. An event gives one at a storage host too: that is asked for nothing."""
MIME = "message/rfc822"
RAW = {"Accept": "message/rfc2822"}
"""Mailgun's name for the message as it was sent: JSON, and the whole of it in `body-mime`."""
LATE = timedelta(hours=1)
"""How late an event may come, and as much again."""
PIECE = 1024 * 1024
"""Characters of a message in a record, at most."""


def following(body: Any) -> str:
    """Where a list of Mailgun's goes on: each page says so, the last one is empty."""
    if not body["items"]:
        return ""
    address = at(body, "paging.next")
    if not isinstance(address, str) or not address:
        raise RetryableError("Mailgun: a page without its next")
    return address


PAGING = Link(rows="items", size=300, after=following, route=f"{ROUTE}/{{page}}", last=OF_EVERYBODY)


class Events:
    """The events of one account, by domain and recipient. They can only be read."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def check(self, of: str) -> None:
        """Read one of a domain's."""
        await first(self._http, ROUTE, PAGING, of=of)

    async def newest(self, of: str, address: str) -> Row | None:
        """The newest event; None if there is none."""
        async for rows in self._pages(of, address, limit="1"):
            return rows[0]
        return None

    async def last(self, of: str, address: str, keeps: timedelta) -> datetime | None:
        """When the last of them goes, if each is kept so long; None if there is none.

        Mailgun puts late ones in their place within half an hour: the first need not be the last.
        """
        async for rows in self._pages(of, address):
            return max(_end(row, keeps) for row in rows)
        return None

    async def records(self, of: str, address: str, holding: Holding) -> AsyncIterator[Record]:
        """All events, the newest first, and each message that Mailgun still has.

        What came late, while the others were read, stands at the beginning: it is read again, for
        as long as there is anything new. A page that shifts brings nothing twice.
        """
        seen: set[tuple[str, str]] = set()
        messages: set[str] = set()
        for is_again in (False, True):
            async for rows in self._pages(of, address):
                fresh = [row for row in rows if _mark(row) not in seen]
                seen.update(map(_mark, fresh))
                if fresh:
                    yield Record.of(holding, fresh)
                elif is_again:
                    return
                for key, name in _messages(fresh):
                    if key not in messages:
                        messages.add(key)
                        async for record in self._message(of, key, name, holding):
                            yield record

    async def everybodys(self, of: str) -> AsyncIterator[list[Row]]:
        """All events of a domain, the newest first.

        Mailgun puts late ones in their place within half an hour: what is as new is read again.
        """
        query, newest = {"limit": "300", "ascending": "no"}, 0.0
        for is_again in (False, True):
            async for rows in pages(self._http, ROUTE, PAGING, query, of=of):
                yield rows
                times = [_time(row) for row in rows]
                newest = newest or max(times, default=0.0)
                if is_again and min(times, default=0.0) < newest - LATE.total_seconds():
                    return

    async def _pages(self, of: str, address: str, limit: str = "300") -> AsyncIterator[list[Row]]:
        """Pages that have any: those of this mailbox alone.

        Ascending, Mailgun begins at the time of the request, and finds nothing.
        """
        query = {"recipient": address, "limit": limit, "ascending": "no"}
        async for rows in pages(self._http, ROUTE, PAGING, query, of=of):
            theirs = [row for row in rows if entry.same(row.get("recipient"), address)]
            if theirs:
                yield theirs

    async def _message(
        self, of: str, key: str, name: str, holding: Holding
    ) -> AsyncIterator[Record]:
        """A message as it was sent; nothing if Mailgun has purged it, as it does after days."""
        try:
            parts = {"of": of, "key": key}
            answer = await self._http.send("GET", MESSAGE, parts=parts, headers=RAW)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            yield Record(holding, b"", MIME, name=name, missing=refused.reason)
            return
        if answer is None:
            return
        mime = at(answer.body, "body-mime")
        if not isinstance(mime, str):
            raise RetryableError(f"GET {MESSAGE}: not a message")
        content = mime.encode(errors="surrogatepass")
        for start in range(0, len(content) or 1, PIECE):
            end = start + PIECE
            yield Record(holding, content[start:end], MIME, name=name, more=end < len(content))


def _mark(row: Row) -> tuple[str, str]:
    """An event's id is its own for a day."""
    return str(row["id"]), str(row.get("timestamp"))


def _end(row: Row, keeps: timedelta) -> datetime:
    """When an event goes, by Mailgun's clock, so that asking twice agrees."""
    try:
        return datetime.fromtimestamp(_time(row), UTC) + keeps
    except (ArithmeticError, OSError, ValueError):
        raise RetryableError("Mailgun: an event without its time") from None


def _time(row: Row) -> float:
    """When it was, in seconds since 1970."""
    try:
        return float(row.get("timestamp") or "none")
    except (TypeError, ValueError):
        raise RetryableError("Mailgun: an event without its time") from None


def _messages(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """The keys under which the messages of some events are stored, and what to call each."""
    for row in rows:
        key, id_ = at(row, "storage.key"), at(row, "message.headers.message-id")
        if isinstance(key, str) and key:
            yield key, f"{id_ if isinstance(id_, str) and id_ else key}.eml"
