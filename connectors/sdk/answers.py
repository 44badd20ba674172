"""What a vendor's answer comes to: its body, or why it is not read, and what its status means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from .ceilings import TOO_LARGE, Ceilings, is_deeper
from .interface import RetryableError, TerminalError

JSON: Final = "application/json"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
"""That aiohttp decodes piece by piece, and whatever is installed."""
LATER: Final = frozenset({408, 425, 429, *range(500, 600), 302, 303, 307})
_REQUEST_IDS: Final = ("X-Request-Id", "Request-Id", "X-SFDC-Request-Id", "x-amzn-RequestId")


class UnauthorisedError(TerminalError):
    """The vendor refused the credentials (401). Nothing may be concluded about what it holds."""


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


class Unread(Enum):
    """What a body is if it is not read, and why."""

    BROKEN = "unreadable"
    ENCODED = "compressed as was not asked for"
    LARGE = "too large"
    DEEP = "too deep"


async def taken(raw: aiohttp.ClientResponse, ceilings: Ceilings) -> bytes | Unread:
    """The body, decoded; no more of it is ever in memory than may be, and one piece."""
    if raw.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        raw.close()
        return Unread.ENCODED
    pieces, size = [], 0
    while piece := await raw.content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > ceilings.answer_bytes:
            raw.close()
            return Unread.LARGE
    return b"".join(pieces)


def parsed(content_type: str, content: bytes, accept: str, levels: int) -> Any:
    """The body, or why it cannot be read. Errors come as JSON whatever was accepted."""
    if accept not in {JSON, content_type}:
        accept = JSON
    try:
        if accept != JSON:
            return content.decode()
        body = json.loads(content)
    except RecursionError:
        return Unread.DEEP
    except ValueError:
        return Unread.BROKEN
    return Unread.DEEP if is_deeper(body, content, levels) else body


def usual_reading(
    said: str, raw: aiohttp.ClientResponse, content: bytes | Unread, body: Any
) -> Answer | None:
    """What a status means at most vendors. What is too large now will be so again."""
    match raw.status:
        case status if status in LATER:
            raise RetryableError(said, retry_after=asked_to_wait(raw))
        case HTTPStatus.NOT_FOUND if content and isinstance(body, Unread):
            # Some gateway's page. Absence is only what the vendor itself says.
            raise RetryableError(f"{said}, {body.value}")
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
        case _ if body is Unread.LARGE or body is Unread.DEEP:
            raise TerminalError(f"{said}, {body.value}", reason=TOO_LARGE)
        case _ if isinstance(body, Unread):
            raise RetryableError(f"{said}, {body.value}")
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


def asked_to_wait(raw: aiohttp.ClientResponse) -> timedelta | None:
    """What `Retry-After` says. A 429 asks to slow down even where it does not say for how long."""
    wait = retry_after(raw.headers)
    return timedelta(0) if wait is None and raw.status == HTTPStatus.TOO_MANY_REQUESTS else wait


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's own id of a call."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)
