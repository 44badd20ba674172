"""JSON over HTTP to one vendor: fails in only two ways, and names nobody when it does."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from .answers import (
    JSON,
    Answer,
    UnauthorisedError,
    Unread,
    parsed,
    request_id,
    retry_after,
    taken,
    usual_reading,
)
from .calls import Call, Caller, call, caller, witness, witnessed
from .ceilings import Ceilings
from .download import Download, Downloads, absolute
from .interface import NotFoundError, RetryableError, TerminalError

__all__ = [
    "ABSENT",
    "JSON",
    "Absent",
    "Answer",
    "Authorization",
    "Call",
    "Caller",
    "Ceilings",
    "Classify",
    "Download",
    "Http",
    "Payload",
    "UnauthorisedError",
    "as_form",
    "as_json",
    "basic",
    "call",
    "caller",
    "retry_after",
    "witness",
    "witnessed",
]

T = TypeVar("T")

# Credentials.


class Authorization(Protocol):
    """Gives the `Authorization` header; a new one when `renew` says the last was refused."""

    async def __call__(self, *, renew: bool = False) -> str: ...


def basic(user: str, password: str) -> str:
    """The header of HTTP basic authentication."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class _Credential:
    """The header in use, renewed once for all calls that were refused with it."""

    def __init__(self, source: str | Authorization | None) -> None:
        self._source = source
        self._header = source if isinstance(source, str) else None
        self._lock = asyncio.Lock()

    async def header(self, *, refused: str | None = None) -> str | None:
        """The header, or another than `refused`; None if there is none (or no other)."""
        if self._source is None or isinstance(self._source, str):
            return None if refused else self._header
        async with self._lock:
            if self._header is None or self._header == refused:
                self._header = await self._source(renew=refused is not None)
            return self._header


# Requests and answers.


@dataclass(frozen=True, slots=True)
class Payload:
    """What a request carries."""

    content: bytes
    content_type: str = JSON

    def __repr__(self) -> str:
        return f"<Payload {self.content_type} {len(self.content)} bytes>"


def as_json(value: Any) -> Payload:
    """`value` as JSON."""
    return Payload(json.dumps(value).encode())


