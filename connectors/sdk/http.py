"""JSON over HTTP to one vendor: fails in only two ways, and names nobody when it does."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from .calls import Call, Caller, call, caller, witness, witnessed
from .interface import RetryableError, TerminalError

__all__ = [
    "ABSENT",
    "JSON",
    "Absent",
    "Answer",
    "Authorization",
    "Call",
    "Caller",
    "Classify",
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

JSON = "application/json"

_LATER = frozenset({408, 425, 429, *range(500, 600), 302, 303, 307})
_REQUEST_IDS = ("X-Request-Id", "Request-Id", "X-SFDC-Request-Id", "x-amzn-RequestId")


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
    """`fields` as an HTML form would send them."""
    return Payload(urlencode(fields).encode(), "application/x-www-form-urlencoded")


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor said."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: Any
    """Parsed JSON; `{}` if nothing was due (204); a `str` if another type was accepted."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"


class Absent(Enum):
    """What `classify` says of an answer that means: there is no such thing."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

Classify = Callable[[int, Any], Exception | Absent | None]
"""A vendor's own reading of (status, parsed body or None); None leaves it to the usual rules."""


def _usual(_status: int, _body: Any) -> None:
    return None


class UnauthorisedError(TerminalError):
    """The vendor refused the credentials (401). Nothing may be concluded about what it holds."""


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
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        """`timeout` bounds one call, from connecting to the last byte."""
        self._base_url = base_url.rstrip("/")
        self._credential = _Credential(authorization)
        self._classify = classify
        self._headers = {"Accept": JSON, **(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, route: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer | None:
        """Read one thing; None if there is no such thing."""
        return await self.send("GET", route, query=query, parts=parts)

    async def require(
        self, route: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer:
        """Read what is always there, such as a list: a 404 is a `TerminalError`, never absence."""
        answer = await self.send("GET", route, query=query, parts=parts)
        if answer is None:
            raise TerminalError(f"GET {route}: 404 where an answer is due")
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
        credential = await self._credential.header()
        try:
            return await call(partial(self._attempt, asked, credential))
        except UnauthorisedError:
            renewed = await self._credential.header(refused=credential)
            if renewed is None:
                raise
        return await call(partial(self._attempt, asked, renewed))

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
        status = request_id = None
        try:
            async with self._open().request(
                asked.method,
                asked.url,
                headers=headers,
                data=asked.payload.content if asked.payload else None,
                allow_redirects=False,  # a redirect would take the credentials elsewhere
            ) as raw:
                status, request_id = raw.status, _request_id(raw.headers)
                content = await raw.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failed = f"{asked}: {type(error).__name__}"
            raise RetryableError(failed) from None  # the cause would name the URL
        finally:
            witness(Call(asked.method, asked.route, status, request_id))
        return self._read(f"{asked}: {status}", raw, content, asked.accept)

    def _read(
        self, said: str, raw: aiohttp.ClientResponse, content: bytes, accept: str
    ) -> Answer | None:
        body = _parse(raw.content_type, content, accept)
        verdict = self._classify(raw.status, None if body is _UNREADABLE else body)
        if verdict is ABSENT:
            return None
        if isinstance(verdict, Exception):
            verdict.args = (f"{said} {verdict}".rstrip(),)
            if isinstance(verdict, RetryableError):
                verdict.retry_after = verdict.retry_after or retry_after(raw.headers)
            raise verdict
        return _usual_reading(said, raw, content, body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()


_UNREADABLE = object()


def _parse(content_type: str, content: bytes, accept: str) -> Any:
    """The body, or `_UNREADABLE`. Errors come as JSON whatever was accepted."""
    if accept not in {JSON, content_type}:
        accept = JSON
    try:
        return json.loads(content) if accept == JSON else content.decode()
    except (ValueError, RecursionError):
        return _UNREADABLE


def _usual_reading(
    said: str, raw: aiohttp.ClientResponse, content: bytes, body: Any
) -> Answer | None:
    """What a status means at most vendors."""
    match raw.status:
        case status if status in _LATER:
            raise RetryableError(said, retry_after=_asked_to_wait(raw))
        case HTTPStatus.NOT_FOUND if content and body is _UNREADABLE:
            # Some gateway's page. Absence is only what the vendor itself says.
            raise RetryableError(f"{said}, unreadable")
        case HTTPStatus.NOT_FOUND:
            return None
        case HTTPStatus.UNAUTHORIZED:
            raise UnauthorisedError(said, reason="unauthorised")
        case HTTPStatus.FORBIDDEN:
            raise TerminalError(said, reason="forbidden")
        case status if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise TerminalError(said)
        case HTTPStatus.NO_CONTENT | HTTPStatus.RESET_CONTENT:
            return Answer(raw.status, raw.headers, {})
        case _ if body is _UNREADABLE:
            raise RetryableError(f"{said}, unreadable")
        case _:
            return Answer(raw.status, raw.headers, body)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """How long `Retry-After` asks to wait, in seconds or until a date (RFC 9110, 10.2.3)."""
    said = headers.get("Retry-After", "").strip()
    if said.isdecimal() and len(said) < len("1000000000"):
        return timedelta(seconds=int(said))
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(0), at - datetime.now(UTC))


def _asked_to_wait(raw: aiohttp.ClientResponse) -> timedelta | None:
    """What `Retry-After` says. A 429 asks to slow down even where it does not say for how long."""
    wait = retry_after(raw.headers)
    return timedelta(0) if wait is None and raw.status == HTTPStatus.TOO_MANY_REQUESTS else wait


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)
