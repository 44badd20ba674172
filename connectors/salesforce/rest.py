"""Salesforce's REST API: sign in, ask in SOQL to the last page, change a record, read the errors.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

from asyncio import Lock
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from connectors.sdk.http import ABSENT, Absent, Http, as_form, as_json
from connectors.sdk.interface import RetryableError, TerminalError

VERSION: Final = "v68.0"  # Winter '27

PATIENCE: Final = timedelta(seconds=130)  # Salesforce itself gives a query up after 120

Row = dict[str, Any]

_LATER: Final = {
    "REQUEST_LIMIT_EXCEEDED": timedelta(minutes=5),  # of a rolling day; no Retry-After is sent
    "UNABLE_TO_LOCK_ROW": None,
    "SERVER_UNAVAILABLE": None,
    "QUERY_TIMEOUT": None,
    "INVALID_QUERY_LOCATOR": None,
}
_NEVER: Final = {
    "INSUFFICIENT_ACCESS": "forbidden",
    "INSUFFICIENT_ACCESS_OR_READONLY": "forbidden",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "forbidden",
    # The user may not see the field or the object, or there is none: nothing was searched.
    "INVALID_FIELD": "forbidden",
    "INVALID_TYPE": "forbidden",
    "DELETE_FAILED": "in_use",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "rule",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "rule",
    "CANNOT_UPDATE_CONVERTED_LEAD": "converted",
}


def _classify(status: int, body: Any) -> Exception | Absent | None:
    """Read `[{"errorCode": …, "message": …}]`. A message may quote a person: it goes no further."""
    match body:
        case [{"errorCode": str(code)}, *_] if status in {400, 403, 404, 409}:
            pass
        case _:
            return None
    if code in _LATER:
        return RetryableError(code, retry_after=_LATER[code])
    if code == "ENTITY_IS_DELETED":
        return ABSENT
    return TerminalError(code, reason=_NEVER[code]) if code in _NEVER else None


def _refused(status: int, _: Any) -> Exception | None:
    """Read `{"error": "invalid_client"}` and its like (RFC 6749, 5.2)."""
    refused = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}
    return TerminalError("refused", reason="unauthorised") if refused else None


class _Login:
    """Client credentials (RFC 6749, 4.4). The answer says where the org's data is."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self.http = Http(url, classify=_refused)
        self._form = as_form(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": client_secret,
            }
        )
        self._header = ""
        self.instance = ""

    async def __call__(self, *, renew: bool = False) -> str:
        if renew or not self._header:
            answer = await self.http.post("/services/oauth2/token", self._form)
            match answer and answer.body:
                case {"access_token": str(token), "instance_url": str(instance)}:
                    self._header, self.instance = f"Bearer {token}", instance
                case _:
                    raise TerminalError("POST /services/oauth2/token: no token")
        return self._header


class Rest:
    """One org. Its rows come with `attributes` taken off."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._login = _Login(url, client_id, client_secret)
        self._opening = Lock()
        self._http: Http | None = None

    async def query(self, soql: str) -> AsyncIterator[list[Row]]:
        """Every row, page by page, those in the recycle bin included."""
        http = await self._open()
        answer, before = await http.require("/queryAll", {"q": soql}), ""
        while True:
            match answer.body:
                case {"records": [*rows], "done": bool(done)}:
                    yield [{k: v for k, v in row.items() if k != "attributes"} for row in rows]
                case _:
                    raise RetryableError("GET /queryAll: no records")
            if done:
                return
            # Its last part only: a credential does not follow where an answer points to.
            locator = str(answer.body.get("nextRecordsUrl")).rpartition("/")[2]
            if locator == before:
                raise RetryableError("GET /query/{locator}: a page that comes again")
            before = locator
            answer = await http.require("/query/{locator}", locator=locator)

    async def update(self, name: str, id_: str, fields: Mapping[str, None]) -> bool:
        """Set fields of a record; false if it is deleted."""
        http = await self._open()
        route = "/sobjects/{name}/{id}"
        return await http.patch(route, as_json(fields), name=name, id=id_) is not None

    async def delete(self, name: str, id_: str) -> None:
        """Move a record, and the children that cannot be without it, to the recycle bin."""
        http = await self._open()
        await http.delete("/sobjects/{name}/{id}", name=name, id=id_)

    async def close(self) -> None:
        """Release the sockets."""
        await self._login.http.__aexit__()
        if self._http is not None:
            await self._http.__aexit__()

    async def _open(self) -> Http:
        async with self._opening:
            if self._http is None:
                await self._login()
                base = f"{self._login.instance}/services/data/{VERSION}"
                self._http = Http(
                    base, authorization=self._login, classify=_classify, timeout=PATIENCE
                )
            return self._http