def as_form(fields: Mapping[str, str]) -> Payload:
    """`fields` as an HTML form would send them. `TerminalError` if one is not text."""
    try:
        content = urlencode(fields).encode()
    except UnicodeError:
        raise TerminalError("a form: not text") from None  # the cause quotes the value
    return Payload(content, "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    route: str
    url: URL
    headers: Mapping[str, str]
    payload: Payload | None
    accept: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


class Absent(Enum):
    """What `classify` says of an answer that means: there is no such thing."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

Classify = Callable[[int, Any], Exception | Absent | None]
"""A vendor's own reading of (status, parsed body or None); None leaves it to the usual rules."""


def _usual(_status: int, _body: Any) -> None:
    return None


class Http:
    """JSON over HTTP to one vendor.

    Routes are templates, `/lists/{name}/members/{email}`: the parts are quoted on the way out
    and left out of every error. A 404 is an answer: it comes back as None, except from `require`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        authorization: str | Authorization | None = None,
        classify: Classify = _usual,
        headers: Mapping[str, str] | None = None,
        ceilings: Ceilings = Ceilings(),  # noqa: B008  frozen
    ) -> None:
        """`ceilings` bound each answer: a connector's `Settings` can be them."""
        self._base_url = base_url.rstrip("/")
        self._credential = _Credential(authorization)
        self._classify = classify
        self._headers = {"Accept": JSON, "Accept-Encoding": "gzip, deflate", **(headers or {})}
        self._ceilings = ceilings
        self._downloads = Downloads(base_url, headers or {}, ceilings, self._refusal)
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, route: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer | None:
        """Read one thing; None if there is no such thing."""
        return await self.send("GET", route, query=query, parts=parts)

    async def require(
        self, route: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer:
        """Read what is always there, such as a list: a 404 is a `NotFoundError`, never absence."""
        answer = await self.send("GET", route, query=query, parts=parts)
        if answer is None:
            raise NotFoundError(f"GET {route}: 404 where an answer is due")
        return answer

    async def post(self, route: str, payload: Payload | None = None, **parts: str) -> Answer | None:
        """Send `payload`; None if there is no such thing."""
        return await self.send("POST", route, payload=payload, parts=parts)

    async def put(self, route: str, payload: Payload | None = None, **parts: str) -> Answer | None:
        """Replace or change; None if there is no such thing."""
        return await self.send("PUT", route, payload=payload, parts=parts)

    async def patch(
        self, route: str, payload: Payload | None = None, **parts: str
    ) -> Answer | None:
        """Change; None if there is no such thing."""
        return await self.send("PATCH", route, payload=payload, parts=parts)

    async def delete(
        self, route: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer | None:
        """Delete; None if there is no such thing."""
        return await self.send("DELETE", route, query=query, parts=parts)

    async def send(
        self,
        method: str,
        route: str,
        *,
        query: Mapping[str, str] | None = None,
        payload: Payload | None = None,
        headers: Mapping[str, str] | None = None,
        parts: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Answer | None:
        """Any request. With an `accept` that is not JSON the answer's body is text of that type.

        Raises `RetryableError` if the vendor may answer later, else `TerminalError`. A refused
        credential is renewed once, if it can be.
        """
        url = self._url(f"{method} {route}", route, parts or {}, query or {})
        asked = _Request(
            method=method,
            route=route,
            url=url,
            headers=headers or {},
            payload=payload,
            accept=accept,
        )
        return await self._authorised(
            lambda it: call(partial(self._attempt, asked, it), route=str(asked))
        )

    @asynccontextmanager
    async def download(
        self,
        route: str,
        query: Mapping[str, str] | None = None,
        *,
        address: str = "",
        **parts: str,
    ) -> AsyncIterator[Download | None]:
        """A file, to be read piece by piece inside; None if there is none (404, 410).

        `address` is one that an answer gave, which `route` only gives a name. Credentials go to
        this vendor's own scheme, host and port alone; redirects are followed, three at most.
        Raises as `send` does: what may be fetched from nowhere is a `TerminalError`.
        """
        said = f"GET {route}"
        url = absolute(said, address) if address else self._url(said, route, parts, query or {})
        file = await self._authorised(lambda it: self._downloads.open(route, url, it))
        try:
            yield file
        finally:
            if file is not None:
                file.close()

    async def _authorised(self, ask: Callable[[str | None], Awaitable[T]]) -> T:
        """`ask` with the credential, and once more with a new one if it is refused."""
        credential = await self._credential.header()
        try:
            return await ask(credential)
        except UnauthorisedError:
            renewed = await self._credential.header(refused=credential)
            if renewed is None:
                raise
        return await ask(renewed)

    def _url(
        self, said: str, route: str, parts: Mapping[str, str], query: Mapping[str, str]
    ) -> URL:
        """The address, quoted so that no part can become two, or none, or its own parent."""
        for name, part in parts.items():
            if part in {"", ".", ".."}:
                raise TerminalError(f"{said}: {{{name}}} is not a name")
        try:
            path = route.format_map({name: quote(part, safe="") for name, part in parts.items()})
            asked = urlencode(query, quote_via=quote)
        except UnicodeError:
            raise TerminalError(f"{said}: not text") from None  # the cause quotes the part
        return URL(self._base_url + path + (f"?{asked}" if asked else ""), encoded=True)

    async def _attempt(self, asked: _Request, credential: str | None) -> Answer | None:
        headers = {"Accept": asked.accept, **asked.headers}
        if credential is not None:
            headers["Authorization"] = credential
        if asked.payload is not None:
            headers["Content-Type"] = asked.payload.content_type
        status = id_ = None
        try:
            async with self._open().request(
                asked.method,
                asked.url,
                headers=headers,
                data=asked.payload.content if asked.payload else None,
                allow_redirects=False,  # a redirect would take the credentials elsewhere
            ) as raw:
                status, id_ = raw.status, request_id(raw.headers)
                content = await taken(raw, self._ceilings)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failed = f"{asked}: {type(error).__name__}"
            raise RetryableError(failed) from None  # the cause would name the URL
        finally:
            witness(Call(asked.method, asked.route, status, id_))
        return self._read(f"{asked}: {status}", raw, content, asked.accept)

    def _read(
        self, said: str, raw: aiohttp.ClientResponse, content: bytes | Unread, accept: str
    ) -> Answer | None:
        body: Any = content
        if not isinstance(content, Unread):
            body = parsed(raw.content_type, content, accept, self._ceilings.answer_depth)
        verdict = self._classify(raw.status, None if isinstance(body, Unread) else body)
        if verdict is ABSENT:
            return None
        if isinstance(verdict, Exception):
            verdict.args = (f"{said} {verdict}".rstrip(),)
            if isinstance(verdict, RetryableError):
                verdict.retry_after = verdict.retry_after or retry_after(raw.headers)
            raise verdict
        return usual_reading(said, raw, content, body)

    def _refusal(
        self, said: str, raw: aiohttp.ClientResponse, content: bytes | Unread
    ) -> Answer | None:
        return self._read(said, raw, content, JSON)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=self._ceilings.answer_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._downloads.close()
        if self._session is not None:
            await self._session.close()
