"""Documents that are handed over by HTTP: one POST to an address that the policy names."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import aiohttp

from connectors.sdk import wall_clock
from connectors.sdk.addresses import is_private
from connectors.sdk.answers import request_id, retry_after
from pipeline.ports import LaterError, UnreachableError

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
"""The media type of a DSSE envelope (github.com/secure-systems-lab/dsse, envelope.md)."""
WITHIN = aiohttp.ClientTimeout(total=20)
LATER = frozenset({408, 425, 429})
"""Not now (RFC 9110, section 15.5.9; RFC 8470; RFC 6585); nor is anything from 500 on."""
SERVER_ERROR = 500
PUT_OFF, LONGEST = timedelta(seconds=30), timedelta(hours=1)


class Webhooks:
    """Implements `ports.Webhook`: by https, or on this machine. Redirects are not followed, and of
    the answer nothing is read but its status and headers.
    """

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=WITHIN, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def post(self, address: str, content: bytes, key: str) -> tuple[int, str]:
        """Hand over a document; the status, and their request id.

        Raises `LaterError` if they may take it later, `UnreachableError` if not.
        """
        if not is_private(address.partition("?")[0]):
            raise UnreachableError("not_https")
        headers = {"Content-Type": ENVELOPE, "Idempotency-Key": key}
        try:
            async with self._session.post(
                address, data=content, headers=headers, allow_redirects=False
            ) as answer:
                status, told = answer.status, answer.headers
        except (aiohttp.InvalidURL, ValueError):
            raise UnreachableError("bad_address") from None
        except (aiohttp.ClientError, TimeoutError, OSError):  # its cause would name the address
            raise LaterError(_after(PUT_OFF), "unavailable") from None
        if status in LATER or status >= SERVER_ERROR:
            wait = retry_after(told) or PUT_OFF
            raise LaterError(_after(min(wait, LONGEST)), "unavailable")
        if not 200 <= status < 300:  # noqa: PLR2004  what HTTP calls successful
            raise UnreachableError("refused")
        return status, request_id(told) or ""


def _after(wait: timedelta) -> datetime:
    return wall_clock.now() + wait
